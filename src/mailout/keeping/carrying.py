"""Who left, was erased or complained after a backup was made, carried over from the old store.

It only ever lowers: nobody is on a list after it who was not before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mailout.core.consent import Consent, ConsentAction
from mailout.core.errors import UsageError
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.store import (
    carrying,
    consents,
    erasure,
    leaves,
    partners,
    people,
    schema,
    suppressions,
)
from mailout.store.engine import Store, Tx, open_store

_SOURCE = "restore, from the old store"


@dataclass(frozen=True, slots=True)
class Carried:
    """How many subscriptions were left and people erased, and suppressions added by reason, those
    of domains with those by hand."""

    left: int
    erased: int
    suppressed: Mapping[str, int]


def old_store(url: str, folder: Path) -> Store:
    """The old store at that address; a relative file is relative to `folder`.

    Raises: UsageError if it is not there.
    """
    store = open_store(url, folder)
    if store.file is not None and not store.file.is_file():
        raise UsageError("there is no such store", where=str(store.file))
    return store


def carry(old: Store, tx: Tx, now: datetime) -> Carried:
    """What was carried over from the old store into that of `tx`.

    Raises: MailoutError for an old store of another version, or one that cannot be read.
    """
    schema.require_newest(old)
    with old.reading() as before:
        left = sum(_leave(tx, tokens, now) for tokens in carrying.left(before))
        erased, added = 0, Counter[str]()
        for one in carrying.suppressed(before):
            is_erased = one.reason is SuppressionReason.ERASED
            person = people.find(tx, one.address_key) if is_erased else None
            if person is not None:
                erasure.erase(tx, person, now, _SOURCE)
                erased += 1
            elif not carrying.is_known(tx, one):
                suppressions.add(
                    tx,
                    one.address_key,
                    one.reason,
                    one.at,
                    list_id=one.list_id,
                    evidence=one.evidence,
                )
                added[str(one.reason)] += 1
        for held in carrying.suppressed_domains(before):
            if suppressions.add_domain(
                tx, held.domain, held.at, list_id=held.list_id, evidence=held.evidence
            ):
                added[str(SuppressionReason.BY_HAND)] += 1
        for partner, hashes in carrying.partner_hashes(before):
            partners.begin(tx, partner)
            partners.add_dated(tx, partner, hashes)
    return Carried(left, erased, added)


def _leave(tx: Tx, tokens: Sequence[str], now: datetime) -> int:
    plain = tx.connection()
    found = [
        one
        for one in leaves.find(plain, tokens).values()
        if one.state is not SubscriptionState.UNSUBSCRIBED
    ]
    if not found:
        return 0
    leaves.take_off(plain, found, now, wait=True)
    consents.append_plain(
        plain,
        [
            Consent(
                one.list_id,
                one.subscriber_id,
                one.address_key,
                ConsentAction.LEFT,
                now,
                wording=f"was {one.state}",
                language=one.language,
                source=_SOURCE,
            )
            for one in sorted(found, key=lambda one: (one.list_id, one.id))
        ],
    )
    return len(found)
