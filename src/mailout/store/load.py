"""Plain values back into tables: the other half of `dump`, on either database."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import inspect

from mailout.core.backup import Kind, Row, Shape
from mailout.core.errors import BadFile, MailoutError
from mailout.store.dump import is_numbered, quoted, shapes
from mailout.store.engine import PlainTx, Store, said_plainly

Adding = Callable[[Sequence[Row]], None]
"""Puts rows into one table."""


def refuse_occupied(store: Store) -> None:
    """Nothing. Raises: MailoutError if there is any table already."""
    with said_plainly(), store.engine.connect() as connection:
        if inspect(connection).get_table_names():
            raise MailoutError(
                "there are tables in the store's database already",
                where="the store",
                fix="Name an empty database, such as `--store sqlite:///mailout.db`.",
            )


def refuse_other(plain: PlainTx, wanted: Sequence[Shape]) -> None:
    """Nothing. Raises: BadFile unless these are the tables of the store, column by column."""
    there = {shape.name: set(shape.columns) for shape in shapes(plain)}
    given = {shape.name: set(shape.columns) for shape in wanted}
    if there != given:
        names = sorted(name for name in there | given if there.get(name) != given.get(name))
        raise BadFile(f"the backup's table `{names[0]}` is not as its version has it")


def adding(plain: PlainTx, shape: Shape) -> Adding:
    """What puts rows into the table; they have the shape's columns, in its order."""
    columns = ", ".join(quoted(column.name) for column in shape.columns)
    table = quoted(shape.name)
    if plain.dialect.name == "sqlite":
        places = ", ".join("?" for _ in shape.columns)
        insert = f"INSERT INTO {table} ({columns}) VALUES ({places})"  # noqa: S608 - names of tables
        changed = _changed(shape, {Kind.MOMENT: _moment_on_sqlite, Kind.BYTES: base64.b64decode})

        def add(rows: Sequence[Row]) -> None:
            if rows:
                plain.exec_driver_sql(insert, [tuple(changed(row)) for row in rows])

        return add

    copy = f"COPY {table} ({columns}) FROM STDIN"
    copied = _changed(shape, {Kind.BYTES: lambda text: base64.b64decode(text)})

    def add_copied(rows: Sequence[Row]) -> None:
        raw: Any = plain.connection.driver_connection
        with raw.cursor() as cursor, cursor.copy(copy) as into:
            for row in rows:
                into.write_row(copied(row))

    return add_copied


def begin_numbers(plain: PlainTx, found: Sequence[Shape], last: int) -> None:
    """Nothing, once every table that numbers its rows gives numbers above `last` only."""
    for shape in found:
        if not is_numbered(shape):
            continue
        if plain.dialect.name == "sqlite":
            # Also for tables that SQLite numbers by their highest row: `issues` asks for it.
            plain.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (shape.name,))
            plain.exec_driver_sql("INSERT INTO sqlite_sequence VALUES (?, ?)", (shape.name, last))
        else:
            plain.exec_driver_sql(
                "SELECT setval(pg_get_serial_sequence(%(table)s, 'id'), %(last)s)",
                {"table": quoted(shape.name), "last": last},
            )


def _changed(shape: Shape, ways: dict[Kind, Callable[[str], Any]]) -> Callable[[Row], Row]:
    places = [
        (place, ways[column.kind])
        for place, column in enumerate(shape.columns)
        if column.kind in ways
    ]
    if not places:
        return lambda row: row

    def change(row: Row) -> Row:
        values = list(row)
        for place, way in places:
            if values[place] is not None:
                values[place] = way(values[place])
        return values

    return change


def _moment_on_sqlite(text: str) -> str:
    return text[:-1].replace("T", " ")
