"""The tables. A row class ends in `Row` and does not leave this package.

What hangs together by more than habit: deliveries are unique on (issue, address key), so
leaving, coming back and merging never make a double; consents are append-only and chained;
a suppression is a row, not a state; events keep the words that servers used.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from mailout.core.consent import ConsentAction
from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import DispatchState
from mailout.core.event import EventKind
from mailout.core.issue import IssueState
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.store.columns import UtcTime, text_enum

metadata = SQLModel.metadata
# Names of constraints, so that a later migration can drop them on either database.
metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

# 64 bits on PostgreSQL; on SQLite only a column of type INTEGER numbers itself.
_BIG = BigInteger().with_variant(Integer(), "sqlite")


def _id() -> Any:
    return Field(default=None, sa_column=Column(_BIG, primary_key=True, autoincrement=True))


def _ref(target: str, *, nullable: bool = False, index: bool = False) -> Any:
    cascade = None if nullable else "CASCADE"
    return Field(
        default=None,
        sa_column=Column(
            _BIG,
            ForeignKey(target, ondelete="SET NULL" if nullable else cascade),
            nullable=nullable,
            index=index,
        ),
    )


def _where(condition: str) -> dict[str, Any]:
    """What makes an index partial, on either database."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def _time(*, nullable: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcTime, nullable=nullable))


def _enum(members: Any, name: str) -> Any:
    return Field(sa_column=Column(text_enum(members, name), nullable=False))


class SubscriberRow(SQLModel, table=True):
    """A person. `bounce_paused_at` belongs to the address, whatever lists it is on."""

    __tablename__ = "subscriber"
    # A number once given is never given again: the consent chain names people by it.
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: int = _id()
    address: str
    address_key: str = Field(unique=True)
    domain: str = Field(index=True)
    name: str = ""
    language: str = Field(default="", index=True)
    country: str = Field(default="", index=True)
    fields: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    bounce_paused_at: datetime | None = _time(nullable=True)
    created_at: datetime = _time()


class SubscriberTagRow(SQLModel, table=True):
    __tablename__ = "subscriber_tag"
    __table_args__ = (Index("ix_subscriber_tag_tag_subscriber_id", "tag", "subscriber_id"),)
    subscriber_id: int = Field(
        sa_column=Column(_BIG, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True)
    )
    tag: str = Field(primary_key=True)


class SubscriptionRow(SQLModel, table=True):
    """One person on one list. `token` is the leave token that every mail carries; an empty
    `edition` is the standard one (`core.edition`)."""

    __tablename__ = "subscription"
    __table_args__ = (
        UniqueConstraint("subscriber_id", "list_id"),
        Index("ix_subscription_list_id_state", "list_id", "state"),
        {"sqlite_autoincrement": True},
    )
    id: int = _id()
    subscriber_id: int = _ref("subscriber.id")
    list_id: str
    state: SubscriptionState = _enum(SubscriptionState, "state")
    token: str = Field(unique=True)
    edition: str = ""
    joined_at: datetime = _time()
    changed_at: datetime = _time()


class ConsentRow(SQLModel, table=True):
    """Evidence, never changed. No foreign key: it outlives the person's row."""

    __tablename__ = "consent"
    __table_args__ = (UniqueConstraint("list_id", "number"),)
    id: int = _id()
    list_id: str
    number: int = Field(sa_column=Column(_BIG, nullable=False))
    subscriber_id: int = Field(sa_column=Column(_BIG, nullable=False, index=True))
    address_key: str
    action: ConsentAction = _enum(ConsentAction, "action")
    at: datetime = _time()
    wording: str = ""
    language: str = ""
    source: str = ""
    previous: str
    hash: str


class SuppressionRow(SQLModel, table=True):
    """Nobody with this address key is mailed; on that list, or on all when it is empty."""

    __tablename__ = "suppression"
    __table_args__ = (UniqueConstraint("address_key", "list_id"),)
    id: int = _id()
    address_key: str
    list_id: str = ""
    reason: SuppressionReason = _enum(SuppressionReason, "reason")
    evidence: str = ""
    at: datetime = _time()


class IssueRow(SQLModel, table=True):
    """`content_hash` is of the compiled variants, `approved_hash` of those approved; an `urgent`
    one overtakes others; one that is not `archived` stays out of the archive;
    `signatories` tells that it names people, who may take that back."""

    __tablename__ = "issue"
    id: int = _id()
    name: str = Field(unique=True)
    list_id: str = Field(index=True)
    state: IssueState = _enum(IssueState, "state")
    content_hash: str = ""
    approved_hash: str = ""
    urgent: bool = False
    archived: bool = True
    signatories: bool = False
    created_at: datetime = _time()
    compiled_at: datetime | None = _time(nullable=True)
    approved_at: datetime | None = _time(nullable=True)
    sent_at: datetime | None = _time(nullable=True)


class IssuePostRow(SQLModel, table=True):
    """Which posts an issue holds; a post in a sent issue is not composed into a new one."""

    __tablename__ = "issue_post"
    issue_id: int = Field(
        sa_column=Column(_BIG, ForeignKey("issue.id", ondelete="CASCADE"), primary_key=True)
    )
    post_key: str = Field(primary_key=True, index=True)
    position: int = 0


