"""One run: a script carried out against a real server through the fault proxy, and what the checker counts."""

import asyncio
import random
import shutil
import tempfile
import time
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from careplan_exchange import bootstrap, config, exchange
from careplan_exchange.errors import CareplanError
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.sources import Plans

from .checker import Case, Count, check
from .clinician import Clinician
from .modes import MODES
from .outages import Outages
from .outside import Outside
from .process import Killable
from .proxy import FaultProxy
from .script import Act, ClinicianEdits, GatewayResends, RecordGrows, Script, Sync, as_process, generator
from .ward import Ward

TODAY = "2026-11-24"
"""The synthetic records were made for this day."""

ENDPOINT = "drilled"
PROCESS_EVERY = 50
"""Every so manieth run of a mode has an exchange in a process of its own. The others run in this process, and
where a process is to die they are cancelled in the middle of their request: it takes a hundredth of the time."""

WHOLE_EVERY = 4

RAISED = "raised"
"""How an outcome begins that is an error of nobody's: one that the product should have known by name."""

_SETTLED = frozenset({"unchanged", "review"})
_CALM_SYNCS = 4
_LATEST = "2026-11-24T00:30:00Z"
_FIRST_DAY = 11
_SYSTOLIC = 150
"""Readings are of the days after the first in the record, each another one than that before, all too high."""


@dataclass(frozen=True)
class Place:
    """Where it runs. A run with a process of its own plans with all of `knowledge`, as that does; of the others
    one in WHOLE_EVERY plans with `small`, a whole protocol, and the rest with `part` of it. `endpoint` is the
    server and how to sign in; `store` a database URL, None for a SQLite file of its own for each run in `folder`,
    begun as a copy of `empty`. `outages` are those of all runs there."""

    settings: config.Settings
    endpoint: config.Endpoint
    knowledge: exchange.Knowledge
    small: exchange.Knowledge
    part: exchange.Knowledge
    plans: Plans
    folder: Path
    empty: Path
    store: str | None
    password: str | None
    http: httpx.AsyncClient
    outages: Outages = field(default_factory=Outages)


@dataclass
class Result:
    """What one run came to. `told`: the run ended with a question to a person, as its script allows; `removed`:
    the server let its patients be removed; `met`: exchanges that were under way when the server or the database
    was killed, of which `broken` ended with an error."""

    mode: str
    run: int
    count: Count
    told: bool = False
    removed: bool = True
    seconds: float = 0.0
    met: int = 0
    broken: int = 0
    outcomes: list[str] = field(default_factory=list)


async def run_once(place: Place, mode: str, run: int, seed: int) -> Result:
    """Make the patients, carry the script out, let things calm down, check, remove the patients."""
    started = time.perf_counter()
    rng = generator(seed, mode, run)
    script = MODES[mode](rng)
    if (run + list(MODES).index(mode)) % PROCESS_EVERY == 0 and place.endpoint.auth == "none":
        script = as_process(script)
    base = str(place.endpoint.url).rstrip("/")
    verify = str(place.endpoint.ca_bundle) if place.endpoint.ca_bundle else True
    proxy = FaultProxy(base, rng, habits=script.habits, verify=verify)
    folder = Path(tempfile.mkdtemp(prefix=f"{mode}-{run}-", dir=place.folder))
    result = Result(mode, run, Count())
    async with proxy.serving():
        knowledge = place.small if run % WHOLE_EVERY == 0 else place.part
        drill = _Drill(place, script, proxy=proxy, folder=folder, rng=rng, knowledge=knowledge)
        try:
            await drill.arrange(f"{seed}-{mode}-{run}")
            for act in script.acts:
                await drill.act(act)
            result.told, found = await place.outages.undisturbed(drill.calm_and_checked)
            result.count.join(found)
            drill.count_what_was_seen(result.count)
        finally:
            await drill.stop()
            result.removed = await drill.remove()
    result.outcomes, result.met, result.broken = drill.outcomes, drill.met, drill.broken
    result.seconds = time.perf_counter() - started
    if not result.count.total:
        shutil.rmtree(folder, ignore_errors=True)
    return result


