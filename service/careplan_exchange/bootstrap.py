"""The only place where adapters meet ports, and where settings meet code."""

import uuid
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, date, datetime
from functools import cached_property
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import msgspec

from careplan_exchange import config, exchange, installed, logs
from careplan_exchange import knowledge as folders
from careplan_exchange.audit import against_kept, to_audit_ndjson
from careplan_exchange.connections import connection, store_password
from careplan_exchange.errors import CareplanError, UsageError
from careplan_exchange.fhir import ID, FhirClient, Query, connect
from careplan_exchange.mapping import Survey, survey
from careplan_exchange.model.chain import GENESIS, Head
from careplan_exchange.model.delegated import Delegated
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.explanation import Explanation
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.ledger import Entry, Verdict
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.model.review import Pending, ReviewPolicy, ReviewState
from careplan_exchange.model.snapshot import Snapshot
from careplan_exchange.planner import (
    actions_of,
    compile_foreign,
    plan_resources,
    said_in,
)
from careplan_exchange.ports import Clock, Ledger, PlanStore, Source
from careplan_exchange.sources import (
    BundleSource,
    EndpointSource,
    Plans,
    Reading,
    RefreshingSource,
)
from careplan_exchange.store import open_store
from careplan_exchange.writer import FhirPlanWriter

VERSION = installed_version("careplan-exchange")

