"""A source that goes on from a reading that was kept, wherever it was kept."""

from typing import Protocol

from careplan_exchange.model.record import PatientRecord
from careplan_exchange.ports import Clock

from .endpoint import EndpointSource
from .refresh import read_kept, write_kept


class Reading(Protocol):
    """Where a record that was read is kept until the next time: clinical data, for its owner alone."""

    def earlier(self) -> bytes | None:
        """What was kept last, None where nothing was. Raises UsageError where it cannot be read."""
        ...

    def keep(self, data: bytes) -> None:
        """Put it in the place of what was kept before. Raises UsageError where that cannot be."""
        ...


class RefreshingSource:
    """ports.Source that reads what changed since the `reading` that was kept, and keeps the new one."""

    def __init__(self, source: EndpointSource, clock: Clock, reading: Reading) -> None:
        self._source = source
        self._clock = clock
        self._reading = reading
        self.endpoint = source.endpoint
        self.identity = source.identity

    async def pull(self, patient_id: str) -> PatientRecord:
        earlier = self._reading.earlier()
        kept = read_kept(earlier) if earlier is not None else None
        found = await self._source.refresh(patient_id, kept, at=self._clock.now())
        self._reading.keep(write_kept(found))
        return found.record
