"""What every ports.Ledger does with tenants, signed heads and tombstones; and what PostgreSQL's roles may do."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from careplan_exchange.audit import (
    Keyring,
    SigningKey,
    removable,
    remove,
    sign_head,
    to_audit_ndjson,
    verify_audit_ndjson,
    verify_ledger,
)
from careplan_exchange.errors import ConfigurationError, DecisionNeededError, UsageError
from careplan_exchange.model import chain
from careplan_exchange.model.chain import Head, Mark
from careplan_exchange.model.ledger import Entry
from careplan_exchange.model.seals import Tombstone
from careplan_exchange.store import open_store, roles_sql

KEY = SigningKey.new()
KEYS = Keyring([KEY.public])
NOW = datetime(2036, 1, 1, tzinfo=UTC)


def an_entry(number: int, at: datetime = NOW) -> Entry:
    return Entry(exchange=f"x{number}", event="exchange.written", at=at.isoformat(), data={"n": number})


async def grown(ledger, *, years=(20, 15, 11, 9, 1)) -> None:
    """Two entries of each age, and a signed head after each pair."""
    for age in years:
        at = NOW - timedelta(days=365 * age)
        await ledger.append([an_entry(age, at), an_entry(age, at)])
        await sign_head(ledger, KEY, at)


async def lines_of(ledger) -> list[bytes]:
    return [line async for line in to_audit_ndjson(ledger)]


async def test_the_head_is_the_last_entry(store):
    assert await store.ledger.head() == Head(seq=0, hash=chain.GENESIS)
    (link,) = await store.ledger.append([an_entry(1)])
    assert await store.ledger.head() == Head(seq=1, hash=link.hash)


async def test_signed_heads_are_kept_in_order_and_checked(store):
    await grown(store.ledger, years=(3, 2))
    assert [seal.statement.seq for seal in await store.ledger.seals()] == [2, 4]
    assert [seal.statement.seq for seal in await store.ledger.seals(newest=1)] == [4]
    verdict = await verify_ledger(store.ledger, KEYS)
    assert (verdict.entries, verdict.problem, verdict.signed) == (4, None, 4)
    unchecked = await verify_ledger(store.ledger)
    assert (unchecked.problem, unchecked.signed) == (None, None)


async def test_a_walk_goes_on_from_a_head_and_compares_the_marks_ahead(store):
    links = await store.ledger.append([an_entry(n) for n in range(6)])
    since = Head(seq=3, hash=links[2].hash)
    told = []
    verdict = await store.ledger.verify(since=since, progress=lambda done, total: told.append((done, total)))
    assert (verdict.entries, verdict.problem) == (6, None)
    assert told[-1] == (6, 6)
    assert (await store.ledger.verify(since=Head(seq=3, hash="0" * 64))).broken_at == 3
    assert (await store.ledger.verify(since=Head(seq=9, hash="0" * 64))).broken_at == 9
    marks = [Mark(seq=5, hash="0" * 64, source="kept")]
    assert (await store.ledger.verify(since=since, marks=marks)).broken_at == 5


async def test_old_entries_go_up_to_a_signed_head_and_a_tombstone_stands_in_their_place(store):
    await grown(store.ledger)
    before = await store.ledger.links()
    removal = await removable(store.ledger, KEYS, "10y", NOW)
    assert (removal.entries, removal.first, removal.seq) == (6, 1, 6)
    assert await store.ledger.links() == before, "to ask removes nothing"
    tombstone = await remove(store.ledger, KEY, removal, by="an auditor", at=NOW)
    assert (tombstone.by, tombstone.policy, tombstone.hash) == ("an auditor", "older than 10y", before[5].hash)
    assert await store.ledger.links() == before[6:]
    verdict = await verify_ledger(store.ledger, KEYS)
    assert (verdict.entries, verdict.problem, verdict.removed) == (10, None, 6)
    assert (await removable(store.ledger, KEYS, "10y", NOW)).entries == 0
    for seq in (2, 6, 8):  # one that was removed, the last of those, one that stands
        since = Head(seq=seq, hash=before[seq - 1].hash)
        assert (await verify_ledger(store.ledger, KEYS, since=since)).problem is None
    for seq in (6, 8):
        since = Head(seq=seq, hash="0" * 64)
        assert (await verify_ledger(store.ledger, KEYS, since=since)).broken_at == seq
    await store.ledger.append([an_entry(99)])
    assert (await verify_ledger(store.ledger, KEYS)).entries == 11


async def test_a_ledger_can_be_shortened_again_and_to_nothing(store):
    await grown(store.ledger)
    for age, gone in (("14y", 4), ("5y", 4), ("10d", 2)):
        removal = await removable(store.ledger, KEYS, age, NOW)
        assert removal.entries == gone
        await remove(store.ledger, KEY, removal, by="an auditor", at=NOW)
        verdict = await verify_ledger(store.ledger, KEYS)
        assert (verdict.entries, verdict.problem) == (10, None)
    assert await store.ledger.links() == ()
    (link,) = await store.ledger.append([an_entry(99)])
    assert link.seq == 11
    assert (await verify_ledger(store.ledger, KEYS)).problem is None


async def test_an_exported_file_stands_for_itself_with_the_public_key_alone(store):
    await grown(store.ledger)
    whole = await lines_of(store.ledger)
    removal = await removable(store.ledger, KEYS, "10y", NOW)
    await remove(store.ledger, KEY, removal, by="an auditor", at=NOW)
    lines = await lines_of(store.ledger)
    for exported, removed in ((whole, 0), (lines, 6)):
        verdict = verify_audit_ndjson(exported, KEYS, must_be_signed=True)
        assert (verdict.entries, verdict.problem, verdict.removed, verdict.signed) == (10, None, removed, 10)
        stranger = Keyring([SigningKey.new().public])
        assert verify_audit_ndjson(exported, stranger).problem is not None
        for place in range(len(exported)):
            assert verify_audit_ndjson([*exported[:place], *exported[place + 1 :]], KEYS).problem is not None
    assert verify_audit_ndjson(lines).problem is not None, "a tombstone is not believed unseen"


async def test_an_entry_with_a_clock_gone_wrong_stops_a_retention(store):
    await store.ledger.append([an_entry(1, NOW - timedelta(days=9000)), an_entry(2), an_entry(3)])
    await store.ledger.append([msgspec.structs.replace(an_entry(4), at="long ago")])
    await sign_head(store.ledger, KEY, NOW)
    assert (await removable(store.ledger, KEYS, "1y", NOW)).entries == 0


async def test_nothing_is_removed_under_a_tombstone_that_tells_of_something_else(store):
    await grown(store.ledger)
    links = await store.ledger.links()
    good = Tombstone(
        tenant="default", first=1, seq=4, previous=chain.GENESIS, hash=links[3].hash, entries=4,
        policy="p", by="b", at="t", key=KEY.id,
    )  # fmt: skip
    changes = ({"first": 2}, {"previous": "1" * 64}, {"hash": links[4].hash}, {"seq": 5}, {"seq": 99}, {"seq": 0})
    for change in changes:
        with pytest.raises(UsageError):
            await store.ledger.remove(KEY.seal(msgspec.structs.replace(good, **change)))
    assert await store.ledger.links() == links
    with pytest.raises(UsageError):
        await store.ledger.remove((await store.ledger.seals())[0])
    assert await store.ledger.remove(KEY.seal(good)) == 4


@pytest.mark.parametrize("age", ["", "10", "y", "0y", "10m", "-1y", "1.5y", "9999y", "10 y"])
async def test_what_is_no_age_is_refused(store, age):
    with pytest.raises(UsageError):
        await removable(store.ledger, KEYS, age, NOW)


async def test_tenants_of_one_database_have_chains_of_their_own(place):
    async with (
        open_store(place.url, password=place.password) as default,
        open_store(place.url, password=place.password, tenant="north") as north,
        open_store(place.url, password=place.password, tenant="south") as south,
    ):
        ledgers = [default.ledger, north.ledger, south.ledger]
        assert (await south.ledger.verify()).entries == 0
        await asyncio.gather(*(ledger.append([an_entry(n)]) for ledger in ledgers for n in range(5)))
        for ledger in ledgers:
            await sign_head(ledger, KEY, NOW)
            verdict = await verify_ledger(ledger, KEYS)
            assert (verdict.entries, verdict.problem, verdict.signed) == (5, None, 5)
        assert [ledger.tenant for ledger in ledgers] == ["default", "north", "south"]
        heads = [await ledger.head() for ledger in ledgers]
        assert len({head.hash for head in heads}) == 3
        lines = await lines_of(north.ledger)
        assert b'"tenant":"north"' in lines[0]
        assert verify_audit_ndjson(lines, KEYS).problem is None
        renamed = [lines[0].replace(b"north", b"south"), *lines[1:]]
        assert verify_audit_ndjson(renamed).broken_at == 1
        removal = await removable(north.ledger, KEYS, "1d", NOW + timedelta(days=9))
        await remove(north.ledger, KEY, removal, by="an auditor", at=NOW)
        assert [len(await ledger.links()) for ledger in ledgers] == [5, 0, 5]


async def test_two_processes_that_begin_a_tenants_chain_at_once_begin_one(place):
    async with (
        open_store(place.url, password=place.password, tenant="north") as one,
        open_store(place.url, password=place.password, tenant="north") as other,
    ):
        await asyncio.gather(*(store.ledger.append([an_entry(n)]) for n in range(10) for store in (one, other)))
        verdict = await one.ledger.verify()
        assert (verdict.entries, verdict.problem) == (20, None)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_a_tenants_head_that_is_lost_is_not_taken_for_a_new_chain(place):
    async with open_store(place.url, tenant="north") as store:
        await store.ledger.append([an_entry(1)])
        with closing(sqlite3.connect(place.url.removeprefix("sqlite:///"))) as database:
            database.execute("DROP TRIGGER careplan_ledger_head_no_delete")
            database.execute("DELETE FROM careplan_ledger_head WHERE tenant = 'north'")
            database.commit()
        assert "head is missing" in (await store.ledger.verify()).problem
        for work in (store.ledger.append([an_entry(2)]), store.ledger.head()):
            with pytest.raises(ConfigurationError, match="lost its head"):
                await work


async def test_of_a_ledger_that_does_not_hold_nothing_is_removed(place):
    async with open_store(place.url, password=place.password) as store:
        await grown(store.ledger)
        with pytest.raises(DecisionNeededError, match="does not hold"):
            await removable(store.ledger, Keyring([SigningKey.new().public]), "10y", NOW)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE careplan_ledger_seal SET seq = 1",
        "DELETE FROM careplan_ledger_seal",
        "UPDATE careplan_ledger_head SET tenant = 'south'",
        "DELETE FROM careplan_ledger WHERE seq = 10",
    ],
)
async def test_after_a_retention_the_database_refuses_changes_as_before(place, statement):
    async with open_store(place.url, password=place.password) as store:
        await grown(store.ledger)
        removal = await removable(store.ledger, KEYS, "10y", NOW)
        await remove(store.ledger, KEY, removal, by="an auditor", at=NOW)
        if place.password is None:
            with (
                closing(sqlite3.connect(place.url.removeprefix("sqlite:///"))) as database,
                pytest.raises(sqlite3.IntegrityError),
            ):
                database.execute(statement)
        else:
            connection = await asyncpg.connect(place.url, password=place.password)
            with pytest.raises(asyncpg.RaiseError):
                await connection.execute(statement)
            await connection.close()


# --- the roles of PostgreSQL

FORBIDDEN = [
    "UPDATE careplan_ledger SET entry = '{}'",
    "DELETE FROM careplan_ledger",
    "TRUNCATE careplan_ledger",
    "DROP TRIGGER careplan_ledger_no_change ON careplan_ledger",
    "ALTER TABLE careplan_ledger DISABLE TRIGGER ALL",
    "ALTER TABLE careplan_ledger DROP COLUMN hash",
    "DROP TABLE careplan_ledger",
    "DROP FUNCTION careplan_ledger_refuse() CASCADE",
    "CREATE OR REPLACE FUNCTION careplan_ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    "SET session_replication_role = replica",
    "UPDATE careplan_ledger_seal SET seq = 1",
    "DELETE FROM careplan_ledger_seal",
    "TRUNCATE careplan_ledger_seal",
    "DELETE FROM careplan_ledger_head",
    "TRUNCATE careplan_ledger_head",
    "UPDATE careplan_ledger_head SET tenant = 'south'",
    "UPDATE careplan_version SET version_num = '0001'",
    "CREATE TABLE careplan_own (seq bigint)",
]


@pytest.fixture
async def limited(postgres):
    """A database whose tables belong to one role that is no superuser; its URL, and that of the service's role."""
    url = postgres.new_database()
    name = url.rpartition("/")[2]
    roles = owner, application = f"own_{name}", f"app_{name}"
    superuser = await asyncpg.connect(url, password=postgres.password)
    for role in roles:
        await superuser.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'made-up'")
    await superuser.execute(f"ALTER DATABASE {name} OWNER TO {owner}")
    owners, services = (url.replace("//careplan@", f"//{role}@") for role in roles)
    async with open_store(owners, password="made-up") as store:
        await grown(store.ledger)
    connection = await asyncpg.connect(owners, password="made-up")
    for _ in range(2):  # it may be run again
        await connection.execute(roles_sql(application))
    await connection.close()
    yield owners, services
    await superuser.execute(f"ALTER DATABASE {name} OWNER TO careplan")
    for role in (application, owner):
        await superuser.execute(f"DROP OWNED BY {role}")
        await superuser.execute(f"DROP ROLE {role}")
    await superuser.close()


