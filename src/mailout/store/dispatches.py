"""Dispatches: orders to send an issue to a segment, and the audience they make deliveries for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Join,
    Select,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from mailout.core import edition
from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import BY_DELIVERY, UNFINISHED, DispatchState, LeftOut, Priority
from mailout.core.edition import Edition
from mailout.core.segment import Rule
from mailout.core.subscription import SubscriptionState
from mailout.store import segments, suppressions
from mailout.store.engine import Tx
from mailout.store.segments import Find
from mailout.store.tables import DELIVERY, DISPATCH, ISSUE, SUBSCRIBER, SUBSCRIPTION

_MANY = 1000  # rows from which on the planner of PostgreSQL is told of them


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


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a dispatch would mail now, by language, and whom not, by reason."""

    by_language: Mapping[str, int]
    left_out: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.by_language.values())


@dataclass(frozen=True, slots=True)
class Choice:
    """What decides an audience: an issue (0: none yet) of a list, and rules over its people.

    `find` resolves segments that a rule refers to.
    """

    issue_id: int
    list_id: str
    segment: Rule
    exclude: Rule | None
    find: Find


def audience(tx: Tx, choice: Choice) -> Audience:
    """The audience as it is at this moment."""
    people = select(SUBSCRIBER.c.language, _left_out(choice).label("why")).select_from(_people())
    people = people.where(*_members(choice))
    counted = people.subquery()
    rows = tx.execute(
        select(counted.c.language, counted.c.why, func.count()).group_by(
            counted.c.language, counted.c.why
        )
    )
    by_language: dict[str, int] = {}
    left_out: dict[str, int] = {}
    for language, why, number in rows:
        if why:
            left_out[why] = left_out.get(why, 0) + number
        else:
            by_language[language] = number
    return Audience(by_language, left_out)


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


def fill(
    tx: Tx,
    dispatch_id: int,
    choice: Choice,
    *,
    left_out: Mapping[str, int],
    language_of: Mapping[str, str],
    default_language: str,
    built: Collection[str],
    blocked_in: Collection[str] = (),
    now: datetime,
) -> int:
    """How many deliveries were queued for the dispatch.

    `language_of` maps a reader's language to the variant's, where they differ. `built` has the
    editions of the issue, `blocked_in` the countries from which the site cannot be reached.
    Repeating it makes no second delivery: they are unique on (issue, address key).
    """
    tx.execute(update(DISPATCH).where(DISPATCH.c.id == dispatch_id).values(left_out=dict(left_out)))
    variant: ColumnElement[str] = literal(default_language)
    if language_of:
        variant = case(language_of, value=SUBSCRIBER.c.language, else_=default_language)
    values = {
        "issue_id": literal(choice.issue_id),
        "dispatch_id": literal(dispatch_id),
        "subscriber_id": SUBSCRIBER.c.id,
        "address_key": SUBSCRIBER.c.address_key,
        "language": variant,
        "edition": _edition(built, blocked_in),
        "state": literal(DeliveryState.QUEUED, DELIVERY.c.state.type),
        "reason": literal(""),
        "attempts": literal(0),
        "queued_at": literal(now, DELIVERY.c.queued_at.type),
        "next_at": literal(now, DELIVERY.c.next_at.type),
        "worker": literal(""),
        "last_code": literal(0),
        "last_enhanced": literal(""),
        "last_text": literal(""),
        "relay": literal(""),
    }
    chosen: Select[tuple[object, ...]] = select(*values.values()).select_from(_people())
    chosen = chosen.where(*_members(choice), _left_out(choice) == "").order_by(SUBSCRIBER.c.id)
    dialect = postgresql if tx.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(DELIVERY).from_select(list(values), chosen)
    done = tx.execute(
        statement.on_conflict_do_nothing(), execution_options={"preserve_rowcount": True}
    )
    count = int(getattr(done, "rowcount", 0))
    if dialect is postgresql and count > _MANY:
        # Else the first claims are planned for an empty table.
        tx.execute(text("ANALYZE delivery"))
    return count


def _edition(built: Collection[str], blocked_in: Collection[str]) -> ColumnElement[str]:
    """The edition of a joined person: `core.edition.for_reader` as SQL."""
    chosen = {str(choice): str(choice) for choice in edition.CHOICES if choice in built}
    cases: list[tuple[ColumnElement[bool], str]] = [
        (SUBSCRIPTION.c.edition == choice, choice) for choice in chosen
    ]
    if Edition.FULL in built and blocked_in:
        blocked = SUBSCRIBER.c.country.in_(sorted(blocked_in))
        cases.append((and_(SUBSCRIPTION.c.edition == "", blocked), str(Edition.FULL)))
    usual = literal(str(edition.standard(built)))
    return case(*cases, else_=usual) if cases else usual


def _people() -> Join:
    return SUBSCRIBER.join(SUBSCRIPTION, SUBSCRIPTION.c.subscriber_id == SUBSCRIBER.c.id)


def _members(choice: Choice) -> tuple[ColumnElement[bool], ...]:
    return (
        SUBSCRIPTION.c.list_id == choice.list_id,
        segments.condition(choice.segment, choice.find),
    )


def _left_out(choice: Choice) -> ColumnElement[str]:
    """The reason why a joined person gets no delivery; empty for those who do."""
    theirs = (
        DELIVERY.c.issue_id == choice.issue_id,
        DELIVERY.c.address_key == SUBSCRIBER.c.address_key,
    )
    state_of_theirs = select(DELIVERY.c.state).where(*theirs).scalar_subquery()
    by_delivery = case(
        {state: str(why) for state, why in BY_DELIVERY.items()}, value=state_of_theirs
    )
    state = SUBSCRIPTION.c.state
    reasons: list[tuple[ColumnElement[bool], str | ColumnElement[str]]] = [
        (state == SubscriptionState.UNSUBSCRIBED, LeftOut.UNSUBSCRIBED),
        (suppressions.applies(choice.list_id), LeftOut.SUPPRESSED),
        (state == SubscriptionState.PENDING, LeftOut.NOT_CONFIRMED),
        (state == SubscriptionState.PAUSED, LeftOut.PAUSED),
        (SUBSCRIBER.c.bounce_paused_at.is_not(None), LeftOut.BOUNCING),
        (exists(select(1).where(*theirs)), by_delivery),
    ]
    if choice.exclude is not None:
        excluded = segments.condition(choice.exclude, choice.find)
        reasons.append((excluded, LeftOut.EXCLUDED))
    return case(*reasons, else_="")


def get(tx: Tx, dispatch_id: int) -> Dispatch:
    return _dispatch(tx.execute(select(DISPATCH).where(DISPATCH.c.id == dispatch_id)).one())


def of_issue(tx: Tx, issue_id: int) -> list[Dispatch]:
    """An issue's dispatches, oldest first."""
    rows = tx.execute(
        select(DISPATCH).where(DISPATCH.c.issue_id == issue_id).order_by(DISPATCH.c.id)
    )
    return [_dispatch(row) for row in rows]


def unfinished(tx: Tx, list_id: str, segment: str) -> Dispatch | None:
    """The oldest dispatch of that segment that is not done."""
    row = tx.execute(
        select(DISPATCH)
        .where(
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

    One that was cancelled counts: what was called off is not sent again unasked.
    """
    found = tx.execute(
        select(func.max(DISPATCH.c.issue_id))
        .join(ISSUE, ISSUE.c.id == DISPATCH.c.issue_id)
        .where(and_(DISPATCH.c.list_id == list_id, DISPATCH.c.segment == segment))
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
