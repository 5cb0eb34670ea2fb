"""The tables of what organisers do with people: notes, merges, exports, and whom they spare.

All that names a person goes when the person goes, but what keeps them from being mailed.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, ForeignKey
from sqlmodel import Field, SQLModel

from mailout.store.columns import BIG, moment, own_id, reference, table_of
from mailout.store.tables import metadata as metadata  # so that these are among them


class NoteRow(SQLModel, table=True):
    """Something an organiser wrote down about a person."""

    __tablename__ = "note"
    id: int = own_id()
    subscriber_id: int = reference("subscriber.id", index=True)
    text: str
    at: datetime = moment()


class MergedAddressRow(SQLModel, table=True):
    """An address key that a person had before they were merged into another one: erasing that
    one erases it, too."""

    __tablename__ = "merged_address"
    address_key: str = Field(primary_key=True)
    subscriber_id: int = reference("subscriber.id", index=True)


class MergedTokenRow(SQLModel, table=True):
    """A leave token of a subscription that was merged into another one: it stands in mails that
    are out, and leaves that other one."""

    __tablename__ = "merged_token"
    token: str = Field(primary_key=True)
    subscription_id: int = reference("subscription.id", index=True)


class ExportRow(SQLModel, table=True):
    """A file or a list of people that was written: of whom (`what`), in which form, how many
    lines, and why. Without `ended_at` it was broken off, or is not done yet."""

    __tablename__ = "export"
    id: int = own_id()
    at: datetime = moment()
    what: str
    form: str
    reason: str = ""
    rows: int = 0
    ended_at: datetime | None = moment(nullable=True)


class SuppressedDomainRow(SQLModel, table=True):
    """Nobody whose address is in this domain (A-labels, lower case) is mailed; on that list, or
    on all when it is empty."""

    __tablename__ = "suppressed_domain"
    domain: str = Field(primary_key=True)
    list_id: str = Field(default="", primary_key=True)
    evidence: str = ""
    at: datetime = moment()


class PartnerRow(SQLModel, table=True):
    """An organisation with which suppressions are shared. The people up to the number `seen_to`
    have been held against its hashes."""

    __tablename__ = "partner"
    name: str = Field(primary_key=True)
    seen_to: int = Field(default=0, sa_column=Column(BIG, nullable=False))


class PartnerHashRow(SQLModel, table=True):
    """A hash of an address that a partner does not mail, and when it first came."""

    __tablename__ = "partner_hash"
    __table_args__ = ({"sqlite_with_rowid": False},)
    partner: str = Field(
        sa_column=Column(ForeignKey("partner.name", ondelete="CASCADE"), primary_key=True)
    )
    hash: str = Field(primary_key=True)
    at: datetime = moment()


NOTE = table_of(NoteRow)
MERGED_ADDRESS = table_of(MergedAddressRow)
MERGED_TOKEN = table_of(MergedTokenRow)
EXPORT = table_of(ExportRow)
SUPPRESSED_DOMAIN = table_of(SuppressedDomainRow)
PARTNER = table_of(PartnerRow)
PARTNER_HASH = table_of(PartnerHashRow)
