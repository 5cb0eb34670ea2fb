"""Requests confirmed by a mailed link, single letters, paper sheets, frequencies, pauses with an
end."""

import sqlalchemy as sa
from alembic import op

from mailout.store.columns import UtcTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PURPOSES = ("join", "settings", "address")
_KINDS = (
    "confirm", "known", "welcome", "settings", "new address", "old address", "report", "alert",
)  # fmt: skip
_STATES = ("queued", "sending", "accepted", "refused", "expired", "skipped", "unknown", "cancelled")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=False, server_default="")


def _enum(name: str, members: tuple[str, ...]) -> sa.Column[str]:
    kind = sa.Enum(*members, native_enum=False, create_constraint=True, name=name, length=16)
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    op.add_column("subscription", _text("frequency"))
    op.add_column("subscription", sa.Column("paused_until", UtcTime(), nullable=True))
    paused = sa.text("paused_until IS NOT NULL")
    op.create_index(
        "ix_subscription_paused_until",
        "subscription",
        ["paused_until"],
        sqlite_where=paused,
        postgresql_where=paused,
    )
    op.add_column("issue", _text("digest"))
    op.create_table(
        "request",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        _enum("purpose", _PURPOSES),
        sa.Column("token_hash", sa.String(), nullable=False, unique=True),
        sa.Column("address_key", sa.String(), nullable=False, index=True),
        sa.Column(
            "subscriber_id",
            _ID,
            sa.ForeignKey("subscriber.id", ondelete="CASCADE"),
            nullable=True,
            index=True,
        ),
        sa.Column("list_id", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False, index=True),
    )
    op.create_table(
        "letter",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        _enum("kind", _KINDS),
        sa.Column("list_id", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("address_key", sa.String(), nullable=False, index=True),
        sa.Column("abuse_key", sa.String(), nullable=False),
        sa.Column("said", sa.JSON(), nullable=False),
        _enum("state", _STATES),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("next_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("lease_until", UtcTime(), nullable=True),
        sa.Column("last_text", sa.String(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_letter_abuse_key_created_at", "letter", ["abuse_key", "created_at"])
    still_open = sa.text("state IN ('queued', 'sending')")
    op.create_index(
        "ix_letter_open",
        "letter",
        ["next_at"],
        sqlite_where=still_open,
        postgresql_where=still_open,
    )
    op.create_table(
        "leave_reason",
        sa.Column("once", sa.String(), primary_key=True),
        sa.Column("list_id", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_leave_reason_list_id_at", "leave_reason", ["list_id", "at"])
    op.create_table(
        "sheet",
        sa.Column("code", sa.String(), primary_key=True),
        sa.Column("list_id", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("wording", sa.String(), nullable=False),
        sa.Column("made_at", UtcTime(), nullable=False),
    )
    op.create_table(
        "chore",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("due_at", UtcTime(), nullable=False),
    )
