"""What another store of the same site knows of people who must not be mailed, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.store.batch import KEYS
from mailout.store.engine import Tx
from mailout.store.roster_tables import PARTNER, PARTNER_HASH, SUPPRESSED_DOMAIN
from mailout.store.suppressions import HeldDomain
from mailout.store.tables import SUBSCRIPTION, SUPPRESSION


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A suppression as a store has it."""

    address_key: str
    list_id: str
    reason: SuppressionReason
    evidence: str
    at: datetime


def left(tx: Tx) -> Iterator[Sequence[str]]:
    """The leave tokens of all subscriptions that are unsubscribed."""
    after = 0
    while True:
        rows = tx.execute(
            select(SUBSCRIPTION.c.id, SUBSCRIPTION.c.token)
            .where(SUBSCRIPTION.c.state == SubscriptionState.UNSUBSCRIBED)
            .where(SUBSCRIPTION.c.id > after)
            .order_by(SUBSCRIPTION.c.id)
            .limit(KEYS)
        ).all()
        if not rows:
            return
        yield [row.token for row in rows]
        after = rows[-1].id


def suppressed(tx: Tx) -> Iterator[Suppressed]:
    """All suppressions."""
    after = 0
    while True:
        rows = tx.execute(
            select(SUPPRESSION)
            .where(SUPPRESSION.c.id > after)
            .order_by(SUPPRESSION.c.id)
            .limit(KEYS)
        ).all()
        if not rows:
            return
        for row in rows:
            yield Suppressed(row.address_key, row.list_id, row.reason, row.evidence, row.at)
        after = rows[-1].id


def suppressed_domains(tx: Tx) -> list[HeldDomain]:
    """All domains nobody in which is mailed; `people` are not counted."""
    rows = tx.execute(select(SUPPRESSED_DOMAIN).order_by(SUPPRESSED_DOMAIN.c.domain)).all()
    return [HeldDomain(row.domain, row.list_id, row.evidence, row.at, 0) for row in rows]


def partner_hashes(tx: Tx) -> Iterator[tuple[str, Sequence[tuple[str, datetime]]]]:
    """The hashes that came from each partner, with their moments, a page at a time."""
    for name in tx.scalars(select(PARTNER.c.name).order_by(PARTNER.c.name)).all():
        after = ""
        while True:
            rows = tx.execute(
                select(PARTNER_HASH.c.hash, PARTNER_HASH.c.at)
                .where(PARTNER_HASH.c.partner == name, PARTNER_HASH.c.hash > after)
                .order_by(PARTNER_HASH.c.hash)
                .limit(KEYS)
            ).all()
            if not rows:
                break
            yield name, [(row.hash, row.at) for row in rows]
            after = rows[-1].hash


def is_known(tx: Tx, one: Suppressed) -> bool:
    """Whether the key is suppressed there already."""
    return bool(
        tx.scalar(
            select(SUPPRESSION.c.id).where(
                SUPPRESSION.c.address_key == one.address_key, SUPPRESSION.c.list_id == one.list_id
            )
        )
    )
