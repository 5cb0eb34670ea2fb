"""A store that came out of a backup: what it cannot know is held, until a person has settled it.

| what the backup had | what may have become of it since | now |
|---|---|---|
| a dispatch that was not finished | sent to its end | paused: `resume` or `cancel` |
| a delivery that was `sending` | accepted | unknown: `resend --missing` or `deliveries resolve` |
| a letter that was not mailed | mailed | expired: who still needs one asks again |
| a post that no issue held | sent | nothing new is ordered before `mailout settle` |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update

from mailout.core.delivery import OPEN_STATES, DeliveryState
from mailout.core.dispatch import UNFINISHED, DispatchState
from mailout.core.errors import MailoutError
from mailout.store import letters
from mailout.store.asked_tables import CHORE, LETTER
from mailout.store.engine import Tx
from mailout.store.tables import DELIVERY, DISPATCH, ISSUE

TO_SETTLE = "`mailout settle` shows what to look at, and lets sending go on."
_MARK = "settle what a backup lacks"  # as a chore, due since the backup was made


@dataclass(frozen=True, slots=True)
class Open:
    """A dispatch that was not finished when the backup was made: how many of its deliveries were
    queued, and of how many nobody knows whether they arrived."""

    issue: str
    list_id: str
    segment: str
    queued: int
    unknown: int


def hold(tx: Tx, made_at: datetime, now: datetime) -> int:
    """How many letters will not be mailed, once all that was under way is held and the store
    knows that it came out of a backup of that moment."""
    why = f"restored from a backup of {made_at:%Y-%m-%d %H:%M} UTC"
    tx.execute(
        update(DELIVERY)
        .where(DELIVERY.c.state == DeliveryState.SENDING)
        .values(
            state=DeliveryState.UNKNOWN,
            reason="it was on its way when the backup was made",
            worker="",
            lease_until=None,
            ended_at=now,
        )
    )
    tx.execute(
        update(DISPATCH)
        .where(DISPATCH.c.state.in_(sorted(UNFINISHED)))
        .values(state=DispatchState.PAUSED, held_why=why, again_at=None)
    )
    tx.execute(
        update(LETTER)
        .where(LETTER.c.state.in_(sorted(OPEN_STATES)))
        .values(state=DeliveryState.QUEUED, worker="", lease_until=None, expires_at=now)
    )
    expired = letters.expire(tx, now)
    tx.execute(delete(CHORE).where(CHORE.c.name == _MARK))
    tx.execute(CHORE.insert().values(name=_MARK, due_at=made_at))
    return expired


def since(tx: Tx) -> datetime | None:
    """The moment of the backup that the store came out of; None once that is settled."""
    found: datetime | None = tx.scalar(select(CHORE.c.due_at).where(CHORE.c.name == _MARK))
    return found


def settle(tx: Tx) -> None:
    """Nothing, once what was sent since the backup is seen to."""
    tx.execute(delete(CHORE).where(CHORE.c.name == _MARK))


def unsettled(made_at: datetime) -> str:
    """What there is to say of a store that came out of a backup of that moment."""
    return (
        f"the store was restored from a backup of {made_at:%Y-%m-%d %H:%M} UTC: what was sent"
        " after that is not in it, and would be sent again"
    )


def refuse_unsettled(tx: Tx) -> None:
    """Nothing. Raises: MailoutError if the store came out of a backup, and nobody has yet said
    that what it lacks is seen to."""
    made_at = since(tx)
    if made_at is not None:
        raise MailoutError(unsettled(made_at), fix=TO_SETTLE)


def open_ones(tx: Tx) -> Sequence[Open]:
    """The dispatches that are held since they were under way when the backup was made."""
    ours = DELIVERY.c.dispatch_id == DISPATCH.c.id
    count = select(func.count()).where(ours)
    queued = count.where(DELIVERY.c.state == DeliveryState.QUEUED).scalar_subquery()
    unknown = count.where(DELIVERY.c.state == DeliveryState.UNKNOWN).scalar_subquery()
    rows = tx.execute(
        select(ISSUE.c.name, DISPATCH.c.list_id, DISPATCH.c.segment, queued, unknown)
        .join(ISSUE, ISSUE.c.id == DISPATCH.c.issue_id)
        .where(DISPATCH.c.state == DispatchState.PAUSED, DISPATCH.c.held_why != "")
        .order_by(DISPATCH.c.id)
    )
    return [Open(*row) for row in rows]
