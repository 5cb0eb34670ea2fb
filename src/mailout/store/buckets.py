"""Token buckets as all senders of the site share them (`core.throttle` says how they fill)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from mailout.core.throttle import Bucket, Limit, full
from mailout.store.columns import dialect_of
from mailout.store.engine import Tx
from mailout.store.tables import BUCKET


def locked(tx: Tx, limits: Mapping[str, Limit], now: datetime) -> dict[str, Bucket]:
    """The buckets of those names, which nobody else changes until this transaction ends.

    One that was never used is full. They are locked in the order of their names, so that two
    senders never wait for each other.
    """
    names = sorted(limits)
    if not names:
        return {}
    insert = (postgresql if dialect_of(tx) == "postgresql" else sqlite).insert(BUCKET)
    fresh = [asdict(full(name, limits[name], now)) for name in names]
    tx.execute(insert.values(fresh).on_conflict_do_nothing())
    rows = tx.execute(
        select(BUCKET).where(BUCKET.c.name.in_(names)).order_by(BUCKET.c.name).with_for_update()
    )
    return {row.name: Bucket(**row._mapping) for row in rows}


def write(tx: Tx, changed: Iterable[Bucket]) -> None:
    """Nothing, once the buckets (which must be `locked`) are as given."""
    for bucket in sorted(changed, key=lambda one: one.name):
        values = asdict(bucket)
        tx.execute(BUCKET.update().where(BUCKET.c.name == values.pop("name")).values(**values))


def slowed(tx: Tx) -> list[Bucket]:
    """The buckets that were slowed at some time."""
    rows = tx.execute(select(BUCKET).where(BUCKET.c.slowed > 0))
    return [Bucket(**row._mapping) for row in rows]


def forget(tx: Tx, before: datetime) -> None:
    """Nothing, once the buckets that were last used before that moment are gone."""
    tx.execute(delete(BUCKET).where(BUCKET.c.at < before))
