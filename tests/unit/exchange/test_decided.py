"""When a review counts as carried out, what is told of that, and what nobody may decide any more."""

from typing import Any

import msgspec
import pytest

from careplan_exchange import logs
from careplan_exchange.errors import UsageError
from careplan_exchange.exchange.decided import (
    close_review,
    close_what_was_carried_out,
    require_known_outcome,
    require_undecided,
)
from careplan_exchange.model.changes import ChangeSet
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.ledger import Entry
from careplan_exchange.model.review import Pending, ReviewState, ReviewStep
from careplan_exchange.store import MemoryLedger, MemoryPlanStore
from tests.support.exchanges import TickingClock
from tests.support.writing import an_intent, as_written, creates

URL, PATIENT = "https://target.example.org/fhir", "Patient/p1"
OF = (URL, PATIENT)
GOAL, *_, PLAN = creates()
WHOLE = (as_written(GOAL), as_written(PLAN))
AT = "2026-11-24T07:00:00+00:00"


def step(by: str = "Dr Who", kind: Any = "approve") -> ReviewStep:
    return ReviewStep(kind=kind, by=by, at=AT)


class Store:
    """A store, a ledger and a clock."""

    def __init__(self) -> None:
        self.plans, self.ledger, self.clock = MemoryPlanStore(), MemoryLedger(), TickingClock()

    async def waits(self, review: str = "r1", *steps: ReviewStep, patient: str = PATIENT) -> Pending:
        """Under each id another question."""
        change_set = ChangeSet(patient=review, changes=())
        pending = Pending(
            id=review,
            request=ExchangeRequest(endpoint="e", patient="p1"),
            target=URL,
            patient=patient,
            change_set=change_set,
            why=(),
            created_at=AT,
            steps=steps,
        )
        self.plans._pendings[review] = pending  # two may wait for one patient only where a process died
        return pending

    async def carried_out(self, review: str | None, written: Any = WHOLE, *, patient: str = PATIENT) -> None:
        intent = msgspec.structs.replace(an_intent([GOAL, PLAN], URL), review=review, patient=patient)
        await self.plans.commit_intent(intent, [], written, AT)

    async def close_all(self) -> None:
        await close_what_was_carried_out(self.plans, self.ledger, self.clock, OF)

    async def state(self, review: str = "r1") -> ReviewState:
        found = await self.plans.pending(review)
        assert found is not None
        return found.state

    async def told(self) -> list[Entry]:
        return [link.entry for link in await self.ledger.links()]


@pytest.fixture
def store() -> Store:
    return Store()


async def test_a_review_that_was_carried_out_is_told_by_whom_and_when_and_closed(store: Store) -> None:
    await store.waits("r1", step(), step("Dr Strange"))
    await store.carried_out("r1")
    await store.close_all()
    now = store.clock.now().isoformat()
    assert await store.told() == [
        Entry(
            exchange="r1",
            event=logs.REVIEW_DECIDED,
            at=now,
            data={"state": "approved", "by": "Dr Who, Dr Strange"},
        )
    ]
    closed = await store.plans.pending("r1")
    assert closed is not None
    assert (closed.state, closed.decided_by, closed.decided_at) == ("approved", "Dr Who, Dr Strange", now)


async def test_a_review_is_told_once_however_often_it_is_closed(store: Store) -> None:
    pending = await store.waits("r1", step())
    for _ in range(2):
        await close_review(store.plans, store.ledger, store.clock, pending)
    assert len(await store.told()) == 1


@pytest.mark.parametrize(
    "entry",
    [
        Entry(exchange="r1", event=logs.REVIEW_DECIDED, at=AT, data={"state": "rejected", "by": "x"}),
        Entry(exchange="r1", event=logs.REVIEW_DECIDED, at=AT),
        Entry(exchange="r1", event=logs.EXCHANGE_FINISHED, at=AT, data={"state": "approved"}),
        Entry(exchange="r2", event=logs.REVIEW_DECIDED, at=AT, data={"state": "approved", "by": "x"}),
    ],
)
async def test_what_else_the_ledger_says_is_not_that_it_was_approved(store: Store, entry: Entry) -> None:
    await store.ledger.append([entry])
    await close_review(store.plans, store.ledger, store.clock, await store.waits("r1", step()))
    assert len(await store.told()) == 2


async def test_where_nobody_is_known_to_have_approved_that_is_said(store: Store) -> None:
    await close_review(store.plans, store.ledger, store.clock, await store.waits("r1", step(kind="assign")))
    assert [entry.data["by"] for entry in await store.told()] == ["unknown"]


@pytest.mark.parametrize(
    ("review", "written", "patient", "steps"),
    [
        (None, WHOLE, PATIENT, (step(),)),
        ("r2", WHOLE, PATIENT, (step(),)),
        ("r1", WHOLE[:1], PATIENT, (step(),)),
        ("r1", WHOLE, "Patient/2", (step(),)),
        ("r1", WHOLE, PATIENT, ()),
    ],
)
async def test_a_review_waits_on_unless_a_write_of_just_this_review_stands_whole(
    store: Store, review: str | None, written: Any, patient: str, steps: tuple[ReviewStep, ...]
) -> None:
    await store.waits("r1", *steps)
    await store.waits("other", step())
    await store.carried_out(review, written, patient=patient)
    await store.close_all()
    assert await store.state() == "pending"
    assert await store.told() == []


async def test_of_several_that_wait_the_one_that_was_carried_out_is_closed(store: Store) -> None:
    await store.waits("r0")
    await store.waits("r1", step())
    await store.waits("r2", step())
    await store.waits("r3", step(), patient="Patient/2")
    for review in ("r1", "r3"):
        await store.carried_out(review)
    await store.close_all()
    assert [await store.state(review) for review in ("r0", "r1", "r2", "r3")] == [
        "pending",
        "approved",
        "pending",
        "pending",
    ]


async def test_a_review_that_nobody_has_touched_costs_no_reading_of_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.waits("r1")

    async def read(*_: Any, **__: Any) -> Any:
        pytest.fail("it was read")

    monkeypatch.setattr(store.plans, "pendings", read)
    await store.close_all()


async def test_what_was_approved_meanwhile_is_not_carried_out_again(store: Store) -> None:
    await require_undecided(store.plans, None)
    pending = await store.waits("r1", step())
    await require_undecided(store.plans, pending)
    await require_undecided(store.plans, msgspec.structs.replace(pending, id="gone"))
    await store.plans.decide_pending("r1", "approved", "Dr Who", AT)
    with pytest.raises(UsageError, match="r1 is approved already"):
        await require_undecided(store.plans, pending)


async def test_what_was_rejected_meanwhile_is_not_called_approved(store: Store) -> None:
    pending = await store.waits("r1", step())
    await store.plans.decide_pending("r1", "rejected", "Dr Who", AT)
    await require_undecided(store.plans, pending)


async def test_nobody_decides_on_what_was_sent_until_it_is_known_what_became_of_it(store: Store) -> None:
    pending = await store.waits("r1", step())
    for review, patient in ((None, PATIENT), ("r2", PATIENT), ("r1", "Patient/2")):
        await store.plans.open_intent(
            msgspec.structs.replace(an_intent([GOAL], URL), review=review, patient=patient)
        )
    await require_known_outcome(store.plans, pending)
    await store.plans.open_intent(msgspec.structs.replace(an_intent([GOAL], URL), review="r1"))
    with pytest.raises(UsageError, match="not known yet"):
        await require_known_outcome(store.plans, pending)
