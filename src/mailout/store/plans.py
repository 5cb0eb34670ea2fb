"""How a database finds the rows of a query, in plain words: by which index, or by reading all.

SQLite tells it a line a table (`EXPLAIN QUERY PLAN`), PostgreSQL as a tree in JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ClauseElement, Executable

from mailout.store.columns import dialect_of
from mailout.store.engine import Tx

_WORDS = {
    "subscriber": "people",
    "subscriber_tag": "tags",
    "subscription": "the list",
    "other": "other lists",
    "delivery": "deliveries",
    "event": "events",
    "consent": "evidence",
    "issue": "issues",
}
_STEP = re.compile(
    r"(?P<how>SEARCH|SCAN) (?P<table>\w+)(?: USING (?:(?:COVERING )?INDEX (?P<index>\w+)"
    r"|INTEGER PRIMARY KEY))?(?: \((?P<by>.*)\))?"
)
_OUR_INDEX = re.compile(r"(?:ix|uq|pk)_")


class _Explained(Executable, ClauseElement):
    """A query of which the database tells how it would answer it, instead of doing so."""

    inherit_cache = False

    def __init__(self, query: Select[Any]) -> None:
        self.query = query


@compiles(_Explained, "sqlite")
def _for_sqlite(element: _Explained, compiler: SQLCompiler, **options: Any) -> str:
    return f"EXPLAIN QUERY PLAN {compiler.process(element.query, **options)}"


@compiles(_Explained, "postgresql")
def _for_postgresql(element: _Explained, compiler: SQLCompiler, **options: Any) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.process(element.query, **options)}"


def in_words(tx: Tx, query: Select[Any]) -> list[str]:
    """How the database would find what the query asks for, a line a table."""
    rows = tx.execute(_Explained(query)).all()
    if dialect_of(tx) == "sqlite":
        lines = [line for row in rows for line in _sqlite(row[3])]
    else:
        lines = list(_postgresql(rows[0][0][0]["Plan"]))
    return list(dict.fromkeys(lines)) or ["nothing is looked at: the rule is true of nobody"]


def _sqlite(step: str) -> Iterator[str]:
    found = _STEP.match(step)
    if not found or (found["table"] not in _WORDS):
        return
    what = _WORDS[found["table"]]
    columns = re.findall(r"(\w+)[=<>]", found["by"] or "")
    if found["how"] == "SEARCH":
        by = ", ".join("number" if column == "rowid" else column for column in columns)
        yield f"{what}: looked up by {by}{_index(found['index'])}"
    elif found["index"]:
        yield f"{what}: all entries of an index are read{_index(found['index'])}"
    else:
        yield f"{what}: all rows are read"


def _index(name: str | None) -> str:
    """The index in brackets, if its name says anything."""
    return f" (index {name})" if name and _OUR_INDEX.match(name) else ""


def _postgresql(node: Mapping[str, Any]) -> Iterator[str]:
    what = _WORDS.get(node.get("Relation Name", ""), "")
    kind = node["Node Type"]
    if what and "Seq Scan" in kind:
        yield f"{what}: all rows are read"
    elif "Index Name" in node:
        yield from _postgresql_index(node, what)
    for inner in node.get("Plans", ()):
        yield from _postgresql(inner)


def _postgresql_index(node: Mapping[str, Any], what: str) -> Iterator[str]:
    index = str(node["Index Name"])
    # The tree below a bitmap scan names the index alone.
    what = what or next(
        (
            _WORDS[table]
            for table in sorted(_WORDS, key=len, reverse=True)
            if re.match(rf"(?:ix|uq|pk)_{table}(?:_|$)", index)
        ),
        index,
    )
    columns = re.findall(r"\(?(\w+)\)?(?:::\w+)? (?:=|<|>|<=|>=) ", node.get("Index Cond", ""))
    if columns:
        yield f"{what}: looked up by {', '.join(dict.fromkeys(columns))} (index {index})"
    else:
        yield f"{what}: all entries of an index are read (index {index})"
