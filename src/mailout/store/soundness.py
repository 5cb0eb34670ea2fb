"""Whether the store itself is sound: its file, what its rows refer to, and how many there are."""

from __future__ import annotations

from sqlalchemy import inspect

from mailout.core.errors import MailoutError
from mailout.store.dump import VERSION, quoted
from mailout.store.engine import PlainTx


def refuse_unsound(plain: PlainTx) -> None:
    """Nothing. Raises: MailoutError if SQLite's file is damaged. PostgreSQL checks its own."""
    if plain.dialect.name != "sqlite":
        return
    [said] = plain.exec_driver_sql("PRAGMA integrity_check(1)").scalars().all()
    if said != "ok":
        raise MailoutError(f"the store's file is damaged: {said}", fix="Restore a backup.")
    if lost := plain.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise MailoutError(
            f"a row of `{lost[0]}` refers to one of `{lost[2]}` that is gone",
            fix="Restore a backup.",
        )


def counts(plain: PlainTx) -> dict[str, int]:
    """How many rows each table has."""
    return {
        name: int(plain.exec_driver_sql(f"SELECT count(*) FROM {quoted(name)}").scalar_one())  # noqa: S608
        for name in inspect(plain).get_table_names()
        if name != VERSION
    }
