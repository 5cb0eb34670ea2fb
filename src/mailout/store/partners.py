"""Partners: the hashes of addresses that they do not mail, and who of our people that means.

A hash cannot be looked for by the database, which does not know the partner's secret. So each
person is held against the hashes once: all of them when hashes come, newcomers before an issue is
queued; `seen_to` of a partner is up to which number. That goes piece by piece, and the last few in
the transaction that queues, which keeps newcomers out until its end. Whoever is found is
suppressed, so that a claim looks nowhere else. Who has confirmed an opt-in of their own since the
hash came has said otherwise, and is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, func, insert, select, update

from mailout.core.address import Address
from mailout.core.consent import ConsentAction
from mailout.core.partnership import hash_of
from mailout.core.suppression import NOT_SHARED, SuppressionReason
from mailout.store import batch, roster, suppressions
from mailout.store.engine import Store, Tx
from mailout.store.roster_tables import PARTNER, PARTNER_HASH
from mailout.store.tables import CONSENT, SUBSCRIBER, SUPPRESSION

_PAGE = batch.KEYS
"""People of a piece: less than a tenth of a second, in which nobody else can write."""


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


def begin(tx: Tx, name: str) -> int:
    """How many hashes have come from the partner, who is known from now on."""
    if tx.execute(select(1).where(PARTNER.c.name == name)).first() is None:
        tx.execute(insert(PARTNER).values(name=name, seen_to=0))
    query = select(func.count()).where(PARTNER_HASH.c.partner == name)
    return int(tx.scalar(query) or 0)


def add_hashes(tx: Tx, name: str, hashes: Iterable[str], now: datetime) -> None:
    """Nothing, once these hashes have come from a partner who is known; those that came earlier
    keep their moment. Everybody is to be held against them: `catch_up`."""
    add_dated(tx, name, [(one, now) for one in hashes])


def add_dated(tx: Tx, name: str, hashes: Iterable[tuple[str, datetime]]) -> None:
    """As `add_hashes`, for hashes each of which has a moment of its own at which it came."""
    # First of all, so that nobody who is at it says afterwards that everybody was looked at.
    tx.execute(update(PARTNER).where(PARTNER.c.name == name).values(seen_to=0))
    rows = [{"partner": name, "hash": one, "at": at} for one, at in hashes]
    batch.insert_batch(tx, PARTNER_HASH, rows, skip_known=True)


def catch_up(tx: Tx, secrets: Mapping[str, bytes], now: datetime) -> int:
    """How many people are suppressed now whom a partner does not mail; only those are looked at
    who came since the last time. `secrets` are the site's, by partner.

    Nobody new comes in until `tx` ends: who is mailed in it was looked at.
    """
    if not _is_any(tx, secrets):
        return 0
    found = 0
    while (more := _piece(tx, secrets, now)) is not None:
        found += more
    return found


def catch_up_in_pieces(store: Store, secrets: Mapping[str, bytes], now: datetime) -> int:
    """As `catch_up`, some people at a time, so that others can write in between. Who comes in
    meanwhile is looked at, too; who comes later is not."""
    found = 0
    while True:
        with store.reading() as tx:
            if not _is_any(tx, secrets) or not _are_behind(tx, secrets):
                return found
        with store.writing() as tx:
            found += _piece(tx, secrets, now) or 0


def _is_any(tx: Tx, secrets: Mapping[str, bytes]) -> bool:
    return bool(secrets) and tx.execute(select(1).select_from(PARTNER).limit(1)).first() is not None


def _are_behind(tx: Tx, secrets: Mapping[str, bytes]) -> bool:
    """Whether anybody has not been held against some partner's hashes."""
    last = select(func.max(SUBSCRIBER.c.id)).scalar_subquery()
    names = tx.scalars(select(PARTNER.c.name).where(PARTNER.c.seen_to < last))
    return any(name in secrets for name in names)


