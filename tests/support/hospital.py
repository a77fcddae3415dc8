"""A hospital's server in memory, and the data path over it: every step real, only the wire is left out."""

from collections.abc import Callable
from datetime import date
from functools import cache
from typing import Any

import msgspec

from careplan_exchange import config, exchange, installed
from careplan_exchange.model.codec import encode
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.ledger import Entry
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.record import PatientRecord, Resource
from careplan_exchange.model.review import Pending, ReviewPolicy, ReviewStep
from careplan_exchange.sources import BundleSource
from careplan_exchange.store import MemoryLedger, MemoryPlanStore
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.exchanges import CountingIds, TickingClock
from tests.support.patients import synthetic

TODAY = date(2026, 11, 24)
URL = "https://hospital.example.org/fhir"
AUTHORED = (
    "CarePlan", "Goal", "ServiceRequest", "NutritionOrder", "MedicationRequest", "DetectedIssue",
    "DocumentReference",
)  # fmt: skip


@cache
def knowledge() -> exchange.Knowledge:
    return installed.load_knowledge(config.Settings())


class HospitalSource:
    """ports.Source: one synthetic patient, and whatever `written_here` holds of ours. A test changes `bundle`."""

    def __init__(
        self, name: str, *, url: str = URL, identity: str = "hospital", written_here: MemoryPlanWriter | None
    ) -> None:
        self.bundle = synthetic(name)
        self.endpoint = url
        self.identity = identity
        self.written_here = written_here
        self.before_pull: Callable[[], None] = lambda: None
        self.pulls = 0

    @property
    def patient(self) -> str:
        return str(self.bundle["entry"][0]["fullUrl"].removeprefix("urn:uuid:"))

    def resources(self, resource_type: str) -> list[dict[str, Any]]:
        found = (entry["resource"] for entry in self.bundle["entry"])
        return [resource for resource in found if resource["resourceType"] == resource_type]

    def remove(self, resource_type: str) -> None:
        self.bundle["entry"] = [
            entry for entry in self.bundle["entry"] if entry["resource"]["resourceType"] != resource_type
        ]

    async def pull(self, patient_id: str) -> PatientRecord:
        self.pulls += 1
        self.before_pull()
        record = await BundleSource(encode(self.bundle), identity="-", name="-").pull(patient_id)
        return msgspec.structs.replace(
            record,
            endpoint=self.endpoint,
            identity=self.identity,
            resources=(*record.resources, *self._authored()),
        )

    def _authored(self) -> tuple[Resource, ...]:
        if self.written_here is None:
            return ()
        return tuple(
            Resource(
                type=kind,
                id=body["id"],
                version_id=body["meta"]["versionId"],
                last_updated=None,
                content=encode(body),
            )
            for kind in AUTHORED
            for body in self.written_here.resources(kind)
        )


class Hospital:
    """One patient, one server, one store: what a person can do to them, and `sync`."""

    def __init__(
        self,
        name: str = "02-older-adult-si-units",
        *,
        policy: ReviewPolicy | None = None,
        source: HospitalSource | None = None,
        writer: MemoryPlanWriter | None = None,
    ) -> None:
        self.writer = writer or MemoryPlanWriter(URL)
        self.source = source or HospitalSource(name, written_here=self.writer)
        self.plans = MemoryPlanStore()
        self.ledger = MemoryLedger()
        self.clock = TickingClock()
        self.ids = CountingIds()
        self.policy = policy or ReviewPolicy()
        self.standing = exchange.Standing()

    def steps(self) -> exchange.Steps:
        return exchange.Steps(
            source=self.source,
            writer=self.writer,
            plans=self.plans,
            ledger=self.ledger,
            clock=self.clock,
            ids=self.ids,
            knowledge=knowledge(),
            policy=self.policy,
            version="0.0.0",
            standing=self.standing,
        )

    async def sync(
        self,
        *,
        approve: bool = False,
        today: date = TODAY,
        accepting: Pending | None = None,
        exchange_id: str | None = None,
    ) -> Receipt:
        """One run. A review that nobody has signed yet is approved by one person."""
        asked = ExchangeRequest(
            endpoint="hospital", patient=self.source.patient, approve=approve, by="Dr Who" if approve else None
        )
        if accepting is not None and not accepting.steps:
            step = ReviewStep(kind="approve", by="Dr Who", at=self.clock.now().isoformat())
            accepting = msgspec.structs.replace(accepting, steps=(step,))
        return await exchange.sync(
            self.steps(),
            exchange.Request(
                exchange=exchange_id or self.ids.new(), asked=asked, today=today, accepting=accepting
            ),
        )

    def plan(self) -> dict[str, Any]:
        """The one plan on the server."""
        (plan,) = self.writer.resources("CarePlan")
        return plan

    def goals(self) -> tuple[dict[str, Any], ...]:
        return self.writer.resources("Goal")

    def edit(self, resource: dict[str, Any], **elements: Any) -> dict[str, Any]:
        """Another client's update: a new version of the resource with these elements."""
        return self.writer.put({**resource, **elements})

    def everything(self) -> dict[str, dict[str, Any]]:
        """All that we author, by reference, as it stands."""
        return {f"{kind}/{body['id']}": body for kind in AUTHORED for body in self.writer.resources(kind)}

    async def open_intents(self) -> int:
        """How many writes of the patient have not been settled."""
        return len(await self.plans.open_intents(URL, f"Patient/{self.source.patient}"))

    async def entries(self, exchange_id: str | None = None) -> list[Entry]:
        return [link.entry for link in await self.ledger.links(exchange=exchange_id)]

    async def events(self, exchange_id: str | None = None) -> list[str]:
        return [entry.event for entry in await self.entries(exchange_id)]
