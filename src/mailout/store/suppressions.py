"""Suppressions: address keys and domains that are never mailed, on one list or on all.

Whoever asks about people who are known asks for their domains along with their keys; of an
address that nobody is known by, only the caller knows the domain.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from mailout.core.suppression import SuppressionReason
from mailout.store import batch
from mailout.store.columns import dialect_of
from mailout.store.engine import Tx
from mailout.store.roster_tables import SUPPRESSED_DOMAIN
from mailout.store.tables import SUBSCRIBER, SUPPRESSION


@dataclass(frozen=True, slots=True)
class Held:
    """A suppression as it is listed. `address` is None where no person is known by the key;
    `list_id` is empty when it holds for all lists."""

    id: int
    address_key: str
    address: str | None
    list_id: str
    reason: SuppressionReason
    evidence: str
    at: datetime


@dataclass(frozen=True, slots=True)
class HeldDomain:
    """A domain nobody in which is mailed; `people` are known in it now."""

    domain: str
    list_id: str
    evidence: str
    at: datetime
    people: int


def add(
    tx: Tx,
    address_key: str,
    reason: SuppressionReason,
    now: datetime,
    *,
    list_id: str = "",
    evidence: str = "",
) -> None:
    """Nothing, once the key is suppressed; an older suppression and its reason stay."""
    # Somebody may suppress it at this moment, too: a bounce, and an organiser by hand.
    row: dict[str, object] = {"address_key": address_key, "list_id": list_id}
    row |= {"reason": reason, "evidence": evidence, "at": now}
    batch.insert_batch(tx, SUPPRESSION, [row], skip_known=True)


def add_domain(
    tx: Tx, domain: str, now: datetime, *, list_id: str = "", evidence: str = ""
) -> bool:
    """Whether the domain is suppressed by this; an older suppression stays."""
    insert = (postgresql if dialect_of(tx) == "postgresql" else sqlite).insert(SUPPRESSED_DOMAIN)
    row = insert.values(domain=domain, list_id=list_id, evidence=evidence, at=now)
    done = tx.execute(row.on_conflict_do_nothing(), execution_options={"preserve_rowcount": True})
    return bool(getattr(done, "rowcount", 0))


def among(tx: Tx, address_keys: Sequence[str], list_id: str) -> dict[str, SuppressionReason]:
    """Those of the keys that are suppressed on the list or on all, with the reason; those of
    people in a suppressed domain among them, by hand."""
    by_domain = tx.scalars(
        select(SUBSCRIBER.c.address_key)
        .join(SUPPRESSED_DOMAIN, SUPPRESSED_DOMAIN.c.domain == SUBSCRIBER.c.domain)
        .where(
            batch.among(tx, SUBSCRIBER.c.address_key, address_keys),
            SUPPRESSED_DOMAIN.c.list_id.in_(("", list_id)),
        )
    )
    found = dict.fromkeys(by_domain, SuppressionReason.BY_HAND)
    rows = tx.execute(
        select(SUPPRESSION.c.address_key, SUPPRESSION.c.reason).where(
            batch.among(tx, SUPPRESSION.c.address_key, address_keys),
            SUPPRESSION.c.list_id.in_(("", list_id)),
        )
    )
    return found | {key: reason for key, reason in rows}


def domain_is_held(tx: Tx, domain: str, list_id: str, *, exactly: bool = False) -> bool:
    """Whether nobody in the domain is mailed on the list; `exactly`: by a suppression of it."""
    lists = (list_id,) if exactly else ("", list_id)
    return (
        tx.execute(
            select(1).where(
                SUPPRESSED_DOMAIN.c.domain == domain, SUPPRESSED_DOMAIN.c.list_id.in_(lists)
            )
        ).first()
        is not None
    )


def domains_held(tx: Tx, list_id: str) -> frozenset[str]:
    """The domains nobody in which is mailed on the list."""
    held = SUPPRESSED_DOMAIN.c.list_id.in_(("", list_id))
    return frozenset(tx.scalars(select(SUPPRESSED_DOMAIN.c.domain).where(held)))


def applies(list_id: str) -> ColumnElement[bool]:
    """The condition that the joined subscriber is suppressed on the list, or their domain is."""
    domains = select(SUPPRESSED_DOMAIN.c.domain).where(
        SUPPRESSED_DOMAIN.c.list_id.in_(("", list_id))
    )
    by_key = exists(
        select(1).where(
            SUPPRESSION.c.address_key == SUBSCRIBER.c.address_key,
            or_(SUPPRESSION.c.list_id == "", SUPPRESSION.c.list_id == list_id),
        )
    )
    return or_(by_key, SUBSCRIBER.c.domain.in_(domains))


def of_key(tx: Tx, address_key: str, list_ids: Collection[str]) -> list[Held]:
    """The suppressions of an address key on exactly those lists ("" is all), oldest first."""
    theirs = (SUPPRESSION.c.address_key == address_key, SUPPRESSION.c.list_id.in_(list_ids))
    return _held(tx, *theirs)


def listed(
    tx: Tx,
    *,
    list_id: str | None = None,
    reason: SuppressionReason | None = None,
    after: int = 0,
    limit: int = 0,
) -> list[Held]:
    """Suppressed addresses with numbers above `after`, at most `limit` (0: all)."""
    conditions = [SUPPRESSION.c.id > after]
    if list_id is not None:
        conditions.append(SUPPRESSION.c.list_id == list_id)
    if reason is not None:
        conditions.append(SUPPRESSION.c.reason == reason)
    return _held(tx, *conditions, limit=limit)


def _held(tx: Tx, *conditions: ColumnElement[bool], limit: int = 0) -> list[Held]:
    query = (
        select(
            SUPPRESSION.c.id,
            SUPPRESSION.c.address_key,
            SUBSCRIBER.c.address,
            SUPPRESSION.c.list_id,
            SUPPRESSION.c.reason,
            SUPPRESSION.c.evidence,
            SUPPRESSION.c.at,
        )
        .outerjoin(SUBSCRIBER, SUBSCRIBER.c.address_key == SUPPRESSION.c.address_key)
        .where(*conditions)
        .order_by(SUPPRESSION.c.id)
    )
    return [Held(*row) for row in tx.execute(query.limit(limit) if limit else query)]


def domains(tx: Tx, list_id: str | None = None) -> list[HeldDomain]:
    """The suppressed domains in the order of their names; with a list only its own."""
    people = (
        select(func.count())
        .where(SUBSCRIBER.c.domain == SUPPRESSED_DOMAIN.c.domain)
        .correlate(SUPPRESSED_DOMAIN)
        .scalar_subquery()
    )
    query = select(SUPPRESSED_DOMAIN, people).order_by(
        SUPPRESSED_DOMAIN.c.domain, SUPPRESSED_DOMAIN.c.list_id
    )
    if list_id is not None:
        query = query.where(SUPPRESSED_DOMAIN.c.list_id == list_id)
    return [HeldDomain(*row) for row in tx.execute(query)]


def of_domain(tx: Tx, domain: str) -> list[HeldDomain]:
    """The suppressions of a domain, that of all lists first."""
    return [one for one in domains(tx) if one.domain == domain]


def lift(tx: Tx, suppression_id: int) -> None:
    """Nothing, once that suppression is gone."""
    tx.execute(delete(SUPPRESSION).where(SUPPRESSION.c.id == suppression_id))


def lift_domain(tx: Tx, domain: str, list_id: str) -> bool:
    """Whether the domain was suppressed on exactly that list ("" is all); it is no more."""
    done = tx.execute(
        delete(SUPPRESSED_DOMAIN).where(
            SUPPRESSED_DOMAIN.c.domain == domain, SUPPRESSED_DOMAIN.c.list_id == list_id
        )
    )
    return bool(getattr(done, "rowcount", 0))
