"""Chores: work that waits until there is time for it, written down so that no crash loses it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from mailout.store.asked_tables import CHORE
from mailout.store.columns import dialect_of
from mailout.store.engine import Tx

SCRUB = "scrub"
"""Erased bytes are to be taken out of the store's files (`store.erasure.scrub`)."""


def ask(tx: Tx, name: str, due_at: datetime) -> None:
    """Nothing, once the chore is due at that moment, or sooner if it was already."""
    insert = (postgresql if dialect_of(tx) == "postgresql" else sqlite).insert(CHORE)
    tx.execute(insert.values(name=name, due_at=due_at).on_conflict_do_nothing())


def due(tx: Tx, name: str, now: datetime) -> bool:
    """Whether the chore is to be done now."""
    moment = tx.scalar(select(CHORE.c.due_at).where(CHORE.c.name == name))
    return moment is not None and moment <= now


def done(tx: Tx, name: str) -> None:
    """Nothing, once the chore is not to be done any more."""
    tx.execute(delete(CHORE).where(CHORE.c.name == name))
