"""No delivery is `claimed` any more: what was goes back into the queue.

SQLite could change the CHECK on the states only by copying the whole table; there it goes on
allowing a word that nothing writes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STATES = ("queued", "sending", "accepted", "refused", "expired", "skipped", "unknown", "cancelled")


def upgrade() -> None:
    op.execute(
        "UPDATE delivery SET state = 'queued', worker = '', lease_until = NULL"
        " WHERE state = 'claimed'"
    )
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("ck_delivery_state", "delivery")
        op.create_check_constraint("state", "delivery", sa.column("state").in_(_STATES))
