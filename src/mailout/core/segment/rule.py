"""Rules as values: what a text says once it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mailout.core.segment.fields import FIELDS, Kind


@dataclass(frozen=True, slots=True)
class Comparison:
    """`field` compared with one value, with several for `in`, with none for `empty`.

    `op` is one of `= < <= > >= in contains empty`. The values are in the spelling that is
    stored; a date may also be `today` or `30 days ago`. `own` is what a field that the list
    declares holds; None for the fields that everybody has.
    """

    field: str
    op: str
    values: tuple[str, ...]
    own: Kind | None = None

    @property
    def kind(self) -> Kind:
        return self.own or FIELDS[self.field].kind


@dataclass(frozen=True, slots=True)
class History:
    """Who `received`, `bounced` or `replied` to the issue of that name, to one of the `last` so
    many of the list, or (neither) to any of the list."""

    what: str
    issue: str = ""
    last: int = 0


@dataclass(frozen=True, slots=True)
class JoinedBy:
    """Who came on the list in that way: `import`, `hand`, `form`, or as their evidence says."""

    source: str


@dataclass(frozen=True, slots=True)
class Everyone:
    """Every person on the list."""


@dataclass(frozen=True, slots=True)
class Other:
    """The people of another segment of the same list."""

    name: str


@dataclass(frozen=True, slots=True)
class Not:
    part: Rule


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Rule, ...]


Rule = Comparison | History | JoinedBy | Everyone | Other | Not | And | Or

Find = Callable[[str], Rule]
"""From the name of a segment of the same list to its rule. Raises: MailoutError."""
