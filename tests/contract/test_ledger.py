"""What every ports.Ledger does: the memory, SQLite (file and memory) and PostgreSQL."""

import asyncio
import json
import sqlite3
from contextlib import closing
from decimal import Decimal

import asyncpg
import pytest

from careplan_exchange.audit import chain, to_audit_ndjson, verify_audit_ndjson
from careplan_exchange.errors import ConfigurationError
from careplan_exchange.model import codec
from careplan_exchange.model.ledger import Entry, Verdict
from careplan_exchange.store import open_store


def an_entry(number: int, exchange: str = "x1") -> Entry:
    return Entry(exchange=exchange, event="exchange.written", at="2026-01-01T00:00:00Z", data={"n": number})


async def lines_of(ledger) -> list[bytes]:
    return [line async for line in to_audit_ndjson(ledger)]


async def test_an_empty_ledger_fits(store):
    assert await store.ledger.verify() == Verdict(entries=0, head=chain.GENESIS)
    assert await store.ledger.links() == ()
    assert await store.ledger.append([]) == ()


async def test_entries_are_chained_in_order_over_several_appends(store):
    links = await store.ledger.append([an_entry(1), an_entry(2)])
    links += await store.ledger.append([an_entry(3)])
    assert [link.seq for link in links] == [1, 2, 3]
    assert await store.ledger.links() == links
    assert chain.verify(links) == await store.ledger.verify() == Verdict(entries=3, head=links[-1].hash)


async def test_links_are_chosen_by_exchange_place_and_number(store):
    await store.ledger.append([an_entry(n, "x1" if n % 2 else "x2") for n in range(1, 8)])
    assert [x.seq for x in await store.ledger.links(exchange="x1")] == [1, 3, 5, 7]
    assert [x.seq for x in await store.ledger.links(exchange="x1", after=3, limit=1)] == [5]
    assert [x.seq for x in await store.ledger.links(after=5)] == [6, 7]
    assert [x.seq for x in await store.ledger.links(limit=2)] == [1, 2]
    assert await store.ledger.links(exchange="none") == ()


async def test_an_entry_keeps_its_digits_and_its_hash(store):
    data = {"decimal": Decimal("7.20"), "float": 1e22, "tuple": (1, None), "text": "é\u2028\u0000😀", "none": {}}
    entry = Entry(exchange="x1", event="e", at="2026-01-01T00:00:00Z", data=data)
    (appended,) = await store.ledger.append([entry])
    assert await store.ledger.links() == (appended,)
    assert b'"decimal":7.20' in codec.canonical(appended)
    assert (await store.ledger.verify()).problem is None


async def test_an_append_that_fails_leaves_no_part_of_itself(store):
    unfit = Entry(exchange="x1", event="e", at="2026-01-01T00:00:00Z", data={"not": object()})
    with pytest.raises(TypeError):
        await store.ledger.append([an_entry(1), unfit])
    assert await store.ledger.verify() == Verdict(entries=0, head=chain.GENESIS)


async def test_many_tasks_append_to_one_chain(store):
    await asyncio.gather(*(store.ledger.append([an_entry(n), an_entry(n)]) for n in range(20)))
    verdict = await store.ledger.verify()
    assert (verdict.entries, verdict.problem) == (40, None)
    numbers = [link.entry.data["n"] for link in await store.ledger.links()]
    assert numbers[0::2] == numbers[1::2], "the entries of one append stay together"


async def test_a_ledger_longer_than_a_page_is_walked_and_exported_whole(store):
    await store.ledger.append([an_entry(n) for n in range(1201)])
    assert (await store.ledger.verify()).entries == 1201
    lines = await lines_of(store.ledger)
    assert len(lines) == 1202
    assert verify_audit_ndjson(lines) == await store.ledger.verify()


async def test_what_is_appended_during_an_export_is_left_to_the_next(store):
    await store.ledger.append([an_entry(n) for n in range(3)])
    export = to_audit_ndjson(store.ledger)
    header = await anext(export)
    await store.ledger.append([an_entry(9)])
    lines = [header] + [line async for line in export]
    assert verify_audit_ndjson(lines).entries == 3
    assert verify_audit_ndjson(lines).problem is None


async def test_the_header_of_an_export_says_how_many_and_the_head(store):
    links = await store.ledger.append([an_entry(1), an_entry(2)])
    header = json.loads((await lines_of(store.ledger))[0])
    assert (header["format"], header["entries"], header["head"]) == ("careplan-ledger/1", 2, links[-1].hash)


async def run_sql(place, *statements: str) -> None:
    """As somebody would who has the database's password or file, and no scruples."""
    if place.url.startswith("sqlite"):
        with closing(sqlite3.connect(place.url.removeprefix("sqlite:///"))) as connection, connection:
            for statement in statements:
                connection.execute(statement)
    else:
        connection = await asyncpg.connect(place.url, password=place.password)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


async def without_triggers(place, *statements: str) -> None:
    if place.url.startswith("sqlite"):
        names = ("no_update", "no_delete", "at_the_end", "head_no_delete", "head_forward")
        before = [f"DROP TRIGGER IF EXISTS careplan_ledger_{name}" for name in names]
    else:
        before = ["SET session_replication_role = replica"]
    await run_sql(place, *before, *statements)


def copy_of(seq: int, *, at: int) -> str:
    columns = "exchange, entry, previous, hash"
    return f"INSERT INTO careplan_ledger (seq, {columns}) SELECT {at}, {columns} FROM careplan_ledger WHERE seq = {seq}"  # noqa: S608 - constants


