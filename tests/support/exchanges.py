"""A product of memory for the service and the runner: real stores, an exchange that a test scripts."""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.proposal import Citation, GoalProposal, Proposal, ProtocolRef, Reason, Target, Used
from careplan_exchange.model.receipt import Receipt, ReceiptResource
from careplan_exchange.model.snapshot import Coding, Evidence
from careplan_exchange.store import MemoryLedger, MemoryPlanStore


class TickingClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def pass_time(self, **by: float) -> None:
        self.moment += timedelta(**by)


class CountingIds:
    """UUIDs that count, so that a failing test reads well."""

    def __init__(self) -> None:
        self.count = 0

    def new(self) -> str:
        self.count += 1
        return str(uuid.UUID(int=self.count))


class FakeExchanges:
    """`jobs.Exchanges` over the memory adapters. `behave` is what an exchange does; by default it writes a plan."""

    def __init__(self, *, endpoint_names: tuple[str, ...] = ("hospital", "companion")) -> None:
        self.plans = MemoryPlanStore()
        self.ledger = MemoryLedger()
        self.clock = TickingClock()
        self.ids = CountingIds()
        self.endpoint_names = endpoint_names
        self.default_endpoint = endpoint_names[0] if len(endpoint_names) == 1 else None
        self.health: Mapping[str, bool] = {"database": True, "knowledge": True}
        self.synced: list[tuple[str, ExchangeRequest]] = []
        self.side_by_side = 0
        self.most_side_by_side = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        self.behave: Callable[[str], Receipt] = written
        self.propose: Callable[[str, str, str | None], Proposal] = proposal

    async def sync(self, request: ExchangeRequest, *, exchange_id: str) -> Receipt:
        self.synced.append((exchange_id, request))
        self.side_by_side += 1
        self.most_side_by_side = max(self.most_side_by_side, self.side_by_side)
        self.entered.set()
        try:
            await self.gate.wait()
            return self.behave(exchange_id)
        finally:
            self.side_by_side -= 1

    async def proposal(self, endpoint: str, patient: str, today: str | None) -> Proposal:
        return self.propose(endpoint, patient, today)

    async def ready(self) -> Mapping[str, bool]:
        return self.health


def written(exchange_id: str) -> Receipt:
    return Receipt(
        outcome="written",
        resources=(ReceiptResource(reference="CarePlan/1", version_id="1", action="create"),),
        issues=(),
        exchange=exchange_id,
    )


def proposal(_endpoint: str, patient: str, today: str | None) -> Proposal:
    """A proposal with a decimal whose last digit must not get lost."""
    protocol = ProtocolRef(url="urn:example:protocol", version="1", title="Example")
    used = Used(
        variable="%example", value="present", evidence=(Evidence(reference="Condition/1", version_id="1"),)
    )
    day = date.fromisoformat(today or "2026-11-24")
    return Proposal(
        patient=Evidence(reference=f"Patient/{patient}", version_id="1"),
        as_of=day,
        protocols=(protocol,),
        goals=(
            GoalProposal(
                key="example/goal",
                protocol=protocol,
                description="Example",
                patient_text="Example",
                category="physiological",
                priority="high-priority",
                start=day,
                reasons=(Reason(text="Example", rule="%example", result="true", used=(used,)),),
                citations=(Citation(label="Example"),),
                targets=(Target(measure=Coding(code="x"), unit="%", high=Decimal("7.20")),),
            ),
        ),
        activities=(),
        restrictions=(),
        withheld=(),
        not_applied=(),
        gaps=(),
    )
