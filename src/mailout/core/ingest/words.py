"""Words: what readers share when they take a title, an opening or a language from a source."""

from __future__ import annotations

import re
from html import unescape

from mailout.core import language

TITLE_WORDS = 10
"""Words of a text that serve as its title where it has none."""

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_BLOCK = re.compile(r"</?(?:p|div|br|li|ul|ol|h[1-6]|blockquote|tr|td|figure)\b[^<>]*>", re.I)
_LOCALE = re.compile(
    r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|\d{3}))?(?:[-_].*)?"
)
# Where what is written differs by country and not only what is spoken.
_BY_COUNTRY = frozenset({"pt", "zh"})
_CYRILLIC = re.compile(r"[\u0400-\u052f]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
_JOINERS = "\u200c\u200d\u200e\u200f"  # Persian and Arabic are written with them
_MIXED = 0.25  # share of letters in each of two scripts from which a text is in two languages
_ENOUGH = 300  # letters that tell
_IN_CYRILLIC = frozenset(("ru", "uk", "be", "kk", "ky", "tg", "mn", "bg", "mk", "tt"))


def plain(html: str) -> str:
    """The words of a bit of HTML on one line: no tags, entities as what they stand for."""
    head, end, tail = html.rpartition("-->")
    html = _COMMENT.sub("", head + end) + tail
    return one_line(unescape(_TAG.sub("", _BLOCK.sub(" ", html))))


def byline(name: str) -> str:
    """An author's name; nothing where it is an address, which is not ours to print."""
    found = plain(name)
    return "" if "@" in found else found


def one_line(text: str) -> str:
    """The text without line breaks and control characters, with single blanks."""
    line = " ".join(text.split())
    if line.isprintable():
        return line
    return "".join(one for one in line if one.isprintable() or one in _JOINERS)


def many(count: int, what: str) -> str:
    """`1 post`, `2 posts`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def opening(html: str, words: int = TITLE_WORDS) -> str:
    """The first words of an HTML text, to serve as its title; empty if it has none."""
    found = plain(html[:20_000]).split()
    short = " ".join(found[:words])[:120]
    return short + (" .." if len(found) > words else "")


def told_language(code: str) -> tuple[str, str]:
    """The language meant by a code or locale (`de_DE` gives `de`), and a warning or nothing.

    A country's code is read as the language that is usually meant by it.
    """
    given = one_line(code)
    found = _LOCALE.fullmatch(given)
    if not found:
        return "", f"`{given[:40]}` is not a language code: left out" if given else ""
    primary, script, country = found[1].lower(), found[2], found[3]
    meant = language.mistaken_for(primary)
    if meant:
        return meant, f"`{given}` is a country, not a language: read as `{meant}`"
    if script:
        return f"{primary}-{script.lower()}", ""
    if country and primary in _BY_COUNTRY:
        return f"{primary}-{country.lower()}", ""
    return primary, ""


def site_language(code: str) -> tuple[str, str]:
    """The same for a whole site's language; `en-US` tells nothing, it is what nobody has chosen."""
    return ("", "") if one_line(code).lower().replace("_", "-") == "en-us" else told_language(code)


def fits(code: str, text: str) -> bool:
    """Whether a text may be in the language: its letters are not nearly all of another script."""
    cyrillic, latin = len(_CYRILLIC.findall(text)), len(_LATIN.findall(text))
    if not code or cyrillic + latin < _ENOUGH / 10:
        return True
    share = cyrillic / (cyrillic + latin)
    return share > 0.1 if code in _IN_CYRILLIC else share < 0.9


def is_mixed(text: str) -> bool:
    """Whether much of the text is in Latin and much in Cyrillic letters."""
    cyrillic, latin = len(_CYRILLIC.findall(text)), len(_LATIN.findall(text))
    both = cyrillic + latin
    return both > _ENOUGH and min(cyrillic, latin) > _MIXED * both


def is_web_address(url: str) -> bool:
    """Whether it is an http or https address without blanks."""
    return bool(re.fullmatch(r"https?://[^\s<>\"/?#\[\]]+[^\s<>\"]*", url, re.I))