@pytest.mark.postgres
async def test_the_services_role_can_add_to_the_ledger_and_change_nothing_of_it(limited):
    _, url = limited
    connection = await asyncpg.connect(url, password="made-up")
    for statement in FORBIDDEN:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()


@pytest.mark.postgres
async def test_the_product_works_under_the_services_role(limited):
    _, url = limited
    async with open_store(url, password="made-up") as store:
        await store.ledger.append([an_entry(1)])
        await sign_head(store.ledger, KEY, NOW)
        verdict = await verify_ledger(store.ledger, KEYS)
        assert (verdict.entries, verdict.problem, verdict.signed) == (11, None, 11)
        async with store.plans.patient_lock("https://t", "Patient/1"):
            await store.plans.save_bases("https://t", "Patient/1", [])
        assert await store.plans.unfinished_exchanges() == ()
    async with open_store(url, password="made-up", tenant="north") as store:
        await store.ledger.append([an_entry(1)])
        assert (await store.ledger.verify()).entries == 1


@pytest.mark.postgres
async def test_the_services_role_cannot_remove_what_the_owner_can(limited):
    owner, url = limited
    async with open_store(url, password="made-up") as store:
        removal = await removable(store.ledger, KEYS, "10y", NOW)
        with pytest.raises(ConfigurationError, match="rights"):
            await remove(store.ledger, KEY, removal, by="the service", at=NOW)
        assert len(await store.ledger.links()) == 10
    async with open_store(owner, password="made-up") as store:
        await remove(store.ledger, KEY, removal, by="the owner", at=NOW)
        assert len(await store.ledger.links()) == 4


@pytest.mark.parametrize("name", ["", "App", "a b", "a;DROP TABLE x", 'a"', "é"])
def test_a_role_whose_name_needs_quoting_is_refused(name):
    with pytest.raises(UsageError):
        roles_sql(name)
