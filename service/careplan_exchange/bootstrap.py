"""The only place where adapters meet ports, and where settings meet code."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime, timedelta

import msgspec

from careplan_exchange import config, exchange, logs
from careplan_exchange.audit import Keyring, SealingLedger, SigningKey
from careplan_exchange.connections import believed_keys, signing_key, store_keys, store_password
from careplan_exchange.errors import CareplanError, RecordError, RefusedError, UnavailableError, UsageError
from careplan_exchange.fhir import FhirClient
from careplan_exchange.inquiries import ANY_PATIENT, VERSION, Inquiries, RandomIds, SystemClock, today_or
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.history import PlanHistory
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.ledger import Entry
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.review import Pending, ReviewStep
from careplan_exchange.model.writing import Writing
from careplan_exchange.operations import DeadLetters, History, Records, Reviews
from careplan_exchange.ports import Ledger, Outbox, PlanStore, Source
from careplan_exchange.review import consents
from careplan_exchange.sources import (
    Reading,
)
from careplan_exchange.store import open_store
from careplan_exchange.writer import FhirPlanWriter, LadderPlanWriter, takes_any

__all__ = [
    "ANY_PATIENT",
    "VERSION",
    "RandomIds",
    "Services",
    "SystemClock",
    "failed_receipt",
    "sealing",
    "services",
    "today_or",
]

_TELLING_SHARE = 0.05
"""The telling of events that is still under way may take so much of the time that all else took."""


class Services(Inquiries):
    """Everything a command or a route can ask for."""

    def __init__(
        self,
        settings: config.Settings,
        plans: PlanStore,
        ledger: Ledger,
        stack: AsyncExitStack,
        *,
        outbox: Outbox,
        key: SigningKey | None = None,
        believed: Keyring | None = None,
    ) -> None:
        super().__init__(settings, plans, stack, outbox=outbox)
        self.ledger = ledger
        self.reviews = Reviews(plans=plans, ledger=ledger, clock=self.clock, ids=self.ids, run=self.run)
        self.letters = DeadLetters(plans=plans, ledger=ledger, clock=self.clock, ids=self.ids, run=self.run)
        self.records = Records(ledger, self.clock, key=key, believed=believed)
        self._standing = exchange.Standing()

    async def run(
        self,
        request: ExchangeRequest,
        *,
        exchange_id: str,
        accepting: Pending | None = None,
        reading: Reading | None = None,
    ) -> Receipt:
        """The whole path. Raises CareplanError."""
        async with self.recorded(exchange_id, _person(accepting)):
            if accepting is not None and request.reverts is not None:
                step = consents(accepting)[-1]
                return await self._take_back(request.reverts, exchange_id, step, accepting=accepting)
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

    async def history(
        self, endpoint: str, patient: str, *, target: str | None = None, offline: bool = False
    ) -> PlanHistory:
        """The life of the plan of the patient with that id (or `system|value`) at `endpoint`. Where the target
        has a companion, that of the plan which a run writes now; `offline`, or where the target does not answer,
        of the one that this store knows of last. With an id `offline` makes no request. Raises UsageError,
        SettingsError, and for an identifier what a reading of the record raises."""
        asked = ExchangeRequest(endpoint=endpoint, patient=patient, target=target)
        source = await self.source(endpoint, self.today(asked))
        teller = History(self.plans, self.ledger)
        async with self.recorded():
            subject = f"Patient/{(await _by_id(source, asked)).patient}"
            server = await self._keeper(teller, target or endpoint, source, subject, offline=offline)
            whose = exchange.known_as(subject, source, server.base_url)
            return await teller.tell(server.base_url, whose, None if offline else server)

    async def _keeper(
        self, teller: History, target: str, source: Source, subject: str, *, offline: bool
    ) -> FhirClient:
        """The client of the server that has the patient's plan: the target, or its companion."""
        if not offline:
            with suppress(RecordError, RefusedError, UnavailableError):  # then what this store knows has to do
                return await self._taker(target)
        client = await self.client(target)
        companion = config.endpoint_named(self.settings, target).companion
        if companion is None:
            return client
        known: list[tuple[datetime, FhirClient]] = []
        for one in (client, await self.client(companion)):
            moment = await teller.last_known(one.base_url, exchange.known_as(subject, source, one.base_url))
            if moment is not None:
                known.append((moment, one))
        return max(known, key=lambda each: each[0])[1] if known else client

    async def revert(self, exchange_id: str, *, by: str, reason: str) -> Receipt:
        """Take back what an exchange wrote (exchange.revert). Raises UsageError, CareplanError."""
        step = ReviewStep(kind="revert", by=by, at=self.clock.now().isoformat(), reason=reason)
        new = self.ids.new()
        async with self.recorded(new, by):
            return await self._take_back(exchange_id, new, step)

    async def _take_back(
        self,
        reverts: str,
        exchange_id: str,
        step: ReviewStep,
        *,
        accepting: Pending | None = None,
    ) -> Receipt:
        commits = await self.plans.commits(exchange=reverts)
        if not commits:
            raise UsageError(
                "That exchange wrote nothing that could be taken back.",
                mend="`careplan audit list` shows the exchanges and what each came to.",
            )
        target = exchange.Target(
            writer=FhirPlanWriter(await self.client(commits[0].intent.target), ids=self.ids, habits=self.plans),
            plans=self.plans,
            ledger=self.ledger,
            clock=self.clock,
            ids=self.ids,
            policy=self.knowledge.review,
            version=VERSION,
            events=self.settings.audit.events == "transaction",
        )
        asked = exchange.Undo(
            exchange=exchange_id, reverts=reverts, commits=commits, step=step, accepting=accepting
        )
        return await exchange.revert(target, asked)

    async def recover(self, request: ExchangeRequest, *, by: str | None) -> tuple[Writing, ...]:
        """What the target holds of ours that this store does not know; with `by` it is adopted. Raises
        CareplanError."""
        steps = await self._steps(request, None)
        asked = exchange.Request(
            exchange=self.ids.new(), asked=await _by_id(steps.source, request), today=self.today(request)
        )
        return await exchange.recover(steps, asked, by=by)

    async def _steps(self, request: ExchangeRequest, reading: Reading | None) -> exchange.Steps:
        target = request.target or request.endpoint
        if self.is_file(target):
            raise UsageError(
                "A Bundle file can be read from, not written to.",
                mend="Name the server to write to with --target, or use `careplan plan`.",
            )
        source = await self.source(request.endpoint, self.today(request), reading)
        return exchange.Steps(
            source=source,
            writer=LadderPlanWriter(await self._taker(target), ids=self.ids, habits=self.plans),
            plans=self.plans,
            ledger=self.ledger,
            clock=self.clock,
            ids=self.ids,
            knowledge=self.knowledge,
            policy=self.knowledge.review,
            version=VERSION,
            standing=self._standing,
            events=self.settings.audit.events == "transaction",
        )

    async def _taker(self, target: str) -> FhirClient:
        """The client of the target, or of its companion where it is on no rung of the write ladder. The companion
        of a companion is not asked: two servers at most."""
        client = await self.client(target)
        companion = config.endpoint_named(self.settings, target).companion
        if companion is None or takes_any(await client.capabilities()):
            return client
        return await self.client(companion)

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


