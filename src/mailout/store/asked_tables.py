"""The tables of what readers ask for by pages and on paper, and of single mails.

As in `tables`, a row class does not leave this package.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, ForeignKey, Index
from sqlmodel import Field, SQLModel

from mailout.core.delivery import DeliveryState
from mailout.core.letter import LetterKind
from mailout.core.request import RequestPurpose
from mailout.store.columns import BIG, UtcTime, moment, only, own_id, table_of, word_of
from mailout.store.tables import metadata

__all__ = ["CHORE", "LEAVE_REASON", "LETTER", "REQUEST", "SHEET", "metadata"]


class RequestRow(SQLModel, table=True):
    """What somebody asked for on a page and has to confirm by a link mailed to the address.

    Only the hash of the link's token is kept. A request is used once: confirming deletes it,
    and so does its expiry.
    """

    __tablename__ = "request"
    id: int = own_id()
    purpose: RequestPurpose = word_of(RequestPurpose, "purpose")
    token_hash: str = Field(unique=True)
    address_key: str = Field(index=True)
    subscriber_id: int | None = Field(
        default=None,
        sa_column=Column(BIG, ForeignKey("subscriber.id", ondelete="CASCADE"), index=True),
    )
    list_id: str
    language: str
    said: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    created_at: datetime = moment()
    expires_at: datetime = Field(sa_column=Column(UtcTime, nullable=False, index=True))


class LetterRow(SQLModel, table=True):
    """One mail to one address that belongs to no issue: a confirmation, a link, a report.

    Once it has an end, address and values are emptied; what stays for a while is the keyed
    `abuse_key`, by which letters to one mailbox are counted.
    """

    __tablename__ = "letter"
    __table_args__ = (
        Index("ix_letter_abuse_key_created_at", "abuse_key", "created_at"),
        Index("ix_letter_open", "next_at", **only("state IN ('queued', 'sending')")),
        {"sqlite_autoincrement": True},  # Message-IDs are made of their numbers
    )
    id: int = own_id()
    kind: LetterKind = word_of(LetterKind, "kind")
    list_id: str
    language: str
    address: str
    address_key: str = Field(index=True)
    abuse_key: str
    said: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    state: DeliveryState = word_of(DeliveryState, "state")
    attempts: int = 0
    created_at: datetime = moment()
    next_at: datetime = moment()
    expires_at: datetime = moment()
    worker: str = ""
    lease_until: datetime | None = moment(nullable=True)
    last_text: str = ""


class LeaveReasonRow(SQLModel, table=True):
    """Why somebody left, if they said so; nothing here tells who. So `at` is the beginning of a
    day, the rows have no numbers and no order, and `once`, the hash of a random number that stood
    in the answer to the leave, is kept only so that one answer is not counted twice."""

    __tablename__ = "leave_reason"
    __table_args__ = (
        Index("ix_leave_reason_list_id_at", "list_id", "at"),
        {"sqlite_with_rowid": False},
    )
    once: str = Field(primary_key=True)
    list_id: str
    reason: str
    words: str = ""
    at: datetime = moment()


class SheetRow(SQLModel, table=True):
    """A paper sheet to sign up on: the words over its lines are the evidence of who signs."""

    __tablename__ = "sheet"
    code: str = Field(primary_key=True)
    list_id: str
    language: str
    wording: str
    made_at: datetime = moment()


class ChoreRow(SQLModel, table=True):
    """Work that is to be done once there is time for it, such as rewriting the file after an
    erasure."""

    __tablename__ = "chore"
    name: str = Field(primary_key=True)
    due_at: datetime = moment()


REQUEST = table_of(RequestRow)
LETTER = table_of(LetterRow)
LEAVE_REASON = table_of(LeaveReasonRow)
SHEET = table_of(SheetRow)
CHORE = table_of(ChoreRow)
