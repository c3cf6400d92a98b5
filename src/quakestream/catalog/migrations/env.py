"""How Alembic runs the migrations: always on the connection that `schema.migrate` hands over."""

from alembic import context

from quakestream.catalog.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
