"""Plain values back into tables: the other half of `dump`, on either database."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import inspect
from sqlalchemy.exc import DataError, IntegrityError

from mailout.core.backup import Kind, Row, Shape
from mailout.core.errors import BadFile, MailoutError, TryLater
from mailout.store.dump import is_numbered, quoted, shapes
from mailout.store.engine import PlainTx, Store, said_plainly

_MOMENT = len("2026-11-24T18:30:00.000000Z")
_TO_NOBODY = """
SELECT 1 FROM delivery WHERE subscriber_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM subscriber WHERE subscriber.id = delivery.subscriber_id) LIMIT 1"""

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
            with _told(shape):
                if rows:
                    plain.exec_driver_sql(insert, [tuple(changed(row)) for row in rows])

        return add

    copy = f"COPY {table} ({columns}) FROM STDIN"
    copied = _changed(shape, {Kind.BYTES: lambda text: base64.b64decode(text)})

    def add_copied(rows: Sequence[Row]) -> None:
        raw: Any = plain.connection.driver_connection
        with _told(shape), raw.cursor() as cursor, cursor.copy(copy) as into:
            for row in rows:
                into.write_row(copied(row))

    return add_copied


def settle(plain: PlainTx) -> None:
    """Nothing, once it is sure that all rows point to rows that are there: some foreign keys are
    looked at no sooner. Raises: BadFile."""
    if plain.dialect.name == "sqlite":
        if astray := plain.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise _does_not_fit(astray[0], f"some point to no row of `{astray[2]}`")
        return
    try:
        plain.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
    except IntegrityError as error:
        diagnosis = getattr(error.orig, "diag", None)
        words = getattr(diagnosis, "message_detail", "")
        raise _does_not_fit(getattr(diagnosis, "table_name", ""), words) from None
    if plain.exec_driver_sql(_TO_NOBODY).first():  # which no foreign key sees (docs/adr/0031)
        raise _does_not_fit("delivery", "some point to no row of `subscriber`")


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
    if len(text) != _MOMENT or text[10] != "T" or text[-1] != "Z":
        raise ValueError(f"`{text[:_MOMENT]}` is no moment")
    return text[:-1].replace("T", " ")


@contextmanager
def _told(shape: Shape) -> Iterator[None]:
    """Turns what a database says of rows that it does not take into something to act on. (Rows of
    a whole backup fit; only SQLite keeps a NUL within a text.)"""
    try:
        yield
    except (
        IntegrityError,
        DataError,
        psycopg.IntegrityError,
        psycopg.DataError,
        ValueError,
    ) as error:
        words = str(getattr(error, "orig", error)).strip().splitlines()[0]
        raise _does_not_fit(shape.name, words) from None
    except psycopg.OperationalError as error:  # by SQLAlchemy's own way `said_plainly` has it
        words = str(error).strip().splitlines()[0]
        raise TryLater(f"the store cannot be written: {words}") from None


def _does_not_fit(table: str, words: str) -> BadFile:
    return BadFile(f"rows of `{table}` in the backup do not fit into the store: {words}")
