"""The consent chain: it verifies, and no row of it can be changed or taken out unseen."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, text

from mailout.core.consent import GENESIS, Consent, ConsentAction, chained
from mailout.store import consents
from mailout.store.engine import Store

NOW = datetime(2026, 11, 24, 12, 30, 1, 500, tzinfo=UTC)


def evidence(number: int, list_id: str = "bulletin") -> Consent:
    return Consent(
        list_id, number, f"key{number}", ConsentAction.IMPORTED, NOW,
        "подписались на собрании", "ru", "import:people.csv",
    )  # fmt: skip


def append(store: Store, *rows: Consent) -> None:
    with store.writing() as tx:
        consents.append(tx, rows)


def broken(store: Store, list_id: str = "bulletin") -> int | None:
    with store.reading() as tx:
        return consents.first_broken(tx, list_id)


def test_nothing_is_a_whole_chain(store: Store) -> None:
    append(store)
    assert broken(store) is None


def test_batches_make_one_chain_a_list(store: Store) -> None:
    append(store, evidence(1), evidence(2, "other"), evidence(3))
    append(store, *(evidence(number) for number in range(4, 2500)))
    append(store, evidence(9, "other"))
    assert broken(store) is None
    assert broken(store, "other") is None
    with store.reading() as tx:
        assert consents.of_subscriber(tx, 9) == [evidence(9), evidence(9, "other")]


def test_a_failed_transaction_leaves_the_chain_as_it_was(store: Store) -> None:
    append(store, evidence(1))
    with pytest.raises(RuntimeError), store.writing() as tx:
        consents.append(tx, [evidence(2)])
        raise RuntimeError
    append(store, evidence(3))
    assert broken(store) is None


def test_two_writers_make_one_chain(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: append(store, evidence(n), evidence(n + 100)), range(20)))
    assert broken(store) is None
    with store.reading() as tx:
        assert tx.scalar(text("SELECT max(number) FROM consent")) == 40


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ("UPDATE consent SET wording = 'begged' WHERE number = 2", 2),
        ("UPDATE consent SET address_key = 'other' WHERE number = 3", 3),
        ("UPDATE consent SET subscriber_id = 7 WHERE number = 1", 1),
        ("UPDATE consent SET action = 'joined' WHERE number = 4", 4),
        ("UPDATE consent SET source = '' WHERE number = 2", 2),
        ("DELETE FROM consent WHERE number = 2", 2),
        ("DELETE FROM consent WHERE number = 1", 1),
        ("UPDATE consent SET number = 9 WHERE number = 3", 3),
    ],
)
def test_tampering_is_found(store: Store, change: str, first: int) -> None:
    append(store, *(evidence(number) for number in range(1, 5)))
    with store.engine.begin() as connection:
        connection.execute(text(change))
    assert broken(store) == first


def test_a_row_hashed_anew_breaks_the_next(store: Store) -> None:
    append(store, *(evidence(number) for number in range(1, 4)))
    forged = replace(evidence(2), wording="begged")

    def forge(connection: Connection) -> None:
        first = connection.execute(text("SELECT hash FROM consent WHERE number = 1")).scalar_one()
        connection.execute(
            text("UPDATE consent SET wording = 'begged', hash = :hash WHERE number = 2"),
            {"hash": chained(forged, first)},
        )

    _in_transaction(store, forge)
    assert broken(store) == 3


def test_the_moment_is_part_of_the_hash() -> None:
    later = replace(evidence(1), at=NOW.replace(microsecond=501))
    assert chained(evidence(1), GENESIS) != chained(later, GENESIS)


def _in_transaction(store: Store, do: Callable[[Connection], None]) -> None:
    with store.engine.begin() as connection:
        do(connection)
