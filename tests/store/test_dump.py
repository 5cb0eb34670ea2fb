"""The tables out of one database and into another: every table, every kind, every number."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, inspect

from dumped_tables import content, fill, metadata
from mailout.core.backup import Kind, pack_rows, unpack_rows
from mailout.core.errors import BadFile, MailoutError
from mailout.core.issue import Variant
from mailout.store import dump, issues, load, schema
from mailout.store.asked_tables import LETTER
from mailout.store.engine import Store, open_store
from mailout.store.tables import SUBSCRIBER

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
_TEXTS = ("reason", "worker", "last_enhanced", "last_text", "relay")
DELIVERED = {
    **{"id": 1, "issue_id": 1, "dispatch_id": 1, "address_key": "key", "language": "en"},
    **{"edition": "full", "state": "accepted", "attempts": 1, "last_code": 250},
    **dict.fromkeys(("queued_at", "next_at"), "2026-11-24T18:30:00.000000Z"),
    **dict.fromkeys(_TEXTS, ""),
}
"""A row of `delivery` as a backup has it, to nobody."""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A database without tables, to load into."""
    if request.param == "sqlite":
        folder = request.getfixturevalue("site_root")
        store = open_store("sqlite:///other.db", folder)
        yield store
        store.close()
        return
    server = request.getfixturevalue("postgresql")
    name = server.create()
    store = open_store(server.url(name), request.getfixturevalue("site_root"))
    yield store
    store.close()
    server.drop(name)


def copy(source: Store, target: Store) -> None:
    """Nothing, once the target has all that the source had, by way of the lines of a backup."""
    with source.snapshot() as plain, target.filling() as other:
        schema.upgrade_within(other, dump.version(plain))
        shapes = dump.shapes(plain)
        load.refuse_other(other, shapes)
        for shape in shapes:
            add = load.adding(other, shape)
            for rows in dump.rows(plain, shape):
                add(unpack_rows(shape, pack_rows(rows), shape.name))


def test_every_table_is_in_a_dump(store: Store) -> None:
    with store.snapshot() as plain:
        shapes = {shape.name: shape for shape in dump.shapes(plain)}
        assert set(inspect(plain).get_table_names()) - {dump.VERSION} == set(shapes)
    assert set(metadata.tables) == set(shapes)
    for name, table in metadata.tables.items():
        assert {column.name for column in table.columns} == {
            column.name for column in shapes[name].columns
        }


def test_tables_come_after_those_that_they_refer_to(store: Store) -> None:
    with store.snapshot() as plain:
        names = [shape.name for shape in dump.shapes(plain)]
    for table in metadata.tables.values():
        for key in table.foreign_keys:
            assert names.index(key.column.table.name) <= names.index(table.name)


def test_the_kinds_are_the_same_on_both_databases(store: Store, empty: Store) -> None:
    schema.upgrade(empty)
    with store.snapshot() as one, empty.snapshot() as other:
        ours = {shape.name: set(shape.columns) for shape in dump.shapes(one)}
        assert ours == {shape.name: set(shape.columns) for shape in dump.shapes(other)}
    kinds = {column.kind for columns in ours.values() for column in columns}
    assert kinds >= {Kind.INTEGER, Kind.TEXT, Kind.TRUTH, Kind.MOMENT, Kind.JSON, Kind.NUMBER}


@pytest.mark.parametrize("seed", range(4))
def test_every_table_goes_from_any_database_to_any(store: Store, empty: Store, seed: int) -> None:
    fill(store, metadata, random.Random(seed))
    before = content(store, metadata)
    assert all(before.values()), "every table has rows"
    copy(store, empty)
    assert content(empty, metadata) == before


def test_rows_of_a_chain_come_in_its_order(store: Store) -> None:
    fill(store, metadata, random.Random(7))
    with store.snapshot() as plain:
        shape = next(one for one in dump.shapes(plain) if one.name == "consent")
        places = [[column.name for column in shape.columns].index(n) for n in ("list_id", "number")]
        found = [
            [row[place] for place in places] for rows in dump.rows(plain, shape) for row in rows
        ]
    assert found == sorted(found)


