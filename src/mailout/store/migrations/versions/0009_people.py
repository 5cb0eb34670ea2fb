"""Notes, merges, logged exports, suppressed domains, partners; two more reasons of suppressions
and one more kind of event."""

import sqlalchemy as sa
from alembic import op

from mailout.store.columns import UtcTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_REASONS = ("by hand", "dead", "complained", "erased", "shared", "merged")
_KINDS = (
    "deferred", "refused", "unknown", "expired", "bounced", "complained", "left", "returned",
    "delayed", "auto-replied", "challenged", "replied", "paused", "stopped", "lifted", "merged",
)  # fmt: skip


def upgrade() -> None:
    for table, column, words in (("suppression", "reason", _REASONS), ("event", "kind", _KINDS)):
        # SQLite copies the table, without its CHECK; at a million rows that takes some seconds.
        with op.batch_alter_table(table) as changed:
            if op.get_bind().dialect.name == "postgresql":
                changed.drop_constraint(op.f(f"ck_{table}_{column}"), type_="check")
            changed.create_check_constraint(column, sa.column(column).in_(words))
    op.create_table(
        "note",
        _own_id(),
        _reference("subscriber"),
        _text("text"),
        _moment("at"),
    )
    op.create_table(
        "merged_address",
        sa.Column("address_key", sa.String(), primary_key=True),
        _reference("subscriber"),
    )
    op.create_table(
        "merged_token",
        sa.Column("token", sa.String(), primary_key=True),
        _reference("subscription"),
    )
    op.create_table(
        "export",
        _own_id(),
        _moment("at"),
        _text("what"),
        _text("form"),
        _text("reason"),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
    )
    op.create_table(
        "suppressed_domain",
        sa.Column("domain", sa.String(), primary_key=True),
        sa.Column("list_id", sa.String(), primary_key=True),
        _text("evidence"),
        _moment("at"),
    )
    op.create_table(
        "partner",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("seen_to", _ID, nullable=False),
    )
    op.create_table(
        "partner_hash",
        sa.Column(
            "partner",
            sa.String(),
            sa.ForeignKey("partner.name", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("hash", sa.String(), primary_key=True),
        _moment("at"),
        sqlite_with_rowid=False,
    )


def _own_id() -> sa.Column[int]:
    return sa.Column("id", _ID, primary_key=True, autoincrement=True)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=False)


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, UtcTime(), nullable=False)


def _reference(table: str) -> sa.Column[int]:
    return sa.Column(
        f"{table}_id",
        _ID,
        sa.ForeignKey(f"{table}.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    )
