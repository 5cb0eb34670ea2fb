"""What an organiser does to a send: pause, resume, cancel, send again what is missing.

Each is one transaction. A sender at work looks twice a second and gives back what it holds;
what is on the wire at that moment is finished and recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import UNFINISHED, DispatchState
from mailout.core.errors import MailoutError
from mailout.store import deliveries, dispatches, issues
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Store, Tx
from mailout.store.issues import Issue

MISSING = (DeliveryState.EXPIRED, DeliveryState.UNKNOWN)
"""States in which a reader may not have got the issue, and nobody refused it."""

_PAUSABLE = (DispatchState.QUEUED, DispatchState.SENDING, DispatchState.HELD)
_RESUMABLE = (DispatchState.PAUSED, DispatchState.HELD)


def pause(store: Store, issue: Issue, segment: str = "") -> list[Dispatch]:
    """The dispatches of the issue that now rest until `resume`. Raises: MailoutError if none."""

    def change(tx: Tx, dispatch: Dispatch) -> None:
        dispatches.set_state(tx, dispatch.id, DispatchState.PAUSED, of=_PAUSABLE)

    return _change(store, issue, segment, _PAUSABLE, change, "is being sent or waits to be")


def resume(store: Store, issue: Issue, segment: str, now: datetime) -> list[Dispatch]:
    """The dispatches of the issue that go on. Raises: MailoutError if none was resting."""

    def change(tx: Tx, dispatch: Dispatch) -> None:
        dispatches.release(tx, dispatch, now)

    return _change(store, issue, segment, _RESUMABLE, change, "is paused or held")


def cancel(store: Store, issue: Issue, segment: str, now: datetime) -> tuple[list[Dispatch], int]:
    """The dispatches that were called off, and how many deliveries with them.

    Without a segment the issue itself is cancelled, unless something of it went out already.
    Raises: MailoutError if there is nothing to call off.
    """
    with store.writing() as tx:
        chosen = _of(tx, issue, segment, UNFINISHED)
        if not chosen and (segment or issues.has_deliveries(tx, issue.id)):
            raise MailoutError(f"no send of {issue.name} is unfinished")
        for dispatch in chosen:
            dispatches.set_state(tx, dispatch.id, DispatchState.CANCELLED, ended_at=now)
        called_off = deliveries.cancel_rest(tx, now)
        counts = deliveries.count(tx, issue_id=issue.id)
        if set(counts) - {DeliveryState.CANCELLED, DeliveryState.SKIPPED}:
            issues.mark_sent(tx, issue.id, now)
        elif not segment:
            issues.cancel(tx, issue.id)
        return [dispatches.get(tx, one.id) for one in chosen], called_off


def resend_missing(store: Store, issue: Issue, now: datetime) -> tuple[list[Dispatch], int]:
    """The dispatches with deliveries that expired or whose end is unknown, queued again now, and
    how many; and those that are held. Who accepted or was refused is never among them."""
    with store.writing() as tx:
        found = deliveries.queue_again(tx, issue.id, MISSING, now)
        held = [one.id for one in _of(tx, issue, "", (DispatchState.HELD,)) if one.filled_at]
        return _released(tx, sorted({*found, *held}), now), sum(found.values())


def resolve(store: Store, issue: Issue, address_key: str, arrived: bool, now: datetime) -> bool:
    """Whether a delivery with an unknown end was there to be settled: as accepted if it has
    `arrived`, else queued again with the same Message-ID."""
    with store.writing() as tx:
        if arrived:
            return deliveries.settle(tx, issue.id, address_key, "the reader has it", now)
        found = deliveries.queue_again(tx, issue.id, (DeliveryState.UNKNOWN,), now, address_key)
        return bool(_released(tx, found, now))


def _released(tx: Tx, found: Iterable[int], now: datetime) -> list[Dispatch]:
    released = []
    for dispatch_id in found:
        dispatches.release(tx, dispatches.get(tx, dispatch_id), now)
        released.append(dispatches.get(tx, dispatch_id))
    return released


def _change(
    store: Store,
    issue: Issue,
    segment: str,
    states: Sequence[DispatchState],
    change: Callable[[Tx, Dispatch], None],
    otherwise: str,
) -> list[Dispatch]:
    with store.writing() as tx:
        chosen = _of(tx, issue, segment, states)
        if not chosen:
            raise MailoutError(f"no send of {issue.name} {otherwise}")
        for dispatch in chosen:
            change(tx, dispatch)
        return [dispatches.get(tx, dispatch.id) for dispatch in chosen]


def _of(
    tx: Tx, issue: Issue, segment: str, states: Sequence[DispatchState] | frozenset[DispatchState]
) -> list[Dispatch]:
    return [
        dispatch
        for dispatch in dispatches.of_issue(tx, issue.id)
        if dispatch.state in states and segment in ("", dispatch.segment)
    ]
