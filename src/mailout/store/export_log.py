"""The log of exports: of whom, in which form, how many and why. It names nobody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from mailout.store.engine import Tx
from mailout.store.roster_tables import EXPORT


@dataclass(frozen=True, slots=True)
class Export:
    """An export of people; without `ended_at` it was broken off, or goes on now."""

    id: int
    at: datetime
    what: str
    form: str
    reason: str
    rows: int
    ended_at: datetime | None


def begin(tx: Tx, what: str, form: str, reason: str, now: datetime) -> int:
    """The number of an export that begins now."""
    values = {"at": now, "what": what, "form": form, "reason": reason, "rows": 0}
    return int(tx.execute(insert(EXPORT).values(**values).returning(EXPORT.c.id)).scalar_one())


def end(tx: Tx, number: int, rows: int, ended_at: datetime | None) -> None:
    """Nothing, once it is written down how many rows the export had, and that it is done (None:
    that it was broken off)."""
    tx.execute(update(EXPORT).where(EXPORT.c.id == number).values(rows=rows, ended_at=ended_at))


def listed(tx: Tx, limit: int = 0) -> list[Export]:
    """The exports, the newest first, at most `limit` (0: all)."""
    query = select(EXPORT).order_by(EXPORT.c.id.desc())
    return [Export(*row) for row in tx.execute(query.limit(limit) if limit else query)]
