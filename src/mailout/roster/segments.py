"""Segments: the rules of a list, who they mean at this moment, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailout.core import segment as rules
from mailout.core.errors import MailoutError, nearest
from mailout.core.segment import And, Not, Or, Other, Rule
from mailout.core.site import SegmentName, Site
from mailout.core.subscriber import Subscriber
from mailout.store import dispatches
from mailout.store import roster as stored
from mailout.store import segments as compiled
from mailout.store.engine import Store

if TYPE_CHECKING:
    from mailout.store.segments import Condition


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


def named(site: Site, text: str, list_id: str = "") -> SegmentName:
    """The segment called `unions` or `bulletin/unions`; a bare name is looked up in `list_id`
    first. Raises: UsageError naming the choices."""
    if list_id and "/" not in text:
        text = f"{list_id}/{text}"
    return site.segment_named(text)


def rule_of(site: Site, name: SegmentName) -> Rule:
    """The rule of a segment of the site."""
    settings = site.list_named(name.list_id).settings
    where = f"lists/{name.list_id}.toml, segment {name.name}"
    return rules.parse(settings.segments[name.name].rule, where)


def find(site: Site, list_id: str) -> compiled.Find:
    """What resolves `segment NAME` inside a rule of that list.

    Raises (when called): MailoutError naming the nearest segment.
    """

    def found(name: str) -> Rule:
        known = site.list_named(list_id).settings.segments
        if name not in known:
            raise MailoutError(
                f"the list `{list_id}` has no segment `{name}`",
                where=f"lists/{list_id}.toml",
                fix=nearest(name, known),
            )
        return rule_of(site, SegmentName(list_id, name))

    return found


def condition(site: Site, name: SegmentName) -> Condition:
    """The segment as the store's condition on a joined subscriber and subscription.

    Raises: MailoutError for references that lead nowhere or in a circle.
    """
    return compiled.condition(rule_of(site, name), find(site, name.list_id), (name.name,))


def count(site: Site, store: Store, name: SegmentName) -> Count:
    """How many people the segment means now. Raises: MailoutError."""
    rule = rule_of(site, name)
    choice = dispatches.Choice(0, name.list_id, rule, None, find(site, name.list_id))
    with store.reading() as tx:
        audience = dispatches.audience(tx, choice)
    return Count(
        segment=name,
        rule=rules.written(rule),
        matching=audience.total + sum(audience.left_out.values()),
        mailed=audience.total,
        by_language=audience.by_language,
        left_out=audience.left_out,
    )


def listing(site: Site, store: Store) -> list[Count]:
    """Every segment of the site with its counts. Raises: MailoutError."""
    return [count(site, store, name) for name in site.segments()]


def sample(site: Site, store: Store, name: SegmentName, size: int) -> list[Subscriber]:
    """Up to `size` people of the segment, whatever their state, picked by chance."""
    where = condition(site, name)
    with store.reading() as tx:
        return stored.sample(tx, where, name.list_id, size)


def explain(site: Site, store: Store, name: SegmentName) -> list[Step]:
    """The rule taken apart, each part with the number of people of the list it is true of.

    Raises: MailoutError.
    """
    condition(site, name)  # a circle would be walked for ever below
    lookup = find(site, name.list_id)
    steps: list[Step] = []
    with store.reading() as tx:

        def walk(rule: Rule, depth: int) -> None:
            where = compiled.condition(rule, lookup)
            number = stored.count(tx, where, name.list_id)
            steps.append(Step(depth, rules.written(rule), number))
            for part in _parts(rule, lookup):
                walk(part, depth + 1)

        walk(rule_of(site, name), 0)
    return steps


def _parts(rule: Rule, lookup: compiled.Find) -> tuple[Rule, ...]:
    match rule:
        case And(parts) | Or(parts):
            return parts
        case Not(part):
            return (part,)
        case Other(name):
            return (lookup(name),)
        case _:
            return ()
