"""The ledger as the checker reads it: by its own SQL, from the tables that are there."""

import asyncio
import json
import sqlite3
from collections.abc import Collection
from typing import Any


async def entries_of(store: str, password: str | None, exchanges: Collection[str]) -> list[dict[str, Any]]:
    """What the ledger in the database at `store` has of these exchanges, in order."""
    if store.startswith("sqlite"):
        rows = await asyncio.to_thread(_from_sqlite, store.removeprefix("sqlite:///"), list(exchanges))
    else:
        rows = await _from_postgres(store, password, list(exchanges))
    return [json.loads(row) for row in rows]


def _from_sqlite(path: str, exchanges: list[str]) -> list[str]:
    marks = ",".join("?" * len(exchanges))
    query = f"SELECT entry FROM careplan_ledger WHERE exchange IN ({marks}) ORDER BY seq"  # noqa: S608 - marks only
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return [str(row[0]) for row in connection.execute(query, exchanges)]
    finally:
        connection.close()


async def _from_postgres(url: str, password: str | None, exchanges: list[str]) -> list[str]:
    import asyncpg

    connection = await asyncpg.connect(url, password=password)
    try:
        query = "SELECT entry FROM careplan_ledger WHERE exchange = ANY($1) ORDER BY seq"
        return [str(row[0]) for row in await connection.fetch(query, exchanges)]
    finally:
        await connection.close()
