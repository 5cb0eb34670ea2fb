"""Segment rules as SQL conditions: parameters only, never text.

A rule speaks of a person on a list. What holds of everybody without such a thing (no tag, no
such field, no delivery) is false, never unknown, so that `not` turns it round exactly.

Tags, history and evidence are sought in two ways that mean the same: where a rule as a whole
depends on one, by the set of people that have it, so that a database can begin with that;
else, inside `or` and `not`, person by person. PostgreSQL counts a rule that is one set, or several
by `or`, by an array of their ids, and looks into no row of a person whom a set answers for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from datetime import date as Date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    and_,
    any_,
    func,
    literal_column,
    not_,
    or_,
    select,
    text,
    true,
    union_all,
)

from mailout.core.segment import (
    And,
    Comparison,
    Everyone,
    Find,
    History,
    JoinedBy,
    Kind,
    Not,
    Or,
    Other,
    Rule,
    day,
    resolved,
)
from mailout.core.subscription import SubscriptionState
from mailout.store import own_fields, past
from mailout.store.columns import dialect_of
from mailout.store.engine import Tx
from mailout.store.tables import SUBSCRIBER, SUBSCRIBER_TAG, SUBSCRIPTION

Condition = ColumnElement[bool]
"""A condition on a joined subscriber and subscription row, for other functions of the store."""

_NO_PERSON = (Kind.TAGS, Kind.LISTS, Kind.JOINED)  # kinds that the subscription alone decides

_ROOM = text(
    "SELECT set_config('work_mem', '64MB', true)"
    " WHERE pg_size_bytes(current_setting('work_mem')) < pg_size_bytes('64MB')"
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What a rule is evaluated in: a list, the rules of its segments, a moment, and the zone whose
    days its dates are. `issue_id` is the issue to be sent, which is none of the last ones."""

    list_id: str
    find: Find
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    zone: tzinfo = UTC
    issue_id: int = 0


def condition(tx: Tx, rule: Rule, scope: Scope) -> Condition:
    """The condition on a joined subscriber and subscription row that says what `rule` says.

    Raises: MailoutError for segments that go in a circle, and issues that are not there.
    """
    rule = resolved(rule, scope.find)
    _make_room(tx, rule)
    return _Compiler(tx, scope).of(rule)


def count(tx: Tx, rule: Rule, scope: Scope) -> int:
    """How many people of the list, in whatever state, the rule is true of. Raises: MailoutError."""
    return int(tx.scalar(counting(tx, rule, scope)) or 0)


def counting(tx: Tx, rule: Rule, scope: Scope) -> Select[Any]:
    """The query that `count` asks."""
    rule = resolved(rule, scope.find)
    _make_room(tx, rule)
    negated = False
    while isinstance(rule, Not):
        rule, negated = rule.part, not negated
    people: FromClause = SUBSCRIPTION
    theirs, dialect, compiler = SUBSCRIPTION.c.subscriber_id, dialect_of(tx), _Compiler(tx, scope)
    if dialect == "postgresql" and _is_of_sets(rule):
        # An array is sought in the index of the list by one pass: a third of what a join takes.
        where = theirs == any_(func.array(compiler.set(rule).scalar_subquery()))
    elif dialect == "sqlite" and _is_of_person(rule):
        # As a set, to begin with: SQLite would else go through the whole list.
        where = theirs.in_(select(SUBSCRIBER.c.id).where(compiler.of(rule)))
    else:
        where = compiler.of(rule)
        if _speaks_of_person(dialect, rule):
            people = SUBSCRIPTION.join(SUBSCRIBER, theirs == SUBSCRIBER.c.id)
    on_list = SUBSCRIPTION.c.list_id == scope.list_id
    number = select(func.count()).select_from(people).where(on_list, where)
    if not negated:
        return number
    # Those of whom it is not true are all the others: two quick counts, not a slow one.
    everyone = select(func.count()).select_from(SUBSCRIPTION).where(on_list)
    return select(everyone.scalar_subquery() - number.scalar_subquery())


def _make_room(tx: Tx, rule: Rule) -> None:
    """Nothing, once PostgreSQL may hold the sets of a rule's parts in memory until the transaction
    ends: with the 4 MB that are usual, it would rather look each person of a large list up."""
    if dialect_of(tx) != "sqlite" and isinstance(rule, (And, Or, Not)):
        tx.execute(_ROOM)


def _is_of_sets(rule: Rule) -> bool:
    """Whether the people of whom a rule is true can be sought as a set or several, whatever list
    they are on."""
    match rule:
        case Or(parts):
            return all(map(_is_of_sets, parts))
        case History() | JoinedBy():
            return True
        case Comparison():
            no_tags = rule.kind is Kind.TAGS and rule.op == "empty"
            return rule.own is not None or not (rule.kind is Kind.JOINED or no_tags)
        case _:
            return False


def _speaks_of_person(dialect: str, rule: Rule) -> bool:
    match rule:
        case Or() if dialect == "postgresql" and _is_of_sets(rule):
            return False
        case And(parts) | Or(parts):
            return any(_speaks_of_person(dialect, part) for part in parts)
        case Not(part):
            return _speaks_of_person(dialect, part)
        case Comparison():
            return rule.kind not in _NO_PERSON
        case _:
            return False


