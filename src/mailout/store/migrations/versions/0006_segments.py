"""What segments are counted by: days of joining, issues got, and people by language and country."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ACCEPTED = sa.text("state = 'accepted'")


def upgrade() -> None:
    op.create_index(
        "ix_subscription_list_id_joined_at",
        "subscription",
        ["list_id", "joined_at", "subscriber_id"],
    )
    op.create_index(
        "ix_delivery_accepted",
        "delivery",
        ["issue_id", "subscriber_id"],
        sqlite_where=_ACCEPTED,
        postgresql_where=_ACCEPTED,
    )
    if op.get_bind().dialect.name == "postgresql":
        # An index of SQLite names the row's number anyway.
        for column in ("language", "country"):
            op.drop_index(f"ix_subscriber_{column}", "subscriber")
            op.create_index(
                f"ix_subscriber_{column}", "subscriber", [column], postgresql_include=["id"]
            )
