"""The SQLite file: how it is made and set, and every state in which it may be found."""

import asyncio
import os
import sqlite3
import traceback
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from careplan_exchange.errors import ConfigurationError, StoreUnavailableError, StoreVersionError
from careplan_exchange.model.changes import Base
from careplan_exchange.model.ledger import Entry
from careplan_exchange.store import look, migrate, open_store, schema, sqlite
from careplan_exchange.store.address import address_of
from tests.unit.store.migrating import FAILS_HALF_WAY, LATER, later_code

AT = "2026-01-01T00:00:00Z"
TARGET, PATIENT = "https://t.example/fhir", "Patient/1"


def an_entry(number: int = 1, size: int = 0) -> Entry:
    return Entry(exchange="x1", event="e", at=AT, data={"n": number, "fill": "x" * size})


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "careplan.db"


@pytest.fixture
def url(path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
async def filled(url, path) -> Path:
    async with open_store(url) as store:
        await store.ledger.append([an_entry(n, 500) for n in range(200)])
    return path


@contextmanager
def other_program(path: Path, *statements: str):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
        yield connection


async def test_a_new_file_and_what_stands_beside_it_are_for_the_owner_alone(url, path):
    before = os.umask(0)
    try:
        async with open_store(url) as store:
            await store.ledger.append([an_entry()])
            modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {
        "careplan.db": 0o600,
        "careplan.db-wal": 0o600,
        "careplan.db-shm": 0o600,
        "careplan.db.locks": 0o700,
    }


async def test_every_connection_is_set_to_outlive_a_power_loss(url):
    address = address_of(url)
    names = ("journal_mode", "synchronous", "fullfsync", "temp_store", "trusted_schema")

    def set_to(connection):
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    async with sqlite.opened(address, 1) as database:
        for transaction in (database.write, database.read):
            assert await transaction(set_to) == ["wal", 2, 1, 2, 0]


async def test_a_relative_path_is_the_place_where_it_was_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with open_store("sqlite:///here.db") as store:
        monkeypatch.chdir("/")
        await store.ledger.append([an_entry()])
    assert (tmp_path / "here.db").stat().st_size > 0


async def test_looking_makes_nothing(url, path):
    facts = await look(url)
    assert (facts.state, facts.revision, facts.expected) == ("empty", None, schema.REVISIONS[-1])
    assert list(path.parent.iterdir()) == []
    await migrate(url)
    facts = await look(url)
    assert (facts.state, facts.revision) == ("current", schema.REVISIONS[-1])


async def test_while_another_program_writes_a_write_is_refused_and_reading_goes_on(url, filled, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    async with open_store(url) as store:
        with other_program(filled, "BEGIN IMMEDIATE"):
            with pytest.raises(StoreUnavailableError, match="locked by another program"):
                await store.ledger.append([an_entry()])
            assert (await store.ledger.verify()).entries == 200
        assert len(await store.ledger.append([an_entry()])) == 1


async def test_a_write_that_is_cancelled_while_it_waits_leaves_no_lock_behind(url, filled):
    async with open_store(url) as store:
        with other_program(filled, "BEGIN IMMEDIATE") as other:
            waiting = asyncio.create_task(store.ledger.append([an_entry()]))
            await asyncio.sleep(0.1)
            waiting.cancel()
            await asyncio.sleep(0.05)
            waiting.cancel()
            other.execute("ROLLBACK")
        (result,) = await asyncio.gather(waiting, return_exceptions=True)
        assert isinstance(result, asyncio.CancelledError)
        await store.ledger.append([an_entry()])
        assert (await store.ledger.verify()).entries == 202, "the one that was begun ended"


async def test_a_cancelled_write_that_fails_is_cancelled(url, filled, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.2)
    async with open_store(url) as store:
        with other_program(filled, "BEGIN IMMEDIATE"):
            waiting = asyncio.create_task(store.ledger.append([an_entry()]))
            await asyncio.sleep(0.05)
            waiting.cancel()
            (result,) = await asyncio.gather(waiting, return_exceptions=True)
        assert isinstance(result, asyncio.CancelledError)
        assert (await store.ledger.verify()).entries == 200


async def test_a_file_that_another_program_keeps_to_itself_is_locked(url, filled, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    with other_program(filled, "PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE"):
        with pytest.raises(StoreUnavailableError, match="locked by another program") as raised:
            async with open_store(url):
                pytest.fail("it is locked")
        assert raised.value.exit_code == 5
    async with open_store(url) as store:
        assert (await store.ledger.verify()).entries == 200


async def test_a_full_disk_loses_nothing_that_was_stored(url, path, monkeypatch):
    monkeypatch.setattr(sqlite, "SETTINGS", (*sqlite.SETTINGS, "PRAGMA max_page_count = 60"))
    stored = 0

    async def fill(ledger) -> None:
        nonlocal stored
        for _ in range(100):
            await ledger.append([an_entry(size=2000), an_entry(size=2000)])
            stored += 2

    async with open_store(url) as store:
        with pytest.raises(StoreUnavailableError, match="disk is full") as raised:
            await fill(store.ledger)
        assert "Free space" in raised.value.mend
        verdict = await store.ledger.verify()
        assert (verdict.entries, verdict.problem) == (stored, None)
    monkeypatch.undo()
    async with open_store(url) as store:
        await store.ledger.append([an_entry()])
        assert (await store.ledger.verify()).entries == stored + 1


async def test_a_disk_without_room_for_a_new_database_says_so(url, path, monkeypatch):
    monkeypatch.setattr(sqlite, "SETTINGS", (*sqlite.SETTINGS, "PRAGMA max_page_count = 3"))
    with pytest.raises(StoreUnavailableError, match="disk is full"):
        async with open_store(url):
            pytest.fail("there is no room")
    monkeypatch.undo()
    async with open_store(url) as store:
        assert (await store.ledger.verify()).problem is None


async def test_a_file_that_is_no_database_is_left_as_it_is(url, path):
    path.write_bytes(b"a list of things to do\n" * 100)
    with pytest.raises(ConfigurationError, match="is not a SQLite database"):
        async with open_store(url):
            pytest.fail("it is no database")
    assert path.read_bytes() == b"a list of things to do\n" * 100


async def test_a_damaged_file_is_told_from_one_that_is_whole(url, filled):
    with filled.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (filled.stat().st_size - 4096))
    with pytest.raises(ConfigurationError, match="is damaged") as raised:
        async with open_store(url) as store:
            await store.ledger.verify()
    assert "backup" in raised.value.mend


async def test_a_database_of_another_program_is_left_as_it_is(url, path):
    with other_program(path, "CREATE TABLE music (id INTEGER)"):
        pass
    with pytest.raises(ConfigurationError, match="tables of another program"):
        async with open_store(url):
            pytest.fail("it is not ours")
    with other_program(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("music",)]


async def test_tables_of_ours_without_a_version_are_not_guessed_at(url, filled):
    with other_program(filled, "DROP TABLE careplan_version"):
        pass
    with pytest.raises(StoreVersionError, match="no version"):
        async with open_store(url):
            pytest.fail("its version is not known")


@pytest.mark.parametrize(
    "statement", ["UPDATE careplan_version SET version_num = '0999'", "DELETE FROM careplan_version"]
)
async def test_a_newer_database_is_not_touched(url, filled, statement):
    with other_program(filled, statement):
        pass
    before = filled.read_bytes()

    async def use(url: str) -> None:
        async with open_store(url):
            pytest.fail("it is newer")

    for attempt in (use, look, migrate):
        with pytest.raises(StoreVersionError) as raised:
            await attempt(url)
    assert raised.value.exit_code == 2
    assert "Install" in raised.value.mend
    assert filled.read_bytes() == before


async def test_an_older_file_migrates_itself_with_a_copy_beside_it(url, filled, tmp_path, monkeypatch):
    later_code(monkeypatch, tmp_path)
    assert (await look(url)).state == "older"
    async with open_store(url) as store:
        assert (await store.ledger.verify()).entries == 200
    assert (await look(url)).revision == LATER
    copy = tmp_path / f"careplan.db.before-{LATER}"
    assert copy.stat().st_mode & 0o777 == 0o600
    monkeypatch.undo()
    async with open_store(f"sqlite:///{copy}") as store:
        assert (await store.ledger.verify()).entries == 200


async def test_an_older_file_opened_by_several_at_once_is_migrated_once(url, filled, tmp_path, monkeypatch):
    later_code(monkeypatch, tmp_path)
    copies = []
    original = sqlite._check_and_copy
    monkeypatch.setattr(
        sqlite, "_check_and_copy", lambda path, label: (copies.append(path), original(path, label))
    )
    assert await asyncio.gather(*(migrate(url) for _ in range(4))) == [LATER] * 4
    assert len(copies) == 1


async def test_a_migration_that_fails_changes_nothing(url, filled, tmp_path, monkeypatch):
    later_code(monkeypatch, tmp_path, FAILS_HALF_WAY)
    with pytest.raises(StoreUnavailableError):
        async with open_store(url):
            pytest.fail("the migration fails")
    with other_program(filled) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        assert "careplan_later" not in tables
    monkeypatch.undo()
    async with open_store(url) as store:
        assert (await store.ledger.verify()).entries == 200


async def test_a_damaged_file_is_not_migrated(url, filled, tmp_path, monkeypatch):
    with filled.open("r+b") as file:
        file.seek(filled.stat().st_size - 8 * 4096)
        file.write(b"\xff" * 4 * 4096)
    before = filled.read_bytes()
    later_code(monkeypatch, tmp_path)
    with pytest.raises(ConfigurationError, match="damaged"):
        async with open_store(url):
            pytest.fail("it is damaged")
    assert filled.read_bytes() == before


@pytest.mark.parametrize(
    ("below", "says"),
    [
        ("no/folder/careplan.db", "no folder to stand in"),
        ("file/careplan.db", "no folder to stand in"),
        ("", "is a folder"),
    ],
)
async def test_a_path_where_no_file_can_be_is_a_matter_of_settings(tmp_path, below, says):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=says) as raised:
        async with open_store(f"sqlite:///{tmp_path / below}"):
            pytest.fail("no file can be there")
    assert "store.url" in raised.value.mend


@pytest.fixture
def nobody(tmp_path):
    """Rights do not bind root: for this test we are somebody else."""
    if os.geteuid() != 0:
        yield
        return
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    for file in tmp_path.rglob("*"):
        os.chown(file, 65534, 65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("mode", [0o000, 0o400])
async def test_a_file_that_may_not_be_written_is_a_matter_of_rights(url, filled, mode, nobody):
    filled.chmod(mode)
    with pytest.raises(ConfigurationError, match="may not be opened") as raised:
        async with open_store(url):
            pytest.fail("it may not be written")
    assert "right to write" in raised.value.mend


async def test_a_folder_that_may_not_be_written_is_a_matter_of_rights(url, path, nobody):
    with pytest.raises(ConfigurationError, match="may not be opened"):
        async with open_store(url):
            pytest.fail("nothing may be made there")


async def test_no_error_repeats_a_statement_or_a_value(url, filled, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    body = {"note": "Hildegard-Secret"}
    base = Base(identity="goal-1", type="Goal", id="g", version_id="1", ours=body, stored=body)
    async with open_store(url) as store:
        with other_program(filled, "DROP TABLE careplan_base"):
            pass
        with pytest.raises(StoreUnavailableError) as raised:
            await store.plans.save_bases(TARGET, PATIENT, [base])
    shown = "".join(traceback.format_exception(raised.value))
    assert "refused a statement (SQLITE_ERROR)" in shown
    for hidden in ("Hildegard", "INSERT INTO", "careplan_base", PATIENT):
        assert hidden not in shown


async def test_a_document_that_this_version_cannot_read_is_a_matter_of_version(url, filled):
    async with open_store(url) as store:
        base = Base(identity="goal-1", type="Goal", id="g", version_id="1", ours={}, stored={})
        await store.plans.save_bases(TARGET, PATIENT, [base])
        with other_program(filled, "UPDATE careplan_base SET document = '{}'"):
            pass
        with pytest.raises(StoreVersionError, match="cannot read"):
            await store.plans.bases(TARGET, PATIENT)
