"""Why people left, as they said it; no row tells who said it."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from mailout.core.leave_reason import LeaveReason, Said
from mailout.store.asked_tables import LEAVE_REASON
from mailout.store.columns import dialect_of
from mailout.store.engine import Tx


def add(tx: Tx, said: Said, once: str) -> None:
    """Nothing, once the answer is kept; the first under the same `once` stays."""
    insert = (postgresql if dialect_of(tx) == "postgresql" else sqlite).insert(LEAVE_REASON)
    tx.execute(
        insert.values(
            once=once, list_id=said.list_id, reason=said.reason, words=said.words, at=said.at
        ).on_conflict_do_nothing()
    )


def listed(tx: Tx, list_id: str = "") -> Iterator[Said]:
    """The answers of a list, or of all; the newest day first, and within a day in the order of
    the words, which is nobody's."""
    rows = select(
        LEAVE_REASON.c.list_id, LEAVE_REASON.c.reason, LEAVE_REASON.c.words, LEAVE_REASON.c.at
    ).order_by(LEAVE_REASON.c.at.desc(), LEAVE_REASON.c.words, LEAVE_REASON.c.reason)
    if list_id:
        rows = rows.where(LEAVE_REASON.c.list_id == list_id)
    for one in tx.execute(rows):
        yield Said(one.list_id, LeaveReason(one.reason), one.words, one.at)
