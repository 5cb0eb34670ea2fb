"""The errors that a person is meant to read: what happened, where, and what to do.

Expected ends (a refused recipient, a bad row) are values. An exception here means
that the command cannot go on as asked; each door catches `MailoutError` once and
prints it on one line. The exit codes follow sysexits.h where it has a number:
0 done, 1 an expected failure, 2 usage, 75 try again later.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MailoutError(Exception):
    """An expected failure: `what` happened, `where`, and what to do about it (`fix`)."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        """The one line that is printed: `where: what. What to do.`"""
        line = f"{self.where}: {self.what}" if self.where else self.what
        if not self.fix:
            return line
        line = line.rstrip(".")
        return f"{line}{'' if line.endswith(('?', '!')) else '.'} {self.fix}"


class UsageError(MailoutError):
    """The words of the command do not fit together, or name something that is not there."""

    exit_code = 2


class TryLater(MailoutError):
    """Nothing is wrong with the request; the world is not ready (EX_TEMPFAIL, 75)."""

    exit_code = 75


class BadFile(MailoutError):
    """A file that an organiser wrote cannot be read as what it should be."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint naming the closest of the `known` words, or all of them when few; may be empty."""
    choices = sorted(known)
    if close := closest(word, choices):
        return f"Did you mean `{close}`?"
    if choices and len(choices) <= 12:
        return "Known: " + ", ".join(choices) + "."
    return ""


def closest(word: str, known: Iterable[str]) -> str:
    """The one of the `known` words that was probably meant; empty if none is close."""
    close = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return close[0] if close else ""


def place(file: str, line: int | None = None, column: int | None = None) -> str:
    """`file:line:column`, as far as it is known."""
    parts = [file]
    if line is not None:
        parts.append(str(line))
        if column is not None:
            parts.append(str(column))
    return ":".join(parts)


def decoded(raw: bytes, shown: str) -> str:
    """The text of a file's bytes, UTF-8 with or without a BOM. Raises: BadFile with the line."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BadFile(
            "this is not UTF-8", where=place(shown, line), fix="Save the file as UTF-8."
        ) from None
