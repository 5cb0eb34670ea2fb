"""Who left, was erased or complained after the backup: carried over, and nobody is brought back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from mailout.config.site import read_site
from mailout.core.address import Address
from mailout.core.consent import Consent, ConsentAction
from mailout.core.errors import MailoutError, UsageError
from mailout.core.sealing import new_seal
from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.keeping.backup import make
from mailout.keeping.carrying import old_store
from mailout.keeping.restoring import Restored, restore
from mailout.store import chain, consents, erasure, members, partners, people, suppressions
from mailout.store.engine import Store, open_store
from mailout.store.roster_tables import PARTNER_HASH

NOW = datetime(2026, 11, 24, 18, 30, tzinfo=UTC)
LATER = NOW + timedelta(days=2)
WORDS = "six random words for a test"
NAMES = ("anna", "ben", "clara", "dora")


@pytest.fixture
def file(site: Site, store: Store, tmp_path: Path) -> Path:
    """A backup of a site with four people, before anything happens to them."""
    with store.writing() as tx:
        for name in NAMES:
            address = Address.parse(f"{name}@example.org")
            number = members.make(tx, address, _key(site, name), NOW)
            members.activate(tx, number, "bulletin", f"token-of-{name}", NOW)
            consents.append(
                tx,
                [
                    Consent(
                        "bulletin", number, _key(site, name), ConsentAction.JOINED, NOW, "by page"
                    )
                ],
            )
    path = tmp_path / "site.backup"
    make(
        site, store, path, site.root / "keys.toml",
        seal=new_seal(WORDS, os.urandom(16), cost=10),
        program="0.1.0", now=NOW, keep_until=date(2026, 12, 24),
    )  # fmt: skip
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "again"


def _key(site: Site, name: str) -> str:
    return Address.parse(f"{name}@example.org").key(site.keys.address)


def _restore(file: Path, target: Path, old: Store | None = None) -> Restored:
    return restore(file, WORDS, target, LATER, store_url="sqlite:///mailout.db", old=old)


def _states(site: Site, target: Path) -> Iterator[tuple[str, SubscriptionState | None]]:
    again = open_store("sqlite:///mailout.db", target)
    with again.reading() as tx:
        for name in NAMES:
            yield name, members.state_of(tx, _key(site, name), "bulletin")
        assert chain.check(tx, "bulletin").broken_at is None
    again.close()


def _much_happens(site: Site, store: Store) -> None:
    with store.writing() as tx:
        anna, ben = people.find(tx, _key(site, "anna")), people.find(tx, _key(site, "ben"))
        assert anna is not None
        assert ben is not None
        [place] = anna.memberships
        held = members.place(tx, anna.id, place.list_id)
        assert held is not None
        people.set_state(tx, held.id, SubscriptionState.UNSUBSCRIBED, LATER)
        erasure.erase(tx, ben, LATER, "test")
        suppressions.add(
            tx, _key(site, "clara"), SuppressionReason.COMPLAINED, LATER, list_id="bulletin"
        )
        suppressions.add(tx, _key(site, "stranger"), SuppressionReason.ERASED, LATER)


def test_without_the_old_store_they_come_back_to_life(
    site: Site, store: Store, file: Path, target: Path
) -> None:
    _much_happens(site, store)
    assert _restore(file, target).carried is None
    assert dict(_states(site, target)) == dict.fromkeys(NAMES, SubscriptionState.ACTIVE)


def test_the_old_store_tells_who_must_not_be_mailed(
    site: Site, store: Store, file: Path, target: Path
) -> None:
    _much_happens(site, store)
    carried = _restore(file, target, store).carried
    assert carried is not None
    assert (carried.left, carried.erased) == (1, 1)
    assert carried.suppressed == {"complained": 1, "erased": 1}
    assert dict(_states(site, target)) == {
        "anna": SubscriptionState.UNSUBSCRIBED,
        "ben": None,
        "clara": SubscriptionState.ACTIVE,
        "dora": SubscriptionState.ACTIVE,
    }
    again = open_store("sqlite:///mailout.db", target)
    with again.reading() as tx:
        keys = [_key(site, name) for name in (*NAMES, "stranger")]
        found = suppressions.among(tx, keys, "bulletin")
        anna = chain.of_key(tx, _key(site, "anna"))
    again.close()
    assert found == {
        _key(site, "ben"): SuppressionReason.ERASED,
        _key(site, "clara"): SuppressionReason.COMPLAINED,
        _key(site, "stranger"): SuppressionReason.ERASED,
    }
    assert [(one.consent.action, one.consent.source) for one in anna][-1] == (
        ConsentAction.LEFT,
        "restore, from the old store",
    )


def test_domains_and_what_partners_told_are_carried_over(
    site: Site, store: Store, file: Path, target: Path
) -> None:
    with store.writing() as tx:
        suppressions.add_domain(tx, "works.example.org", LATER, evidence="they read along")
        suppressions.add_domain(tx, "example.org", LATER, list_id="bulletin")
        partners.begin(tx, "riverside")
        partners.add_hashes(tx, "riverside", ["a" * 64, "b" * 64], LATER)
    carried = _restore(file, target, store).carried
    assert carried is not None
    assert carried.suppressed == {"by hand": 2}
    again = open_store("sqlite:///mailout.db", target)
    with again.reading() as tx:
        held = suppressions.domains(tx)
        hashes = dict(tx.execute(select(PARTNER_HASH.c.hash, PARTNER_HASH.c.at)).all())
        found = suppressions.among(tx, [_key(site, "anna")], "bulletin")
    again.close()
    assert [(one.domain, one.list_id, one.evidence, one.at) for one in held] == [
        ("example.org", "bulletin", "", LATER),
        ("works.example.org", "", "they read along", LATER),
    ]
    assert hashes == {"a" * 64: LATER, "b" * 64: LATER}
    assert list(found) == [_key(site, "anna")]


def test_nobody_is_brought_back(site: Site, store: Store, file: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    _much_happens(site, store)
    _restore(file, first, store)
    after_leaving = tmp_path / "after.backup"
    left = open_store("sqlite:///mailout.db", first)
    make(
        read_site(first), left, after_leaving, first / "keys.toml",
        seal=new_seal(WORDS, os.urandom(16), cost=10),
        program="0.1.0", now=LATER, keep_until=date(2026, 12, 24),
    )  # fmt: skip
    left.close()
    # An old store in which nobody has left yet.
    _restore(file, second)
    before = open_store("sqlite:///mailout.db", second)
    third = tmp_path / "third"
    carried = _restore(after_leaving, third, before).carried
    before.close()
    assert carried is not None
    assert (carried.left, carried.erased, carried.suppressed) == (0, 0, {})
    states = dict(_states(site, third))
    assert (states["anna"], states["ben"]) == (SubscriptionState.UNSUBSCRIBED, None)


def test_an_old_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such store"):
        old_store("sqlite:///nowhere.db", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_old_store_that_cannot_be_read_leaves_nothing(
    site: Site, file: Path, target: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.db").write_bytes(b"not a store at all" * 100)
    old = old_store("sqlite:///broken.db", tmp_path)
    with pytest.raises(MailoutError):
        _restore(file, target, old)
    old.close()
    assert not target.exists()
