"""The store's tables as plain values, whatever the database and whatever the store's version.

What the tables are is asked of the database itself, not of our classes: so a store can be
backed up before it is upgraded, and a table that comes later is not forgotten.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Inspector, inspect
from sqlalchemy.types import JSON, Boolean, DateTime, Float, Integer, LargeBinary, String

from mailout.core.backup import Column, Kind, Row, Shape
from mailout.store.engine import PlainTx

VERSION = "alembic_version"
"""The one table that is not in a dump: a store gets it with its tables."""
_AT_ONCE = 2000
_KINDS: Sequence[tuple[type, Kind]] = (
    (JSON, Kind.JSON),
    (Boolean, Kind.TRUTH),
    (Integer, Kind.INTEGER),
    (Float, Kind.NUMBER),
    (DateTime, Kind.MOMENT),
    (String, Kind.TEXT),
    (LargeBinary, Kind.BYTES),
)
# How a kind is asked for, where not as it stands.
_ASKED: Mapping[str, Mapping[Kind, str]] = {
    "sqlite": {
        Kind.MOMENT: "CASE length({0}) WHEN 19 THEN replace({0}, ' ', 'T') || '.000000Z'"
        " ELSE replace({0}, ' ', 'T') || 'Z' END",
    },
    "postgresql": {
        Kind.MOMENT: "to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
        Kind.JSON: "{0}::text",
    },
}
# What PostgreSQL does not know to be referred to (docs/adr/0029, 0031), while SQLite does.
_FIRST = ("issue", "dispatch", "import_run", "subscriber")
# Else by the primary key. A chain is checked in its own order.
_ORDER = {"consent": ("list_id", "number")}


def version(plain: PlainTx) -> str:
    """The store's version, as this transaction sees it."""
    return str(plain.exec_driver_sql(f"SELECT version_num FROM {VERSION}").scalar_one())  # noqa: S608


def shapes(plain: PlainTx) -> list[Shape]:
    """All tables of the store, those that others refer to first."""
    asked = inspect(plain)
    names = [name for name, _ in asked.get_sorted_table_and_fkc_names() if name]
    names.sort(key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    return [_shape(asked, name) for name in names if name != VERSION]


def rows(plain: PlainTx, shape: Shape) -> Iterator[list[Row]]:
    """All rows of a table, some at once, as `core.backup` writes their values."""
    dialect = plain.dialect.name
    asked = _ASKED[dialect]
    columns = ", ".join(
        asked.get(column.kind, "{0}").format(quoted(column.name)) for column in shape.columns
    )
    key = (
        _ORDER.get(shape.name)
        or inspect(plain).get_pk_constraint(shape.name)["constrained_columns"]
    )
    order = ", ".join(map(quoted, key))
    query = f"SELECT {columns} FROM {quoted(shape.name)} ORDER BY {order}"  # noqa: S608 - names of tables
    truths = [place for place, one in enumerate(shape.columns) if one.kind is Kind.TRUTH]
    raws = [place for place, one in enumerate(shape.columns) if one.kind is Kind.BYTES]
    found = plain.execution_options(yield_per=_AT_ONCE).exec_driver_sql(query)
    for some in found.partitions(_AT_ONCE):
        if not truths and not raws:
            yield [tuple(row) for row in some]
            continue
        listed = [list(row) for row in some]
        for row in listed:
            for place in truths:
                row[place] = None if row[place] is None else bool(row[place])
            for place in raws:
                row[place] = None if row[place] is None else base64.b64encode(row[place]).decode()
        yield list(listed)


def last_numbers(plain: PlainTx, found: Sequence[Shape]) -> dict[str, int]:
    """The highest number that was ever given to a row, by table, for tables that number theirs."""
    numbers = {}
    given = _given_on_sqlite(plain) if plain.dialect.name == "sqlite" else None
    for shape in found:
        if not is_numbered(shape):
            continue
        highest = plain.exec_driver_sql(f"SELECT max(id) FROM {quoted(shape.name)}").scalar()  # noqa: S608
        last = given.get(shape.name, 0) if given is not None else _given(plain, shape.name)
        numbers[shape.name] = max(int(highest or 0), last)
    return numbers


def is_numbered(shape: Shape) -> bool:
    """Whether the table's rows have numbers that the database gives."""
    return Column("id", Kind.INTEGER) in shape.columns


def quoted(name: str) -> str:
    """A name of a table or a column as it stands in a statement."""
    return '"' + name.replace('"', '""') + '"'


def _shape(asked: Inspector, name: str) -> Shape:
    columns = []
    for column in asked.get_columns(name):
        kind = next((kind for type_, kind in _KINDS if isinstance(column["type"], type_)), None)
        if kind is None:  # a mistake of ours, and a test's to find
            raise TypeError(f"{name}.{column['name']} has a type that no backup knows")
        columns.append(Column(column["name"], kind))
    return Shape(name, tuple(columns))


def _given_on_sqlite(plain: PlainTx) -> dict[str, int]:
    found = plain.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")
    return {name: int(number) for name, number in found}


def _given(plain: PlainTx, table: str) -> int:
    # A sequence knows no transactions: it may be ahead of what this one sees, never behind.
    find = "SELECT pg_get_serial_sequence(%(table)s, 'id')"
    sequence = plain.exec_driver_sql(find, {"table": quoted(table)}).scalar()
    if sequence is None:
        return 0
    asked = f"SELECT last_value, is_called FROM {sequence}"  # noqa: S608 - as PostgreSQL quotes it
    last, called = plain.exec_driver_sql(asked).one()
    return int(last) if called else 0
