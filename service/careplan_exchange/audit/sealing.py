"""The ledger's head, signed: on demand, and of itself while entries are appended."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from careplan_exchange import logs
from careplan_exchange.errors import CareplanError
from careplan_exchange.model.chain import Head, Mark
from careplan_exchange.model.ledger import Entry, Link, Verdict
from careplan_exchange.model.seals import Seal, SignedHead
from careplan_exchange.ports import Clock, Ledger, Progress

from .signing import SigningKey


async def sign_head(ledger: Ledger, key: SigningKey, at: datetime) -> Seal:
    """Sign the head as it is now, and keep it with the ledger. Raises what the ledger raises.

    The chain is not walked: a signature says what the head was, not that the chain was whole.
    """
    head = await ledger.head()
    seal = key.seal(SignedHead(tenant=ledger.tenant, seq=head.seq, hash=head.hash, at=at.isoformat(), key=key.id))
    await ledger.add_seal(seal)
    return seal


class SealingLedger:
    """ports.Ledger over another one: an append after which `every` entries are unsigned, or the last signature is
    older than `after`, signs the head. What is appended last waits for the next append, or `audit sign`."""

    def __init__(self, ledger: Ledger, key: SigningKey, clock: Clock, *, every: int, after: timedelta) -> None:
        self._ledger, self._key, self._clock = ledger, key, clock
        self._every, self._after = every, after
        self._signed: tuple[int, datetime] | None = None

    @property
    def tenant(self) -> str:
        return self._ledger.tenant

    async def append(self, entries: Sequence[Entry]) -> tuple[Link, ...]:
        """As the port. That a head could not be signed is logged, and does not undo what was appended."""
        links = await self._ledger.append(entries)
        if links:
            try:
                await self._sign_if_due(links[-1].seq)
            except CareplanError as error:
                logs.get_logger().warning(logs.LEDGER_UNSIGNED, error=error.key)
        return links

    async def links(
        self, *, exchange: str | None = None, after: int = 0, limit: int | None = None
    ) -> tuple[Link, ...]:
        return await self._ledger.links(exchange=exchange, after=after, limit=limit)

    async def head(self) -> Head:
        return await self._ledger.head()

    async def verify(
        self,
        *,
        start: Head | None = None,
        since: Head | None = None,
        marks: Sequence[Mark] = (),
        progress: Progress | None = None,
    ) -> Verdict:
        return await self._ledger.verify(start=start, since=since, marks=marks, progress=progress)

    async def seals(self, *, newest: int | None = None) -> tuple[Seal, ...]:
        return await self._ledger.seals(newest=newest)

    async def add_seal(self, seal: Seal) -> None:
        await self._ledger.add_seal(seal)

    async def remove(self, tombstone: Seal) -> int:
        return await self._ledger.remove(tombstone)

    async def _sign_if_due(self, seq: int) -> None:
        if self._signed is not None and not self._is_due(seq, self._signed):
            return
        # Another process may have signed meanwhile; the first time nothing is known yet.
        self._signed = await self._newest()
        if self._is_due(seq, self._signed):
            seal = await sign_head(self._ledger, self._key, self._clock.now())
            self._signed = seal.statement.seq, self._clock.now()

    def _is_due(self, seq: int, signed: tuple[int, datetime]) -> bool:
        return seq - signed[0] >= self._every or self._clock.now() - signed[1] >= self._after

    async def _newest(self) -> tuple[int, datetime]:
        """The last head that was signed, by anybody. Where there is none, or a tombstone came after it, the next
        append is due."""
        for seal in await self._ledger.seals(newest=1):
            with suppress(ValueError):
                at = datetime.fromisoformat(seal.statement.at)
                if at.tzinfo is not None and isinstance(seal.statement, SignedHead):
                    return seal.statement.seq, at
        return 0, datetime.fromisoformat("0001-01-01T00:00:00+00:00")