def test_many_rows_come_in_parts(store: Store) -> None:
    with store.engine.begin() as plain:
        plain.execute(
            insert(LETTER),
            [
                {
                    "kind": "confirm", "list_id": "bulletin", "language": "en", "address": "",
                    "address_key": str(number), "abuse_key": "", "said": {}, "state": "accepted",
                    "created_at": NOW, "next_at": NOW, "expires_at": NOW,
                }
                for number in range(4500)
            ],
        )  # fmt: skip
    with store.snapshot() as plain:
        shape = next(one for one in dump.shapes(plain) if one.name == "letter")
        sizes = [len(rows) for rows in dump.rows(plain, shape)]
    assert sizes == [2000, 2000, 500]


def test_others_write_while_a_snapshot_is_read(store: Store) -> None:
    _add_person(store, "before")
    with store.snapshot() as plain:
        shape = next(one for one in dump.shapes(plain) if one.name == "subscriber")
        _add_person(store, "meanwhile")
        assert sum(map(len, dump.rows(plain, shape))) == 1


def test_a_number_that_was_given_is_never_given_again(store: Store, empty: Store) -> None:
    numbers = [_add_person(store, name) for name in ("a", "b", "c")]
    with store.engine.begin() as plain:  # the last one is erased, and nobody may become them
        plain.execute(SUBSCRIBER.delete().where(SUBSCRIBER.c.id == numbers[-1]))
    with store.snapshot() as plain:
        shapes = dump.shapes(plain)
        last = dump.last_numbers(plain, shapes)
    assert last["subscriber"] == numbers[-1]
    copy(store, empty)
    with empty.filling() as plain:
        load.begin_numbers(plain, shapes, 5000)
    assert _add_person(empty, "d") == 5001
    assert _add_person(empty, "e") == 5002
    with empty.snapshot() as plain:
        assert dump.last_numbers(plain, shapes)["issue"] == 5000


def test_issues_go_on_with_the_new_numbers(store: Store, empty: Store) -> None:
    _make_issue(store, "w46")
    copy(store, empty)
    with store.snapshot() as plain:
        shapes = dump.shapes(plain)
    with empty.filling() as plain:
        load.begin_numbers(plain, shapes, 5000)
    assert [_make_issue(empty, name) for name in ("w47", "w48")] == [5001, 5002]


def test_a_database_with_tables_is_not_loaded_into(store: Store) -> None:
    with pytest.raises(MailoutError, match="there are tables"):
        load.refuse_occupied(store)


def test_tables_that_are_not_those_of_the_version_are_refused(store: Store) -> None:
    with store.filling() as plain:
        shapes = [one for one in dump.shapes(plain) if one.name != "letter"]
        with pytest.raises(BadFile, match="table `letter`"):
            load.refuse_other(plain, shapes)


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("subscriber_tag", {"subscriber_id": 99, "tag": "of nobody"}),
        ("subscriber", {"fields": "{}", "created_at": "no moment"}),
        ("subscriber", {"fields": "{}", "created_at": "2026-11-24T18:30:00.000000Z", "id": None}),
        ("subscription", {"state": "nonsense"}),
        ("delivery", {"subscriber_id": 99, **DELIVERED}),  # which PostgreSQL has no key for
    ],
)
def test_rows_that_do_not_fit_are_told_plainly(
    store: Store, table: str, row: dict[str, object]
) -> None:
    said = f"rows of `{table}` in the backup do not fit"
    with pytest.raises(BadFile, match=said), store.filling() as plain:
        shape = next(one for one in dump.shapes(plain) if one.name == table)
        load.adding(plain, shape)([[row.get(one.name) for one in shape.columns]])
        load.settle(plain)
    assert not any(content(store, metadata).values())


def test_a_text_that_postgresql_does_not_take_is_told_plainly(store: Store, empty: Store) -> None:
    if store.is_sqlite and not empty.is_sqlite:
        _add_person(store, "an\0na")
        with pytest.raises(BadFile, match=r"rows of `subscriber` .* NUL"):
            copy(store, empty)


def _add_person(store: Store, name: str) -> int:
    with store.engine.begin() as plain:
        return int(
            plain.execute(
                insert(SUBSCRIBER)
                .values(
                    address=f"{name}@example.org", address_key=name, domain="example.org", fields={},
                    created_at=NOW, name="", language="", country="",
                )
                .returning(SUBSCRIBER.c.id)
            ).scalar_one()
        )  # fmt: skip


def _make_issue(store: Store, name: str) -> int:
    variants = (Variant("en", "Strike", "<p>x</p>", "x"),)
    with store.writing() as tx:
        return issues.save_compiled(tx, name, "bulletin", ("p",), variants, NOW).id
