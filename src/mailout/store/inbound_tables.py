"""The tables of what comes back. As in `tables`, a row class does not leave this package."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, ForeignKey, Index, LargeBinary
from sqlmodel import Field, SQLModel

from mailout.store.columns import BIG, UtcTime, moment, only, own_id, table_of
from mailout.store.tables import metadata

__all__ = ["HOOK_TOKEN", "INBOUND", "REST", "metadata"]


class InboundRow(SQLModel, table=True):
    """A mail that came in, or a provider's notice: kept once, by the hash of what it is.

    `raw` is compressed, and emptied after some days. `done_at` is None until it was looked at; then
    `kind` says what it is, `found_by` how it was found whom it is about (`core.arrival`), `said`
    its first words, and `reports` what it tells of whom.
    """

    __tablename__ = "inbound"
    __table_args__ = (
        Index("ix_inbound_new", "id", **only("done_at IS NULL")),
        {"sqlite_autoincrement": True},  # events name them
    )
    id: int = own_id()
    digest: str = Field(unique=True)
    source: str
    recipient: str
    sender: str
    size: int
    raw: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    came_at: datetime = Field(sa_column=Column(UtcTime, nullable=False, index=True))
    done_at: datetime | None = moment(nullable=True)
    kind: str = ""
    found_by: str = ""
    said: str = ""
    reports: list[dict[str, Any]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False)
    )
    subscriber_id: int | None = Field(
        default=None,
        sa_column=Column(BIG, ForeignKey("subscriber.id", ondelete="SET NULL"), index=True),
    )
    delivery_id: int | None = Field(
        default=None, sa_column=Column(BIG, ForeignKey("delivery.id", ondelete="SET NULL"))
    )


class RestRow(SQLModel, table=True):
    """A provider that is mailed nothing until some moment: it has an outage, or blocks us."""

    __tablename__ = "rest"
    provider: str = Field(primary_key=True)
    why: str
    said: str
    times: int
    began_at: datetime = moment()
    until: datetime = moment()


class HookTokenRow(SQLModel, table=True):
    """A token of a provider's notice that is good once, and the event that it was used for; both
    as hashes. It is kept for as long as a signature counts."""

    __tablename__ = "hook_token"
    token: str = Field(primary_key=True)
    event: str
    at: datetime = Field(sa_column=Column(UtcTime, nullable=False, index=True))


HOOK_TOKEN = table_of(HookTokenRow)
INBOUND = table_of(InboundRow)
REST = table_of(RestRow)
