"""The data path over real sockets: a synthetic patient of another server, and a target that can be anything."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import date
from typing import Any

import httpx
import msgspec

from careplan_exchange import exchange
from careplan_exchange.fhir import Connection, connect
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.identity import IDENTITY_SYSTEM
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.review import ReviewPolicy, ReviewRule
from careplan_exchange.store import MemoryLedger, MemoryPlanStore
from careplan_exchange.writer import FhirPlanWriter
from tests.support.exchanges import CountingIds, TickingClock
from tests.support.hospital import TODAY, HospitalSource, knowledge
from tests.support.product import Server
from tests.support.weakened import Weakened, weakened_sandbox

Json = dict[str, Any]
KINDS = ("CarePlan", "Goal", "DetectedIssue", "ServiceRequest", "MedicationRequest", "NutritionOrder")

AUTO = ReviewPolicy(rules=(ReviewRule(change=("changed", "retired", "status"), needs="auto"),))
"""A new plan is a draft, and every change is written without a person."""


class Killed(BaseException):
    """Our process ended here."""


class Wire(httpx.AsyncHTTPTransport):
    """The network. `cut` is the number of the write, from 1, at which our process is killed: before it is sent, or
    after it was carried out. `before_write` and `after_write` are what others do around our next one."""

    def __init__(self) -> None:
        super().__init__()
        self.cut: int | None = None
        self.after = False
        self.writes = 0
        self.before_write: Callable[[], object] | None = None
        self.after_write: Callable[[], object] | None = None
        self.rewrite: Callable[[bytes], bytes] | None = None  # what the server makes of the body of a write

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        if request.method == "GET" or (request.method == "POST" and b'"batch"' in body[:100]):
            return await super().handle_async_request(request)
        self.writes += 1
        if self.cut == self.writes and not self.after:
            raise Killed
        hook, self.before_write = self.before_write, None
        if hook is not None:
            hook()
        if self.rewrite is not None:
            request = self._rewritten(request, self.rewrite(body))
        response = await super().handle_async_request(request)
        hook, self.after_write = self.after_write, None
        if hook is not None:
            await response.aread()
            hook()
        if self.cut == self.writes:
            await response.aread()
            raise Killed
        return response

    @staticmethod
    def _rewritten(request: httpx.Request, body: bytes) -> httpx.Request:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() != "content-length"]
        return httpx.Request(
            request.method, request.url, headers=headers, content=body, extensions=request.extensions
        )


class World:
    """One patient at the hospital, the same patient on the target, one installation of ours with its store."""

    def __init__(self, url: str, *, like: "World | None" = None, policy: ReviewPolicy | None = None) -> None:
        """`like`: another installation for the same patient."""
        number = uuid.uuid4()  # servers are shared, also by sessions
        self.url = url
        self.server = Server(url)
        self.source = HospitalSource(
            "02-older-adult-si-units",
            identity=like.source.identity if like else f"hospital-{number}",
            written_here=None,
        )
        patient = self.source.resources("Patient")[0]
        if like is None:
            self.identifier = {"system": "urn:example:wire", "value": str(number)}
            here = {
                "resourceType": "Patient",
                "identifier": [self.identifier],
                "birthDate": patient["birthDate"],
            }
            self.patient = f"Patient/{self.server.post('Patient', here)['id']}"
        else:
            self.identifier, self.patient = like.identifier, like.patient
        patient["identifier"] = [self.identifier]
        self.plans = MemoryPlanStore()
        self.ledger = MemoryLedger()
        self.clock = TickingClock()
        self.ids = CountingIds()
        self.habits = MemoryPlanStore()
        self.wire = Wire()
        self.policy = policy or AUTO
        self.receipt: Receipt | None = None

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[FhirPlanWriter]:
        connection = Connection(base_url=self.url, attempts=1)
        async with connect(connection, ids=self.ids, transport=self.wire) as client:
            yield FhirPlanWriter(client, ids=self.ids, habits=self.habits)

    async def sync(self, *, approve: bool = False, today: date = TODAY) -> Receipt:
        """One run, as a process of its own."""
        known = knowledge()
        protocols = tuple(each for each in known.protocols if each.id == "t2dm")
        async with self.writer() as writer:
            steps = exchange.Steps(
                source=self.source,
                writer=writer,
                plans=self.plans,
                ledger=self.ledger,
                clock=self.clock,
                ids=self.ids,
                knowledge=msgspec.structs.replace(known, protocols=protocols),
                policy=self.policy,
                version="0.0.0",
            )
            asked = ExchangeRequest(endpoint="hospital", patient=self.source.patient, approve=approve)
            request = exchange.Request(exchange=self.ids.new(), asked=asked, today=today)
            self.receipt = await exchange.sync(steps, request)
        return self.receipt

    async def cut_at(self, number: int, *, after: bool, **how: Any) -> bool:
        """A run that is killed at that write; whether it came so far."""
        self.wire = Wire()
        self.wire.cut, self.wire.after = number, after
        try:
            await self.sync(**how)
        except Killed:
            return True
        finally:
            self.wire = Wire()
        return False

    def of(self, kind: str) -> list[Json]:
        found = self.server.search(
            f"{kind}?{'patient' if kind != 'MedicationRequest' else 'subject'}={self.patient}"
        )
        return [
            each for each in found if any(one["system"] == IDENTITY_SYSTEM for one in each.get("identifier", ()))
        ]

    def plan(self) -> Json:
        (plan,) = self.of("CarePlan")
        return plan

    def everything(self) -> dict[str, Json]:
        """What is ours there, by identity. Fails where one stands twice."""
        found: dict[str, Json] = {}
        for kind in KINDS:
            for each in self.of(kind):
                (identity,) = [one["value"] for one in each["identifier"] if one["system"] == IDENTITY_SYSTEM]
                assert identity not in found, f"{kind}/{each['id']} is there twice"
                found[identity] = each
        return found

    def require_whole(self) -> None:
        """What any reader must find at any moment: a plan has its parts, and a plan in force has them in force."""
        for plan in self.of("CarePlan"):
            for link in (*plan.get("goal", ()), *plan.get("supportingInfo", ())):
                reference = link.get("reference", "")
                if reference.partition("/")[0] not in KINDS:
                    continue
                part = self.server.get(reference)
                if plan["status"] == "active" and part["resourceType"] == "Goal":
                    assert part["lifecycleStatus"] == "active", f"{reference} is {part['lifecycleStatus']}"

    def edit(self, reference: str, **elements: Any) -> None:
        """What a clinician does."""
        answer = self.server.put({**self.server.get(reference), **elements})
        assert answer.status_code == 200, answer.text


@contextmanager
def weak_world() -> Iterator[tuple[World, Weakened]]:
    with weakened_sandbox() as (url, layer):
        yield World(url), layer
