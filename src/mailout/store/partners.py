"""Partners: the hashes of addresses that they do not mail, and who of our people that means.

A hash cannot be looked for by the database, which does not know the partner's secret. So each
person is held against the hashes once: all of them when hashes come, newcomers before an issue is
queued. Whoever is found is suppressed, so that a claim looks nowhere else. Who has confirmed an
opt-in of their own since the hash came has said otherwise, and is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, exists, func, insert, select, update

from mailout.core.address import Address
from mailout.core.consent import ConsentAction
from mailout.core.partnership import hash_of
from mailout.core.suppression import NOT_SHARED, SuppressionReason
from mailout.store import batch, suppressions
from mailout.store.engine import Tx
from mailout.store.roster_tables import PARTNER, PARTNER_HASH
from mailout.store.tables import CONSENT, SUBSCRIBER, SUPPRESSION

_PAGE = 5000


class Partner(NamedTuple):
    """A partner as it is listed: how many hashes came from it."""

    name: str
    hashes: int


class Told(NamedTuple):
    """What can be told a partner: addresses that are suppressed on all lists, and how many are
    left out because nobody is known by their key any more, or never was."""

    addresses: list[str]
    unknown: int
    erased: int


def listed(tx: Tx) -> list[Partner]:
    """The partners that hashes came from, in the order of their names."""
    rows = tx.execute(
        select(PARTNER.c.name, func.count(PARTNER_HASH.c.hash))
        .outerjoin(PARTNER_HASH, PARTNER_HASH.c.partner == PARTNER.c.name)
        .group_by(PARTNER.c.name)
        .order_by(PARTNER.c.name)
    )
    return [Partner(*row) for row in rows]


def take_in(tx: Tx, name: str, hashes: Iterable[str], now: datetime) -> int:
    """How many hashes of the partner are new; everybody is to be held against them: `catch_up`."""
    if tx.execute(select(1).where(PARTNER.c.name == name)).first() is None:
        tx.execute(insert(PARTNER).values(name=name, seen_to=0))
    before = _count(tx, name)
    rows: list[dict[str, object]] = []
    for one in hashes:
        rows.append({"partner": name, "hash": one, "at": now})
        if len(rows) == _PAGE:
            batch.insert_batch(tx, PARTNER_HASH, rows, skip_known=True)
            rows = []
    batch.insert_batch(tx, PARTNER_HASH, rows, skip_known=True)
    tx.execute(update(PARTNER).where(PARTNER.c.name == name).values(seen_to=0))
    return _count(tx, name) - before


def _count(tx: Tx, name: str) -> int:
    query = select(func.count()).where(PARTNER_HASH.c.partner == name)
    return int(tx.scalar(query) or 0)


def catch_up(tx: Tx, secrets: Mapping[str, bytes], now: datetime) -> int:
    """How many people are suppressed now whom a partner does not mail; only those are looked at
    who came since the last time. `secrets` are the site's, by partner."""
    if not secrets:
        return 0
    last = int(tx.scalar(select(func.max(SUBSCRIBER.c.id))) or 0)
    found = 0
    for name, seen_to in tx.execute(select(PARTNER.c.name, PARTNER.c.seen_to)).all():
        if name not in secrets or seen_to >= last:
            continue
        for people in _pages(tx, seen_to):
            by_hash = {
                hash_of(Address.stored(address), secrets[name]): key for key, address in people
            }
            for key in _spared(tx, name, by_hash):
                suppressions.add(tx, key, SuppressionReason.SHARED, now, evidence=name)
                found += 1
        tx.execute(update(PARTNER).where(PARTNER.c.name == name).values(seen_to=last))
    return found


def _pages(tx: Tx, after: int) -> Iterator[list[tuple[str, str]]]:
    """Key and address of the people with numbers above `after`."""
    while True:
        rows = tx.execute(
            select(SUBSCRIBER.c.id, SUBSCRIBER.c.address_key, SUBSCRIBER.c.address)
            .where(SUBSCRIBER.c.id > after)
            .order_by(SUBSCRIBER.c.id)
            .limit(_PAGE)
        ).all()
        if not rows:
            return
        yield [(key, address) for _, key, address in rows]
        after = rows[-1][0]


def _spared(tx: Tx, name: str, by_hash: Mapping[str, str]) -> list[str]:
    """The keys, by their hashes, that the partner does not mail, and that are not suppressed on
    all lists yet."""
    found: list[str] = []
    for some in batch.chunks(list(by_hash), batch.KEYS):
        for one, at in tx.execute(
            select(PARTNER_HASH.c.hash, PARTNER_HASH.c.at).where(
                PARTNER_HASH.c.partner == name, batch.among(tx, PARTNER_HASH.c.hash, some)
            )
        ).all():
            key = by_hash[one]
            since = exists().where(
                CONSENT.c.subscriber_id == SUBSCRIBER.c.id,
                CONSENT.c.action == ConsentAction.CONFIRMED,
                CONSENT.c.at > at,
            )
            known = exists().where(SUPPRESSION.c.address_key == key, SUPPRESSION.c.list_id == "")
            query = select(1).where(SUBSCRIBER.c.address_key == key, ~since, ~known)
            if tx.execute(query).first() is not None:
                found.append(key)
    return found


def told(tx: Tx) -> Told:
    """What a partner can be told: whom we do not mail at all for reasons of our own."""
    rows = tx.execute(
        select(SUBSCRIBER.c.address, SUPPRESSION.c.reason)
        .select_from(SUPPRESSION)
        .outerjoin(SUBSCRIBER, SUBSCRIBER.c.address_key == SUPPRESSION.c.address_key)
        .where(SUPPRESSION.c.list_id == "")
        .order_by(SUPPRESSION.c.id)
    )
    addresses: list[str] = []
    unknown = erased = 0
    for address, reason in rows:
        if reason is SuppressionReason.ERASED:
            erased += 1
        elif reason in NOT_SHARED:
            continue
        elif address is None:
            unknown += 1
        else:
            addresses.append(address)
    return Told(addresses, unknown, erased)


def forget(tx: Tx, name: str) -> bool:
    """Whether anything had come from the partner; it is gone, and whom only that kept from being
    mailed is mailed again. The others' hashes are to be gone through anew: `catch_up`."""
    if tx.execute(select(1).where(PARTNER.c.name == name)).first() is None:
        return False
    tx.execute(delete(PARTNER_HASH).where(PARTNER_HASH.c.partner == name))
    tx.execute(delete(PARTNER).where(PARTNER.c.name == name))
    tx.execute(
        delete(SUPPRESSION).where(
            SUPPRESSION.c.reason == SuppressionReason.SHARED, SUPPRESSION.c.evidence == name
        )
    )
    tx.execute(update(PARTNER).values(seen_to=0))
    return True
