"""Suppressions: address keys that are never mailed, on one list or on all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, exists, insert, or_, select

from mailout.core.suppression import SuppressionReason
from mailout.store import batch
from mailout.store.engine import Tx
from mailout.store.tables import SUBSCRIBER, SUPPRESSION


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
    known = tx.execute(
        select(SUPPRESSION.c.id).where(
            SUPPRESSION.c.address_key == address_key, SUPPRESSION.c.list_id == list_id
        )
    ).first()
    if known is None:
        tx.execute(
            insert(SUPPRESSION).values(
                address_key=address_key, list_id=list_id, reason=reason, evidence=evidence, at=now
            )
        )


def among(tx: Tx, address_keys: Sequence[str], list_id: str) -> dict[str, SuppressionReason]:
    """Those of the keys that are suppressed on the list or on all, with the reason."""
    rows = tx.execute(
        select(SUPPRESSION.c.address_key, SUPPRESSION.c.reason).where(
            batch.among(tx, SUPPRESSION.c.address_key, address_keys),
            SUPPRESSION.c.list_id.in_(("", list_id)),
        )
    )
    return {key: reason for key, reason in rows}


def applies(list_id: str) -> ColumnElement[bool]:
    """The condition that the joined subscriber is suppressed on the list."""
    return exists(
        select(1).where(
            SUPPRESSION.c.address_key == SUBSCRIBER.c.address_key,
            or_(SUPPRESSION.c.list_id == "", SUPPRESSION.c.list_id == list_id),
        )
    )
