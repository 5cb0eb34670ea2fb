"""Runs migrations on the connection that `store.schema` hands over; there is no other way."""

from alembic import context

from mailout.store import asked_tables, import_tables, inbound_tables

# One description of all tables: each of these modules adds its own when it is read.
(metadata,) = {one.metadata for one in (asked_tables, import_tables, inbound_tables)}
connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
