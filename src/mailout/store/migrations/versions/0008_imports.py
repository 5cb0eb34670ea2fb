"""Imports: which files were taken in, and what each did to whom, so that it can be undone."""

import sqlalchemy as sa
from alembic import op

from mailout.store.columns import UtcTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "import_run",
        sa.Column("id", _BIG, primary_key=True, autoincrement=True),
        sa.Column("list_id", sa.String(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("preset", sa.String(), nullable=False),
        sa.Column("times", sa.JSON(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("undone_at", UtcTime(), nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "import_person",
        sa.Column(
            "subscriber_id",
            _BIG,
            sa.ForeignKey("subscriber.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column(
            "import_id",
            _BIG,
            sa.ForeignKey("import_run.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("did", sa.String(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sqlite_with_rowid=False,
    )
