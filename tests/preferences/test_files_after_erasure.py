"""After an erasure: no file below the site's folder holds the address, in whatever spelling."""

from __future__ import annotations

import base64
import quopri
import secrets
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailout.core.address import Address
from mailout.core.event import EventKind
from mailout.core.site import Site
from mailout.core.suppression import SuppressionReason
from mailout.preferences import joining, moving, rights, settings
from mailout.store import erasure, events, people, signatories, suppressions
from mailout.store.engine import Store, open_store
from newcomers import join
from sign_ups import ask, person, token_mailed

NOW = datetime.now(UTC)
RANDOM = secrets.token_bytes


def spellings(address: str) -> Iterator[bytes]:
    """How an address may stand in a file: as typed, in capitals, encoded in every usual way."""
    parsed = Address.parse(address)
    for text in {address, parsed.wire, parsed.canonical, address.upper(), address.lower()}:
        raw = text.encode()
        yield raw
        yield text.encode("utf-16-le")
        yield quopri.encodestring(raw, quotetabs=True).strip()
        yield text.replace("@", "%40").encode()
        for shift in range(3):  # base64 of a text around it, at each alignment
            encoded = base64.b64encode(b"x" * shift + raw)
            yield encoded[4 if shift else 0 : len(encoded) - 4]
    yield parsed.domain.encode() if not address.isascii() else parsed.wire.encode()
    yield address.encode("unicode_escape")


def files_with(root: Path, address: str) -> list[tuple[str, bytes]]:
    wanted = [one for one in spellings(address) if len(one) > 8]
    return [
        (path.name, one)
        for path in sorted(root.rglob("*"))
        if path.is_file()
        for one in wanted
        if one in path.read_bytes()
    ]


@pytest.mark.parametrize("address", ["Anna.Berg@example.org", "инна@büro-mitte.example.org"])
def test_no_file_holds_the_address(site_root: Path, site: Site, address: str) -> None:
    store = open_store(site.store.url, site_root)
    from mailout.store.schema import upgrade

    upgrade(store)
    _live_a_life(site, store, address)
    # What is looked for can be found: else this test could not fail.
    assert {name for name, _ in files_with(site_root, address)} & {"mailout.db", "mailout.db-wal"}
    found = person(site, store, address)
    assert rights.erase(store, found, NOW)
    assert erasure.scrub(store)
    assert files_with(site_root, address) == []
    store.close()
    assert files_with(site_root, address) == []
    with sqlite3.connect(site_root / "mailout.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _live_a_life(site: Site, store: Store, address: str) -> None:
    """Signs up, sets things, is refused by a server that quotes the address, asks to move."""
    ask(site, store, address, NOW, name="Anna Berg", segments=("unions",))
    assert joining.confirm(site, store, token_mailed(store), NOW, RANDOM) is not None
    found = person(site, store, address)
    settings.ask_link_for(site, store, Address.parse(address), "en", NOW, RANDOM)
    moving.ask(site, store, found, Address.parse("new-" + address), NOW, RANDOM)
    with store.writing() as tx:
        events.add(tx, EventKind.REFUSED, found.id, NOW, f"550 no such mailbox <{address}>")
        words = f"550 <{found.address}> said no"
        suppressions.add(
            tx, found.address_key, SuppressionReason.DEAD, NOW, list_id="other", evidence=words
        )
        people.change_tags(tx, found.id, add=["donor"])
        assert signatories.put(tx, found.id, None) is False
    for number in range(200):  # others, so that pages of the file are shared
        join(store, site, f"reader{number}@example.net")


def test_the_hash_stays(site: Site, store: Store) -> None:
    anna = join(store, site)
    found = person(site, store, "anna@example.org")
    rights.erase(store, found, NOW)
    with store.reading() as tx:
        assert suppressions.among(tx, [anna.address_key], "bulletin") == {
            anna.address_key: SuppressionReason.ERASED
        }
