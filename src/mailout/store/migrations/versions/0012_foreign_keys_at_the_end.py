"""What people have (tags, places on lists, what imports did) points to them by foreign keys that
hold once a transaction ends. So SQLite can take thousands of rows by one statement without writing
down what it needs to take that one statement back, which was a tenth of an import."""

from alembic import op
from sqlalchemy import text

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TABLES = ("subscriber_tag", "subscription", "import_person")
_GONE, _LATER = "ON DELETE CASCADE", "ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED"


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        # What points to a table goes along when that is dropped.
        op.execute("CREATE TEMPORARY TABLE kept AS SELECT * FROM merged_token")
        for table in _TABLES:
            _make_anew(table)
        op.execute("INSERT INTO merged_token SELECT * FROM kept")
        op.execute("DROP TABLE kept")
        return
    for table in _TABLES:
        key = f"fk_{table}_subscriber_id"
        op.execute(f"ALTER TABLE {table} ALTER CONSTRAINT {key} DEFERRABLE INITIALLY DEFERRED")


def _make_anew(table: str) -> None:
    """The table with its keys as they are to be. SQLite knows no other way than a copy."""
    plain = op.get_bind()
    described = text("SELECT type, sql FROM sqlite_master WHERE tbl_name = :name AND sql <> ''")
    made = [*plain.execute(described, {"name": table})]
    last = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
    numbered = plain.execute(last, {"name": table}).scalar()
    for statement in (sql for kind, sql in made if kind == "table"):
        op.execute(statement.replace(table, f"new_{table}", 1).replace(_GONE, _LATER))
    op.execute(f"INSERT INTO new_{table} SELECT * FROM {table}")  # noqa: S608 - our own names
    op.execute(f"DROP TABLE {table}")
    op.execute(f"ALTER TABLE new_{table} RENAME TO {table}")
    for statement in (sql for kind, sql in made if kind == "index"):
        op.execute(statement)
    if numbered:  # a number once given is never given again, nor is that of the last who left
        plain.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table})
        again = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)")
        plain.execute(again, {"name": table, "seq": numbered})