def _piece(tx: Tx, secrets: Mapping[str, bytes], now: datetime) -> int | None:
    """How many of the next people are suppressed now; None if everybody was looked at."""
    # On PostgreSQL somebody with a lower number could come in after one with a higher.
    roster.lock(tx)
    last = int(tx.scalar(select(func.max(SUBSCRIBER.c.id))) or 0)
    known = select(PARTNER.c.name, PARTNER.c.seen_to).order_by(PARTNER.c.name)
    for name, seen_to in tx.execute(known.with_for_update()).all():
        if name not in secrets or seen_to >= last:
            continue
        rows = tx.execute(
            select(SUBSCRIBER.c.id, SUBSCRIBER.c.address_key, SUBSCRIBER.c.address)
            .where(SUBSCRIBER.c.id > seen_to)
            .order_by(SUBSCRIBER.c.id)
            .limit(_PAGE)
        ).all()
        people = [(key, address) for _, key, address in rows]
        held = _held(tx, [key for key, _ in people])
        spared = [key for key in _named(tx, name, secrets[name], people) if key not in held]
        for key in spared:
            suppressions.add(tx, key, SuppressionReason.SHARED, now, evidence=name)
        tx.execute(update(PARTNER).where(PARTNER.c.name == name).values(seen_to=rows[-1][0]))
        return len(spared)
    return None


def _named(tx: Tx, name: str, secret: bytes, people: Iterable[tuple[str, str]]) -> list[str]:
    """Those of the people (key and address), by their keys, whom the partner does not mail, and
    who have not confirmed anything themselves since it said so."""
    by_hash = {hash_of(Address.stored(address), secret): key for key, address in people}
    found: list[str] = []
    for some in batch.chunks(list(by_hash), batch.KEYS):
        rows = tx.execute(
            select(PARTNER_HASH.c.hash, PARTNER_HASH.c.at).where(
                PARTNER_HASH.c.partner == name, batch.among(tx, PARTNER_HASH.c.hash, some)
            )
        )
        keys = {by_hash[one]: moment for one, moment in rows}
        said = _confirmed(tx, list(keys))
        found += [key for key, moment in keys.items() if said.get(key, moment) <= moment]
    return found


def _held(tx: Tx, keys: Sequence[str]) -> set[str]:
    """Those of the keys that are suppressed on all lists. Not those of suppressed domains, which
    may be lifted one day."""
    theirs = batch.among(tx, SUPPRESSION.c.address_key, keys)
    query = select(SUPPRESSION.c.address_key).where(theirs, SUPPRESSION.c.list_id == "")
    return set(tx.scalars(query))


def _confirmed(tx: Tx, keys: Sequence[str]) -> dict[str, datetime]:
    """When people last confirmed anything, by their keys; those who never did are left out."""
    if not keys:
        return {}
    rows = tx.execute(
        select(SUBSCRIBER.c.address_key, func.max(CONSENT.c.at))
        .join(CONSENT, CONSENT.c.subscriber_id == SUBSCRIBER.c.id)
        .where(
            batch.among(tx, SUBSCRIBER.c.address_key, keys),
            CONSENT.c.action == ConsentAction.CONFIRMED,
        )
        .group_by(SUBSCRIBER.c.address_key)
    )
    return {key: moment for key, moment in rows}


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


def forget(tx: Tx, name: str, secrets: Mapping[str, bytes]) -> bool:
    """Whether anything had come from the partner; it is gone, and whom only that kept from being
    mailed is mailed again. Whom another partner named, too, stays suppressed for that one's sake;
    `secrets` are the other ones'."""
    if tx.execute(select(1).where(PARTNER.c.name == name)).first() is None:
        return False
    roster.lock(tx)
    others = tx.scalars(select(PARTNER.c.name).order_by(PARTNER.c.name).with_for_update()).all()
    tx.execute(delete(PARTNER_HASH).where(PARTNER_HASH.c.partner == name))
    tx.execute(delete(PARTNER).where(PARTNER.c.name == name))
    theirs = (SUPPRESSION.c.reason == SuppressionReason.SHARED, SUPPRESSION.c.evidence == name)
    for other in others:
        if other == name or other not in secrets:
            continue
        people = tx.execute(
            select(SUBSCRIBER.c.address_key, SUBSCRIBER.c.address)
            .join(SUPPRESSION, SUPPRESSION.c.address_key == SUBSCRIBER.c.address_key)
            .where(*theirs)
        ).all()
        for some in batch.chunks(people, batch.KEYS):
            pairs = [(key, address) for key, address in some]
            keys = _named(tx, other, secrets[other], pairs)
            if keys:
                among = batch.among(tx, SUPPRESSION.c.address_key, keys)
                tx.execute(update(SUPPRESSION).where(*theirs, among).values(evidence=other))
    tx.execute(delete(SUPPRESSION).where(*theirs))
    return True
