"""Changing one's address: asked for in the settings, confirmed at the new address.

ask -> letter to the new address -> its link -> confirm -> the address is another one, and the
old one is told. Whoever holds a session learns nothing of whether the new address is known.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from mailout.core.address import Address
from mailout.core.consent import MOVED, Consent, ConsentAction
from mailout.core.letter import COUNTED_FOR, SIGN_UP, Letter, LetterKind, may_sign_up
from mailout.core.request import GOOD_FOR, RequestPurpose
from mailout.core.site import Site
from mailout.core.subscriber import Subscriber
from mailout.core.suppression import SuppressionReason
from mailout.core.token import link_token
from mailout.store import consents, letters, members, people, requests, roster
from mailout.store.engine import Store, Tx
from mailout.store.requests import Request

Random = Callable[[int], bytes]


def ask(
    site: Site, store: Store, person: Subscriber, new: Address, now: datetime, random: Random
) -> None:
    """Nothing, once the new address was written to, where that may be: who already is a reader
    there is told so, and one that an organiser has suppressed is left in peace."""
    key, abuse_key = new.key(site.keys.address), new.abuse_key(site.keys.address)
    list_id = _list_of(site, person)
    token = link_token(random(16))
    with store.writing() as tx:
        sent = letters.moments(tx, abuse_key, SIGN_UP, now - COUNTED_FOR)
        by_hand = SuppressionReason.BY_HAND in members.reasons(tx, key, list_id, domain=new.domain)
        withheld = by_hand or not may_sign_up(sent, now)
        other = people.find(tx, key)
        known = other is not None and other.id != person.id
        letters.add(
            tx,
            Letter(
                kind=LetterKind.KNOWN if known else LetterKind.NEW_ADDRESS,
                list_id=list_id,
                language=person.language,
                address=new.text,
                address_key=key,
                abuse_key=abuse_key,
                said={} if known else {"token": token},
                expires_at=now + GOOD_FOR[RequestPurpose.ADDRESS],
                withheld=withheld,
            ),
            now,
        )
        if not (known or withheld):
            requests.add(tx, _request(person, new, key, list_id, now), token)


def _list_of(site: Site, person: Subscriber) -> str:
    """The list in whose name we write: one they are on, or the site's first."""
    theirs = [one.list_id for one in person.memberships if one.list_id in site.lists]
    return next(iter([*theirs, *site.lists]))


def _request(person: Subscriber, new: Address, key: str, list_id: str, now: datetime) -> Request:
    return Request(
        purpose=RequestPurpose.ADDRESS,
        address_key=key,
        subscriber_id=person.id,
        list_id=list_id,
        language=person.language,
        said={"address": new.text},
        created_at=now,
    )


def look(store: Store, token: str, now: datetime) -> str | None:
    """The language of the reader; None if the link is none, was used or is too old."""
    with store.reading() as tx:
        found = requests.look(tx, RequestPurpose.ADDRESS, token, now)
    return found.language if found else None


def confirm(site: Site, store: Store, token: str, now: datetime) -> str | None:
    """The language of the reader, whose address is the new one now; None as for `look`, and where
    the new address has become another person's since."""
    if look(store, token, now) is None:
        return None
    with store.writing() as tx:
        people.await_deliveries(tx)  # else one of them would be made to the old address
        # In the order in which an erasure has them: the person, then what was asked for.
        roster.let_pass(tx)
        asked = requests.look(tx, RequestPurpose.ADDRESS, token, now)
        number = asked.subscriber_id if asked else None
        person = people.by_id(tx, number, hold=True) if number else None
        found = requests.take(tx, RequestPurpose.ADDRESS, token, now)
        if found is None or person is None:
            return None
        said: Any = found.said
        new = Address.stored(said["address"])
        other = people.find(tx, found.address_key)
        if other is not None and other.id != person.id:
            return None
        _move(tx, person, new, found, now)
        letters.add(tx, _notice(site, person, found, now), now)
    return found.language


def _move(tx: Tx, person: Subscriber, new: Address, found: Request, now: datetime) -> None:
    members.move(tx, person.id, new, found.address_key)
    for membership in person.memberships:
        members.lift(tx, found.address_key, membership.list_id)
    # Links that were mailed to the old address open nothing any more.
    requests.forget(tx, person.address_key)
    consents.append(
        tx,
        [
            Consent(
                list_id=one.list_id,
                subscriber_id=person.id,
                address_key=found.address_key,
                action=ConsentAction.CONFIRMED,
                at=now,
                language=person.language,
                source=MOVED,
            )
            for one in person.memberships
        ],
    )


def _notice(site: Site, person: Subscriber, found: Request, now: datetime) -> Letter:
    old = Address.stored(person.address)
    return Letter(
        kind=LetterKind.OLD_ADDRESS,
        list_id=found.list_id,
        language=found.language,
        address=person.address,
        address_key=person.address_key,
        abuse_key=old.abuse_key(site.keys.address),
        expires_at=now + GOOD_FOR[RequestPurpose.JOIN],
    )
