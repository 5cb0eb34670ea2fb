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
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailout.core.consent import Consent, ConsentAction
from mailout.core.event import EventKind
from mailout.core.keys import Keys
from mailout.core.subscription import SubscriptionState
from mailout.core.token import LEAVE_LENGTH, read_undo, undo_token
from mailout.store import consents, events, leaves, people, suppressions
from mailout.store import roster as stored
from mailout.store.engine import Store, Tx, Writer
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


@dataclass(frozen=True, slots=True)
class Ask:
    """A leave that is asked for: of which subscription, as it was found; `source` says how it
    came: `one-click` (RFC 8058) or `page`."""

    found: Subscription
    source: str


def look(store: Store, token: str) -> Leaving | None:
    """What the token is for; None for every token that is not one, whatever is wrong with it.

    It says nothing of the person, nor whether they have left already.
    """
    with closing(store.writer()) as writer:
        [found] = find_all(writer, [token])
    return Leaving(found.list_id, found.language) if found else None


def leave(store: Store, keys: Keys, token: str, now: datetime, *, source: str) -> Left | None:
    """The leave, committed; None if the token is no token. Leaving twice is leaving once.

    `source` says how it came: `one-click` (RFC 8058) or `page`.
    """
    with closing(store.writer()) as writer:
        while True:
            [found] = find_all(writer, [token])
            if found is None:
                return None
            [left] = leave_all(writer, keys, [Ask(found, source)], now)
            if left is not None:
                return left


def find_all(writer: Writer, tokens: Sequence[str]) -> list[Subscription | None]:
    """The subscription of each leave token; None for what is none.

    Strangers' tokens end here: guessing them never makes a writer wait. What cannot be a token
    is looked up all the same, as an empty one, so that it takes as long to answer (and a NUL
    never reaches PostgreSQL).
    """
    sound = [token if _TOKEN.fullmatch(token) else "" for token in tokens]
    with writer.reading() as plain:
        found = leaves.find(plain, set(sound))
    return [found.get(token) for token in sound]


def leave_all(writer: Writer, keys: Keys, asks: Sequence[Ask], now: datetime) -> list[Left | None]:
    """The end of each leave, all of them committed at once; each is what a single `leave` is.

    None for a subscription that was changed or erased since it was found or, where there are
    several, is being changed at this moment: it is to be found again, and asked for alone.
    """
    first: dict[int, Ask] = {}
    for ask in asks:
        if ask.found.state is not SubscriptionState.UNSUBSCRIBED:
            first.setdefault(ask.found.id, ask)
    done = _write(writer, first, now) if first else set()
    return [_end(keys, ask, first.get(ask.found.id), done, now) for ask in asks]


def _end(
    keys: Keys, ask: Ask, first: Ask | None, done: Collection[int], now: datetime
) -> Left | None:
    found = ask.found
    if first is not None and found.id not in done:
        return None
    # No undo but in the answer to the leave itself; and none for who never confirmed: there is
    # no consent to go back to.
    if ask is not first or _was(found) not in _BEFORE:
        return Left(found.list_id, found.language)
    return Left(found.list_id, found.language, undo_token(keys.undo, found.id, now + UNDO_FOR))


def _write(writer: Writer, first: Mapping[int, Ask], now: datetime) -> set[int]:
    """The ids of the subscriptions that are left now."""
    # Whoever appends to several chains takes them in this order.
    asks = sorted(first.values(), key=lambda ask: (ask.found.list_id, ask.found.id))
    with writer.writing() as plain:
        stored.let_pass(plain)
        found = [ask.found for ask in asks]
        done = leaves.take_off(plain, found, now, wait=len(asks) == 1)
        evidence = [
            _evidence(ask.found, ConsentAction.LEFT, now, ask.source, _was(ask.found))
            for ask in asks
            if ask.found.id in done
        ]
        consents.append_plain(plain, evidence)
    return done


def undo(store: Store, keys: Keys, token: str, now: datetime) -> Leaving | None:
    """The list that the person is on again; None if this token takes nothing back (any more).

    It takes back the leave in whose answer it stood, and no later one; nothing while the
    address is suppressed.
    """
    said = read_undo(keys.undo, token, now)
    if said is None or not _is_to_undo(store, said.id):
        return None
    with store.writing() as tx:
        stored.let_pass(tx)
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


def _was(held: Subscription) -> str:
    return f"was {held.state}"


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
