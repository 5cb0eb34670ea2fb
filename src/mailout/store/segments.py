"""Segment rules as SQL conditions: parameters only, never text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from datetime import date as Date

from sqlalchemy import ColumnElement, and_, exists, false, func, not_, or_, select, true

from mailout.core.errors import MailoutError
from mailout.core.segment import And, Comparison, Everyone, Not, Or, Other, Rule
from mailout.store.tables import SUBSCRIBER, SUBSCRIBER_TAG, SUBSCRIPTION

Condition = ColumnElement[bool]
"""A condition on a joined subscriber and subscription row, for other functions of the store."""

Find = Callable[[str], Rule]
"""From the name of a segment of the same list to its rule. Raises: MailoutError."""


def condition(rule: Rule, find: Find, inside: tuple[str, ...] = ()) -> Condition:
    """The condition on a joined subscriber and subscription row that says what `rule` says.

    `inside` names the segments being compiled. Raises: MailoutError if they go in a circle.
    """
    match rule:
        case Everyone():
            return true()
        case Other(name):
            if name in inside:
                raise MailoutError(
                    "segments go in a circle: " + " -> ".join((*inside, name)),
                    fix="Take one of the references out.",
                )
            return condition(find(name), find, (*inside, name))
        case Not(part):
            return not_(condition(part, find, inside))
        case And(parts):
            return and_(*(condition(part, find, inside) for part in parts))
        case Or(parts):
            return or_(*(condition(part, find, inside) for part in parts))
        case Comparison():
            return _comparison(rule)


def _comparison(rule: Comparison) -> ColumnElement[bool]:
    if rule.field == "tag":
        return exists(
            select(1).where(
                SUBSCRIBER_TAG.c.subscriber_id == SUBSCRIBER.c.id,
                SUBSCRIBER_TAG.c.tag.in_(rule.values),
            )
        )
    if rule.field == "joined":
        return _joined(rule)
    column = SUBSCRIBER.c[rule.field]
    if rule.field == "name":
        return func.lower(column).in_([value.lower() for value in rule.values])
    return column.in_(rule.values) if rule.values else false()


def _joined(rule: Comparison) -> ColumnElement[bool]:
    """A date means the whole day in UTC: `joined > 2026-01-01` begins on the second."""
    column = SUBSCRIPTION.c.joined_at
    spans = [_day(value) for value in rule.values]
    if rule.op in ("=", "in"):
        return or_(*(and_(column >= start, column < end) for start, end in spans))
    start, end = spans[0]
    by_operator: dict[str, ColumnElement[bool]] = {
        "<": column < start,
        "<=": column < end,
        ">": column >= end,
        ">=": column >= start,
    }
    return by_operator[rule.op]


def _day(text: str) -> tuple[datetime, datetime]:
    start = datetime.combine(Date.fromisoformat(text), time(), UTC)
    # The last day that the calendar knows has no morrow.
    return start, start + timedelta(days=1) if start.year < 9999 else datetime.max.replace(
        tzinfo=UTC
    )