async def _by_id(source: Source, request: ExchangeRequest) -> ExchangeRequest:
    """The request with the patient's id: a business identifier (`system|value`) goes no further than this."""
    patient = request.patient.removeprefix("Patient/")
    if "|" in patient:
        patient = (await source.pull(patient)).patient.id
    return msgspec.structs.replace(request, patient=patient)


def _person(accepting: Pending | None) -> str | None:
    """For whom a reviewed change is written: whoever let it through last."""
    steps = consents(accepting) if accepting is not None else ()
    return steps[-1].by if steps else None


def failed_receipt(error: CareplanError, exchange_id: str) -> Receipt:
    """A failure in the form of a receipt: the error is its first issue."""
    first = Issue(severity="error", code="exception", key=error.key, detail=error.detail, mend=error.mend)
    return Receipt(outcome="failed", resources=(), issues=(first, *error.issues), exchange=exchange_id)


@asynccontextmanager
async def services(settings: config.Settings) -> AsyncIterator[Services]:
    """Open the store; everything else opens when it is first used. Raises StoreVersionError and its kin."""
    async with AsyncExitStack() as stack:
        key = signing_key(settings)
        believed = believed_keys(settings, key)
        store = await stack.enter_async_context(
            open_store(
                settings.store.url,
                password=store_password(settings),
                keys=store_keys(settings),
                tenant=settings.ledger.tenant,
            )
        )
        ledger = store.ledger if key is None else sealing(store.ledger, key, settings)
        opened = Services(settings, store.plans, ledger, stack, outbox=store.outbox, key=key, believed=believed)
        began = time.monotonic()
        try:
            yield opened
        finally:
            await opened.teller.end(within=_TELLING_SHARE * (time.monotonic() - began))


def sealing(ledger: Ledger, key: SigningKey, settings: config.Settings) -> Ledger:
    """The ledger, whose head is signed as it grows."""
    said = settings.ledger
    return SealingLedger(
        ledger,
        key,
        SystemClock(),
        every=said.sign_every_entries,
        after=timedelta(minutes=said.sign_every_minutes),
    )