ANY_PATIENT = Query(type="Patient", params=(("_count", "1"), ("_summary", "count")))
"""A search that any reader may make, and that returns no one's data."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class RandomIds:
    """Random UUIDs."""

    def new(self) -> str:
        return str(uuid.uuid4())


class Services:
    """Everything a command or a route can ask for. Clients are opened once an endpoint and closed at the end."""

    def __init__(
        self, settings: config.Settings, plans: PlanStore, ledger: Ledger, stack: AsyncExitStack
    ) -> None:
        self.settings = settings
        self.plans = plans
        self.ledger = ledger
        self.clock = SystemClock()
        self.ids = RandomIds()
        self._stack = stack
        self._clients: dict[str, FhirClient] = {}

    @cached_property
    def knowledge(self) -> exchange.Knowledge:
        return installed.load_knowledge(self.settings)

    @cached_property
    def query_plans(self) -> Plans:
        return installed.load_query_plans(self.settings)

    @property
    def endpoint_names(self) -> Collection[str]:
        return tuple(self.settings.endpoints)

    @property
    def default_endpoint(self) -> str | None:
        """The one configured endpoint, where there is exactly one."""
        names = list(self.settings.endpoints)
        return names[0] if len(names) == 1 else None

    async def client(self, name: str) -> FhirClient:
        if name not in self._clients:
            self._clients[name] = await self._stack.enter_async_context(
                connect(connection(self.settings, name), ids=self.ids)
            )
        return self._clients[name]

    async def source(self, name: str, today: date, reading: Reading | None = None) -> Source:
        """The endpoint of that name or URL, or the Bundle file at that path. Visits count from `today` on. With a
        `reading` that was kept only what changed since is asked for, and the new one is kept in its place.

        Raises UsageError where there is a `reading`, and the source is a file.
        """
        if self._is_file(name):
            if reading is not None:
                raise UsageError("A Bundle file is always read whole.", mend="Leave --since out.")
            return _bundle_file(Path(name))
        vendor = config.endpoint_named(self.settings, name).vendor
        source = EndpointSource(await self.client(name), self.query_plans, today=today, vendor=vendor)
        return source if reading is None else RefreshingSource(source, self.clock, reading)

    def _is_file(self, name: str) -> bool:
        return name.endswith(".json") and name not in self.settings.endpoints and not config.is_url(name)

    async def propose(
        self, request: ExchangeRequest, reading: Reading | None = None, plans: Sequence[Path] = ()
    ) -> tuple[PatientRecord, Proposal]:
        """The dry run; of the plans in these files alone, where there are any. Raises CareplanError."""
        source, knowledge, patient, today = await self._asked(request, reading)
        if plans:
            protocols = compile_foreign([folders.read(path) for path in plans])
            knowledge = msgspec.structs.replace(knowledge, protocols=protocols)
        return await exchange.propose(source, knowledge, patient, today)

    async def delegate(self, request: ExchangeRequest, plans: Sequence[Path], at: str) -> tuple[Delegated, ...]:
        """What the `$apply` of the server `at` makes of the plans in these files. It must be the server on which
        the patient has that id: the same id elsewhere may be another person. Raises CareplanError."""
        client = await self.client(at)
        if self._is_file(request.endpoint) or (await self.client(request.endpoint)).base_url != client.base_url:
            raise UsageError(
                "The patient's id is one of --endpoint, and --apply-at names another server.",
                mend="Name the same server twice; the patient must be there.",
            )
        patient = request.patient.removeprefix("Patient/")
        if ID.fullmatch(patient) is None:
            raise UsageError(
                "What names the patient is no FHIR id.", mend="Give the id that the patient has there."
            )
        capabilities = await client.capabilities()
        found = []
        for plan in plan_resources([folders.read(path) for path in plans]):
            answer = await client.apply_plan(dict(plan), patient)
            found.append(
                Delegated(
                    plan=str(plan.get("title") or plan.get("url") or plan.get("id") or "plan"),
                    server=client.base_url,
                    software=capabilities.software,
                    patient=f"Patient/{patient}",
                    actions=actions_of(answer),
                    said=said_in(answer),
                    answer=answer,
                )
            )
        return tuple(found)

    async def explain(
        self, request: ExchangeRequest, reading: Reading | None = None
    ) -> tuple[PatientRecord, Explanation]:
        """Why each line is or is not in the plan. Raises CareplanError."""
        return await exchange.explain(*await self._asked(request, reading))

    async def suppose(
        self, request: ExchangeRequest, given: Sequence[str], reading: Reading | None = None
    ) -> tuple[Proposal, Proposal]:
        """The plan as it is, and as it would be if what is given held. Raises CareplanError."""
        return await exchange.suppose(*await self._asked(request, reading), given)

    async def snapshot(
        self, request: ExchangeRequest, reading: Reading | None = None
    ) -> tuple[PatientRecord, Snapshot]:
        """The record and what mapping makes of it. Raises CareplanError."""
        return await exchange.read(*await self._asked(request, reading))

    async def _asked(
        self, request: ExchangeRequest, reading: Reading | None
    ) -> tuple[Source, exchange.Knowledge, str, date]:
        today = self.today(request)
        source = await self.source(request.endpoint, today, reading)
        return source, self.knowledge, request.patient.removeprefix("Patient/"), today

    async def survey(self, endpoint: str, patient: str, today: date) -> Survey:
        """What mapping makes use of in one record, in counts. Raises CareplanError."""
        source = await self.source(endpoint, today)
        return self._surveyed(await source.pull(patient.removeprefix("Patient/")), today)

    async def record_of(self, path: Path) -> PatientRecord:
        """The record in a Bundle file about one patient. Raises CareplanError."""
        source = _bundle_file(path)
        return await source.pull(source.patient_id())

    async def survey_file(self, path: Path, today: date) -> Survey:
        """The same of a Bundle file about one patient, and of the types that nothing reads. Raises alike."""
        source = _bundle_file(path)
        return self._surveyed(await source.pull(source.patient_id()), today, source.left_aside())

    def _surveyed(
        self, record: PatientRecord, today: date, left_aside: Mapping[str, int] | None = None
    ) -> Survey:
        known = self.knowledge
        return survey(record, known.mappings, known.vocabulary, today=today, beside=left_aside)

    async def sample(self, endpoint: str, wanted: int) -> tuple[str, ...]:
        """The ids of the first `wanted` patients that the server lists. Raises CareplanError."""
        if self._is_file(endpoint):
            raise UsageError("A Bundle file is no server to sample.", mend="Use --bundles, or --patient.")
        client = await self.client(endpoint)
        query = Query(type="Patient", params=(("_count", str(min(wanted, 200))),))
        return tuple(patient.id for patient in await client.sample(query, wanted))

    async def proposal(self, endpoint: str, patient: str, today: str | None) -> Proposal:
        _, proposal = await self.propose(ExchangeRequest(endpoint=endpoint, patient=patient, today=today))
        return proposal

    async def run(
        self,
        request: ExchangeRequest,
        *,
        exchange_id: str,
        accepting: Pending | None = None,
        reading: Reading | None = None,
    ) -> Receipt:
        """The whole path. Raises CareplanError."""
        try:
            steps = await self._steps(request, reading)
            request = await _by_id(steps.source, request)
            today = self.today(request)
        except CareplanError as error:
            await self._note_failed(exchange_id, error)
            raise
        return await exchange.sync(
            steps, exchange.Request(exchange=exchange_id, asked=request, today=today, accepting=accepting)
        )

    async def _steps(self, request: ExchangeRequest, reading: Reading | None) -> exchange.Steps:
        target = request.target or request.endpoint
        if self._is_file(target):
            raise UsageError(
                "A Bundle file can be read from, not written to.",
                mend="Name the server to write to with --target, or use `careplan plan`.",
            )
        source = await self.source(request.endpoint, self.today(request), reading)
        return exchange.Steps(
            source=source,
            writer=FhirPlanWriter(await self.client(target), ids=self.ids),
            plans=self.plans,
            ledger=self.ledger,
            clock=self.clock,
            ids=self.ids,
            knowledge=self.knowledge,
            policy=ReviewPolicy(
                new_plans=self.settings.policy.new_plans,
                changes_to_active_plans=self.settings.policy.changes_to_active_plans,
            ),
            version=VERSION,
        )

    async def _note_failed(self, exchange_id: str, error: CareplanError) -> None:
        """Note what failed before the data path began. A ledger that cannot be written must not hide why."""
        entry = Entry(
            exchange=exchange_id,
            event=logs.EXCHANGE_FAILED,
            at=self.clock.now().isoformat(),
            data={"error": error.key},
        )
        with suppress(CareplanError):
            await self.ledger.append([entry])

    async def sync(self, request: ExchangeRequest, *, exchange_id: str) -> Receipt:
        """The whole path for a caller that wants a receipt in any case: a failure is one of outcome "failed"."""
        try:
            return await self.run(request, exchange_id=exchange_id)
        except CareplanError as error:
            return failed_receipt(error, exchange_id)

    async def approve(self, review: str, *, by: str) -> Receipt:
        """Carry out a change that waited, if it still is what was shown. Raises UsageError, CareplanError."""
        pending = await self.waiting(review)
        receipt = await self.run(pending.request, exchange_id=self.ids.new(), accepting=pending)
        if receipt.outcome != "review":
            now = self.clock.now().isoformat()
            await self.plans.decide_pending(pending.id, "approved", by, now)
            await self.ledger.append([_decided(pending.id, "approved", by, now)])
        return receipt

    async def reject(self, review: str, *, by: str) -> None:
        """Put a waiting change away. Raises UsageError."""
        pending = await self.waiting(review)
        now = self.clock.now().isoformat()
        await self.plans.decide_pending(pending.id, "rejected", by, now)
        await self.ledger.append([_decided(pending.id, "rejected", by, now)])

    async def waiting(self, review: str) -> Pending:
        pending = await self.plans.pending(review)
        if pending is None or pending.state != "pending":
            state = "does not exist" if pending is None else f"is {pending.state} already"
            raise UsageError(f"The review {review} {state}.", mend="`careplan review list` shows what waits.")
        return pending

    async def finished_exchanges(self, limit: int) -> list[dict[str, Any]]:
        """The newest `limit` exchanges with what each came to, oldest first."""
        rows: dict[str, dict[str, Any]] = {}
        for link in await self.ledger.links():
            entry = link.entry
            row = rows.setdefault(
                entry.exchange,
                {"exchange": entry.exchange, "patient": "", "outcome": "open", "resources": 0, "issues": 0},
            )
            row["at"] = entry.at
            row["patient"] = entry.data.get("patient", row["patient"])
            if entry.event in {logs.EXCHANGE_FINISHED, logs.EXCHANGE_FAILED}:
                row["outcome"] = entry.data.get("outcome", "failed")
                row["resources"] = len(entry.data.get("resources", ()))
                row["issues"] = len(entry.data.get("issues", ()))
            if entry.event == logs.EXCHANGE_SETTLED and (cut_off := rows.get(entry.data["of"])) is not None:
                cut_off["outcome"] = f"settled: {entry.data['state']}"
        return list(rows.values())[-limit:]

    async def verify_ledger(self, kept: Head | None = None) -> Verdict:
        """The whole chain, and where a head was kept elsewhere, that its entry still has that hash."""
        verdict = await self.ledger.verify()
        if kept is None:
            return verdict
        found = await self.ledger.links(after=kept.seq - 1, limit=1) if kept.seq else ()
        return against_kept(verdict, kept, found[0].hash if found else GENESIS)

    def export_ledger(self) -> AsyncIterator[bytes]:
        """The ledger as NDJSON, line by line (see audit.to_audit_ndjson)."""
        return to_audit_ndjson(self.ledger)

    def today(self, request: ExchangeRequest) -> date:
        return today_or(request.today, self.clock)

    async def ready(self) -> Mapping[str, bool]:
        """Whether the database answers and the knowledge holds together."""
        result = {"database": True, "knowledge": True}
        try:
            await self.ledger.links(limit=1)
        except CareplanError:
            result["database"] = False
        try:
            self.knowledge  # noqa: B018 - loading it is the check
        except CareplanError:
            result["knowledge"] = False
        return result


def today_or(given: str | None, clock: Clock) -> date:
    """The date that was given (YYYY-MM-DD), or the clock's. Raises UsageError."""
    if given is None:
        return clock.now().astimezone().date()
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise UsageError("`today` is not a date.", mend="Give it as YYYY-MM-DD.") from None


