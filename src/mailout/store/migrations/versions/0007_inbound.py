"""What comes back: mails kept, their reports as events, probes, providers that rest."""

import sqlalchemy as sa
from alembic import op

from mailout.store.columns import UtcTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_EVENTS = (
    "deferred", "refused", "unknown", "expired", "bounced", "complained", "left", "returned",
    "delayed", "auto-replied", "challenged", "replied", "paused", "stopped", "lifted",
)  # fmt: skip
_LETTERS = (
    "confirm", "known", "welcome", "settings", "new address", "old address", "report", "alert",
    "reply",
)  # fmt: skip
_UNJUDGED = sa.text("category = '' AND kind IN ('refused', 'expired')")


def upgrade() -> None:
    _allow("event", "kind", _EVENTS)
    _allow("letter", "kind", _LETTERS, sqlite_autoincrement=True)
    op.add_column("subscriber", sa.Column("probe_from", UtcTime(), nullable=True))
    op.create_table(
        "inbound",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("digest", sa.String(), nullable=False, unique=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("came_at", UtcTime(), nullable=False, index=True),
        sa.Column("done_at", UtcTime(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("found_by", sa.String(), nullable=False),
        sa.Column("said", sa.String(), nullable=False),
        sa.Column("reports", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column(
            "subscriber_id",
            _ID,
            sa.ForeignKey("subscriber.id", ondelete="SET NULL"),
            nullable=True,
            index=True,
        ),
        sa.Column(
            "delivery_id", _ID, sa.ForeignKey("delivery.id", ondelete="SET NULL"), nullable=True
        ),
        sqlite_autoincrement=True,
    )
    new = sa.text("done_at IS NULL")
    op.create_index("ix_inbound_new", "inbound", ["id"], sqlite_where=new, postgresql_where=new)
    op.add_column("event", sa.Column("category", sa.String(), nullable=False, server_default=""))
    op.add_column(
        "event", sa.Column("counts", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.add_column("event", sa.Column("inbound_id", _ID, nullable=True))
    op.create_index(
        "ix_event_unjudged", "event", ["id"], sqlite_where=_UNJUDGED, postgresql_where=_UNJUDGED
    )
    op.create_index("ix_event_inbound_id", "event", ["inbound_id"])
    op.create_table(
        "rest",
        sa.Column("provider", sa.String(), primary_key=True),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("said", sa.String(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("began_at", UtcTime(), nullable=False),
        sa.Column("until", UtcTime(), nullable=False),
    )


def _allow(table: str, column: str, words: tuple[str, ...], **how: object) -> None:
    """Lets the column have one of the words. SQLite knows no other way than a copy of the table."""
    check = f"ck_{table}_{column}"
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(check, table)
        op.create_check_constraint(column, table, sa.column(column).in_(words))
        return
    last = _last_number(table) if how else 0
    kind = sa.Enum(*words, native_enum=False, create_constraint=True, name=column, length=16)
    with op.batch_alter_table(table, recreate="always", table_kwargs=how) as batch:
        batch.alter_column(column, type_=kind, existing_nullable=False)
    if last:
        op.get_bind().execute(
            sa.text("UPDATE sqlite_sequence SET seq = :last WHERE name = :name"),
            {"last": last, "name": table},
        )


def _last_number(table: str) -> int:
    """The highest number that the table ever gave: none is given twice."""
    found = op.get_bind().execute(
        sa.text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table}
    )
    return int(found.scalar() or 0)
