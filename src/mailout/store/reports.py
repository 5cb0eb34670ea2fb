"""What a report on a dispatch counts, beyond the states of its deliveries."""

from __future__ import annotations

from sqlalchemy import func, select

from mailout.core.delivery import DeliveryState
from mailout.store.engine import Tx
from mailout.store.tables import DELIVERY


def skipped(tx: Tx, dispatch_id: int) -> dict[str, int]:
    """How many deliveries of the dispatch were skipped, by reason."""
    rows = tx.execute(
        select(DELIVERY.c.reason, func.count())
        .where(DELIVERY.c.dispatch_id == dispatch_id, DELIVERY.c.state == DeliveryState.SKIPPED)
        .group_by(DELIVERY.c.reason)
    )
    return {reason: number for reason, number in rows}


def deferred(tx: Tx, dispatch_id: int) -> int:
    """How many deliveries of the dispatch took more than one try."""
    tried_again = select(func.count()).where(
        DELIVERY.c.dispatch_id == dispatch_id, DELIVERY.c.attempts > 1
    )
    return int(tx.scalar(tried_again) or 0)