def _bundle_file(path: Path) -> BundleSource:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"The Bundle file cannot be read: {error.strerror}.", mend="Check the path.") from None
    # A file is often named after the patient: only a hash of its name goes further. The same name is the same
    # source, so that a fresh export of a record goes on with the plan of the last one.
    return BundleSource(data, identity=f"bundle-{logs.hashed(path.stem)}", name=path.name)


def _decided(review: str, state: ReviewState, by: str, at: str) -> Entry:
    return Entry(exchange=review, event=logs.REVIEW_DECIDED, at=at, data={"state": state, "by": by})


async def _by_id(source: Source, request: ExchangeRequest) -> ExchangeRequest:
    """The request with the patient's id: a business identifier (`system|value`) goes no further than this."""
    patient = request.patient.removeprefix("Patient/")
    if "|" in patient:
        patient = (await source.pull(patient)).patient.id
    return msgspec.structs.replace(request, patient=patient)


def failed_receipt(error: CareplanError, exchange_id: str) -> Receipt:
    """A failure in the form of a receipt: the error is its first issue."""
    first = Issue(severity="error", code="exception", key=error.key, detail=error.detail, mend=error.mend)
    return Receipt(outcome="failed", resources=(), issues=(first, *error.issues), exchange=exchange_id)


@asynccontextmanager
async def services(settings: config.Settings) -> AsyncIterator[Services]:
    """Open the store; everything else opens when it is first used. Raises StoreVersionError and its kin."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings.store.url, password=store_password(settings)))
        yield Services(settings, store.plans, store.ledger, stack)
