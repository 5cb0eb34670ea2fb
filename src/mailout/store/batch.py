"""Batches: many rows in, or many keys asked for, in one statement of a bounded size.

PostgreSQL is given arrays, one bound value a column, since a statement of ten thousand
bound values costs more to take apart than to run. SQLite takes the rows one by one from a
prepared statement, and keys as bound values, of which its older libraries allow 999.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Table,
    Text,
    cast,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite

from mailout.store.engine import Tx

T = TypeVar("T")

KEYS = 900
"""How many keys to ask for in one statement: `chunks(keys, KEYS)`."""


def plan_anew(tx: Tx, tables: Iterable[str]) -> None:
    """Nothing, once PostgreSQL plans for as many rows as these tables have now.

    It finds out by itself within minutes. Whoever asks about many new rows before that is
    answered as if there were few: in hours, where it should be seconds. SQLite's plans do not
    depend on it.
    """
    if tx.get_bind().dialect.name == "postgresql":
        tx.execute(text(f"ANALYZE {', '.join(tables)}"))  # names of ours


def insert_batch(
    tx: Tx, table: Table, rows: Sequence[dict[str, Any]], *, skip_known: bool = False
) -> None:
    """Nothing, once the rows are in; all of them have the same columns.

    With `skip_known` those that a unique constraint has already are passed over.
    """
    if not rows:
        return
    if tx.get_bind().dialect.name == "postgresql":
        names = list(rows[0])
        arrays = [_array(table.c[name], [row[name] for row in rows]) for name in names]
        filled = postgresql.insert(table).from_select(names, select(*arrays))
        tx.execute(filled.on_conflict_do_nothing() if skip_known else filled)
        return
    one = sqlite.insert(table).on_conflict_do_nothing() if skip_known else insert(table)
    tx.execute(one, rows)


def _array(column: Column[Any], values: Sequence[Any]) -> ColumnElement[Any]:
    """The values of a column as rows of PostgreSQL's."""
    if isinstance(column.type, JSON):  # a list in an array would be a further dimension of it
        texts = [json.dumps(value) for value in values]
        return cast(func.unnest(literal(texts, postgresql.ARRAY(Text))), column.type)
    return func.unnest(literal(list(values), postgresql.ARRAY(column.type)))


def among(tx: Tx, column: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    """The condition that the column holds one of at most `KEYS` values."""
    if tx.get_bind().dialect.name == "postgresql":
        return column == func.any(literal(list(values), postgresql.ARRAY(column.type)))
    return column.in_(values)


def chunks(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """The items in their order, `size` at a time."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
