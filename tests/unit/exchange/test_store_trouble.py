"""The database fails at any of its writes (disk full, locked, unreachable): a clear error, and the next run mends it."""

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import event

from careplan_exchange.errors import StoreUnavailableError
from careplan_exchange.store import open_store
from careplan_exchange.store.sqlite import SqliteDatabase
from tests.support.hospital import Hospital


class FullDiskError(StoreUnavailableError):
    """What a test makes of a write."""


def failing_at(number: int, *, after: bool) -> Callable[..., Awaitable[Any]]:
    """`SqliteDatabase.write`, of which the one of this number fails: before it is committed, or (a connection that
    breaks at the wrong moment) after it was."""
    counter = itertools.count()
    write = SqliteDatabase.write

    async def failing(self: SqliteDatabase, work: Any) -> Any:
        mine = next(counter) == number
        if mine and not after:
            raise FullDiskError("The disk is full.", mend="Free space.")
        result = await write(self, work)
        if mine:
            raise FullDiskError("The connection broke.", mend="Repeat.")
        return result

    return failing


@pytest.mark.parametrize("after", [False, True], ids=["before its commit", "after its commit"])
async def test_whichever_write_to_the_database_fails_the_next_run_leaves_one_whole_plan(monkeypatch, after):
    failures = 0
    for number in itertools.count():
        async with open_store("sqlite://") as store:
            hospital = Hospital()
            hospital.plans, hospital.ledger = store.plans, store.ledger
            with monkeypatch.context() as patched:
                patched.setattr(SqliteDatabase, "write", failing_at(number, after=after))
                try:
                    await hospital.sync()
                except FullDiskError:
                    failures += 1
                else:
                    assert number == failures, "a failure of the database was passed over"
                    break
            assert (await hospital.sync()).outcome in {"written", "unchanged"}
            assert (await hospital.sync()).outcome == "unchanged"
            assert len(hospital.writer.resources("CarePlan")) == 1
            assert {len(hospital.writer.history(*key.split("/"))) for key in hospital.everything()} == {1}
            assert await hospital.plans.letters() == ()
            assert (
                await hospital.plans.open_intents(hospital.writer.target, f"Patient/{hospital.source.patient}")
                == ()
            )
            assert (await hospital.ledger.verify()).problem is None
    assert failures >= 3, "intent, commit and ledger at least"


async def test_a_disk_that_fills_up_between_the_write_and_its_commit_loses_nothing(tmp_path):
    """The real thing: SQLite says that it is full (SQLITE_FULL), the plan stands, and the next run knows it."""
    async with open_store(f"sqlite:///{tmp_path}/careplan.db") as store:
        hospital = Hospital()
        hospital.plans, hospital.ledger = store.plans, store.ledger
        engine = store.plans._database._writer

        def fill(connection: Any, _: Any, statement: str, *__: Any) -> None:
            if statement.startswith("UPDATE careplan_intent"):
                connection.connection.execute("PRAGMA max_page_count = 1")

        event.listen(engine, "before_cursor_execute", fill)
        with pytest.raises(StoreUnavailableError, match="disk is full"):
            await hospital.sync()
        assert len(hospital.writer.resources("CarePlan")) == 1
        event.remove(engine, "before_cursor_execute", fill)
    async with open_store(f"sqlite:///{tmp_path}/careplan.db") as store:
        hospital.plans, hospital.ledger = store.plans, store.ledger
        assert (await hospital.sync()).outcome == "unchanged"
        assert len(hospital.writer.resources("CarePlan")) == 1
        assert len(await store.plans.commits()) == 1
