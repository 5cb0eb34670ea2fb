"""Providers that rest (`core.rest`), and what is counted to find that they should."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import delete, func, select, update

from mailout.core.delivery import DeliveryState
from mailout.core.event import EventKind
from mailout.core.inbound.category import Category
from mailout.core.rest import Rest, Why
from mailout.store.engine import Tx
from mailout.store.inbound_tables import REST
from mailout.store.tables import DELIVERY, EVENT, SUBSCRIBER

_REPORTS = (EventKind.REFUSED, EventKind.BOUNCED)
_GOT = (DeliveryState.ACCEPTED, DeliveryState.REFUSED)


def listed(tx: Tx, now: datetime) -> list[Rest]:
    """The providers that rest now, by their names."""
    rows = tx.execute(select(REST).where(REST.c.until > now).order_by(REST.c.provider))
    return [_rest(row) for row in rows]


def find(tx: Tx, provider: str) -> Rest | None:
    """The provider's rest, also one that is over."""
    row = tx.execute(select(REST).where(REST.c.provider == provider)).first()
    return _rest(row) if row else None


def put(tx: Tx, rest: Rest) -> None:
    """Nothing, once the provider rests so."""
    tx.execute(delete(REST).where(REST.c.provider == rest.provider))
    tx.execute(REST.insert().values(**asdict(rest)))


def end(tx: Tx, provider: str, now: datetime) -> bool:
    """Whether the provider rested, and does not any more."""
    query = update(REST).where(REST.c.provider == provider, REST.c.until > now).values(until=now)
    return bool(getattr(tx.execute(query), "rowcount", 0))


def forget(tx: Tx, before: datetime) -> None:
    """Nothing, once rests that were over before that moment are gone."""
    tx.execute(delete(REST).where(REST.c.until < before))


def domains_reported(
    tx: Tx, categories: Collection[Category], since: datetime, until: datetime
) -> dict[str, int]:
    """How many people of each domain were reported on for one of the categories in that time."""
    rows = tx.execute(
        select(EVENT.c.provider, func.count(EVENT.c.subscriber_id.distinct()))
        .where(
            EVENT.c.kind.in_(_REPORTS),
            EVENT.c.at > since,
            EVENT.c.at <= until,
            EVENT.c.category.in_([str(one) for one in categories]),
        )
        .group_by(EVENT.c.provider)
    )
    return {domain: number for domain, number in rows}


def words(tx: Tx, provider: str, categories: Collection[Category], since: datetime) -> str:
    """The last words of that kind from a domain of that name; empty if none are kept."""
    found = tx.scalar(
        select(EVENT.c.text)
        .where(
            EVENT.c.kind.in_(_REPORTS),
            EVENT.c.at > since,
            EVENT.c.provider == provider,
            EVENT.c.category.in_([str(one) for one in categories]),
            EVENT.c.text != "",
        )
        .order_by(EVENT.c.id.desc())
        .limit(1)
    )
    return (found or "")[:300]


def mailed(tx: Tx, domains: Collection[str], since: datetime, until: datetime) -> int:
    """How many people of the domains got an issue that was reported on in that time."""
    issues = (
        select(EVENT.c.issue_id)
        .where(EVENT.c.kind.in_(_REPORTS), EVENT.c.at > since, EVENT.c.at <= until)
        .where(EVENT.c.provider.in_(domains), EVENT.c.issue_id.is_not(None))
        .distinct()
    )
    return int(
        tx.scalar(
            select(func.count(DELIVERY.c.subscriber_id.distinct()))
            .join(SUBSCRIBER, SUBSCRIBER.c.id == DELIVERY.c.subscriber_id)
            .where(
                SUBSCRIBER.c.domain.in_(domains),
                DELIVERY.c.issue_id.in_(issues),
                DELIVERY.c.state.in_(_GOT),
            )
        )
        or 0
    )


def excuse(
    tx: Tx,
    domains: Collection[str],
    categories: Collection[Category],
    since: datetime,
    until: datetime,
) -> list[int]:
    """The people of whom such reports, in that time, are held against nobody any more."""
    theirs = (
        EVENT.c.kind.in_(_REPORTS),
        EVENT.c.provider.in_(domains),
        EVENT.c.at > since,
        EVENT.c.at <= until,
        EVENT.c.category.in_([str(one) for one in categories]),
    )
    people = (
        select(EVENT.c.subscriber_id)
        .where(*theirs, EVENT.c.counts, EVENT.c.subscriber_id.is_not(None))
        .distinct()
    )
    found: Sequence[int] = tx.scalars(people).all()
    tx.execute(update(EVENT).where(*theirs).values(counts=False))
    return list(found)


def _rest(row: object) -> Rest:
    values = {name: getattr(row, name) for name in Rest.__dataclass_fields__}
    return Rest(**{**values, "why": Why(values["why"])})
