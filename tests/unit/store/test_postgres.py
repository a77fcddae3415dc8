"""PostgreSQL: what it says when it cannot be used, and what we make of it."""

import asyncio
import traceback

import asyncpg
import pytest
from sqlalchemy.util import await_only

from careplan_exchange.errors import ConfigurationError, StoreUnavailableError, StoreVersionError
from careplan_exchange.model.ledger import Entry
from careplan_exchange.store import look, migrate, open_store, schema
from careplan_exchange.store.address import address_of
from careplan_exchange.store.postgres import opened
from tests.unit.store.migrating import FAILS_HALF_WAY, LATER, later_code

pytestmark = pytest.mark.postgres

ENTRY = Entry(exchange="x1", event="e", at="2026-01-01T00:00:00Z")


@pytest.fixture
def url(postgres) -> str:
    return postgres.new_database()


async def run_sql(postgres, url, *statements: str) -> None:
    connection = await postgres.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def refused(url, password) -> Exception:
    with pytest.raises((ConfigurationError, StoreUnavailableError)) as raised:
        async with open_store(url, password=password):
            pytest.fail("it cannot be opened")
    assert password is None or password not in "".join(traceback.format_exception(raised.value))
    return raised.value


async def test_a_wrong_password_is_a_matter_of_configuration(postgres, url):
    error = await refused(url, "wrong-password-1")
    assert isinstance(error, ConfigurationError)
    assert "user and password" in error.detail
    assert "password_file" in error.mend


async def test_a_password_in_the_url_is_used_and_never_shown(postgres, url):
    with_password = url.replace("careplan@", f"careplan:{postgres.password}@")
    async with open_store(with_password) as store:
        await store.ledger.append([ENTRY])
    assert postgres.password not in (await look(with_password)).place


async def test_an_unknown_user_is_a_matter_of_configuration(postgres, url):
    assert isinstance(await refused(url.replace("careplan@", "somebody@"), postgres.password), ConfigurationError)


async def test_an_unknown_database_is_a_matter_of_configuration(postgres):
    error = await refused(postgres.url("not_there"), postgres.password)
    assert isinstance(error, ConfigurationError)
    assert "does not exist" in error.detail
    assert "createdb" in error.mend


@pytest.mark.parametrize("host", ["127.0.0.1:1", "no-such-host.invalid:5432"])
async def test_a_server_that_is_not_there_is_unavailable(host):
    error = await refused(f"postgresql://careplan@{host}/care", "any-password-1")
    assert isinstance(error, StoreUnavailableError)
    assert "cannot be reached" in error.detail
    assert error.exit_code == 5


async def test_a_server_without_a_connection_left_is_unavailable(postgres, url):
    name = url.rpartition("/")[2]
    await run_sql(
        postgres, url, "CREATE ROLE narrow LOGIN PASSWORD 'narrow-1' CONNECTION LIMIT 0",
        f"GRANT ALL ON DATABASE {name} TO narrow",
    )  # fmt: skip
    error = await refused(url.replace("careplan@", "narrow@"), "narrow-1")
    assert isinstance(error, StoreUnavailableError)
    assert "no connection left" in error.detail
    await run_sql(postgres, url, f"REVOKE ALL ON DATABASE {name} FROM narrow", "DROP ROLE narrow")


async def test_a_user_without_rights_is_a_matter_of_configuration(postgres, url):
    await run_sql(postgres, url, "CREATE ROLE guest LOGIN PASSWORD 'guest-1'")
    error = await refused(url.replace("careplan@", "guest@"), "guest-1")
    assert isinstance(error, ConfigurationError)
    assert "rights" in error.detail
    await run_sql(postgres, url, "DROP ROLE guest")


