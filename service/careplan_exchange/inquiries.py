"""What can be asked without writing anything: the half of `bootstrap.Services` that reads."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, date, datetime
from functools import cached_property
from importlib.metadata import version as installed_version
from pathlib import Path

import msgspec

from careplan_exchange import config, exchange, installed, logs
from careplan_exchange import knowledge as folders
from careplan_exchange.audit import About, Trail, following
from careplan_exchange.connections import connection
from careplan_exchange.errors import UsageError
from careplan_exchange.fhir import ID, FhirClient, Query, connect
from careplan_exchange.mapping import Survey, survey
from careplan_exchange.model.delegated import Delegated
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.explanation import Explanation
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.model.snapshot import Snapshot
from careplan_exchange.operations import Teller
from careplan_exchange.planner import (
    actions_of,
    compile_foreign,
    plan_resources,
    said_in,
)
from careplan_exchange.ports import Clock, Outbox, PlanStore, Source
from careplan_exchange.sources import (
    BundleSource,
    EndpointSource,
    Plans,
    Reading,
    RefreshingSource,
)

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


class Inquiries:
    """Endpoints by name, opened once and closed at the end, and all that is asked of them without a write."""

    def __init__(
        self, settings: config.Settings, plans: PlanStore, stack: AsyncExitStack, *, outbox: Outbox
    ) -> None:
        self.settings = settings
        self.plans = plans
        self.clock = SystemClock()
        self.ids = RandomIds()
        self.outbox = outbox
        self.teller = Teller(outbox, self.clock, self.ids, self._repository())
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

    def _repository(self) -> Callable[[], Awaitable[FhirClient]] | None:
        """How the Audit Record Repository is opened, where events are sent to one."""
        audit = self.settings.audit
        name = audit.repository if audit.events == "repository" else None
        return None if name is None else lambda: self.client(name)

    @asynccontextmanager
    async def recorded(self, exchange_id: str | None = None, by: str | None = None) -> AsyncIterator[None]:
        """Whatever is asked of servers in it is kept as a record, and told where events are sent."""
        about = About(
            exchange=exchange_id or self.ids.new(),
            version=VERSION,
            by=by,
            installation=await self.plans.installation(),
        )
        try:
            async with following(Trail(self.outbox, self.clock, self.ids, about)):
                yield
        finally:
            self.teller.begin()

    async def source(self, name: str, today: date, reading: Reading | None = None) -> Source:
        """The endpoint of that name or URL, or the Bundle file at that path. Visits count from `today` on. With a
        `reading` that was kept only what changed since is asked for, and the new one is kept in its place.

        Raises UsageError where there is a `reading`, and the source is a file.
        """
        if self.is_file(name):
            if reading is not None:
                raise UsageError("A Bundle file is always read whole.", mend="Leave --since out.")
            return _bundle_file(Path(name))
        vendor = config.endpoint_named(self.settings, name).vendor
        source = EndpointSource(await self.client(name), self.query_plans, today=today, vendor=vendor)
        return source if reading is None else RefreshingSource(source, self.clock, reading)

    def is_file(self, name: str) -> bool:
        return name.endswith(".json") and name not in self.settings.endpoints and not config.is_url(name)

    async def propose(
        self, request: ExchangeRequest, reading: Reading | None = None, plans: Sequence[Path] = ()
    ) -> tuple[PatientRecord, Proposal]:
        """The dry run; of the plans in these files alone, where there are any. Raises CareplanError."""
        source, knowledge, patient, today = await self._asked(request, reading)
        if plans:
            protocols = compile_foreign([folders.read(path) for path in plans])
            knowledge = msgspec.structs.replace(knowledge, protocols=protocols)
        async with self.recorded():
            return await exchange.propose(source, knowledge, patient, today)

    async def delegate(self, request: ExchangeRequest, plans: Sequence[Path], at: str) -> tuple[Delegated, ...]:
        """What the `$apply` of the server `at` makes of the plans in these files. It must be the server on which
        the patient has that id: the same id elsewhere may be another person. Raises CareplanError."""
        client = await self.client(at)
        if self.is_file(request.endpoint) or (await self.client(request.endpoint)).base_url != client.base_url:
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
            async with self.recorded():
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
        async with self.recorded():
            return await exchange.explain(*await self._asked(request, reading))

    async def suppose(
        self, request: ExchangeRequest, given: Sequence[str], reading: Reading | None = None
    ) -> tuple[Proposal, Proposal]:
        """The plan as it is, and as it would be if what is given held. Raises CareplanError."""
        async with self.recorded():
            return await exchange.suppose(*await self._asked(request, reading), given)

    async def snapshot(
        self, request: ExchangeRequest, reading: Reading | None = None
    ) -> tuple[PatientRecord, Snapshot]:
        """The record and what mapping makes of it. Raises CareplanError."""
        async with self.recorded():
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
        async with self.recorded():
            record = await source.pull(patient.removeprefix("Patient/"))
        return self._surveyed(record, today)

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
        if self.is_file(endpoint):
            raise UsageError("A Bundle file is no server to sample.", mend="Use --bundles, or --patient.")
        client = await self.client(endpoint)
        query = Query(type="Patient", params=(("_count", str(min(wanted, 200))),))
        async with self.recorded():
            return tuple(patient.id for patient in await client.sample(query, wanted))

    async def proposal(self, endpoint: str, patient: str, today: str | None) -> Proposal:
        _, proposal = await self.propose(ExchangeRequest(endpoint=endpoint, patient=patient, today=today))
        return proposal

    def today(self, request: ExchangeRequest) -> date:
        return today_or(request.today, self.clock)


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
