"""Leaving a list by the token that every mail carries, and undoing it within a day.

| who holds | may |
|---|---|
| the leave token (in every mail, so whoever it was forwarded to) | leave that one list |
| the undo token (only in the answer to the leave itself) | take back that one leave, for 24 hours |

A second leave changes nothing and hands out no second undo token: else a forwarded link
could put somebody back. Mail that is queued already is skipped when its turn comes.

Standards: RFC 8058 (one-click), RFC 2369 3.2 (List-Unsubscribe).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailout.core.consent import Consent, ConsentAction
from mailout.core.event import EventKind
from mailout.core.keys import Keys
from mailout.core.subscription import SubscriptionState
from mailout.core.token import LEAVE_LENGTH, read_undo, undo_token
from mailout.store import consents, events, people, suppressions
from mailout.store.engine import Store, Tx
from mailout.store.people import Subscription

UNDO_FOR = timedelta(hours=24)

_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{LEAVE_LENGTH}}}")
# What stands in the consent row of a leave, so that undoing it gives back what was there.
_BEFORE = {f"was {state}": state for state in (SubscriptionState.ACTIVE, SubscriptionState.PAUSED)}


@dataclass(frozen=True, slots=True)
class Leaving:
    """What a leave token tells its holder: the list, and the language to speak in."""

    list_id: str
    language: str


@dataclass(frozen=True, slots=True)
class Left:
    """The end of a leave. `undo` is empty when there is nothing to take back."""

    list_id: str
    language: str
    undo: str = field(default="", repr=False)


def look(store: Store, token: str) -> Leaving | None:
    """What the token is for; None for every token that is not one, whatever is wrong with it.

    It says nothing of the person, nor whether they have left already.
    """
    found = _of_token(store, token)
    return Leaving(found.list_id, found.language) if found else None


def leave(store: Store, keys: Keys, token: str, now: datetime, *, source: str) -> Left | None:
    """The leave, committed; None if the token is no token. Leaving twice is leaving once.

    `source` says how it came: `one-click` (RFC 8058) or `page`.
    """
    # Strangers' tokens end here: guessing them never makes a writer wait.
    found = _of_token(store, token)
    if found is None:
        return None
    if found.state is SubscriptionState.UNSUBSCRIBED:
        return Left(found.list_id, found.language)
    with store.writing() as tx:
        held = people.subscription(tx, found.id, hold=True)
        if held is None:  # erased in this moment
            return None
        if held.state is SubscriptionState.UNSUBSCRIBED:  # the other of two clicks was first
            return Left(held.list_id, held.language)
        people.set_state(tx, held.id, SubscriptionState.UNSUBSCRIBED, now)
        events.add(tx, EventKind.LEFT, held.subscriber_id, now, held.list_id)
        wording = f"was {held.state}"
        consents.append(tx, [_evidence(held, ConsentAction.LEFT, now, source, wording)])
    if wording not in _BEFORE:  # never confirmed: there is no consent to go back to
        return Left(held.list_id, held.language)
    return Left(held.list_id, held.language, undo_token(keys.undo, held.id, now + UNDO_FOR))


def undo(store: Store, keys: Keys, token: str, now: datetime) -> Leaving | None:
    """The list that the person is on again; None if this token takes nothing back (any more).

    It takes back the leave in whose answer it stood, and no later one; nothing while the
    address is suppressed.
    """
    said = read_undo(keys.undo, token, now)
    if said is None or not _is_to_undo(store, said.id):
        return None
    with store.writing() as tx:
        held = people.subscription(tx, said.id, hold=True)
        if held is None or held.state is not SubscriptionState.UNSUBSCRIBED:
            return None
        before = _state_before(tx, held, said.expires - UNDO_FOR)
        if before is None or suppressions.among(tx, [held.address_key], held.list_id):
            return None
        people.set_state(tx, held.id, before, now)
        events.add(tx, EventKind.RETURNED, held.subscriber_id, now, held.list_id)
        consents.append(tx, [_evidence(held, ConsentAction.RETURNED, now, "undo", "")])
    return Leaving(held.list_id, held.language)


def _of_token(store: Store, token: str) -> Subscription | None:
    """The token's subscription. What cannot be one is looked up all the same, as an empty one,
    so that it takes as long to answer (and a NUL never reaches PostgreSQL)."""
    sound = token if _TOKEN.fullmatch(token) else ""
    with store.reading() as tx:
        return people.subscription_of_token(tx, sound)


def _is_to_undo(store: Store, subscription_id: int) -> bool:
    with store.reading() as tx:
        found = people.subscription(tx, subscription_id)
    return found is not None and found.state is SubscriptionState.UNSUBSCRIBED


def _state_before(tx: Tx, held: Subscription, left_at: datetime) -> SubscriptionState | None:
    """The state before the person's last leave of that list; None if that was not at `left_at`."""
    last = next(
        (
            row
            for row in reversed(consents.of_subscriber(tx, held.subscriber_id))
            if row.list_id == held.list_id and row.action is ConsentAction.LEFT
        ),
        None,
    )
    if last is None or int(last.at.timestamp()) != int(left_at.timestamp()):
        return None
    return _BEFORE.get(last.wording)


def _evidence(
    held: Subscription, action: ConsentAction, now: datetime, source: str, wording: str
) -> Consent:
    return Consent(
        list_id=held.list_id,
        subscriber_id=held.subscriber_id,
        address_key=held.address_key,
        action=action,
        at=now,
        wording=wording,
        language=held.language,
        source=source,
    )
