"""Selections: which people a list or an export is of, resolved once, told in words for the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailout.core.errors import UsageError
from mailout.core.segment import And, Comparison, Not, Or, Other, Rule, written
from mailout.core.site import Site
from mailout.core.spelling import composed
from mailout.core.subscription import SubscriptionState
from mailout.roster import segments
from mailout.roster.segments import Asked
from mailout.store import roster as bulk
from mailout.store.engine import Tx

if TYPE_CHECKING:
    from mailout.store.segments import Condition


@dataclass(frozen=True, slots=True)
class Selection:
    """Which people: of a list, in a segment, of whom a rule is true, in a state, with a tag; empty
    and None mean any."""

    list_id: str = ""
    segment: str = ""
    state: SubscriptionState | None = None
    rule: str = ""
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A selection that can be asked for. `list_id` is empty for people of all lists; `what` tells
    it without a value of its rule; `sensitive` names the segments that it may show people of."""

    list_id: str
    asked: Asked | None
    state: SubscriptionState | None
    tag: str
    what: str
    sensitive: tuple[str, ...]

    def conditions(self, tx: Tx, site: Site) -> list[Condition]:
        """What holds of a joined subscriber and subscription that are chosen. Raises:
        MailoutError."""
        found: list[Condition] = []
        if self.state is not None:
            found.append(bulk.in_state(self.state))
        if self.tag:
            found.append(bulk.has_tag(self.tag))
        if self.asked is not None:
            found.append(segments.condition(tx, site, self.asked))
        return found


def chosen(site: Site, selection: Selection) -> Chosen:
    """The selection, resolved. Raises: UsageError, MailoutError, BadRule for what is none."""
    list_id, asked = selection.list_id, None
    if selection.segment and selection.rule:
        raise UsageError("--segment and --rule exclude each other")
    if list_id:
        site.list_named(list_id)
    if selection.segment:
        asked = segments.asked(site, segments.named(site, selection.segment, list_id))
    if selection.rule:
        asked = segments.written_down(site, selection.rule, list_id)
    if asked is not None:
        list_id = asked.list_id
    if selection.state is not None:
        list_id = list_id or _only_list(site)
    return Chosen(
        list_id,
        asked,
        selection.state,
        composed(selection.tag.strip()).lower(),
        _in_words(selection, list_id, asked),
        _sensitive(site, list_id, asked),
    )


def of(site: Site, asked: Asked) -> Chosen:
    """The people of a segment, or of whom a rule is true, as a selection."""
    selection = Selection(asked.list_id, asked.name, rule="" if asked.name else written(asked.rule))
    what = _in_words(selection, asked.list_id, asked)
    return Chosen(asked.list_id, asked, None, "", what, _sensitive(site, asked.list_id, asked))


def _in_words(selection: Selection, list_id: str, asked: Asked | None) -> str:
    """Of whom, in words that name nobody: the values of a rule stay out."""
    parts = []
    if asked is not None and asked.name:
        parts.append(f"segment {list_id}/{asked.name}")
    elif list_id:
        parts.append(f"list {list_id}")
    if selection.rule and asked is not None:
        fields = ", ".join(sorted(set(_fields(asked.rule)))) or "everyone"
        parts.append(f"a rule about {fields}")
    if selection.state is not None:
        parts.append(f"state {selection.state}")
    if selection.tag:
        parts.append("one tag")
    return "; ".join(parts) or "everybody"


def _fields(rule: Rule) -> Iterator[str]:
    match rule:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _fields(part)
        case Not(part):
            yield from _fields(part)
        case Comparison(field=name):
            yield name
        case Other(name):
            yield f"segment {name}"
        case _:
            yield type(rule).__name__.lower()


def _sensitive(site: Site, list_id: str, asked: Asked | None) -> tuple[str, ...]:
    """The sensitive segments that a selection may show people of: its own, and those that it
    names. What is no named segment - a whole list, a tag, a rule - may show any of its list."""
    found: set[str] = set()
    lists = [site.lists[list_id]] if list_id else list(site.lists.values())
    for one in lists:
        marked = {name for name, each in one.settings.segments.items() if each.sensitive}
        if asked is not None and asked.name:
            marked &= {asked.name, *_named_by(site, list_id, asked.rule)}
        found |= {f"{one.id}/{name}" for name in marked}
    return tuple(sorted(found))


def _named_by(site: Site, list_id: str, rule: Rule) -> Iterator[str]:
    match rule:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _named_by(site, list_id, part)
        case Not(part):
            yield from _named_by(site, list_id, part)
        case Other(name):
            yield name
            yield from _named_by(site, list_id, site.list_named(list_id).rule(name))
        case _:
            return


def _only_list(site: Site) -> str:
    """The site's list, where it has only one. Raises: UsageError."""
    if len(site.lists) == 1:
        return next(iter(site.lists))
    raise UsageError("a state is that of a list", fix="Add --list: " + ", ".join(site.lists) + ".")
