"""Languages and countries by the names that people write for them, in a dozen languages.

The names are CLDR's (through babel), and those of CLDR's that it has for codes of three letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache

from babel import Locale
from babel.core import get_global

from mailout.core.language import normal

_WRITTEN_IN = ("en", "ru", "de", "kk", "ar", "fr", "es", "pt", "it", "tr", "uk", "pl")
_BEHIND = re.compile(r" (?:language|язык|мова)$| ?\(.*\)$")  # `English (United States)`
# What people write, and CLDR says otherwise.
_COUNTRIES = {
    "america": "US", "сша": "US", "great britain": "GB", "england": "GB", "scotland": "GB",
    "wales": "GB", "англия": "GB", "holland": "NL", "голландия": "NL", "czech republic": "CZ",
    "turkey": "TR", "рф": "RU", "российская федерация": "RU", "russian federation": "RU",
    "белоруссия": "BY", "кыргызстан": "KG", "молдавия": "MD", "южная корея": "KR", "оаэ": "AE",
    "brd": "DE", "türkei": "TR", "palestine": "PS", "палестина": "PS", "palästina": "PS",
}  # fmt: skip


def language_called(words: str) -> str:
    """The code of the language that the words are a name of, or its code of three letters (`rus`
    gives `ru`); empty if nobody knows it."""
    plain = _plain(words)
    code = str(get_global("language_aliases").get(plain, "")) if len(plain) == 3 else ""
    return normal(code) or _languages().get(_BEHIND.sub("", plain), "")


def country_called(words: str) -> str:
    """The code of the country that the words are a name of, or its code of three letters (`KAZ`
    gives `KZ`); empty if nobody knows it, or it became several."""
    plain = _plain(words)
    codes = get_global("territory_aliases").get(plain.upper(), []) if len(plain) == 3 else []
    if len(codes) == 1:
        return str(codes[0])
    return _COUNTRIES.get(plain) or _countries().get(plain, "")


@cache
def _languages() -> Mapping[str, str]:
    named = (Locale(one).languages for one in _WRITTEN_IN)
    return _by_name([(name, normal(code)) for names in named for code, name in names.items()])


@cache
def _countries() -> Mapping[str, str]:
    named = (Locale(one).territories for one in _WRITTEN_IN)
    return _by_name(
        [(name, code) for names in named for code, name in names.items() if code.isalpha()]
    )


def _by_name(pairs: list[tuple[str, str]]) -> Mapping[str, str]:
    """Codes by names; without a name of several."""
    codes: dict[str, set[str]] = {}
    for name, code in pairs:
        codes.setdefault(_plain(name), set()).add(code)
    return {name: code for name, (code, *more) in codes.items() if not more}


def _plain(words: str) -> str:
    """Words as they are compared: small letters, ё as е, one kind of apostrophe and blank."""
    folded = unicodedata.normalize("NFC", words).casefold().replace("ё", "е").replace("’", "'")
    return " ".join(folded.split())
