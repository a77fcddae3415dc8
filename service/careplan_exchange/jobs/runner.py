"""The runner: stored rows in, receipts out, a bounded number at a time."""

import asyncio
from types import TracebackType
from typing import Self

from careplan_exchange import logs
from careplan_exchange.errors import CareplanError, EndpointOverloadedError
from careplan_exchange.model.exchange import ExchangeRequest, ExchangeRow, ExchangeState
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.receipt import Receipt

from . import metrics
from .ports import Exchanges

GRACE_SECONDS = 20.0


class Runner:
    """Carries out exchanges while it is entered. One runner a process, one service process a store.

    On entry it takes up what an earlier process left without a receipt. On exit it begins nothing new, waits
    `grace_seconds` for what is under way, then lets go: those rows stay as they are for the next start.
    """

    def __init__(
        self,
        exchanges: Exchanges,
        *,
        concurrency: int = 4,
        backlog: int = 1000,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        """`concurrency` exchanges run side by side; at most `backlog` more wait."""
        self._exchanges = exchanges
        self._slots = asyncio.Semaphore(concurrency)
        self._backlog = backlog
        self._grace_seconds = grace_seconds
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        for row in await self._exchanges.plans.unfinished_exchanges():
            logs.get_logger().warning(logs.JOB_RESUMED, exchange=row.id, state=row.state)
            self._start(row)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        waiting, running = list(self._waiting.values()), list(self._running.values())
        for task in waiting:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=self._grace_seconds)
        for task in running:
            task.cancel()
        await asyncio.gather(*waiting, *running, return_exceptions=True)
        self._waiting.clear()  # a task that never began could not take itself out
        self._count()

    async def submit(self, request: ExchangeRequest, idempotency_key: str | None = None) -> ExchangeRow:
        """Store the request and begin it as soon as a slot is free. The row is durable when this returns.

        The same key with the same request gives the exchange that is there, however many ask at once. Raises
        UsageError (the key came with another request before), EndpointOverloadedError, StoreUnavailableError.
        """
        if len(self._waiting) >= self._backlog:
            raise EndpointOverloadedError(
                "Too many exchanges are waiting; this one was not accepted.", mend="Send it again later."
            )
        exchange_id = self._exchanges.ids.new()
        row = await self._exchanges.plans.accept_exchange(exchange_id, request, self._now(), idempotency_key)
        if row.id == exchange_id:
            self._start(row)
        return row

    def _start(self, row: ExchangeRow) -> None:
        self._waiting[row.id] = asyncio.create_task(self._carry_out(row), name=f"exchange {row.id}")
        metrics.WAITING.set(len(self._waiting))

    async def _carry_out(self, row: ExchangeRow) -> None:
        try:
            async with self._slots:
                self._running[row.id] = self._waiting.pop(row.id)
                self._count()
                await self._run(row)
        except CareplanError as error:
            # The store does not take the state or the receipt. The row stays unfinished, so the next start runs
            # the exchange again, which then finds nothing left to write.
            logs.get_logger().error(logs.EXCHANGE_FAILED, exchange=row.id, error=error.key)
        finally:
            self._waiting.pop(row.id, None)
            self._running.pop(row.id, None)
            self._count()

    async def _run(self, row: ExchangeRow) -> None:
        await self._keep(row, "running")
        with metrics.EXCHANGE_SECONDS.time():
            try:
                receipt = await self._exchanges.sync(row.request, exchange_id=row.id)
            except Exception as error:  # noqa: BLE001 - a fault of ours must end in a receipt, not in a silent task
                # The message of an error that we did not foresee may hold anything; its class says enough here.
                logs.get_logger().error(logs.EXCHANGE_FAILED, exchange=row.id, error=type(error).__name__)
                receipt = _unforeseen(row.id)
        metrics.EXCHANGES.labels(receipt.outcome).inc()
        await self._keep(row, "done", receipt)

    async def _keep(self, row: ExchangeRow, state: ExchangeState, receipt: Receipt | None = None) -> None:
        await self._exchanges.plans.update_exchange(row.id, state, self._now(), receipt)

    def _now(self) -> str:
        return self._exchanges.clock.now().isoformat()

    def _count(self) -> None:
        metrics.WAITING.set(len(self._waiting))
        metrics.RUNNING.set(len(self._running))


def _unforeseen(exchange_id: str) -> Receipt:
    issue = Issue(
        severity="error",
        code="exception",
        key="error",
        detail="The exchange ended with an error that this product does not know by name.",
        mend="Run it again. If it ends so again, report the class of the error that the log names.",
    )
    return Receipt(outcome="failed", resources=(), issues=(issue,), exchange=exchange_id)
