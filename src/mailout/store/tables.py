"""The tables. A row class ends in `Row` and does not leave this package.

What hangs together by more than habit: deliveries are unique on (issue, address key), so
leaving, coming back and merging never make a double; consents are append-only and chained;
a suppression is a row, not a state; events keep the words that servers used.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    Index,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from mailout.core.consent import ConsentAction
from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import DispatchState
from mailout.core.event import EventKind
from mailout.core.issue import IssueState
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.store.columns import (
    AT_THE_END,
    BIG,
    UNCHECKED,
    moment,
    only,
    own_id,
    reference,
    table_of,
    word_of,
)

metadata = SQLModel.metadata
UNJUDGED = "category = '' AND kind IN ('refused', 'expired')"
"""The condition that a server's words in the session were not yet read for what they mean."""

# Names of constraints, so that a later migration can drop them on either database.
metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class SubscriberRow(SQLModel, table=True):
    """A person. `bounce_paused_at` belongs to the address, whatever lists it is on; an issue that
    is queued from `probe_from` on is the one that still goes there."""

    __tablename__ = "subscriber"
    __table_args__ = (
        # With the number in them, so that PostgreSQL need not look at the row for it.
        Index("ix_subscriber_language", "language", postgresql_include=["id"]),
        Index("ix_subscriber_country", "country", postgresql_include=["id"]),
        Index("ix_subscriber_bounce_paused", "id", **only("bounce_paused_at IS NOT NULL")),
        # A number once given is never given again: the consent chain names people by it.
        {"sqlite_autoincrement": True},
    )
    id: int = own_id()
    address: str
    address_key: str = Field(unique=True)
    domain: str = Field(index=True)
    name: str = ""
    language: str = ""
    country: str = ""
    fields: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    bounce_paused_at: datetime | None = moment(nullable=True)
    probe_from: datetime | None = moment(nullable=True)
    created_at: datetime = moment()


class SubscriberTagRow(SQLModel, table=True):
    __tablename__ = "subscriber_tag"
    __table_args__ = (Index("ix_subscriber_tag_tag_subscriber_id", "tag", "subscriber_id"),)
    subscriber_id: int = Field(
        sa_column=Column(
            BIG, ForeignKey("subscriber.id", ondelete="CASCADE", **AT_THE_END), primary_key=True
        )
    )
    tag: str = Field(primary_key=True)


class SubscriptionRow(SQLModel, table=True):
    """One person on one list. `token` is the leave token that every mail carries; an empty
    `edition` is the standard one (`core.edition`), an empty `frequency` every issue
    (`core.frequency`). A pause ends at `paused_until`, if the reader set an end."""

    __tablename__ = "subscription"
    __table_args__ = (
        UniqueConstraint("subscriber_id", "list_id"),
        Index("ix_subscription_list_id_state", "list_id", "state"),
        Index("ix_subscription_paused_until", "paused_until", **only("paused_until IS NOT NULL")),
        Index("ix_subscription_list_id_joined_at", "list_id", "joined_at", "subscriber_id"),
        {"sqlite_autoincrement": True},
    )
    id: int = own_id()
    subscriber_id: int = reference("subscriber.id", **AT_THE_END)
    list_id: str
    state: SubscriptionState = word_of(SubscriptionState, "state")
    token: str = Field(unique=True)
    edition: str = ""
    frequency: str = ""
    paused_until: datetime | None = moment(nullable=True)
    joined_at: datetime = moment()
    changed_at: datetime = moment()


class ConsentRow(SQLModel, table=True):
    """Evidence, never changed. No foreign key: it outlives the person's row."""

    __tablename__ = "consent"
    __table_args__ = (UniqueConstraint("list_id", "number"),)
    id: int = own_id()
    list_id: str
    number: int = Field(sa_column=Column(BIG, nullable=False))
    subscriber_id: int = Field(sa_column=Column(BIG, nullable=False, index=True))
    address_key: str
    action: ConsentAction = word_of(ConsentAction, "action")
    at: datetime = moment()
    wording: str = ""
    language: str = ""
    source: str = ""
    previous: str
    hash: str


class SuppressionRow(SQLModel, table=True):
    """Nobody with this address key is mailed; on that list, or on all when it is empty."""

    __tablename__ = "suppression"
    __table_args__ = (UniqueConstraint("address_key", "list_id"),)
    id: int = own_id()
    address_key: str
    list_id: str = ""
    reason: SuppressionReason = word_of(SuppressionReason, "reason")
    evidence: str = ""
    at: datetime = moment()


class IssueRow(SQLModel, table=True):
    """`content_hash` is of the compiled variants, `approved_hash` of those approved; an `urgent`
    one overtakes others; one that is not `archived` stays out of the archive;
    `signatories` tells that it names people, who may take that back. A `digest` (weekly,
    monthly) is for the readers of that frequency, any other issue for the rest."""

    __tablename__ = "issue"
    id: int = own_id()
    name: str = Field(unique=True)
    list_id: str = Field(index=True)
    state: IssueState = word_of(IssueState, "state")
    content_hash: str = ""
    approved_hash: str = ""
    urgent: bool = False
    archived: bool = True
    signatories: bool = False
    digest: str = ""
    created_at: datetime = moment()
    compiled_at: datetime | None = moment(nullable=True)
    approved_at: datetime | None = moment(nullable=True)
    sent_at: datetime | None = moment(nullable=True)


