"""Editions that readers choose, places that differ by country, urgent issues."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "subscription", sa.Column("edition", sa.String(), nullable=False, server_default="")
    )
    op.add_column(
        "variant", sa.Column("by_country", sa.JSON(), nullable=False, server_default="{}")
    )
    op.add_column(
        "issue", sa.Column("urgent", sa.Boolean(), nullable=False, server_default=sa.false())
    )
