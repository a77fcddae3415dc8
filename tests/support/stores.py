"""The stores over which a test of persons and reviews runs: the one in memory, and the file of an installation."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from careplan_exchange.store import open_store
from tests.support.hospital import Hospital

STORES = ("memory", "sqlite")


@asynccontextmanager
async def hospital_with(store: str, folder: Path, **more: Any) -> AsyncIterator[Hospital]:
    """A hospital whose product remembers in this kind of store."""
    hospital = Hospital(**more)
    if store == "memory":
        yield hospital
        return
    async with open_store(f"sqlite:///{folder}/careplan.db") as opened:
        hospital.plans = opened.plans  # type: ignore[assignment]  # the same port, another adapter
        hospital.ledger = opened.ledger  # type: ignore[assignment]  # the same
        yield hospital
