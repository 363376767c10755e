"""What Alembic runs around each migration: on the connection that is handed in, never on an address of its own."""

from alembic import context

from sorairo.server.tables import Table

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Table.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
