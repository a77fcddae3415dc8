"""The ledger as the checker reads it: by its own SQL, from the tables that are there."""

import asyncio
import json
import sqlite3
from collections.abc import Collection
from typing import Any


async def entries_of(
    store: str, password: str | None, exchanges: Collection[str], patient: str
) -> list[dict[str, Any]]:
    """What the ledger in the database at `store` has of these exchanges, in order, and of those that began for
    this patient (`Patient/1`): a process may have died before it could say its exchange's name. A SQLite file is
    one run's own: there it is everything."""
    if store.startswith("sqlite"):
        rows = await asyncio.to_thread(_from_sqlite, store.removeprefix("sqlite:///"))
    else:
        rows = await _from_postgres(store, password, list(exchanges), patient)
    return [json.loads(row) for row in rows]


def _from_sqlite(path: str) -> list[str]:
    query = "SELECT entry FROM careplan_ledger ORDER BY seq"
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return [str(row[0]) for row in connection.execute(query)]
    finally:
        connection.close()


async def _from_postgres(url: str, password: str | None, exchanges: list[str], patient: str) -> list[str]:
    import asyncpg

    connection = await asyncpg.connect(url, password=password)
    try:
        query = (
            "SELECT entry FROM careplan_ledger WHERE exchange = ANY($1) OR exchange IN "
            "(SELECT exchange FROM careplan_ledger WHERE position($2 in entry) > 0) ORDER BY seq"
        )
        return [str(row[0]) for row in await connection.fetch(query, exchanges, f'"{patient}"')]
    finally:
        await connection.close()
