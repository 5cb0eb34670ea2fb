"""On PostgreSQL deliveries and what imports did point to their issue, dispatch and import
unchecked: none of these is ever deleted, and the checks took half the time of making deliveries."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        return  # there a check costs next to nothing, and taking it away a copy of the table
    op.drop_constraint("fk_delivery_issue_id", "delivery", type_="foreignkey")
    op.drop_constraint("fk_delivery_dispatch_id", "delivery", type_="foreignkey")
    op.drop_constraint("fk_import_person_import_id", "import_person", type_="foreignkey")
