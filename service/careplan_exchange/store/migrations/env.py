"""What Alembic runs: the migrations, on the connection and inside the transaction that `schema.py` hands over."""

from alembic import context

from careplan_exchange.store.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=False,  # the transaction is ours, on both engines
)
context.run_migrations()