def _is_of_person(rule: Rule) -> bool:
    """Whether the rule asks for nothing but what is kept with each person, of what has an index one
    value at a time: a set of several comes in no order, which takes longer than the list."""
    match rule:
        case And(parts) | Or(parts):
            return all(map(_is_of_person, parts))
        case Not(part):
            return _is_of_person(part)
        case Comparison():
            if rule.own is not None:
                return True
            return rule.kind not in _NO_PERSON and len(rule.values) < 2
        case _:
            return False


@dataclass(frozen=True, slots=True)
class _Compiler:
    tx: Tx
    scope: Scope

    def of(self, rule: Rule, *, whole: bool = True) -> Condition:
        """`whole`: the rule as a whole is true only if this is."""
        match rule:
            case Everyone():
                return true()
            case Not(part):
                return not_(self.of(part, whole=False))
            case And(parts):
                return and_(*(self.of(part, whole=whole) for part in parts))
            case Or(parts) if self.dialect == "postgresql" and _is_of_sets(rule):
                # It asks each set for each person, and need not look at who they are beside that.
                return or_(*(_has(self.set(part), whole=False) for part in parts))
            case Or(parts):
                return or_(*(self.of(part, whole=False) for part in parts))
            case Comparison() if (found := self._set_of(rule)) is not None:
                return _has(found, whole)
            case Comparison():
                return self._comparison(rule)
            case History() | JoinedBy():
                return _has(self.set(rule), whole)
            case Other():
                raise AssertionError("a reference was not resolved")

    @property
    def dialect(self) -> str:
        return dialect_of(self.tx)

    def set(self, rule: Rule) -> Select[Any]:
        """The query for the ids of those of whom a rule `_is_of_sets` is true."""
        match rule:
            case Or(parts):
                sets = union_all(*map(self.set, parts)).subquery()
                return select(sets.c[0])
            case History():
                return past.history(self.tx, rule, self.scope.list_id, self.scope.issue_id)
            case JoinedBy(source):
                return past.joined_by(self.dialect, source, self.scope.list_id)
            case Comparison() if (found := self._set_of(rule)) is not None:
                return found
            case Comparison() if rule.own is not None:
                return own_fields.having(self.dialect, rule, self._day)
            case _:
                return select(SUBSCRIBER.c.id).where(self.of(rule))

    def _set_of(self, rule: Comparison) -> Select[Any] | None:
        """The same for a comparison with what people have several of; None for another."""
        if rule.own is None and rule.kind is Kind.TAGS and rule.op != "empty":
            return _tagged().where(SUBSCRIBER_TAG.c.tag.in_(rule.values))
        return _on_lists(rule.values) if rule.own is None and rule.kind is Kind.LISTS else None

    def _comparison(self, rule: Comparison) -> Condition:
        if rule.own is not None:
            return own_fields.condition(self.dialect, rule, self._day)
        match rule.kind:
            case Kind.TAGS:  # empty: of none at all
                return not_(_has(_tagged(), whole=False))
            case Kind.JOINED:
                return self._joined(rule)
        column = SUBSCRIBER.c[rule.field]
        if rule.op == "empty":
            return column == ""
        if rule.kind is Kind.NAME:
            return own_fields.text(self.dialect, column, rule)
        return column.in_(rule.values)

    def _joined(self, rule: Comparison) -> Condition:
        """A date is a whole day in the zone: `joined > 2026-01-01` begins on the second."""
        column = SUBSCRIPTION.c.joined_at
        spans = [self._span(value) for value in rule.values]
        if rule.op in ("=", "in"):
            return or_(*(and_(column >= start, column < end) for start, end in spans))
        start, end = spans[0]
        by_operator: dict[str, Callable[[], Condition]] = {
            "<": lambda: column < start,
            "<=": lambda: column < end,
            ">": lambda: column >= end,
            ">=": lambda: column >= start,
        }
        return by_operator[rule.op]()

    def _day(self, value: str) -> Date:
        return day(value, self.scope.now.astimezone(self.scope.zone).date())

    def _span(self, value: str) -> tuple[datetime, datetime]:
        """When the day begins and when it is over, in UTC."""
        found = self._day(value)
        if found == Date.max:  # which the calendar knows no morrow of
            return self._midnight(found), datetime.max.replace(tzinfo=UTC)
        return self._midnight(found), self._midnight(found + timedelta(days=1))

    def _midnight(self, found: Date) -> datetime:
        try:
            return datetime.combine(found, time(), self.scope.zone).astimezone(UTC)
        except OverflowError:  # before the first or behind the last day there is
            return datetime.combine(found, time(), UTC)


def _has(found: Select[Any], whole: bool) -> Condition:
    """The condition that the joined person is among those of a query for their ids."""
    if whole:
        return SUBSCRIPTION.c.subscriber_id.in_(found)
    (id_,) = found.selected_columns
    theirs: Select[Any] = found.with_only_columns(literal_column("1")).where(
        id_ == SUBSCRIPTION.c.subscriber_id
    )
    return theirs.correlate(SUBSCRIPTION).exists()


def _tagged() -> Select[Any]:
    return select(SUBSCRIBER_TAG.c.subscriber_id)


def _on_lists(list_ids: tuple[str, ...]) -> Select[Any]:
    """Who is on one of the lists now, paused or not."""
    other = SUBSCRIPTION.alias("other")
    return select(other.c.subscriber_id).where(
        other.c.list_id.in_(list_ids),
        other.c.state.in_((SubscriptionState.ACTIVE, SubscriptionState.PAUSED)),
    )
