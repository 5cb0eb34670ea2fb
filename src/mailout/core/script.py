"""Scripts: which letters a text is in, and which language of a site that speaks for.

A source that tells no language is taken as in the default one, unless the letters say otherwise:
nobody writes English in Cyrillic. Kazakh has letters that Russian lacks, several in any text.

Standards: ISO 15924 (names of scripts).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LETTERS = {
    "Latin": re.compile(r"[A-Za-z\u00c0-\u024f]"),
    "Cyrillic": re.compile(r"[\u0400-\u052f]"),
    "Arabic": re.compile(r"[\u0620-\u064a\u0671-\u06d3]"),
    "Greek": re.compile(r"[\u0370-\u03ff]"),
}
_SUBTAGS = {"latn": "Latin", "cyrl": "Cyrillic", "arab": "Arabic", "grek": "Greek"}
_LANGUAGES = {
    "Cyrillic": frozenset(
        ["ru", "uk", "be", "kk", "ky", "tg", "mn", "bg", "mk", "tt", "ba", "cv", "ce", "os", "ab"]
    ),
    "Arabic": frozenset(["ar", "fa", "ur", "ckb", "ug", "ps", "sd"]),
    "Greek": frozenset(["el"]),
}
# Written in two scripts (sr), or in one that is not looked for here.
_UNTOLD = frozenset(
    [
        "sr",
        "he",
        "yi",
        "zh",
        "ja",
        "ko",
        "hi",
        "bn",
        "ta",
        "te",
        "th",
        "km",
        "lo",
        "my",
        "ka",
        "hy",
        "am",
        "ti",
        "ne",
        "mr",
        "gu",
        "pa",
        "si",
        "kn",
        "ml",
    ]
)
_ADDRESS = re.compile(r"https?://\S+|[\w.+-]+@[\w.-]+")
_KAZAKH = "әғқңөұүһі"
_SEVERAL = 3  # Ukrainian and Belarusian have one of these letters, Tatar more
_ENOUGH = 20  # letters that tell
_DOMINATE = 0.7  # share of the letters; names and quotations may be in others


def of_text(text: str) -> str:
    """The script that nearly all of a text is in; empty if that cannot be told."""
    text = _ADDRESS.sub(" ", text)
    counts = {name: len(pattern.findall(text)) for name, pattern in _LETTERS.items()}
    name = max(counts, key=lambda one: counts[one])
    letters = sum(counts.values())
    return name if letters >= _ENOUGH and counts[name] >= _DOMINATE * letters else ""


def of_language(code: str) -> str:
    """The script that a language is written in; empty if it may be several, or another."""
    base, *more = code.lower().split("-")
    for subtag in more:
        if subtag in _SUBTAGS:
            return _SUBTAGS[subtag]
    if base in _UNTOLD:
        return ""
    return next((name for name, codes in _LANGUAGES.items() if base in codes), "Latin")


def contradicts(code: str, text: str) -> str:
    """The script of a text that cannot be in the language `code`; empty if it can."""
    found, expected = of_text(text), of_language(code)
    return found if found and expected and found != expected else ""


def fitting(text: str, languages: Sequence[str]) -> str:
    """The first of a site's languages that is written as the text is; empty if none is."""
    script = of_text(text)
    fit = [code for code in languages if script and of_language(code) == script]
    if script == "Cyrillic":
        is_kazakh = len({letter for letter in text.lower() if letter in _KAZAKH}) >= _SEVERAL
        wanted = "kk" if is_kazakh else "ru"
        fit.sort(key=lambda code: code.split("-")[0] != wanted)  # else in the site's order
    return fit[0] if fit else ""