@pytest.fixture
async def written(place):
    """A ledger of five entries, each known to be there."""
    async with open_store(place.url, password=place.password) as store:
        await store.ledger.append([an_entry(n) for n in range(1, 6)])
    return place


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE careplan_ledger SET entry = '{}' WHERE seq = 2",
        "DELETE FROM careplan_ledger WHERE seq = 5",
        "DELETE FROM careplan_ledger_head",
        "UPDATE careplan_ledger_head SET seq = 3",
        "UPDATE careplan_ledger_head SET hash = 'x'",
    ],
)
async def test_the_database_itself_refuses_to_change_the_ledger(written, statement):
    with pytest.raises((sqlite3.IntegrityError, asyncpg.RaiseError)):
        await run_sql(written, statement)
    async with open_store(written.url, password=written.password) as store:
        assert (await store.ledger.verify()).problem is None


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_sqlite_refuses_to_replace_an_entry(written):
    with pytest.raises(sqlite3.IntegrityError):
        await run_sql(
            written, "INSERT OR REPLACE INTO careplan_ledger SELECT * FROM careplan_ledger WHERE seq = 3"
        )


@pytest.mark.postgres
@pytest.mark.parametrize("place", ["postgres"], indirect=True)
async def test_postgresql_refuses_to_empty_the_ledger(written):
    for table in ("careplan_ledger", "careplan_ledger_head"):
        with pytest.raises(asyncpg.RaiseError):
            await run_sql(written, f"TRUNCATE {table}")


@pytest.mark.parametrize(
    ("statements", "broken_at", "says"),
    [
        (
            ("UPDATE careplan_ledger SET entry = replace(entry, '\"n\":3', '\"n\":4') WHERE seq = 3",),
            3,
            "altered",
        ),
        (("UPDATE careplan_ledger SET entry = replace(entry, '{', '{ ') WHERE seq = 3",), 3, "altered"),
        (("UPDATE careplan_ledger SET entry = 'not json' WHERE seq = 3",), 3, "cannot be read"),
        (("UPDATE careplan_ledger SET exchange = 'x9' WHERE seq = 3",), 3, "altered"),
        (("UPDATE careplan_ledger SET previous = 'x' WHERE seq = 3",), 3, "does not follow"),
        (("UPDATE careplan_ledger SET hash = 'x' WHERE seq = 3",), 3, "altered"),
        (("DELETE FROM careplan_ledger WHERE seq = 3",), 3, "missing"),
        (("DELETE FROM careplan_ledger WHERE seq = 1",), 1, "missing"),
        (("DELETE FROM careplan_ledger WHERE seq = 5",), 5, "missing"),
        (("DELETE FROM careplan_ledger",), 1, "missing"),
        (
            (
                "UPDATE careplan_ledger SET seq = 99 WHERE seq = 3",
                "UPDATE careplan_ledger SET seq = 3 WHERE seq = 4",
                "UPDATE careplan_ledger SET seq = 4 WHERE seq = 99",
            ),
            3,
            "does not follow",
        ),
        (
            (copy_of(1, at=0),),
            1,
            "before the first",
        ),
        (
            (copy_of(5, at=6),),
            6,
            "does not follow",
        ),
        (("UPDATE careplan_ledger_head SET hash = 'x'",), 5, "hash"),
        (("UPDATE careplan_ledger_head SET seq = 4",), 5, "past the head"),
        (("DELETE FROM careplan_ledger_head",), 5, "head is missing"),
    ],
)  # fmt: skip
async def test_tampering_is_found_at_its_place(written, statements, broken_at, says):
    await without_triggers(written, *statements)
    async with open_store(written.url, password=written.password) as store:
        verdict = await store.ledger.verify()
    assert (verdict.broken_at, says in verdict.problem) == (broken_at, True), verdict.problem


async def test_a_tail_cut_off_together_with_its_head_is_found_by_a_head_kept_elsewhere(written):
    async with open_store(written.url, password=written.password) as store:
        links = await store.ledger.links()
        await without_triggers(
            written,
            "DELETE FROM careplan_ledger WHERE seq > 3",
            f"UPDATE careplan_ledger_head SET seq = 3, hash = '{links[2].hash}'",  # noqa: S608 - a hash of ours
        )
        assert (await store.ledger.verify()).problem is None
        kept = chain.Head(seq=5, hash=links[4].hash)
        assert verify_audit_ndjson(await lines_of(store.ledger), kept=kept).broken_at == 4


async def test_a_broken_ledger_is_exported_whole_and_says_so(written):
    await without_triggers(written, "UPDATE careplan_ledger SET hash = 'x' WHERE seq = 3")
    async with open_store(written.url, password=written.password) as store:
        lines = await lines_of(store.ledger)
    assert len(lines) == 6
    assert json.loads(lines[0])["brokenAt"] == 3
    assert verify_audit_ndjson(lines).broken_at == 3


@pytest.mark.parametrize(
    "statement", ["DELETE FROM careplan_ledger_head", "UPDATE careplan_ledger_head SET seq = 2"]
)
async def test_nothing_is_appended_to_a_ledger_whose_head_does_not_fit(written, statement):
    await without_triggers(written, statement)
    async with open_store(written.url, password=written.password) as store:
        with pytest.raises(ConfigurationError, match="ledger") as raised:
            await store.ledger.append([an_entry(6)])
        assert "audit verify" in raised.value.mend
        assert len(await store.ledger.links()) == 5
