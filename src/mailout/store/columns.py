"""Column types that mean the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Integer,
    Table,
    TypeDecorator,
    text,
)
from sqlalchemy.orm import Session
from sqlmodel import Field, SQLModel


class UtcTime(TypeDecorator[datetime]):
    """An aware moment, stored in UTC. A naive one is a mistake of ours and refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def text_enum(members: type[StrEnum], name: str) -> Any:
    """A text column that holds the members' values, with a CHECK; no native PostgreSQL type."""
    return Enum(
        members,
        native_enum=False,
        create_constraint=True,
        values_callable=lambda enum: [member.value for member in enum],
        name=name,
        length=16,
    )


# 64 bits on PostgreSQL; on SQLite only a column of type INTEGER numbers itself.
BIG = BigInteger().with_variant(Integer(), "sqlite")


def own_id() -> Any:
    """The primary key: a number that the database gives."""
    return Field(default=None, sa_column=Column(BIG, primary_key=True, autoincrement=True))


UNCHECKED = {"unchecked": "postgresql"}
"""Of a foreign key that PostgreSQL does not have: a look at what it names takes longer than writing
the row. What it names is never deleted (docs/adr/0029), or by one function (docs/adr/0031)."""


AT_THE_END: dict[str, Any] = {"deferrable": True, "initially": "DEFERRED"}
"""Of a foreign key that holds once the transaction ends (docs/adr/0030): thousands of rows go into
these tables by one statement, and SQLite need not be able to take that one back."""


def reference(target: str, *, nullable: bool = False, index: bool = False, **how: Any) -> Any:
    """A reference to another row, which goes when that goes; a nullable one is emptied."""
    gone = "SET NULL" if nullable else "CASCADE"
    key = ForeignKey(target, ondelete=gone, **how)
    return Field(default=None, sa_column=Column(BIG, key, nullable=nullable, index=index))


def only(condition: str) -> dict[str, Any]:
    """What makes an index partial, on either database."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def moment(*, nullable: bool = False) -> Any:
    """An aware moment, stored in UTC."""
    return Field(default=None, sa_column=Column(UtcTime, nullable=nullable))


def word_of(members: Any, name: str) -> Any:
    """A text column of the members' values."""
    return Field(sa_column=Column(text_enum(members, name), nullable=False))


def table_of(row: type[SQLModel]) -> Table:
    """The table behind a row class."""
    return cast(Table, vars(row)["__table__"])


def dialect_of(tx: Session) -> str:
    """`sqlite` or `postgresql`."""
    return tx.get_bind().dialect.name


def stored_moment(moment: datetime, dialect: str) -> str:
    """A moment as a driver takes it in a statement of plain SQL: as `UtcTime` stores it."""
    text = moment.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")
    return text[:-6] if dialect == "sqlite" else text
