"""Bugs planted in the write path, each of which loses, doubles or overwrites something: a drill must notice it.

Every bug is a patch of our own code. The modes named beside it are run, one run after the other, until one of them
finds something; a bug that none finds in the bounded number of runs is one that the drills would let through.
"""

import contextlib
import importlib.util
import uuid
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from careplan_exchange import config, exchange
from careplan_exchange.drills import Order, batch
from careplan_exchange.errors import OutcomeUnknownError
from careplan_exchange.exchange import comparing, settling
from careplan_exchange.fhir import FhirClient, ask, client, search, writes
from careplan_exchange.fhir import batch as searches
from careplan_exchange.model.changes import Settlement, WrittenResource
from careplan_exchange.store.ledger import SqlLedger
from careplan_exchange.store.plans import SqlPlanStore
from careplan_exchange.writer import bundle
from careplan_exchange.writer.render import context

pytestmark = pytest.mark.slow

SEED = 41
RUNS = 12


@pytest.fixture(scope="module")
def worker() -> Iterator[batch._Worker]:
    order = Order(settings=config.Settings(), modes=(), runs=0, seed=SEED, at_once=2)
    worker = batch._Worker(order)
    yield worker
    worker.close()


def no_if_match(patch: pytest.MonkeyPatch) -> None:
    whole = bundle._update

    def without(*args: Any, **kwargs: Any) -> Any:
        entry = whole(*args, **kwargs)
        del entry["request"]["ifMatch"]
        return entry

    patch.setattr(bundle, "_update", without)


def without_the_look_afterwards(patch: pytest.MonkeyPatch) -> None:
    """Takes the second line of defence out too, which would see a double and take it back: the answer is believed."""
    if importlib.util.find_spec("careplan_exchange.writer.aftermath") is None:
        return

    async def believed(_: Any, done: Any) -> tuple[WrittenResource, ...]:
        return tuple(
            WrittenResource(
                identity=change.identity,
                type=change.type,
                id=answer.id or "",
                version_id=answer.version_id or "",
                action=change.action,
                stored=answer.body or change.body,
            )
            for change, answer in done
        )

    patch.setattr("careplan_exchange.writer.aftermath.confirmed", believed)


def resend_after_a_timeout(patch: pytest.MonkeyPatch) -> None:
    without_the_look_afterwards(patch)
    once = FhirClient.transaction

    async def again(self: FhirClient, *args: Any, **kwargs: Any) -> Any:
        try:
            return await once(self, *args, **kwargs)
        except OutcomeUnknownError:
            return await once(self, *args, **kwargs)

    patch.setattr(FhirClient, "transaction", again)


def no_settle(patch: pytest.MonkeyPatch) -> None:
    async def taken_for_absent(target: Any, intents: Any, notes: Any) -> dict[str, Settlement]:
        for intent in intents:
            await target.plans.abandon_intent(intent)
        return {intent.id: Settlement(outcome="superseded") for intent in intents}

    patch.setattr(settling, "_settled", taken_for_absent)


def given_up_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settling, "LATEST", timedelta(seconds=-1))


def overtaken_in_the_dark(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any) -> tuple[()]:
        return ()

    patch.setattr("careplan_exchange.writer.fhir.overtaken", nothing)


def base_not_stored(patch: pytest.MonkeyPatch) -> None:
    whole = SqlPlanStore.commit_intent

    async def without(self: SqlPlanStore, intent: Any, bases: Any, *args: Any, **kwargs: Any) -> Any:
        return await whole(self, intent, (), *args, **kwargs)

    patch.setattr(SqlPlanStore, "commit_intent", without)


def intent_not_stored(patch: pytest.MonkeyPatch) -> None:
    async def forgotten(self: SqlPlanStore, *args: Any, **kwargs: Any) -> None:
        return None

    patch.setattr(SqlPlanStore, "open_intent", forgotten)


def part_booked_as_success(patch: pytest.MonkeyPatch) -> None:
    without_the_look_afterwards(patch)

    def booked(entries: list[Any]) -> None:
        for entry in entries:
            entry["response"]["status"] = "201 Created"

    patch.setattr(writes, "_check_entries", booked)


def cached_search_before_a_write(patch: pytest.MonkeyPatch) -> None:
    for module in (ask, client, search, searches):
        patch.setattr(module, "NO_CACHE", ())


def no_lock(patch: pytest.MonkeyPatch) -> None:
    without_the_look_afterwards(patch)
    patch.setattr(SqlPlanStore, "patient_lock", lambda self, *args: contextlib.nullcontext())


def ours_over_theirs(patch: pytest.MonkeyPatch) -> None:
    whole = comparing.compare

    def forced(*args: Any, **kwargs: Any) -> Any:
        changes = whole(*args, **kwargs)
        return msgspec.structs.replace(changes, changes=tuple(map(_forced, changes.changes)))

    patch.setattr(comparing, "compare", forced)


def _forced(change: Any) -> Any:
    if change.theirs is None:
        return change
    body = {**change.theirs, **change.ours}
    action = "unchanged" if body == change.theirs else "update"
    return msgspec.structs.replace(change, body=body, action=action)


def identity_at_random(patch: pytest.MonkeyPatch) -> None:
    salt: ContextVar[str] = ContextVar("salt")
    whole, run = context.identity_of, exchange.sync

    async def salted(*args: Any, **kwargs: Any) -> Any:
        salt.set(uuid.uuid4().hex)
        return await run(*args, **kwargs)

    patch.setattr(exchange, "sync", salted)
    patch.setattr(context, "identity_of", lambda place, *rest: whole(f"{place}{salt.get()}", *rest))
    patch.setattr(comparing, "_refuse_a_second_plan", lambda record: None)


def ledger_not_written(patch: pytest.MonkeyPatch) -> None:
    async def lost(self: SqlLedger, entries: Any) -> tuple[()]:
        return ()

    patch.setattr(SqlLedger, "append", lost)


@pytest.mark.parametrize(
    ("bug", "modes"),
    [
        (no_if_match, ("put-without-if-match",)),
        (resend_after_a_timeout, ("literal-condition",)),
        (no_settle, ("timeout-after-commit",)),
        (given_up_at_once, ("timeout-after-commit",)),
        (overtaken_in_the_dark, ("if-match-ignored",)),
        (base_not_stored, ("put-without-if-match", "stale-body-retried")),
        (intent_not_stored, ("timeout-after-commit",)),
        (part_booked_as_success, ("partial-batch",)),
        (cached_search_before_a_write, ("cached-absent",)),
        (no_lock, ("literal-condition", "concurrent-creates")),
        (ours_over_theirs, ("stale-body-retried",)),
        (identity_at_random, ("concurrent-creates",)),
        (ledger_not_written, ("twice-in-one-bundle",)),
    ],
    ids=lambda value: value.__name__ if callable(value) else ",".join(value),
)
def test_a_planted_bug_is_found(
    bug: Callable[[pytest.MonkeyPatch], None],
    modes: tuple[str, ...],
    worker: batch._Worker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bug(monkeypatch)
    for run in range(1, RUNS + 1):
        for result in worker.work([(mode, run) for mode in modes]):
            if result.count.total:
                return
    pytest.fail(f"{RUNS} runs of {', '.join(modes)} found nothing (seed {SEED})")


def test_without_a_bug_the_same_runs_find_nothing(worker: batch._Worker) -> None:
    modes = ("timeout-after-commit", "literal-condition", "put-without-if-match", "twice-in-one-bundle")
    results = worker.work([(mode, run) for mode in modes for run in (1, 2)])
    assert [result.count.notes for result in results] == [[]] * len(results)
