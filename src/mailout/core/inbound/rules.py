r"""Phrases and what they mean. A rule gives a category, a sign gives a kind; both are data.

A pattern (see `pattern`) is searched in a text in lower case whose blanks are single, whose
addresses are `@`, and that has at most `MOST_TEXT` characters: what `normal` makes of it.

Rules that name a provider are asked first, weak ones last: after the codes have been.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import ClassVar

from mailout.core.inbound.category import Category, Kind
from mailout.core.inbound.pattern import needed

_STRICT: dict[str, object] = {"extra": "forbid"}
MOST_TEXT = 1500

_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,120}@[\w.-]{1,200}")
_BLANKS = re.compile(r"\s{1,200}")
_REPEATED = re.compile(r"\b([45]\d\d)[ -]([45]\.\d{1,3}\.\d{1,3})?")


class Place(StrEnum):
    """Where a sign is looked for."""

    SUBJECT = "subject"
    OPENING = "opening"


@dataclass(frozen=True, slots=True)
class Rule:
    """A phrase in a server's or a report's words, and the category that it means."""

    __pydantic_config__: ClassVar = _STRICT
    pattern: str
    category: Category
    example: str
    since: str
    provider: str = ""
    domain: str = ""  # a recipient's: the rule is for mail to it and to what is below it
    language: str = ""
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Sign:
    """A phrase in a mail's subject or first words, and the kind of mail that it is a sign of."""

    __pydantic_config__: ClassVar = _STRICT
    pattern: str
    kind: Kind
    example: str
    since: str
    place: Place = Place.OPENING
    maker: str = ""


@dataclass(frozen=True, slots=True)
class _Asked:
    needed: tuple[str, ...]  # one stands in whatever matches: a quick look before the search
    pattern: str
    means: Category | Kind
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules and signs, ready to be asked."""

    strong: tuple[_Asked, ...]
    weak: tuple[_Asked, ...]
    signs: dict[tuple[Kind, Place], tuple[_Asked, ...]]

    def category(self, text: str, *, weak: bool = False, domain: str = "") -> Category | None:
        """What the first rule that matches a normal text means; None if none does.

        `domain` is that of the recipient, in lower case; empty if it is not known.
        """
        found = _first(self.weak if weak else self.strong, text, domain)
        return found if isinstance(found, Category) else None

    def shows(self, kind: Kind, place: Place, text: str) -> bool:
        """Whether a normal text has a sign of that kind."""
        return _first(self.signs.get((kind, place), ()), text) is not None


@cache
def _search(pattern: str) -> Callable[[str], object]:
    """The search for a pattern; compiled when it is first needed, since most never are."""
    return re.compile(pattern).search


def _first(asked: Iterable[_Asked], text: str, domain: str = "") -> Category | Kind | None:
    for one in asked:
        if one.domain and not f".{domain}".endswith(f".{one.domain}"):
            continue
        for part in one.needed:  # no `any`: this loop is most of what reading a mail costs
            if part in text:
                break
        else:
            if one.needed:
                continue
        if _search(one.pattern)(text):
            return one.means
    return None


def compile_rules(
    rules: Iterable[Rule], signs: Iterable[Sign], first: Iterable[Rule] = ()
) -> Rules:
    """Rules and signs as they are asked: `first`, those of a provider, then the others in order.

    Raises: BadPattern.
    """
    ordered = [*first, *sorted(rules, key=lambda rule: not (rule.provider or rule.domain))]
    by_place: dict[tuple[Kind, Place], list[_Asked]] = {}
    for sign in signs:
        by_place.setdefault((sign.kind, sign.place), []).append(_asked(sign.pattern, sign.kind))
    return Rules(
        tuple(_asked_of(rule) for rule in ordered if not rule.weak),
        tuple(_asked_of(rule) for rule in ordered if rule.weak),
        {key: tuple(found) for key, found in by_place.items()},
    )


def _asked_of(rule: Rule) -> _Asked:
    return _Asked(tuple(needed(rule.pattern)), rule.pattern, rule.category, rule.domain.lower())


def _asked(pattern: str, means: Category | Kind) -> _Asked:
    return _Asked(tuple(needed(pattern)), pattern, means)


def normal(text: str) -> str:
    """A text as patterns see it.

    The code that a server repeats at the head of each line of a reply is left out but once.
    """
    text = _BLANKS.sub(" ", _ADDRESS.sub("@", text[: 3 * MOST_TEXT])).strip()
    first = _REPEATED.search(text)
    if first:
        detail = re.escape(first[2] or "")
        again = re.compile(rf"(?<=\s){first[1]}[ -](?:{detail})? ?")
        text = text[: first.end()] + again.sub("", text[first.end() :])
    return _BLANKS.sub(" ", text).lower()[:MOST_TEXT]
