"""Somebody on the ward, who looks at the plan while it is written: each goal that it names must be there."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from .outside import Outside

_CHANCE = 0.3
_LATEST_SECONDS = 0.08


class Ward:
    """Looks at the plans of patients now and then. `half_written` counts those seen without a goal of theirs."""

    def __init__(self, outside: Outside, rng: random.Random) -> None:
        self._outside = outside
        self._rng = rng
        self.half_written = 0

    @asynccontextmanager
    async def watching(self, patients: Sequence[str]) -> AsyncIterator[None]:
        """Nobody looks any more when the block has ended, however it did."""
        if self._rng.random() >= _CHANCE:
            yield
            return
        looking = asyncio.create_task(self._look(patients))
        try:
            yield
            await looking
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def _look(self, patients: Sequence[str]) -> None:
        await asyncio.sleep(self._rng.uniform(0.0, _LATEST_SECONDS))
        for patient in patients:
            for plan in await self._outside.search(f"CarePlan?patient=Patient/{patient}"):
                named = [one["reference"] for one in plan.body.get("goal", ()) if "reference" in one]
                found = await asyncio.gather(*(self._outside.read(_relative(one)) for one in named))
                now = await self._outside.read(plan.reference)
                if not all(found) and now is not None and now.version == plan.version:
                    self.half_written += 1


def _relative(reference: str) -> str:
    return "/".join(reference.split("/")[-2:])
