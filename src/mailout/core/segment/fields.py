"""What a rule can speak of: the fields every person has, and those that a list declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from mailout.core.errors import closest


class Kind(StrEnum):
    """What a field holds. The last six are what a list may declare as `type`."""

    TAGS = "tags"
    LISTS = "lists"
    LANGUAGE = "language"
    COUNTRY = "country"
    DOMAIN = "domain"
    NAME = "name"
    JOINED = "joined"
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    YES_NO = "yes-no"
    CHOICE = "choice"
    CHOICES = "choices"

    @property
    def is_ordered(self) -> bool:
        """Whether `<` and `>` mean something."""
        return self in (Kind.JOINED, Kind.DATE, Kind.NUMBER)

    @property
    def is_day(self) -> bool:
        return self in (Kind.JOINED, Kind.DATE)

    @property
    def is_text(self) -> bool:
        """Whether a part of it can be looked for, in capitals or not."""
        return self in (Kind.NAME, Kind.TEXT)

    @property
    def is_never_empty(self) -> bool:
        return self in (Kind.LISTS, Kind.DOMAIN, Kind.JOINED)


OWN_KINDS = (Kind.TEXT, Kind.NUMBER, Kind.DATE, Kind.YES_NO, Kind.CHOICE, Kind.CHOICES)
"""What a list may declare."""


@dataclass(frozen=True, slots=True)
class Field:
    """What a field holds, and in words what is compared with it; `choices` are all it may hold,
    or empty."""

    kind: Kind
    takes: str
    choices: tuple[str, ...] = ()


FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "tag": Field(Kind.TAGS, "a tag of the person"),
        "list": Field(Kind.LISTS, "the name of a list"),
        "language": Field(Kind.LANGUAGE, "a language code such as ru"),
        "country": Field(Kind.COUNTRY, "a country code such as DE"),
        "name": Field(Kind.NAME, "the person's name"),
        "domain": Field(Kind.DOMAIN, "the domain of the address"),
        "joined": Field(Kind.JOINED, "a date such as 2026-01-31"),
    }
)
"""The fields that every person has."""

HISTORY = ("received", "bounced", "replied")
"""What a rule asks of a person and an issue: `received(last 3 issues)`."""

WAYS = ("import", "hand", "form")
"""What `joined by` knows by itself; any other word is a source of evidence, as that was written."""


def near_way(source: str) -> str:
    """The way that a source was probably meant to be; empty if it is one, or like none."""
    word = source.lower()
    return closest(word, WAYS) if word not in WAYS and word.isalpha() else ""


KEYWORDS = frozenset({"and", "or", "not", "in", "is", "contains", "everyone", "segment"})
"""Words that need quotes where a value is meant."""

# Columns of imports and exports, words of the language, and what is kept beside the fields.
RESERVED = (
    frozenset(FIELDS)
    | KEYWORDS
    | frozenset(HISTORY)
    | {"address", "email", "tags", "state", "status", "joined_at", "edition", "signatory"}
)
"""What a list's own field cannot be called."""

_TAKES = {
    Kind.TEXT: "a word, or a text in quotes,",
    Kind.NUMBER: "a number such as 12 or 2.5",
    Kind.DATE: "a date such as 2026-01-31",
    Kind.YES_NO: "yes or no",
    Kind.CHOICE: "one of its choices",
    Kind.CHOICES: "one of its choices",
}


def own_field(kind: Kind, choices: tuple[str, ...] = ()) -> Field:
    """A field that a list declares, of one of `OWN_KINDS`."""
    return Field(kind, _TAKES[kind], choices)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the rules of a list may name: its own `fields` beside those of everybody, the lists of
    the site, and its `segments`. Empty `lists`, None for `segments`: any name is taken, as where
    there is no site."""

    fields: Mapping[str, Field] = field(default_factory=dict)
    lists: tuple[str, ...] = ()
    segments: frozenset[str] | None = None

    def field(self, name: str) -> Field | None:
        return FIELDS.get(name) or self.fields.get(name)

    @property
    def names(self) -> frozenset[str]:
        """All that a condition can begin with."""
        return frozenset(FIELDS) | frozenset(self.fields) | frozenset(HISTORY)
