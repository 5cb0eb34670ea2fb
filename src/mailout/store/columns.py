"""Column types that mean the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import DateTime, Dialect, Enum, TypeDecorator
from sqlalchemy.orm import Session


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


def dialect_of(tx: Session) -> str:
    """`sqlite` or `postgresql`."""
    return tx.get_bind().dialect.name


def stored_moment(moment: datetime, dialect: str) -> str:
    """A moment as a driver takes it in a statement of plain SQL: as `UtcTime` stores it."""
    text = moment.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")
    return text[:-6] if dialect == "sqlite" else text
