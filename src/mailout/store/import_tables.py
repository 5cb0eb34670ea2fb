"""The tables of imports: which files were taken in, and what each did to whom.

As in `tables`, a row class does not leave this package.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, ForeignKey
from sqlmodel import Field, SQLModel

from mailout.store.columns import AT_THE_END, BIG, UNCHECKED, moment, own_id, table_of
from mailout.store.tables import metadata

__all__ = ["IMPORT_PERSON", "IMPORT_RUN", "metadata"]


class ImportRunRow(SQLModel, table=True):
    """One import that wrote something. `times` are the moments at which it began and went on;
    `counts` are those of its report; without `ended_at` it was broken off."""

    __tablename__ = "import_run"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: int = own_id()
    list_id: str
    file: str
    sha256: str
    preset: str = ""
    times: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    counts: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    at: datetime = moment()
    ended_at: datetime | None = moment(nullable=True)
    undone_at: datetime | None = moment(nullable=True)


class ImportPersonRow(SQLModel, table=True):
    """What an import did to one person: `added`, `joined` (a known person, new on the list) or
    `changed`. `mark` tells whether an added one was changed since; `changes` holds pairs of
    values before and after. It goes when the person goes."""

    __tablename__ = "import_person"
    # The person first: erasing one looks here by the person.
    __table_args__ = ({"sqlite_with_rowid": False},)
    subscriber_id: int = Field(
        sa_column=Column(
            BIG, ForeignKey("subscriber.id", ondelete="CASCADE", **AT_THE_END), primary_key=True
        )
    )
    import_id: int = Field(
        sa_column=Column(
            BIG,
            ForeignKey("import_run.id", ondelete="CASCADE", info=UNCHECKED, **AT_THE_END),
            primary_key=True,
        )
    )
    did: str
    mark: str = ""
    changes: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


IMPORT_RUN = table_of(ImportRunRow)
IMPORT_PERSON = table_of(ImportPersonRow)
