"""Proof of consent: what is shown, and that a change of the chain is found."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, update

from mailout.core.consent import Consent, ConsentAction, chained
from mailout.core.site import Site
from mailout.preferences import rights
from mailout.roster import proof
from mailout.store.engine import Store
from mailout.store.tables import CONSENT
from newcomers import join
from sign_ups import person

NOW = datetime.now(UTC)


@pytest.fixture
def readers(site: Site, store: Store) -> None:
    for number in range(5):
        join(store, site, f"reader{number}@example.org")


def test_an_untouched_chain_holds(site: Site, store: Store, readers: None) -> None:
    (name,) = proof.checked(store)
    found = proof.checked(store)[name]
    assert (name, found.links, found.broken_at) == ("bulletin", 5, None)


@pytest.mark.parametrize(
    ("change", "broken_at"),
    [
        (update(CONSENT).where(CONSENT.c.number == 3).values(wording="something else"), 3),
        (update(CONSENT).where(CONSENT.c.number == 5).values(source="other.csv"), 5),
        (delete(CONSENT).where(CONSENT.c.number == 2), 2),
        (delete(CONSENT).where(CONSENT.c.number == 1), 1),
        (update(CONSENT).where(CONSENT.c.number == 4).values(hash="0" * 64), 4),
    ],
)
def test_a_change_is_found(
    site: Site, store: Store, readers: None, change: object, broken_at: int
) -> None:
    with store.writing() as tx:
        tx.execute(change)  # type: ignore[call-overload]
    found = proof.checked(store, "bulletin")["bulletin"]
    assert (found.broken_at, found.links) == (broken_at, broken_at - 1)


def test_an_export_can_be_checked_by_others(site: Site, store: Store, readers: None) -> None:
    previous = "0" * 64
    for line in proof.exported(store, "bulletin"):
        body = [
            line[key]
            for key in (
                "previous", "list", "subscriber", "address_key", "action", "at", "wording",
                "language", "source",
            )
        ]  # fmt: skip
        assert line["previous"] == previous

        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        assert hashlib.sha256(text.encode()).hexdigest() == line["hash"]
        previous = str(line["hash"])


def test_evidence_outlives_an_erasure(site: Site, store: Store, readers: None) -> None:
    rights.erase(store, person(site, store, "reader1@example.org"), NOW)
    actions = [one.consent.action for one in proof.of_address(site, store, "READER1@example.org")]
    assert actions == [ConsentAction.IMPORTED, ConsentAction.ERASED]
    assert proof.checked(store)["bulletin"].broken_at is None


def test_the_version_names_exactly_these_words() -> None:
    assert proof.version("") == ""
    assert proof.version("I agree") != proof.version("I agree.")
    consent = Consent("l", 1, "k", ConsentAction.JOINED, NOW, "I agree")
    assert len(chained(consent, "0" * 64)) == 64
