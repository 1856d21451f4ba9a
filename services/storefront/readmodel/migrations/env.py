"""What Alembic runs: the steps, on the connection that ``database.migrate`` holds the lock on."""

from alembic import context

from services.storefront.readmodel.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