class VariantRow(SQLModel, table=True):
    __tablename__ = "variant"
    __table_args__ = (UniqueConstraint("issue_id", "language", "edition"),)
    id: int = _id()
    issue_id: int = _ref("issue.id")
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
        Index("ix_dispatch_open", "id", **_where("ended_at IS NULL")),
    )
    id: int = _id()
    issue_id: int = _ref("issue.id")
    list_id: str
    segment: str
    exclude: str = ""
    priority: int = 0
    state: DispatchState = _enum(DispatchState, "state")
    held_why: str = ""
    left_out: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    created_at: datetime = _time()
    at: datetime | None = _time(nullable=True)
    filled_at: datetime | None = _time(nullable=True)
    again_at: datetime | None = _time(nullable=True)
    ended_at: datetime | None = _time(nullable=True)


class DeliveryRow(SQLModel, table=True):
    """One issue to one person. Erasure empties `subscriber_id`; state and issue stay."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("issue_id", "address_key"),
        # Small, since partial: what is due is found by the one, what is held by the other.
        Index("ix_delivery_queued", "dispatch_id", "next_at", "id", **_where("state = 'queued'")),
        Index("ix_delivery_held", "worker", **_where("worker <> ''")),
        Index("ix_delivery_subscriber_id", "subscriber_id"),
        {"sqlite_autoincrement": True},  # return paths name deliveries by their number
    )
    id: int = _id()
    issue_id: int = _ref("issue.id")
    dispatch_id: int = _ref("dispatch.id")
    subscriber_id: int | None = _ref("subscriber.id", nullable=True)
    address_key: str
    language: str
    edition: str = "full"
    state: DeliveryState = _enum(DeliveryState, "state")
    reason: str = ""
    attempts: int = 0
    queued_at: datetime = _time()
    next_at: datetime = _time()
    worker: str = ""
    lease_until: datetime | None = _time(nullable=True)
    ended_at: datetime | None = _time(nullable=True)
    last_code: int = 0
    last_enhanced: str = ""
    last_text: str = ""
    relay: str = ""


class EventRow(SQLModel, table=True):
    """What happened to a delivery or a person, with the words that were used."""

    __tablename__ = "event"
    __table_args__ = (Index("ix_event_kind_at", "kind", "at"),)
    id: int = _id()
    kind: EventKind = _enum(EventKind, "kind")
    at: datetime = _time()
    delivery_id: int | None = Field(
        default=None,
        sa_column=Column(_BIG, ForeignKey("delivery.id", ondelete="CASCADE"), index=True),
    )
    issue_id: int | None = _ref("issue.id", nullable=True, index=True)
    subscriber_id: int | None = _ref("subscriber.id", nullable=True, index=True)
    provider: str = ""
    code: int = 0
    enhanced: str = ""
    text: str = ""
    relay: str = ""


class BucketRow(SQLModel, table=True):
    """A token bucket of a relay or a provider (`core.throttle`)."""

    __tablename__ = "bucket"
    name: str = Field(primary_key=True)
    tokens: float
    at: datetime = _time()
    slowed: int = 0
    slowed_at: datetime | None = _time(nullable=True)


def _table(row: type[SQLModel]) -> Table:
    return cast(Table, vars(row)["__table__"])


SUBSCRIBER = _table(SubscriberRow)
SUBSCRIBER_TAG = _table(SubscriberTagRow)
SUBSCRIPTION = _table(SubscriptionRow)
CONSENT = _table(ConsentRow)
SUPPRESSION = _table(SuppressionRow)
ISSUE = _table(IssueRow)
ISSUE_POST = _table(IssuePostRow)
VARIANT = _table(VariantRow)
DISPATCH = _table(DispatchRow)
DELIVERY = _table(DeliveryRow)
EVENT = _table(EventRow)
BUCKET = _table(BucketRow)


class ImportRunRow(SQLModel, table=True):
    """One import that wrote something. `times` are the moments at which it began and went on;
    `counts` are those of its report; without `ended_at` it was broken off."""

    __tablename__ = "import_run"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: int = _id()
    list_id: str
    file: str
    sha256: str
    preset: str = ""
    times: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    counts: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    at: datetime = _time()
    ended_at: datetime | None = _time(nullable=True)
    undone_at: datetime | None = _time(nullable=True)


class ImportPersonRow(SQLModel, table=True):
    """What an import did to one person: `added`, `joined` (a known person, new on the list) or
    `changed`. `mark` tells whether an added one was changed since; `changes` holds pairs of
    values before and after. It goes when the person goes."""

    __tablename__ = "import_person"
    # The person first: erasing one looks here by the person.
    __table_args__ = ({"sqlite_with_rowid": False},)
    subscriber_id: int = Field(
        sa_column=Column(_BIG, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True)
    )
    import_id: int = Field(
        sa_column=Column(_BIG, ForeignKey("import_run.id", ondelete="CASCADE"), primary_key=True)
    )
    did: str
    mark: str = ""
    changes: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


IMPORT_RUN = _table(ImportRunRow)
IMPORT_PERSON = _table(ImportPersonRow)
