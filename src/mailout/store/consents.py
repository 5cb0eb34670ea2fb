"""The consent chain: rows are appended in batches, each hashed over the one before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from mailout.core.consent import GENESIS, Consent, chained, links, moment
from mailout.store.batch import chunks
from mailout.store.columns import dialect_of, stored_moment
from mailout.store.engine import PlainTx, Tx
from mailout.store.inserts import Inserts, ready
from mailout.store.tables import CONSENT

_LINKED = ("list_id", "number", "at", "previous", "hash")  # what is known once it is in its chain
_MOST = 1000  # rows in one statement
_TYPES = {"number": "::bigint", "subscriber_id": "::bigint", "at": "::timestamptz"}
_COLUMNS = (
    "list_id", "number", "subscriber_id", "address_key", "action", "at", "wording", "language",
    "source", "previous", "hash",
)  # fmt: skip
_APPEND = f"INSERT INTO consent ({', '.join(_COLUMNS)}) SELECT "
_APPEND_ON = {
    "sqlite": _APPEND
    + ", ".join(f"value ->> {place}" for place in range(len(_COLUMNS)))
    + " FROM json_each(:rows)",
    "postgresql": _APPEND
    + ", ".join(f"(value ->> {place}){_TYPES.get(name, '')}" for place, name in enumerate(_COLUMNS))
    + " FROM json_array_elements(%(rows)s::json)",
}
_LAST = "SELECT number, hash FROM consent WHERE list_id = {} ORDER BY number DESC LIMIT 1"
_LAST_ON = {"sqlite": _LAST.format(":chain"), "postgresql": _LAST.format("%(chain)s")}


class Piece(NamedTuple):
    """One piece of evidence, of which list and moment are known: what an import has many of."""

    subscriber_id: int
    address_key: str
    action: str
    wording: str
    language: str
    source: str


def append(tx: Tx, consents: Iterable[Consent]) -> None:
    """Nothing, once the evidence is appended to its lists' chains, in the order given."""
    append_plain(tx.connection(), consents)


def append_plain(plain: PlainTx, consents: Iterable[Consent]) -> None:
    """What `append` does, within a transaction for plain SQL."""
    by_list: dict[str, list[Consent]] = {}
    for consent in consents:
        by_list.setdefault(consent.list_id, []).append(consent)
    for list_id, items in by_list.items():
        for some in chunks(items, _MOST):
            _append_to(plain, list_id, some)


class Chain:
    """The end of a list's chain, to which nobody else adds until the transaction ends."""

    def __init__(self, tx: Tx, list_id: str) -> None:
        self.list_id, self.dialect = list_id, dialect_of(tx)
        self.number, self.previous = _last(tx.connection(), list_id)

    def linked(self, at: datetime, pieces: Sequence[Piece]) -> Inserts:
        """The rows of the pieces of one moment, each linked to the one before; to be inserted in
        the order in which they are made."""
        said, stored, previous = moment(at), stored_moment(at, self.dialect), self.previous
        rows: list[tuple[object, ...]] = []
        hashes = links(previous, self.list_id, said, pieces)
        for number, (piece, hash_) in enumerate(zip(pieces, hashes, strict=True), self.number + 1):
            rows.append((*piece, self.list_id, number, stored, previous, hash_))
            previous = hash_
        self.number, self.previous = self.number + len(rows), previous
        return ready(self.dialect, "consent", ", ".join((*Piece._fields, *_LINKED)), rows)


def _last(plain: PlainTx, list_id: str) -> tuple[int, str]:
    """Number and hash of the last link of a list's chain, to which nobody else adds now."""
    dialect = plain.dialect.name
    if dialect == "postgresql":
        # One writer at a time to a chain; SQLite has one writer anyway.
        lock = "SELECT pg_advisory_xact_lock(hashtext(%(chain)s))"
        plain.exec_driver_sql(lock, {"chain": list_id})
    last = plain.exec_driver_sql(_LAST_ON[dialect], {"chain": list_id}).first()
    return (last[0], last[1]) if last else (0, GENESIS)


def _append_to(plain: PlainTx, list_id: str, items: list[Consent]) -> None:
    dialect = plain.dialect.name
    number, previous = _last(plain, list_id)
    rows = []
    for consent in items:
        number += 1
        hash_ = chained(consent, previous)
        rows.append(
            (
                list_id,
                number,
                consent.subscriber_id,
                consent.address_key,
                consent.action,
                stored_moment(consent.at, dialect),
                consent.wording,
                consent.language,
                consent.source,
                previous,
                hash_,
            )
        )
        previous = hash_
    plain.exec_driver_sql(_APPEND_ON[dialect], {"rows": json.dumps(rows, ensure_ascii=False)})


def of_subscriber(tx: Tx, subscriber_id: int) -> list[Consent]:
    """A person's evidence over all lists, oldest first."""
    rows = tx.execute(
        select(CONSENT).where(CONSENT.c.subscriber_id == subscriber_id).order_by(CONSENT.c.id)
    )
    return [_consent(row) for row in rows]


def first_broken(tx: Tx, list_id: str) -> int | None:
    """The number of the first row of a list's chain that does not fit; None if all do."""
    previous, expected = GENESIS, 1
    rows = tx.execute(
        select(CONSENT).where(CONSENT.c.list_id == list_id).order_by(CONSENT.c.number)
    )
    for row in rows:
        consent = _consent(row)
        fits = row.previous == previous and row.hash == chained(consent, previous)
        if row.number != expected or not fits:
            return expected
        previous, expected = row.hash, expected + 1
    return None


def _consent(row: object) -> Consent:
    names = Consent.__dataclass_fields__
    return Consent(**{name: getattr(row, name) for name in names})
