"""A row for every table there is, with a value of every kind; made of the tables themselves, so
that a table that comes later is filled, too."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Enum,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    insert,
    select,
)

from mailout.store import asked_tables, import_tables, inbound_tables, roster_tables
from mailout.store.columns import UtcTime
from mailout.store.engine import PlainTx, Store

_MODULES = (asked_tables, import_tables, inbound_tables, roster_tables)  # each adds its own tables
(metadata,) = {one.metadata for one in _MODULES}

_WORDS = (
    "",
    "Анна, «причал» 7",
    "line\nbreak\ttab \\N \\. \"quoted\" 'single'",
    "🛳 ünïcode",
    "=1+1",
)
_DOCUMENTS: tuple[Any, ...] = ({}, {"b": 1, "a": [None, True, 1.5, "ы"]}, {"x": {"y": "\\u0041"}})


def fill(store: Store, metadata: MetaData, rng: random.Random, each: int = 3) -> None:
    """Nothing, once every table has some rows."""
    with store.engine.begin() as plain:
        for table in metadata.sorted_tables:
            for number in range(each):
                plain.execute(insert(table).values(**_row(plain, table, number, rng)))


def content(store: Store, metadata: MetaData) -> Mapping[str, list[tuple[Any, ...]]]:
    """All rows of all tables, as our own classes read them."""
    with store.engine.connect() as plain:
        return {
            table.name: sorted((tuple(row) for row in plain.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


def _row(plain: PlainTx, table: Table, number: int, rng: random.Random) -> dict[str, Any]:
    return {
        column.name: _value(plain, column, number, rng)
        for column in table.columns
        if not (column.primary_key and column.name == "id")
    }


def _value(plain: PlainTx, column: Column[Any], number: int, rng: random.Random) -> Any:
    if column.nullable and number == 0:
        return None
    if column.foreign_keys:
        other = next(iter(column.foreign_keys)).column
        return plain.execute(select(other).order_by(other).offset(number)).scalars().first()
    if isinstance(column.type, Enum):
        return rng.choice(list(column.type.enum_class or column.type.enums))
    if isinstance(column.type, UtcTime):
        fraction = rng.choice([0, 1, 120_000, 999_999])
        return datetime(2026, 11, 24, 10, tzinfo=UTC) + timedelta(
            seconds=rng.randrange(10**7), microseconds=fraction
        )
    if isinstance(column.type, JSON):
        return rng.choice(_DOCUMENTS)
    if isinstance(column.type, Boolean):
        return rng.random() < 0.5
    if isinstance(column.type, Integer):
        return rng.choice([0, -1, 2**31 - 1]) if not column.primary_key else number + 1
    if isinstance(column.type, Float):
        return rng.choice([0.1, 1e-9, 123456789.123456789, -0.5])
    if isinstance(column.type, LargeBinary):
        return rng.randbytes(50)
    if column.unique or column.primary_key or _is_among_unique(column):
        return uuid.UUID(int=rng.getrandbits(128)).hex
    return rng.choice(_WORDS)


def _is_among_unique(column: Column[Any]) -> bool:
    return any(
        column.name in getattr(constraint, "columns", {})
        for constraint in column.table.constraints
        if type(constraint).__name__ == "UniqueConstraint"
    )
