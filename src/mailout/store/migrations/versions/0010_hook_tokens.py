"""Tokens of providers' notices that are good once: which were used, and for what."""

import sqlalchemy as sa
from alembic import op

from mailout.store.columns import UtcTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hook_token",
        sa.Column("token", sa.String(), primary_key=True),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False, index=True),
    )