class IssuePostRow(SQLModel, table=True):
    """Which posts an issue holds; a post in a sent issue is not composed into a new one."""

    __tablename__ = "issue_post"
    issue_id: int = Field(
        sa_column=Column(BIG, ForeignKey("issue.id", ondelete="CASCADE"), primary_key=True)
    )
    post_key: str = Field(primary_key=True, index=True)
    position: int = 0


class VariantRow(SQLModel, table=True):
    __tablename__ = "variant"
    __table_args__ = (UniqueConstraint("issue_id", "language", "edition"),)
    id: int = own_id()
    issue_id: int = reference("issue.id")
    language: str
    edition: str
    subject: str
    html: str
    text: str
    by_country: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    hash: str


class DispatchRow(SQLModel, table=True):
    """One order to send an issue to a segment. `left_out` counts people by reason.

    `at` is when it is to begin; its deliveries are made then (`filled_at`), so that the
    segment is evaluated at send time. `again_at` is when a held one is tried again by itself.
    """

    __tablename__ = "dispatch"
    __table_args__ = (
        Index("ix_dispatch_issue_id_segment", "issue_id", "segment"),
        Index("ix_dispatch_open", "id", **only("ended_at IS NULL")),
    )
    id: int = own_id()
    issue_id: int = reference("issue.id")
    list_id: str
    segment: str
    exclude: str = ""
    priority: int = 0
    state: DispatchState = word_of(DispatchState, "state")
    held_why: str = ""
    left_out: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    created_at: datetime = moment()
    at: datetime | None = moment(nullable=True)
    filled_at: datetime | None = moment(nullable=True)
    again_at: datetime | None = moment(nullable=True)
    ended_at: datetime | None = moment(nullable=True)


class DeliveryRow(SQLModel, table=True):
    """One issue to one person. Erasure empties `subscriber_id`; state and issue stay."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("issue_id", "address_key"),
        # Small, since partial: what is due is found by the one, what is held by the other.
        Index("ix_delivery_queued", "dispatch_id", "next_at", "id", **only("state = 'queued'")),
        Index("ix_delivery_held", "worker", **only("worker <> ''")),
        Index("ix_delivery_subscriber_id", "subscriber_id"),
        Index("ix_delivery_accepted", "issue_id", "subscriber_id", **only("state = 'accepted'")),
        {"sqlite_autoincrement": True},  # return paths name deliveries by their number
    )
    id: int = own_id()
    issue_id: int = reference("issue.id", info=UNCHECKED)
    dispatch_id: int = reference("dispatch.id", info=UNCHECKED)
    subscriber_id: int | None = reference("subscriber.id", nullable=True, info=UNCHECKED)
    address_key: str
    language: str
    edition: str = "full"
    state: DeliveryState = word_of(DeliveryState, "state")
    reason: str = ""
    attempts: int = 0
    queued_at: datetime = moment()
    next_at: datetime = moment()
    worker: str = ""
    lease_until: datetime | None = moment(nullable=True)
    ended_at: datetime | None = moment(nullable=True)
    last_code: int = 0
    last_enhanced: str = ""
    last_text: str = ""
    relay: str = ""


class EventRow(SQLModel, table=True):
    """What happened to a delivery or a person, with the words that were used.

    `category` (`core.inbound.category`) is read out of them; empty until somebody has. One that
    does not `count` is held against nobody: nothing proved whom it is about, or a provider had an
    outage. `inbound_id` names the mail that told of it.
    """

    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_kind_at", "kind", "at"),
        Index("ix_event_unjudged", "id", **only(UNJUDGED)),
    )
    id: int = own_id()
    kind: EventKind = word_of(EventKind, "kind")
    at: datetime = moment()
    delivery_id: int | None = Field(
        default=None,
        sa_column=Column(BIG, ForeignKey("delivery.id", ondelete="CASCADE"), index=True),
    )
    issue_id: int | None = reference("issue.id", nullable=True, index=True)
    subscriber_id: int | None = reference("subscriber.id", nullable=True, index=True)
    provider: str = ""
    code: int = 0
    enhanced: str = ""
    text: str = ""
    relay: str = ""
    category: str = ""
    counts: bool = True
    inbound_id: int | None = Field(default=None, sa_column=Column(BIG, nullable=True, index=True))


class BucketRow(SQLModel, table=True):
    """A token bucket of a relay or a provider (`core.throttle`)."""

    __tablename__ = "bucket"
    name: str = Field(primary_key=True)
    tokens: float
    at: datetime = moment()
    slowed: int = 0
    slowed_at: datetime | None = moment(nullable=True)


SUBSCRIBER = table_of(SubscriberRow)
SUBSCRIBER_TAG = table_of(SubscriberTagRow)
SUBSCRIPTION = table_of(SubscriptionRow)
CONSENT = table_of(ConsentRow)
SUPPRESSION = table_of(SuppressionRow)
ISSUE = table_of(IssueRow)
ISSUE_POST = table_of(IssuePostRow)
VARIANT = table_of(VariantRow)
DISPATCH = table_of(DispatchRow)
DELIVERY = table_of(DeliveryRow)
EVENT = table_of(EventRow)
BUCKET = table_of(BucketRow)
