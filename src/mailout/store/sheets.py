"""Paper sheets in the store: what stood over the signatures, for as long as they are evidence."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import insert, select

from mailout.core.sheet import Sheet
from mailout.store.asked_tables import SHEET
from mailout.store.engine import Tx


def add(tx: Tx, sheet: Sheet) -> None:
    """Nothing, once the sheet is known."""
    tx.execute(insert(SHEET).values(**asdict(sheet)))


def find(tx: Tx, code: str) -> Sheet | None:
    """The sheet with that code."""
    row = tx.execute(select(SHEET).where(SHEET.c.code == code)).first()
    return Sheet(**row._mapping) if row else None


def all_(tx: Tx) -> list[Sheet]:
    """All sheets, the newest first."""
    rows = tx.execute(select(SHEET).order_by(SHEET.c.made_at.desc(), SHEET.c.code))
    return [Sheet(**row._mapping) for row in rows]
