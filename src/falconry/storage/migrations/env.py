"""Alembic's door: runs the migrations on the connection that `storage.migrate` hands over, in its transaction."""

from alembic import context

from falconry.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
