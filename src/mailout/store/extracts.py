"""Extracts: people as an export has them, many rows at a time and never all of them at once.

One query makes each row whole - tags, fields, and why the person is not mailed - in the database
itself. A row is one person on one list, in the order of their numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    Table,
    case,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    type_coerce,
)
from sqlalchemy import cast as as_type
from sqlalchemy.dialects.postgresql import aggregate_order_by

from mailout.core.suppression import SuppressionReason
from mailout.store.columns import dialect_of
from mailout.store.engine import Tx
from mailout.store.roster_tables import SUPPRESSED_DOMAIN
from mailout.store.tables import SUBSCRIBER, SUBSCRIBER_TAG, SUBSCRIPTION, SUPPRESSION

_BATCH = 5000
BLOCKED, DEAD, COMPLAINED = "blocklisted", "bounced", "complained"
"""What the status of a suppressed person is called, in words that every importer knows."""


class Row(NamedTuple):
    """A line of an export: texts, all of them. `tags` are joined by `;`, `status` is the
    subscription's state or the word for a suppression, `joined` is in ISO 8601, UTC; `edition`
    and `frequency` are those that the person chose; `fields` is a JSON object."""

    address: str
    name: str
    language: str
    country: str
    tags: str
    list_id: str
    status: str
    joined: str
    edition: str
    frequency: str
    fields: str


def rows(
    tx: Tx, list_id: str, conditions: Sequence[ColumnElement[bool]]
) -> Iterator[Sequence[Row]]:
    """The people of a list (empty: of all lists) of whom all conditions hold, some at a time."""
    query = _query(tx).where(*conditions)
    if list_id:
        query = query.where(SUBSCRIPTION.c.list_id == list_id)
    result = tx.execute(query, execution_options={"yield_per": _BATCH})
    for some in result.partitions(_BATCH):
        yield cast(Sequence[Row], some)  # rows of the database are named tuples, too


def _query(tx: Tx) -> Select[tuple[object, ...]]:
    everywhere, here = SUPPRESSION.alias("everywhere"), SUPPRESSION.alias("here")
    people = (
        SUBSCRIBER.join(SUBSCRIPTION, SUBSCRIPTION.c.subscriber_id == SUBSCRIBER.c.id)
        .outerjoin(everywhere, _of(everywhere) & (everywhere.c.list_id == ""))
        .outerjoin(here, _of(here) & (here.c.list_id == SUBSCRIPTION.c.list_id))
    )
    tags: ColumnElement[str]
    if dialect_of(tx) == "sqlite":
        tags = _tags_one_by_one()
        joined = func.replace(func.substr(_text(SUBSCRIPTION.c.joined_at), 1, 19), " ", "T")
    else:
        # One pass over all tags; a look for each person takes PostgreSQL much longer.
        in_order: ColumnElement[str] = aggregate_order_by(
            literal_column("';'"), SUBSCRIBER_TAG.c.tag
        )
        all_tags = (
            select(
                SUBSCRIBER_TAG.c.subscriber_id,
                func.string_agg(SUBSCRIBER_TAG.c.tag, in_order).label("joined_tags"),
            )
            .group_by(SUBSCRIBER_TAG.c.subscriber_id)
            .subquery()
        )
        people = people.outerjoin(all_tags, all_tags.c.subscriber_id == SUBSCRIBER.c.id)
        tags = all_tags.c.joined_tags
        utc = func.timezone("UTC", SUBSCRIPTION.c.joined_at)
        joined = func.to_char(utc, 'YYYY-MM-DD"T"HH24:MI:SS')
    return (
        select(
            SUBSCRIBER.c.address,
            SUBSCRIBER.c.name,
            SUBSCRIBER.c.language,
            SUBSCRIBER.c.country,
            func.coalesce(tags, ""),
            SUBSCRIPTION.c.list_id,
            _status(tx, [everywhere.c.reason, here.c.reason]),
            (joined + "+00:00"),
            SUBSCRIPTION.c.edition,
            SUBSCRIPTION.c.frequency,
            as_type(SUBSCRIBER.c.fields, String)
            if dialect_of(tx) == "postgresql"
            else _text(SUBSCRIBER.c.fields),
        )
        .select_from(people)
        .order_by(SUBSCRIBER.c.id, SUBSCRIPTION.c.list_id)
    )


def _of(suppression: object) -> ColumnElement[bool]:
    columns = cast(Table, suppression).c
    return columns.address_key == SUBSCRIBER.c.address_key


def _tags_one_by_one() -> ColumnElement[str]:
    theirs = (
        select(SUBSCRIBER_TAG.c.tag)
        .where(SUBSCRIBER_TAG.c.subscriber_id == SUBSCRIBER.c.id)
        .order_by(SUBSCRIBER_TAG.c.tag)
        .correlate(SUBSCRIBER)
        .subquery()
    )
    return select(func.group_concat(theirs.c.tag, ";")).scalar_subquery()


def _status(tx: Tx, reasons: Sequence[ColumnElement[object]]) -> ColumnElement[str]:
    """The state, or the word for why the person is not mailed; a complaint before all others."""
    held = [*_domain_held(tx)]
    plain = [_text(reason) for reason in reasons]

    def said(reason: SuppressionReason) -> ColumnElement[bool]:
        return or_(*(one == reason.value for one in plain))

    return case(
        (said(SuppressionReason.COMPLAINED), COMPLAINED),
        (said(SuppressionReason.DEAD), DEAD),
        (or_(*(one.is_not(None) for one in plain), *held), BLOCKED),
        else_=_text(SUBSCRIPTION.c.state),
    )


def _domain_held(tx: Tx) -> Iterator[ColumnElement[bool]]:
    """The conditions that the person's domain is suppressed; none of them where no domain is.

    Neither refers to the row that is asked about, so that each set is made once.
    """
    domain, list_id = SUPPRESSED_DOMAIN.c.domain, SUPPRESSED_DOMAIN.c.list_id
    if tx.execute(select(domain).limit(1)).first() is None:
        return
    yield SUBSCRIBER.c.domain.in_(select(domain).where(list_id == ""))
    yield tuple_(SUBSCRIBER.c.domain, SUBSCRIPTION.c.list_id).in_(select(domain, list_id))


def _text(column: ColumnElement[object]) -> ColumnElement[str]:
    """The column as it is stored, not made into a value of ours."""
    return type_coerce(column, String)


def own_fields(tx: Tx) -> list[str]:
    """The names of all fields that somebody has a value of, in their order."""
    if dialect_of(tx) != "sqlite":
        filled = as_type(SUBSCRIBER.c.fields, String) != "{}"
        keys = func.json_object_keys(SUBSCRIBER.c.fields, type_=String)
        return sorted(tx.scalars(select(keys).where(filled).distinct()))
    names = func.json_each(SUBSCRIBER.c.fields).table_valued("key", name="each")
    query = select(names.c.key).select_from(SUBSCRIBER.join(names, names.c.key.is_not(None)))
    return sorted(tx.scalars(query.where(_text(SUBSCRIBER.c.fields) != "{}").distinct()))
