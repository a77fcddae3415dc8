"""A ledger begun before there were tenants stays whole, and is the default tenant's."""

import sqlite3
from contextlib import closing

import asyncpg
import pytest
from sqlalchemy import Connection, create_engine

from careplan_exchange.model import chain, codec
from careplan_exchange.model.chain import GENESIS
from careplan_exchange.model.ledger import Entry
from careplan_exchange.store import migrate as migrate_store
from careplan_exchange.store import open_store, schema
from careplan_exchange.store.address import address_of
from careplan_exchange.store.postgres import opened as opened_server


def old_statements() -> list[str]:
    """What the first version of the tables held after three entries."""
    statements, previous = [], GENESIS
    for seq in (1, 2, 3):
        link = chain.link(previous, seq, Entry(exchange=f"x{seq}", event="e", at="t", data={"n": seq}))
        previous = link.hash
        values = f"{seq}, 'x{seq}', '{codec.canonical(link.entry).decode()}', '{link.previous}', '{link.hash}'"
        statements.append(f"INSERT INTO careplan_ledger (seq, exchange, entry, previous, hash) VALUES ({values})")  # noqa: S608 - ours
    statements.append(f"UPDATE careplan_ledger_head SET seq = 3, hash = '{previous}'")  # noqa: S608 - ours
    return statements


def as_it_was(connection: Connection) -> None:
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr(schema, "REVISIONS", ("0001",))
        schema.upgrade(connection)
    for statement in old_statements():
        connection.exec_driver_sql(statement)


async def test_the_ledger_of_an_older_database_holds_after_the_migration(place):
    if place.password is None:
        engine = create_engine(place.url)
        with engine.begin() as connection:
            as_it_was(connection)
        engine.dispose()
    else:
        async with opened_server(address_of(place.url, password=place.password), 1) as database:
            await database.write(as_it_was)
        await migrate_store(place.url, password=place.password)
    async with open_store(place.url, password=place.password) as store:
        verdict = await store.ledger.verify()
        assert (verdict.entries, verdict.problem) == (3, None)
        assert store.ledger.tenant == "default"
        (link,) = await store.ledger.append([Entry(exchange="x", event="e", at="t")])
        assert link.seq == 4
        assert (await store.ledger.verify()).problem is None
    assert await tenants(place) == {"default"}


async def tenants(place) -> set[str]:
    query = "SELECT tenant FROM careplan_ledger UNION SELECT tenant FROM careplan_ledger_head"
    if place.password is None:
        with closing(sqlite3.connect(place.url.removeprefix("sqlite:///"))) as database:
            return {tenant for (tenant,) in database.execute(query)}
    connection = await asyncpg.connect(place.url, password=place.password)
    try:
        return {row["tenant"] for row in await connection.fetch(query)}
    finally:
        await connection.close()
