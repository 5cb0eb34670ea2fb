"""Prose: foreign HTML as Markdown that reads well and that our own reader reads the same.

    HTML -> `clean` (refusals, sanitised tree) -> `block` and `span` (Markdown) -> words compared

What cannot be taken over is told in a warning. The words that were seen before are compared with
those in the Markdown, by a reading of their own: text is never lost without a word.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from mailout.core import markup
from mailout.core.errors import BadFile
from mailout.core.ingest.writing import clean
from mailout.core.ingest.writing.block import Writer
from mailout.core.ingest.writing.notes import Notes

_ESCAPE = re.compile(r"\\(?=[!-/:-@\[-`{-~])")
_NAMED = 6  # so many lost words are named


@dataclass(frozen=True, slots=True)
class Prose:
    """The Markdown, and one line for each thing that could not be taken over as it was."""

    text: str
    warnings: tuple[str, ...]


def to_markdown(html: str, base_url: str = "") -> Prose:
    """The Markdown of a piece of HTML; relative links are completed with `base_url`.

    Its `<!--more-->` stands on a line of its own. It is empty if nothing is to be seen.
    Raises: BadFile, without a place, for HTML that is too large, nested too deeply, or of which
    most words would be lost.
    """
    notes = Notes(base_url)
    html = clean.readable(html, notes.warnings)
    if not html.strip():
        return Prose("", tuple(notes.warnings))
    root = clean.tree(html)
    text = Writer(root, notes).document(root).strip("\n")
    _compare(clean.words(html), text, notes)
    return Prose(f"{text}\n" if text else "", tuple(notes.warnings))


def _compare(before: Counter[str], text: str, notes: Notes) -> None:
    """Nothing, but a warning if words are missing. Raises: BadFile if most are."""
    after = clean.counted(
        " ".join([_ESCAPE.sub("", text).replace(markup.MORE, ""), *notes.left_out])
    )
    if not (lost := before - after):
        return
    # Mark-up within a word splits it here, and what HTML moves joins others: so letters decide.
    shown = clean.words(markup.to_html(text)) + clean.counted(" ".join(notes.left_out))
    if not _letters(before) - _letters(shown):
        return
    missing, all_words = lost.total(), before.total()
    if missing > 20 and missing * 2 > all_words:
        raise BadFile(
            f"{missing} of {all_words} words would be lost",
            fix="Look for unclosed tags; or copy the text by hand.",
        )
    named = ", ".join(list(lost)[:_NAMED])
    notes.warn(f"{missing} of {all_words} words may be missing: {named}")


def _letters(words: Counter[str]) -> Counter[str]:
    return Counter("".join(words.elements()))
