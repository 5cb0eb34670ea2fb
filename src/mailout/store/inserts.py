"""Inserts: rows of one table made ready for the driver, and sent by whoever has the connection.

So that an import can make rows ready while the database is at work. SQLite is given thousands
of rows a statement, PostgreSQL a COPY.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError

from mailout.store.columns import dialect_of
from mailout.store.engine import Tx

_ROWS = 2500  # rows of one statement: a third quicker than one each
_VARIABLES = 32_766 if sqlite3.sqlite_version_info >= (3, 32) else 999  # holes in a statement
_COPIED = 5000
"""Rows of one COPY: enough that its cost does not count, few enough for the memory."""

Inserts = Sequence[tuple[str, Any]]
"""Statements, each with its values (SQLite) or with its rows as COPY reads them."""


def ready(dialect: str, table: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> Inserts:
    """The rows made ready for `insert`: texts and numbers, none of them missing."""
    if not rows:
        return ()
    if dialect != "sqlite":
        statement = f"COPY {table} ({columns}) FROM STDIN"
        return [(statement, _as_copied(some)) for some in _lots(rows, _COPIED)]
    # With `OR FAIL` the rows before a bad one stay: the transaction is taken back in any case, and
    # SQLite need not write down each page that it touches to take back the statement alone.
    insert = f"INSERT OR FAIL INTO {table} ({columns}) VALUES "  # noqa: S608 - our own names
    width = len(rows[0])
    one = f"({', '.join('?' * width)})"
    return [
        (insert + ", ".join([one] * len(some)), tuple(chain.from_iterable(some)))
        for some in _lots(rows, max(1, min(_ROWS, _VARIABLES // width)))
    ]


def insert(tx: Tx, inserts: Inserts) -> None:
    """Nothing, once the rows are in, of which no two are alike."""
    connection = tx.connection()
    if dialect_of(tx) == "sqlite":
        for statement, values in inserts:
            connection.exec_driver_sql(statement, values)
        return
    driver: Any = connection.connection.driver_connection
    for statement, text in inserts:
        try:
            with driver.cursor() as cursor, cursor.copy(statement) as copy:
                copy.write(text)
        except psycopg.Error as error:  # past SQLAlchemy: said as it would say it
            raise DBAPIError.instance(statement, None, error, psycopg.Error) from error


def _lots(rows: Sequence[tuple[Any, ...]], size: int) -> list[Sequence[tuple[Any, ...]]]:
    return [rows[at : at + size] for at in range(0, len(rows), size)]


def _as_copied(rows: Sequence[tuple[Any, ...]]) -> bytes:
    """Rows as COPY reads them: cells apart by tabs, with what would be taken amiss escaped."""
    text = "\n".join(["\t".join(map(str, row)) for row in rows]) + "\n"
    plain = "\\" not in text and "\r" not in text and text.count("\n") == len(rows)
    if not (plain and text.count("\t") == len(rows) * (len(rows[0]) - 1)):
        text = "".join("\t".join(_escaped(str(cell)) for cell in row) + "\n" for row in rows)
    return text.encode()


def _escaped(cell: str) -> str:
    cell = cell.replace("\\", "\\\\").replace("\t", "\\t")
    return cell.replace("\n", "\\n").replace("\r", "\\r")
