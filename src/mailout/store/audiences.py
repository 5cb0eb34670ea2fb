"""Audiences: whom a dispatch would mail and whom not, by reason; and their deliveries made."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from sqlalchemy import (
    ColumnElement,
    Join,
    Select,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from mailout.core import edition
from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import (
    BY_DELIVERY,
    BY_FREQUENCY,
    KEPT,
    LeftOut,
)
from mailout.core.edition import Edition
from mailout.core.frequency import DIGESTS, MISSED
from mailout.core.segment import Find, Rule
from mailout.core.subscription import SubscriptionState
from mailout.store import deliveries, digests, pauses, people, segments, suppressions
from mailout.store.digests import Missed
from mailout.store.engine import Tx
from mailout.store.segments import Scope
from mailout.store.tables import DELIVERY, DISPATCH, SUBSCRIBER, SUBSCRIPTION

_MANY = 1000  # rows from which on the planner of PostgreSQL is told of them


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a dispatch would mail now, by language, and whom not, by reason."""

    by_language: Mapping[str, int]
    left_out: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.by_language.values())

    @property
    def kept(self) -> int:
        """How many of those left out are told of it by a digest."""
        return sum(self.left_out.get(why, 0) for why in KEPT)


@dataclass(frozen=True, slots=True)
class Choice:
    """What decides an audience: an issue (0: none yet) of a list, and rules over its people.

    `find` resolves segments that a rule refers to; `now` and `zone` say what its dates mean. An
    `urgent` issue goes to readers of every frequency, a digest to those who have `missed` what it
    tells.
    """

    issue_id: int
    list_id: str
    segment: Rule
    exclude: Rule | None
    find: Find
    urgent: bool = False
    missed: Missed | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    zone: tzinfo = UTC

    @property
    def scope(self) -> Scope:
        return Scope(self.list_id, self.find, self.now, self.zone, self.issue_id)

    @property
    def is_for_all(self) -> bool:
        """Whether the frequency of its people keeps nobody from being mailed."""
        return self.urgent or self.missed is not None


def audience(tx: Tx, choice: Choice, now: datetime) -> Audience:
    """The audience as it is at the moment `now`."""
    why_not = _left_out(tx, choice, now).label("why")
    people = select(SUBSCRIBER.c.language, why_not).select_from(_people())
    counted = people.where(*_members(tx, choice)).subquery()
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
    # By name: each database groups in an order of its own.
    return Audience(dict(sorted(by_language.items())), dict(sorted(left_out.items())))


def check(tx: Tx, choice: Choice) -> None:
    """Nothing, if the rules of the choice can be asked. Raises: MailoutError."""
    for rule in (choice.segment, choice.exclude):
        if rule is not None:
            segments.condition(tx, rule, choice.scope)


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
    """How many deliveries were queued for the dispatch; those who wait for a digest have one that
    is skipped.

    `language_of` maps a reader's language to the variant's, where they differ. `built` has the
    editions of the issue, `blocked_in` the countries from which the site cannot be reached.
    Repeating it makes no second delivery: they are unique on (issue, address key).
    """
    people.keep(tx)
    tx.execute(update(DISPATCH).where(DISPATCH.c.id == dispatch_id).values(left_out=dict(left_out)))
    variant: ColumnElement[str] = literal(default_language)
    if language_of:
        variant = case(language_of, value=SUBSCRIBER.c.language, else_=default_language)
    kept = false() if choice.is_for_all else SUBSCRIPTION.c.frequency.in_(DIGESTS)
    values = {
        "issue_id": literal(choice.issue_id),
        "dispatch_id": literal(dispatch_id),
        "subscriber_id": SUBSCRIBER.c.id,
        "address_key": SUBSCRIBER.c.address_key,
        "language": variant,
        "edition": _edition(built, blocked_in),
        "state": case(
            (kept, literal(DeliveryState.SKIPPED, DELIVERY.c.state.type)),
            else_=literal(DeliveryState.QUEUED, DELIVERY.c.state.type),
        ),
        "reason": case((kept, MISSED), else_=""),
        "ended_at": case((kept, literal(now, DELIVERY.c.ended_at.type))),
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
    taken = _left_out(tx, choice, now).in_(("", *KEPT))
    chosen = chosen.where(*_members(tx, choice), taken).order_by(SUBSCRIBER.c.id)
    dialect = postgresql if tx.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(DELIVERY).from_select(list(values), chosen)
    done = tx.execute(
        statement.on_conflict_do_nothing(), execution_options={"preserve_rowcount": True}
    )
    count = int(getattr(done, "rowcount", 0))
    if dialect is postgresql and count > _MANY:
        # Else the first claims are planned for an empty table.
        tx.execute(text("ANALYZE delivery"))
    if left_out.keys() & set(KEPT):
        count -= deliveries.count(tx, dispatch_id=dispatch_id).get(DeliveryState.SKIPPED, 0)
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


def _members(tx: Tx, choice: Choice) -> tuple[ColumnElement[bool], ...]:
    return (
        SUBSCRIPTION.c.list_id == choice.list_id,
        segments.condition(tx, choice.segment, choice.scope),
        *([digests.missing(choice.missed)] if choice.missed else []),
    )


def _left_out(tx: Tx, choice: Choice, now: datetime) -> ColumnElement[str]:
    """The reason why a joined person is not mailed; empty for those who are."""
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
        (pauses.rests(now), LeftOut.PAUSED),
        (pauses.bounces(now), LeftOut.BOUNCING),
        (exists(select(1).where(*theirs)), by_delivery),
    ]
    if choice.exclude is not None:
        excluded = segments.condition(tx, choice.exclude, choice.scope)
        reasons.append((excluded, LeftOut.EXCLUDED))
    if not choice.is_for_all:
        reasons += [(SUBSCRIPTION.c.frequency == one, why) for one, why in BY_FREQUENCY.items()]
    return case(*reasons, else_="")