class _Drill:
    def __init__(
        self,
        place: Place,
        script: Script,
        *,
        proxy: FaultProxy,
        folder: Path,
        rng: random.Random,
        knowledge: exchange.Knowledge,
    ) -> None:
        self._place = place
        self._knowledge = knowledge
        self._proxy = proxy
        self._outages = place.outages
        self._outside = Outside(str(place.endpoint.url), place.http, {}, place.outages)
        self._rng = rng
        self._script = script
        self._folder = folder
        self._store = place.store or f"sqlite:///{shutil.copy(place.empty, folder / 'careplan.db')}"
        self._exchanges: list[str] = []
        self._tasks: list[asyncio.Task[str]] = []
        self._process: Killable | None = None
        self._clinicians: dict[str, Clinician] = {}
        self._open = AsyncExitStack()
        self._product: bootstrap.Services | None = None
        self._ward = Ward(self._outside, rng)
        self._readings = 0
        self._last: dict[str, str] = {}
        self._known = 0
        self._tag = ""
        self.outcomes: list[str] = []
        self.met = 0
        self.broken = 0
        proxy.on_kill = self._kill
        proxy.on_edit = self._edit_meanwhile

    @property
    def patients(self) -> Sequence[str]:
        return tuple(self._clinicians)

    async def arrange(self, tag: str) -> None:
        """The patients, and the credentials for whoever asks past the proxy: those that the product shows it."""
        self._tag = tag
        if self._place.endpoint.auth != "none" or self._place.endpoint.headers:
            self._outside.credentials |= await self._outages.undisturbed(self._credentials)
        for number in range(self._script.patients):
            patient = await self._outside.make_patient(f"{tag}-{number}", doubled=self._script.doubled)
            self._clinicians[patient] = Clinician(self._outside, patient, self._rng)
        if self._script.patients > 1:
            found = await self._outside.search(f"Observation?patient=Patient/{self.patients[1]}")
            self._proxy.stranger = {**found[0].body, "effectiveDateTime": _LATEST} if found else None

    async def _credentials(self) -> dict[str, str]:
        await self.stop()  # what an earlier attempt thinks of the server
        client = await (await self._running()).client(ENDPOINT)
        await client.search(bootstrap.ANY_PATIENT, no_cache=True)
        return {**self._proxy.shown, **dict(self._place.endpoint.headers)}

    async def act(self, act: Act) -> None:
        await self._outages.over()
        match act:
            case Sync():
                await self._sync(act)
            case ClinicianEdits():
                for _ in range(act.times):
                    await self._edit()
            case RecordGrows():
                self._readings += 1
                at = f"2026-11-{_FIRST_DAY + self._readings}T{self._rng.randint(10, 19)}:00:00Z"
                systolic = _SYSTOLIC + 2 * self._rng.randint(0, 4) + 10 * (self._readings % 2)
                for patient in self.patients:
                    await self._outside.observe(patient, self._tag, systolic, at)
            case GatewayResends():
                await self._proxy.resend_kept()

    async def _sync(self, sync: Sync) -> None:
        self._proxy.plan.arm(sync.strikes)
        moment = self._outages.next_sync()
        if moment is not None:
            self._proxy.on_request = moment.request
        async with self._ward.watching(self.patients):
            if sync.process:
                await self._watched(self._in_a_process())
            else:
                await self._at_once(sync)
            self._proxy.plan.calm()
            if moment is not None:
                moment.now()

    async def _at_once(self, sync: Sync) -> None:
        product = await self._outages.undisturbed(self._running)
        self._tasks = [
            asyncio.create_task(self._watched(self._one(product, patient, approve=sync.approve)))
            for patient in self.patients
            for _ in range(sync.at_once)
        ]
        before = len(self.outcomes)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        if not {"written", *_SETTLED} >= set(self.outcomes[before:]):
            await self.stop()

    async def _watched(self, exchange: Coroutine[Any, Any, str]) -> str:
        """Its outcome. Counts the exchange, if the server or the database was killed meanwhile."""
        before = self._outages.count
        outcome = await exchange
        if self._outages.count > before:
            self.met += 1
            self.broken += outcome not in {"written", *_SETTLED}
        return outcome

    async def _in_a_process(self) -> str:
        """By the command line, for the first patient; killed by SIGKILL where a strike says so."""
        endpoint = self._place.endpoint.model_copy(update={"url": self._proxy.url})
        self._process = await Killable.start(
            self._folder,
            endpoint,
            store=self._store,
            password=self._place.password,
            patient=self.patients[0],
            today=TODAY,
        )
        exchange_id, outcome = await self._process.ended()
        self._process = None
        if exchange_id is not None:
            self._exchanges.append(exchange_id)
        self.outcomes.append(outcome)
        return outcome

    async def _one(self, product: bootstrap.Services, patient: str, *, approve: bool = False) -> str:
        """The outcome, or the key of the error that it ended with."""
        request = ExchangeRequest(endpoint=ENDPOINT, patient=patient, today=TODAY, approve=approve)
        exchange_id = product.ids.new()
        self._exchanges.append(exchange_id)
        try:
            receipt = await product.run(request, exchange_id=exchange_id)
        except CareplanError as error:
            outcome = error.key
        except asyncio.CancelledError:
            self.outcomes.append("killed")
            raise
        except Exception as error:
            self.outcomes.append(f"{RAISED} {type(error).__name__}")
            raise
        else:
            outcome = str(receipt.outcome)
        self.outcomes.append(outcome)
        return outcome

    async def calm_and_checked(self) -> tuple[bool, Count]:
        """Whether the run ended with a question to a person, as it may, and what the checker counts."""
        if self._outages.count > self._known:
            await self.stop()  # what it thinks of the server is of before
        self._known = self._outages.count
        count = Count()
        asked = await self.calm_down()
        if asked is not None and not self._script.may_ask:
            count.add("lost", f"no exchange goes through any more: {asked}")
        told = asked is not None and self._script.may_ask
        await self._check(count, told=told)
        return told, count

    async def calm_down(self) -> str | None:
        """No fault any more: exchanges until nothing is left to write. The last one's error, if it failed."""
        self._proxy.plan.calm()
        for patient in self.patients:
            last = ""
            for _ in range(_CALM_SYNCS):
                last = await self._watched(self._one(await self._running(), patient))
                if last in _SETTLED:
                    break
            self._last[patient] = last
            if last not in _SETTLED:
                return last
        return None

    async def _check(self, count: Count, *, told: bool) -> None:
        for patient, clinician in self._clinicians.items():
            case = Case(
                base=self._outside.base,
                credentials=self._outside.credentials,
                patient=patient,
                edits=clinician.edits,
                clinical=clinician.versions,
                store=self._store,
                password=self._place.password,
                exchanges=self._exchanges,
                asked=told,
                waits=self._last.get(patient) == "review",
                keeps_evidence="forgetful" not in self._script.habits,
                unguarded="no-if-match" in self._script.habits,
            )
            count.join(await check(case, self._place.http))

    def count_what_was_seen(self, count: Count) -> None:
        """What was noticed while the exchanges ran."""
        for _ in range(self._ward.half_written):
            count.add("half_written", "a reader on the ward saw a plan without its goals")
        for _ in range(self._proxy.strange_calls):
            count.add("misplaced", "a page of another server was followed")

    async def remove(self) -> bool:
        return all([await self._outside.remove_patient(patient) for patient in self.patients])

    async def _edit(self) -> None:
        clinician = self._clinicians[self._rng.choice(self.patients)]
        await clinician.edit()

    async def _edit_meanwhile(self) -> None:
        with suppress(CareplanError):  # of an outage that has no end: the next act says so
            await self._edit()

    async def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
        for task in self._tasks:
            task.cancel()

    async def _running(self) -> bootstrap.Services:
        """The product as a process has it; a new one, without a memory, after one that was killed or failed."""
        if self._product is None:
            endpoint = self._place.endpoint.model_copy(
                update={
                    "url": self._proxy.url,
                    "identity": self._place.endpoint.identity or "drill",
                    "attempts": 3,
                }
            )
            settings = self._place.settings.model_copy(
                update={"endpoints": {ENDPOINT: endpoint}, "store": self._store_settings()}
            )
            self._product = await self._open.enter_async_context(bootstrap.services(settings))
            whole = any(isinstance(act, Sync) and act.process for act in self._script.acts)
            self._product.knowledge = self._place.knowledge if whole else self._knowledge
            self._product.query_plans = self._place.plans
        return self._product

    def _store_settings(self) -> config.Store:
        """As the settings have it, with the drill's database; a SQLite file asks for no password."""
        store = self._place.settings.store.model_copy(update={"url": self._store})
        if self._place.store is None:
            store = store.model_copy(update={"password_env": None, "password_file": None})
        return store

    async def stop(self) -> None:
        """Whatever the product holds open is closed."""
        self._product = None
        await self._open.aclose()
