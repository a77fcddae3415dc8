"""The migrations give the tables that the code works with."""

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from careplan_exchange.model.chain import GENESIS
from careplan_exchange.store import open_store, schema
from careplan_exchange.store.tables import VERSION_TABLE, metadata


def differences(connection):
    context = MigrationContext.configure(
        connection, opts={"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
    )
    return compare_metadata(context, metadata)


async def test_migrated_sqlite_equals_the_tables_in_the_code(tmp_path):
    async with open_store(f"sqlite:///{tmp_path}/s.db"):
        pass
    engine = create_engine(f"sqlite:///{tmp_path}/s.db")
    with engine.connect() as connection:
        assert differences(connection) == []
    engine.dispose()


@pytest.mark.postgres
async def test_migrated_postgresql_equals_the_tables_in_the_code(postgres):
    url = postgres.new_database()
    async with open_store(url, password=postgres.password):
        pass

    async def connect(*_, **__):
        return await asyncpg.connect(url, password=postgres.password)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


def test_the_code_knows_every_revision_that_is_shipped_in_order():
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    shipped = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(shipped)) == schema.REVISIONS


def test_the_first_migration_starts_the_ledger_where_the_chain_starts():
    """A released migration repeats the constant, so that a change of the code cannot change it."""
    (first,) = (schema.MIGRATIONS / "versions").glob("r0001_*.py")
    namespace: dict = {}
    exec(first.read_text(), namespace)  # noqa: S102 - our own module, which is no part of the package's imports
    assert namespace["_GENESIS"] == GENESIS
