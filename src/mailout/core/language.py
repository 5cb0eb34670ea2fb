"""Languages as BCP 47 codes: checks, direction of writing, and who falls back to whom.

Standards: BCP 47 (RFC 5646).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

EVERY_OTHER = "*"
"""What stands in a fallback for each language that has no entry of its own."""

RIGHT_TO_LEFT = frozenset({"ar", "fa", "ur", "he", "ckb", "ug", "ps", "sd", "yi"})

# Country codes that are often typed for a language.
_MISTAKEN = {"kz": "kk", "ua": "uk", "cz": "cs", "se": "sv", "dk": "da", "jp": "ja", "gr": "el"}
_CODE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")


def normal(code: str) -> str:
    """The code in lower case with hyphens: `pt_BR` gives `pt-br`."""
    return code.strip().replace("_", "-").lower()


def is_code(code: str) -> bool:
    """Whether `code` has the shape of a language code; not whether the language exists."""
    return bool(_CODE.fullmatch(code))


def mistaken_for(code: str) -> str | None:
    """The language probably meant where a country code was given: `kz` gives `kk`."""
    return _MISTAKEN.get(normal(code))


def direction(code: str) -> str:
    """`rtl` or `ltr`."""
    return "rtl" if code.split("-")[0] in RIGHT_TO_LEFT else "ltr"


def chain(
    wanted: str, offered: Sequence[str], fallback: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """The languages to try for a reader of `wanted`, best first; `offered[0]` is the last resort.

    `fallback` names for a language (or for `*`, every other one) those that its readers rather
    read than the first one.
    """
    steps = [wanted, wanted.split("-")[0], *stated(wanted, fallback), *offered]
    return tuple(dict.fromkeys(step for step in steps if step in offered))


def stated(wanted: str, fallback: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The languages that `fallback` names for one, and behind them those for every other."""
    return (*fallback.get(wanted.split("-")[0], ()), *fallback.get(EVERY_OTHER, ()))


def nearest(
    wanted: str,
    offered: Collection[str],
    order: Sequence[str],
    fallback: Mapping[str, Sequence[str]],
) -> str:
    """Of the languages offered (at least one) the one for readers of `wanted`; `order` is the
    list's, which decides where `fallback` is silent."""
    known = [code for code in (*order, *offered) if code in offered]
    return chain(wanted, known, fallback)[0]
