"""Dispatches: orders to send an issue to a segment. Whom they reach: `store.audiences`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    func,
    insert,
    select,
    update,
)

from mailout.core.dispatch import (
    UNFINISHED,
    DispatchState,
    Priority,
)
from mailout.store.audiences import Choice
from mailout.store.engine import Tx
from mailout.store.tables import DISPATCH, ISSUE


@dataclass(frozen=True, slots=True)
class Dispatch:
    """An order to send; `left_out` counts people by reason as of its filling.

    `at` is when it was to begin, `filled_at` when its deliveries were made, `again_at` when a
    held one is tried again without being told to (None: it waits for a person).
    """

    id: int
    issue_id: int
    list_id: str
    segment: str
    exclude: str
    priority: int
    state: DispatchState
    held_why: str
    left_out: Mapping[str, int]
    created_at: datetime
    at: datetime | None
    filled_at: datetime | None
    again_at: datetime | None
    ended_at: datetime | None


def make(
    tx: Tx,
    choice: Choice,
    *,
    segment: str,
    exclude: str,
    now: datetime,
    at: datetime | None = None,
    priority: int = Priority.BULK,
) -> Dispatch:
    """The new dispatch. It waits for `at`, if given, and has no deliveries yet: see `fill`."""
    dispatch_id = tx.execute(
        insert(DISPATCH)
        .values(
            issue_id=choice.issue_id,
            list_id=choice.list_id,
            segment=segment,
            exclude=exclude,
            priority=int(priority),
            held_why="",
            state=DispatchState.QUEUED,
            left_out={},
            created_at=now,
            at=at,
        )
        .returning(DISPATCH.c.id)
    ).scalar_one()
    return get(tx, dispatch_id)


def begin(tx: Tx, dispatch_id: int, now: datetime) -> bool:
    """Whether the dispatch is sent from now on, and it is for us to make its deliveries: of
    several who find it due, one does."""
    done = tx.execute(
        update(DISPATCH)
        .where(DISPATCH.c.id == dispatch_id, DISPATCH.c.filled_at.is_(None))
        .where(DISPATCH.c.state.in_((DispatchState.QUEUED, DispatchState.HELD)))
        .values(state=DispatchState.SENDING, held_why="", again_at=None, filled_at=now)
    )
    return bool(getattr(done, "rowcount", 0))


def get(tx: Tx, dispatch_id: int) -> Dispatch:
    return _dispatch(tx.execute(select(DISPATCH).where(DISPATCH.c.id == dispatch_id)).one())


def of_issue(tx: Tx, issue_id: int) -> list[Dispatch]:
    """An issue's dispatches, oldest first."""
    rows = tx.execute(
        select(DISPATCH).where(DISPATCH.c.issue_id == issue_id).order_by(DISPATCH.c.id)
    )
    return [_dispatch(row) for row in rows]


def unfinished(tx: Tx, list_id: str, segment: str) -> Dispatch | None:
    """The oldest dispatch of that segment that is not done, digests aside."""
    row = tx.execute(
        select(DISPATCH)
        .join(ISSUE, ISSUE.c.id == DISPATCH.c.issue_id)
        .where(
            ISSUE.c.digest == "",
            DISPATCH.c.list_id == list_id,
            DISPATCH.c.segment == segment,
            DISPATCH.c.state.in_(sorted(UNFINISHED)),
        )
        .order_by(DISPATCH.c.id)
        .limit(1)
    ).first()
    return _dispatch(row) if row else None


def newest_sent_to(tx: Tx, list_id: str, segment: str) -> int:
    """The id of the newest issue that has a dispatch to that segment; 0 if there is none.

    One that was cancelled counts: what was called off is not sent again unasked. Digests do not.
    """
    found = tx.execute(
        select(func.max(DISPATCH.c.issue_id))
        .join(ISSUE, ISSUE.c.id == DISPATCH.c.issue_id)
        .where(DISPATCH.c.list_id == list_id, DISPATCH.c.segment == segment)
        .where(ISSUE.c.digest == "")
    ).scalar()
    return int(found or 0)


def open_ones(tx: Tx, states: Iterable[DispatchState] = UNFINISHED) -> list[Dispatch]:
    """The dispatches in those states (which are unfinished ones), the most urgent first."""
    rows = tx.execute(
        select(DISPATCH)
        .where(DISPATCH.c.ended_at.is_(None), DISPATCH.c.state.in_(sorted(states)))
        .order_by(DISPATCH.c.priority.desc(), DISPATCH.c.id)
    )
    return [_dispatch(row) for row in rows]


def set_state(
    tx: Tx,
    dispatch_id: int,
    state: DispatchState,
    *,
    of: Iterable[DispatchState] = tuple(DispatchState),
    why: str = "",
    again_at: datetime | None = None,
    ended_at: datetime | None = None,
) -> bool:
    """Whether the dispatch, if it was in one of the states `of`, is now in `state`.

    `why` and `again_at` are kept while it is held.
    """
    done = tx.execute(
        update(DISPATCH)
        .where(DISPATCH.c.id == dispatch_id, DISPATCH.c.state.in_(sorted(of)))
        .values(state=state, held_why=why, again_at=again_at, ended_at=ended_at)
    )
    return bool(getattr(done, "rowcount", 0))


def set_priority(tx: Tx, dispatch_id: int, priority: int) -> None:
    """Nothing, once the dispatch overtakes those of a lower priority."""
    tx.execute(update(DISPATCH).where(DISPATCH.c.id == dispatch_id).values(priority=int(priority)))


def move(tx: Tx, dispatch_id: int, at: datetime) -> bool:
    """Whether a scheduled or held dispatch now waits for `at`; one that has begun does not."""
    done = tx.execute(
        update(DISPATCH)
        .where(DISPATCH.c.id == dispatch_id, DISPATCH.c.filled_at.is_(None))
        .where(DISPATCH.c.state.in_((DispatchState.QUEUED, DispatchState.HELD)))
        .values(state=DispatchState.QUEUED, at=at, held_why="", again_at=None)
    )
    return bool(getattr(done, "rowcount", 0))


def release(tx: Tx, dispatch: Dispatch, now: datetime) -> None:
    """Nothing, once a paused, held or ended dispatch is sent again; a scheduled one waits for its
    time, or begins now if that has passed."""
    at = dispatch.at
    if dispatch.filled_at is None and at is not None and at < now:
        at = now
    state = DispatchState.QUEUED if dispatch.filled_at is None else DispatchState.SENDING
    tx.execute(
        update(DISPATCH)
        .where(DISPATCH.c.id == dispatch.id)
        .values(state=state, held_why="", again_at=None, ended_at=None, at=at)
    )


def _dispatch(row: object) -> Dispatch:
    return Dispatch(**{name: getattr(row, name) for name in Dispatch.__dataclass_fields__})