async def test_a_standby_that_may_only_be_read_is_a_matter_of_configuration(postgres, url):
    name = url.rpartition("/")[2]
    await run_sql(postgres, url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    error = await refused(url, postgres.password)
    assert isinstance(error, ConfigurationError)
    assert "only be read" in error.detail


async def test_looking_makes_nothing(postgres, url):
    assert (await look(url, password=postgres.password)).state == "empty"
    connection = await postgres.connect(url)
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    assert tables == []


async def test_tables_of_another_program_in_the_same_database_are_left_alone(postgres, url):
    await run_sql(postgres, url, "CREATE TABLE music (id integer)", "INSERT INTO music VALUES (1)")
    async with open_store(url, password=postgres.password) as store:
        await store.ledger.append([ENTRY])
    await run_sql(postgres, url, "SELECT id FROM music")


async def test_an_older_database_waits_for_an_explicit_migration(postgres, url, tmp_path, monkeypatch):
    async with open_store(url, password=postgres.password) as store:
        await store.ledger.append([ENTRY])
    later_code(monkeypatch, tmp_path)
    error = await refused(url, postgres.password)
    assert isinstance(error, StoreVersionError)
    assert "older" in error.detail
    assert "doctor --migrate" in error.mend
    assert (await look(url, password=postgres.password)).state == "older"
    done = await asyncio.gather(*(migrate(url, password=postgres.password) for _ in range(4)))
    assert done == [LATER] * 4
    async with open_store(url, password=postgres.password) as store:
        assert (await store.ledger.verify()).entries == 1


async def test_a_migration_that_fails_changes_nothing(postgres, url, tmp_path, monkeypatch):
    await migrate(url, password=postgres.password)
    later_code(monkeypatch, tmp_path, FAILS_HALF_WAY)
    with pytest.raises(StoreVersionError):
        await migrate(url, password=postgres.password)
    monkeypatch.undo()
    assert (await look(url, password=postgres.password)).state == "current"
    with pytest.raises(asyncpg.UndefinedTableError):
        await run_sql(postgres, url, "SELECT id FROM careplan_later")


async def test_a_newer_database_is_not_touched(postgres, url):
    await migrate(url, password=postgres.password)
    await run_sql(postgres, url, "UPDATE careplan_version SET version_num = '0999'")
    error = await refused(url, postgres.password)
    assert isinstance(error, StoreVersionError)
    assert schema.REVISIONS[-1] in error.detail
    with pytest.raises(StoreVersionError):
        await migrate(url, password=postgres.password)


async def test_a_commit_is_durable_also_where_the_server_is_set_to_be_quick(postgres, url):
    name = url.rpartition("/")[2]
    await run_sql(postgres, url, f"ALTER DATABASE {name} SET synchronous_commit = off")
    address = address_of(url, password=postgres.password)
    async with opened(address, 1) as database:
        shown = await database.write(lambda c: c.exec_driver_sql("SHOW synchronous_commit").scalar())
    assert shown == "on"


def break_all(url: str) -> str:
    name = url.rpartition("/")[2]
    return f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608 - our own name


async def test_the_store_works_again_after_the_server_broke_every_connection(postgres, url):
    async with open_store(url, password=postgres.password) as store:
        await store.ledger.append([ENTRY])
        await run_sql(postgres, postgres.url("postgres"), break_all(url))
        await store.ledger.append([ENTRY])
        assert (await store.ledger.verify()).entries == 2


async def test_a_connection_that_breaks_inside_a_transaction_is_unavailable_and_leaves_nothing(postgres, url):
    def work(connection) -> None:
        connection.exec_driver_sql("CREATE TABLE half (id integer)")
        await_only(run_sql(postgres, postgres.url("postgres"), break_all(url)))
        connection.exec_driver_sql("INSERT INTO half VALUES (1)")

    async with opened(address_of(url, password=postgres.password), 1) as database:
        with pytest.raises(StoreUnavailableError):
            await database.write(work)
    with pytest.raises(asyncpg.UndefinedTableError):
        await run_sql(postgres, url, "SELECT id FROM half")


async def test_a_waiting_limit_ends_the_waiting_session_too(postgres, url):
    async def hold(seconds: float) -> None:
        async with (
            open_store(url, password=postgres.password, lock_seconds=seconds) as store,
            store.plans.patient_lock("t", "Patient/1"),
        ):
            pass

    async with open_store(url, password=postgres.password) as holder:
        async with holder.plans.patient_lock("t", "Patient/1"):
            with pytest.raises(StoreUnavailableError, match="within"):
                await hold(0.2)
        await hold(10)


async def test_a_reading_transaction_sees_one_state_throughout(postgres, url):
    count = "SELECT count(*) FROM careplan_ledger"
    address = address_of(url, password=postgres.password)
    async with open_store(url, password=postgres.password) as store, opened(address, 1) as database:

        def twice(connection) -> list[int]:
            before = connection.exec_driver_sql(count).scalar()
            await_only(store.ledger.append([ENTRY]))
            return [before, connection.exec_driver_sql(count).scalar()]

        assert await database.read(twice) == [0, 0]
        assert await database.read(lambda connection: connection.exec_driver_sql(count).scalar()) == 1


@pytest.mark.parametrize(
    ("state", "said"), [("53100", "disk is full"), ("55P03", "locked"), ("57P03", "starting or shutting down")]
)
async def test_what_the_server_says_inside_a_transaction_is_told_and_undone(postgres, url, state, said):
    def work(connection) -> None:
        connection.exec_driver_sql("CREATE TABLE half (id integer)")
        connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$")

    async with opened(address_of(url, password=postgres.password), 1) as database:
        with pytest.raises(StoreUnavailableError, match=said):
            await database.write(work)
    with pytest.raises(asyncpg.UndefinedTableError):
        await run_sql(postgres, url, "SELECT id FROM half")


async def test_a_transaction_whose_process_was_stopped_does_not_keep_its_rows_for_good(postgres, url):
    async with opened(address_of(url, password=postgres.password), 1) as database:
        shown = await database.write(
            lambda c: c.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar()
        )
    assert shown == "30s"
