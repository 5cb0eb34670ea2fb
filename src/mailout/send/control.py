"""What an organiser does to a send: pause, resume, cancel, send again what is missing.

Each is one transaction. A sender at work looks twice a second and gives back what it holds;
what is on the wire at that moment is finished and recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import UNFINISHED, DispatchState
from mailout.core.errors import MailoutError
from mailout.core.issue import IssueState
from mailout.store import deliveries, dispatches, issues
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Store, Tx
from mailout.store.issues import Issue

MISSING = (DeliveryState.EXPIRED, DeliveryState.UNKNOWN)
"""States in which a reader may not have got the issue, and nobody refused it."""

CANCELLED = (DeliveryState.CANCELLED,)

_MAY_HAVE_IT = frozenset({DeliveryState.ACCEPTED, DeliveryState.UNKNOWN})
_PAUSABLE = (DispatchState.QUEUED, DispatchState.SENDING, DispatchState.HELD)
_RESUMABLE = (DispatchState.PAUSED, DispatchState.HELD)


def pause(store: Store, issue: Issue, segment: str = "") -> tuple[list[Dispatch], list[Dispatch]]:
    """The dispatches of the issue that now rest until `resume`, and those that did already.

    Raises: MailoutError if there are neither.
    """
    with store.writing() as tx:
        resting = _of(tx, issue, segment, (DispatchState.PAUSED,))
        chosen = _of(tx, issue, segment, _PAUSABLE)
        if not chosen and not resting:
            raise MailoutError(f"no send of {issue.name} is being sent or waits to be")
        for dispatch in chosen:
            dispatches.set_state(tx, dispatch.id, DispatchState.PAUSED, of=_PAUSABLE)
        return [dispatches.get(tx, one.id) for one in chosen], resting


def resume(store: Store, issue: Issue, segment: str, now: datetime) -> list[Dispatch]:
    """The dispatches of the issue that go on. Raises: MailoutError if none was resting."""
    with store.writing() as tx:
        chosen = _of(tx, issue, segment, _RESUMABLE)
        if not chosen:
            raise MailoutError(f"no send of {issue.name} is paused or held")
        return _released(tx, [one.id for one in chosen], now)


def cancel(store: Store, issue: Issue, segment: str, now: datetime) -> list[Dispatch]:
    """The dispatches that are called off now; `settle_cancelled` says what became of the issue.

    Raises: MailoutError if there is nothing to call off.
    """
    with store.writing() as tx:
        chosen = _of(tx, issue, segment, UNFINISHED)
        if not chosen and (segment or issue.state in (IssueState.SENT, IssueState.CANCELLED)):
            raise MailoutError(f"no send of {issue.name} is unfinished")
        for dispatch in chosen:
            dispatches.set_state(tx, dispatch.id, DispatchState.CANCELLED, ended_at=now)
        deliveries.cancel_rest(tx, now)
        return _of(tx, issue, segment, (DispatchState.CANCELLED,))


def settle_cancelled(tx: Tx, issue_id: int, now: datetime, *, whole: bool = False) -> bool:
    """Whether it is known what the issue is, of which something was called off: no sender holds
    a delivery of that any more.

    It is sent if somebody has it or may have it. If nobody has, and the `whole` of it was called
    off, it is cancelled; else it stays as it is.
    """
    called_off = [
        one for one in dispatches.of_issue(tx, issue_id) if one.state is DispatchState.CANCELLED
    ]
    held = any(deliveries.are_held(tx, one.id) for one in called_off)
    # Only now: on PostgreSQL a sender may give its part back between two statements.
    deliveries.cancel_rest(tx, now)
    if held:
        return False
    if _MAY_HAVE_IT & deliveries.count(tx, issue_id=issue_id).keys():
        issues.mark_sent(tx, issue_id, now)
    elif whole and issues.get(tx, issue_id).sent_at is None:
        issues.cancel(tx, issue_id)
    return True


def resend(
    store: Store, issue: Issue, now: datetime, states: Sequence[DeliveryState] = MISSING
) -> tuple[list[Dispatch], int]:
    """The dispatches with deliveries in those states, queued again now, and how many; with the
    `MISSING` also those that are held. Who accepted or was refused is never among them.

    Raises: MailoutError if the whole issue was called off.
    """
    if issue.state is IssueState.CANCELLED:
        raise MailoutError(
            f"the issue {issue.name} was called off as a whole",
            fix="Its posts are free for another: `mailout send` without a name composes it.",
        )
    with store.writing() as tx:
        found = deliveries.queue_again(tx, issue.id, states, now)
        held = _of(tx, issue, "", (DispatchState.HELD,)) if set(MISSING) <= set(states) else []
        going = {*found, *(one.id for one in held if one.filled_at)}
        return _released(tx, sorted(going), now), sum(found.values())


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


def _of(
    tx: Tx, issue: Issue, segment: str, states: Sequence[DispatchState] | frozenset[DispatchState]
) -> list[Dispatch]:
    return [
        dispatch
        for dispatch in dispatches.of_issue(tx, issue.id)
        if dispatch.state in states and segment in ("", dispatch.segment)
    ]
