"""Editions that readers choose, places by country; urgent issues, issues out of the archive."""

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
    op.add_column(
        "issue", sa.Column("archived", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.add_column(
        "issue", sa.Column("signatories", sa.Boolean(), nullable=False, server_default=sa.false())
    )
