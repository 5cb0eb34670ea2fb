"""Runs migrations on the connection that `store.schema` hands over; there is no other way."""

from alembic import context

from mailout.store.inbound_tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
