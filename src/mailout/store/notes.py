"""Notes about people: written down, read; they go with the person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select

from mailout.store.engine import Tx
from mailout.store.roster_tables import NOTE


@dataclass(frozen=True, slots=True)
class Note:
    """Something an organiser wrote down about a person."""

    id: int
    text: str
    at: datetime


def add(tx: Tx, subscriber_id: int, text: str, now: datetime) -> int:
    """The number of the note, which is kept now."""
    values = {"subscriber_id": subscriber_id, "text": text, "at": now}
    return int(tx.execute(insert(NOTE).values(**values).returning(NOTE.c.id)).scalar_one())


def of(tx: Tx, subscriber_id: int) -> list[Note]:
    """The notes about a person, oldest first."""
    rows = tx.execute(
        select(NOTE.c.id, NOTE.c.text, NOTE.c.at)
        .where(NOTE.c.subscriber_id == subscriber_id)
        .order_by(NOTE.c.at, NOTE.c.id)
    )
    return [Note(*row) for row in rows]


def drop(tx: Tx, subscriber_id: int, number: int) -> bool:
    """Whether there was such a note about the person; it is gone."""
    done = tx.execute(
        delete(NOTE).where(NOTE.c.subscriber_id == subscriber_id, NOTE.c.id == number)
    )
    return bool(getattr(done, "rowcount", 0))
