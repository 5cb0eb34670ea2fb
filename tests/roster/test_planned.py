"""PostgreSQL plans for as many people as there are, right after they have come."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from dumped_tables import fill
from mailout.core.site import Site
from mailout.keeping.backup import make
from mailout.keeping.restoring import restore
from mailout.store.engine import Store, open_store
from mailout.store.inbound_tables import metadata
from roster_tools import Import

NOW = datetime(2026, 11, 24, 18, 30, tzinfo=UTC)
PEOPLE = 1200


def planned(store: Store, table: str) -> int:
    """For how many rows of a table PostgreSQL plans; -1 if it never looked."""
    with store.reading() as tx:
        query = text("SELECT reltuples FROM pg_class WHERE oid = CAST(:name AS regclass)")
        found = tx.scalar(query, {"name": table})
    return int(found or 0)


def test_after_an_import(store: Store, take: Import) -> None:
    """Else a send within the next minute asks for each person by reading all of the evidence."""
    take("email,tags\n" + "".join(f"p{number}@example.org,a\n" for number in range(PEOPLE)))
    if not store.is_sqlite:
        for table in ("subscriber", "subscriber_tag", "subscription", "consent"):
            assert planned(store, table) == PEOPLE


def test_after_a_restore(
    site: Site, store: Store, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    fill(store, metadata, random.Random(1))
    file = tmp_path / "site.backup"
    made = make(
        site, store, file, site.root / "keys.toml",
        seal=None, program="0.1.0", now=NOW, keep_until=date(2026, 12, 24),
    )  # fmt: skip
    server = request.getfixturevalue("postgresql")
    name = server.create()
    restore(file, "", tmp_path / "again", NOW, store_url=server.url(name))
    again = open_store(server.url(name), tmp_path)
    for table in ("subscriber", "subscription", "consent", "delivery"):
        assert planned(again, table) == made.manifest.rows[table]
    again.close()
    server.drop(name)
