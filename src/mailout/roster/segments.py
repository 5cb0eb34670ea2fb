"""Segments: the rules of a list, who they mean at this moment, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mailout.core import segment as rules
from mailout.core.errors import MailoutError, UsageError, nearest
from mailout.core.mailing_list import SegmentName
from mailout.core.segment import And, Find, Not, Or, Other, Rule
from mailout.core.site import Site
from mailout.core.subscriber import Subscriber
from mailout.store import audiences, plans
from mailout.store import roster as stored
from mailout.store import segments as compiled
from mailout.store.engine import Store, Tx
from mailout.store.segments import Scope

if TYPE_CHECKING:
    from mailout.store.segments import Condition


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule to look at, of a list; `name` is empty for one that stands in no file yet."""

    list_id: str
    name: str
    rule: Rule

    def __str__(self) -> str:
        return f"{self.list_id}/{self.name}" if self.name else f"{self.list_id}, a rule"


@dataclass(frozen=True, slots=True)
class Count:
    """A segment's people now. `matching` are all on the list of whom the rule is true;
    `mailed` those who would get an issue, by language; `left_out` the others, by reason."""

    segment: SegmentName
    rule: str
    matching: int
    mailed: int
    by_language: Mapping[str, int]
    left_out: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Step:
    """A part of a rule: how deep it stands, its text, and of how many on the list it is true."""

    depth: int
    text: str
    count: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """A rule in words, its parts with their counts, and how the database finds its people."""

    words: str
    steps: list[Step]
    found_by: list[str]


def named(site: Site, text: str, list_id: str = "") -> SegmentName:
    """The segment called `unions` or `bulletin/unions`; a bare name is looked up in `list_id`
    first. Raises: UsageError naming the choices."""
    if list_id and "/" not in text:
        text = f"{list_id}/{text}"
    return site.segment_named(text)


def rule_of(site: Site, name: SegmentName) -> Rule:
    """The rule of a segment of the site."""
    return site.list_named(name.list_id).rule(name.name)


def asked(site: Site, name: SegmentName) -> Asked:
    """A segment of the site, to be looked at."""
    return Asked(name.list_id, name.name, rule_of(site, name))


def written_down(site: Site, text: str, list_id: str = "", where: str = "--rule") -> Asked:
    """A rule that stands in no file, of the list (or of the only one there is).

    Raises: BadRule with a caret under the place; UsageError if the list has to be named.
    """
    if not list_id and len(site.lists) > 1:
        raise UsageError(
            "it has to be said which list the rule is about",
            where="--list",
            fix=nearest("", site.lists),
        )
    mailing_list = site.list_named(list_id) if list_id else next(iter(site.lists.values()))
    return Asked(mailing_list.id, "", mailing_list.people(text, where))


def find(site: Site, list_id: str) -> Find:
    """What resolves `segment NAME` inside a rule of that list.

    Raises (when called): MailoutError naming the nearest segment.
    """
    return site.list_named(list_id).rule


def scope(site: Site, list_id: str, now: datetime | None = None) -> Scope:
    """What a rule of that list is evaluated in, at this moment unless another is given."""
    zone = ZoneInfo(site.identity.timezone)
    return Scope(list_id, find(site, list_id), now or datetime.now(UTC), zone)


def condition(tx: Tx, site: Site, asked: Asked, now: datetime | None = None) -> Condition:
    """The rule as the store's condition on a joined subscriber and subscription: whoever lists
    people of a list may add it to a query of theirs.

    Raises: MailoutError for references that lead nowhere or in a circle.
    """
    return compiled.condition(tx, asked.rule, scope(site, asked.list_id, now))


def matching(site: Site, store: Store, asked: Asked) -> int:
    """How many people of the list, in whatever state, the rule is true of. Raises: MailoutError."""
    with store.reading() as tx:
        return compiled.count(tx, asked.rule, scope(site, asked.list_id))


def count(site: Site, store: Store, name: SegmentName) -> Count:
    """How many people the segment means now. Raises: MailoutError."""
    return count_of(site, store, asked(site, name))


def count_of(site: Site, store: Store, asked: Asked) -> Count:
    """How many people the rule means now. Raises: MailoutError."""
    at = scope(site, asked.list_id)
    choice = audiences.Choice(0, at.list_id, asked.rule, None, at.find, now=at.now, zone=at.zone)
    with store.reading() as tx:
        audience = audiences.audience(tx, choice, at.now)
    return Count(
        segment=SegmentName(asked.list_id, asked.name),
        rule=rules.written(asked.rule),
        matching=audience.total + sum(audience.left_out.values()),
        mailed=audience.total,
        by_language=audience.by_language,
        left_out=audience.left_out,
    )


def listing(site: Site, store: Store) -> list[Count]:
    """Every segment of the site with its counts. Raises: MailoutError naming the segment."""
    found = []
    for name in site.segments():
        try:
            found.append(count(site, store, name))
        except MailoutError as error:
            error.where = f"segment {name}" + (f", {error.where}" if error.where else "")
            raise
    return found


def sample(site: Site, store: Store, name: SegmentName, size: int) -> list[Subscriber]:
    """Up to `size` people of the segment, whatever their state, picked by chance."""
    return sample_of(site, store, asked(site, name), size)


def sample_of(site: Site, store: Store, asked: Asked, size: int) -> list[Subscriber]:
    """Up to `size` people of whom the rule is true, whatever their state, picked by chance."""
    with store.reading() as tx:
        where = condition(tx, site, asked)
        return stored.sample(tx, where, asked.list_id, size)


def explain(site: Site, store: Store, name: SegmentName) -> list[Step]:
    """The rule taken apart, each part with the number of people of the list it is true of.

    Raises: MailoutError.
    """
    return explain_rule(site, store, asked(site, name)).steps


def explain_rule(site: Site, store: Store, asked: Asked) -> Explanation:
    """The rule in words, taken apart, and how its people are found. Raises: MailoutError."""
    at = scope(site, asked.list_id)
    # A circle would be walked for ever below.
    rules.resolved(asked.rule, at.find, (asked.name,) if asked.name else ())
    steps: list[Step] = []
    with store.reading() as tx:

        def walk(rule: Rule, depth: int) -> None:
            number = compiled.count(tx, rule, at)
            steps.append(Step(depth, rules.written(rule), number))
            for part in _parts(rule, at.find):
                walk(part, depth + 1)

        walk(asked.rule, 0)
        found_by = plans.in_words(tx, compiled.counting(tx, asked.rule, at))
    return Explanation(f"People who {rules.in_words(asked.rule)}.", steps, found_by)


def _parts(rule: Rule, lookup: Find) -> tuple[Rule, ...]:
    match rule:
        case And(parts) | Or(parts):
            return parts
        case Not(part):
            return (part,)
        case Other(name):
            return (lookup(name),)
        case _:
            return ()
