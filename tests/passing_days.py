"""Days that pass between two commands: all that a store remembers happened so much earlier."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update

from mailout.store.columns import UtcTime
from mailout.store.engine import Store
from mailout.store.inbound_tables import metadata

_SIGNED = "consent"  # a chain of hashes over its moments, too


def pass_days(store: Store, days: float) -> None:
    """Nothing, once every moment in the store is so many days further back."""
    back = timedelta(days=days)
    with store.writing() as tx:
        for table in metadata.sorted_tables:
            moments = [column for column in table.c if isinstance(column.type, UtcTime)]
            if not moments or table.name == _SIGNED:
                continue
            keys = list(table.primary_key)
            for row in tx.execute(select(*keys, *moments)).all():
                known = row[: len(keys)]
                earlier = {
                    column.name: value - back
                    for column, value in zip(moments, row[len(keys) :], strict=True)
                    if value is not None
                }
                if earlier:
                    here = [key == value for key, value in zip(keys, known, strict=True)]
                    tx.execute(update(table).where(*here).values(earlier))
