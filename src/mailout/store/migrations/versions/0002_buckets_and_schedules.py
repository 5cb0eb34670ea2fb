"""Token buckets; dispatches that are scheduled, filled later, and tried again by themselves."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from mailout.store.columns import UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bucket",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("slowed", sa.Integer(), nullable=False),
        sa.Column("slowed_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_bucket")),
    )
    op.add_column("dispatch", sa.Column("at", UtcTime(), nullable=True))
    op.add_column("dispatch", sa.Column("filled_at", UtcTime(), nullable=True))
    op.add_column("dispatch", sa.Column("again_at", UtcTime(), nullable=True))
    op.execute("UPDATE dispatch SET filled_at = created_at")
    op.create_index("ix_dispatch_open", "dispatch", ["id"], **_where("ended_at IS NULL"))
    # Claimed in the order in which they are due, so that what is due later is not looked at.
    op.drop_index("ix_delivery_queued", "delivery")
    op.create_index(
        "ix_delivery_queued",
        "delivery",
        ["dispatch_id", "next_at", "id"],
        **_where("state = 'queued'"),
    )


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
