"""Sending a write: what is told and kept before, and what becomes of the intent by how it ends."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest

from careplan_exchange import logs
from careplan_exchange.audit import Notes
from careplan_exchange.errors import (
    CareplanError,
    EndpointOverloadedError,
    OutcomeUnknownError,
    PartlyWrittenError,
    RefusedError,
    StoreUnavailableError,
    UnsettledWriteError,
    VersionConflictError,
)
from careplan_exchange.exchange.steps import Target
from careplan_exchange.exchange.writing import NotCarriedOutError, send
from careplan_exchange.model.changes import Base, Intent, Json, Settlement, Undone, WrittenResource
from careplan_exchange.model.issue import Issue
from careplan_exchange.store import MemoryLedger
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.exchanges import TickingClock
from tests.support.interfering import a_target
from tests.support.writing import an_intent, as_written, creates

URL = "https://target.example.org/fhir"
GOAL, *_, PLAN = creates()
INTENT = msgspec.structs.replace(
    an_intent([GOAL, PLAN], URL), id="a", created_at=TickingClock().now().isoformat()
)
WRITTEN = (as_written(GOAL), as_written(PLAN))
LINES = [
    {"reference": "Goal/7", "versionId": "1", "action": "create"},
    {"reference": "CarePlan/7", "versionId": "1", "action": "create"},
]
ISSUE = Issue(severity="error", code="conflict", key="write.failed", detail="Words.")
UNDONE = (Undone(written=WRITTEN[0], how="delete"),)
INTENDED = (logs.WRITE_INTENT, {"intent": "a", "resources": [GOAL.reference, PLAN.reference]})
TAKEN_BACK = (
    logs.WRITE_TAKEN_BACK,
    {
        "intent": "a",
        "count": 1,
        "resources": [LINES[0], {"reference": "Goal/7", "action": "delete", "of": "1"}],
    },
)


class Scripted(MemoryPlanWriter):
    """Ends each write as a test says, and shows what a test says afterwards."""

    def __init__(
        self, ends: CareplanError | None = None, shows: Settlement | CareplanError | None = None
    ) -> None:
        super().__init__(URL)
        self.ends = ends
        self.shows = shows
        self.before: Callable[[str], Any] | None = None
        self.attached: Sequence[Json] = ()

    async def write(self, intent: Intent, companions: Sequence[Json]) -> tuple[WrittenResource, ...]:
        self.attached = companions
        if self.before is not None:
            await self.before("write")
        if self.ends is not None:
            raise self.ends
        return WRITTEN

    async def settle(self, intent: Intent, booked: Mapping[str, Base]) -> Settlement:
        if self.before is not None:
            await self.before("settle")
        if isinstance(self.shows, CareplanError):
            raise self.shows
        assert self.shows is not None
        return self.shows


async def sent(target: Target) -> tuple[WrittenResource, ...]:
    notes = Notes(target.ledger, target.clock, exchange="x1", patient="Patient/p1", target=URL)
    return await send(target, INTENT, [{"resourceType": "Provenance"}], notes)


async def is_open(target: Target) -> bool:
    return await target.plans.open_intents(INTENT.target, INTENT.patient) == (INTENT,)


async def told(target: Target) -> list[tuple[str, dict[str, Any]]]:
    entries = [link.entry for link in await target.ledger.links()]
    return [(one.event, one.data) for one in entries if one.event != logs.EXCHANGE_STARTED]


async def booked(target: Target) -> list[tuple[WrittenResource, ...]]:
    return [commit.written for commit in await target.plans.commits()]


async def test_a_write_is_intended_sent_told_and_booked_in_this_order(monkeypatch: pytest.MonkeyPatch) -> None:
    target = a_target(Scripted())
    seen: list[tuple[str, list[str], bool]] = []

    async def look(step: str) -> None:
        seen.append((step, [event for event, _ in await told(target)], await is_open(target)))

    target.writer.before = look  # type: ignore[attr-defined]  # a Scripted
    commit = target.plans.commit_intent

    async def watched(*given: Any) -> None:
        await look("commit")
        await commit(*given)

    monkeypatch.setattr(target.plans, "commit_intent", watched)
    assert await sent(target) == WRITTEN
    assert seen == [
        ("write", [logs.WRITE_INTENT], True),
        ("commit", [logs.WRITE_INTENT, logs.EXCHANGE_WRITTEN], True),
    ]
    assert await told(target) == [INTENDED, (logs.EXCHANGE_WRITTEN, {"intent": "a", "resources": LINES})]
    assert target.writer.attached == [{"resourceType": "Provenance"}]  # type: ignore[attr-defined]  # a Scripted
    assert await booked(target) == [WRITTEN]
    assert not await is_open(target)


async def test_what_the_ledger_cannot_be_told_is_not_sent() -> None:
    class Full(MemoryLedger):
        async def append(self, entries: Sequence[Any]) -> Any:
            raise StoreUnavailableError("Full.", mend="Make room.")

    target = msgspec.structs.replace(a_target(Scripted()), ledger=Full())
    with pytest.raises(StoreUnavailableError):
        await sent(target)
    assert target.writer.attached == ()  # type: ignore[attr-defined]  # a Scripted
    assert not await is_open(target)


LOST = OutcomeUnknownError("It says 500.", mend="Look at its log.", issues=(ISSUE,))


async def test_a_write_whose_answer_was_lost_and_that_stands_is_what_the_look_shows() -> None:
    target = a_target(Scripted(LOST, Settlement(outcome="committed", written=WRITTEN)))
    assert await sent(target) == WRITTEN
    assert [event for event, _ in await told(target)] == [
        logs.WRITE_INTENT,
        logs.WRITE_UNKNOWN,
        logs.EXCHANGE_SETTLED,
    ]
    assert (await told(target))[1][1] == {"intent": "a"}
    assert await booked(target) == [WRITTEN]


async def test_a_write_whose_answer_was_lost_and_that_does_not_stand_may_be_carried_out_yet() -> None:
    target = a_target(Scripted(LOST, Settlement(outcome="absent")))
    with pytest.raises(NotCarriedOutError) as caught:
        await sent(target)
    assert (caught.value.detail, caught.value.mend, caught.value.issues) == (LOST.detail, LOST.mend, (ISSUE,))
    assert await is_open(target)
    assert await booked(target) == []


async def test_of_a_write_that_was_carried_out_in_part_that_is_told_and_booked_and_the_cause_is_heard() -> None:
    cause = EndpointOverloadedError("Busy.", mend="Later.")
    target = a_target(Scripted(PartlyWrittenError(cause, WRITTEN[:1])))
    with pytest.raises(EndpointOverloadedError) as caught:
        await sent(target)
    assert caught.value is cause
    assert await told(target) == [INTENDED, (logs.WRITE_PARTLY, {"intent": "a", "resources": LINES[:1]})]
    assert await booked(target) == [WRITTEN[:1]]
    assert not await is_open(target)


async def test_what_was_carried_out_in_part_is_in_the_ledger_before_it_is_booked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = a_target(Scripted(PartlyWrittenError(RefusedError("No.", mend="-"), WRITTEN[:1])))

    async def full(*_: Any) -> None:
        raise StoreUnavailableError("Full.", mend="Make room.")

    monkeypatch.setattr(target.plans, "commit_intent", full)
    with pytest.raises(StoreUnavailableError):
        await sent(target)
    assert (await told(target))[-1][0] == logs.WRITE_PARTLY
    assert await is_open(target)


CONFLICT = VersionConflictError("Somebody was quicker.", mend="Again.")


async def test_a_conflict_with_our_own_first_request_is_a_write_that_stands() -> None:
    target = a_target(Scripted(CONFLICT, Settlement(outcome="committed", written=WRITTEN)))
    assert await sent(target) == WRITTEN
    assert await booked(target) == [WRITTEN]


@pytest.mark.parametrize(
    "settlement", [Settlement(outcome="absent"), Settlement(outcome="unclear"), Settlement(outcome="superseded")]
)
async def test_a_conflict_with_somebody_else_ends_the_intent_and_is_heard(settlement: Settlement) -> None:
    target = a_target(Scripted(CONFLICT, settlement))
    with pytest.raises(VersionConflictError) as caught:
        await sent(target)
    assert caught.value is CONFLICT
    assert not await is_open(target)
    assert await booked(target) == []


@pytest.mark.parametrize("ends", [LOST, CONFLICT])
async def test_where_the_server_cannot_be_asked_the_intent_stays_open(ends: CareplanError) -> None:
    target = a_target(Scripted(ends, EndpointOverloadedError("Busy.", mend="Later.")))
    with pytest.raises(EndpointOverloadedError):
        await sent(target)
    assert await is_open(target)


async def test_a_write_whose_answer_was_lost_and_that_cannot_be_told_apart_is_for_a_person() -> None:
    target = a_target(Scripted(LOST, Settlement(outcome="unclear")))
    with pytest.raises(UnsettledWriteError):
        await sent(target)
    assert await is_open(target)


async def test_a_write_that_was_refused_ends_its_intent_and_says_nothing_of_what_was_not_undone() -> None:
    refused = RefusedError("No.", mend="-")
    target = a_target(Scripted(refused))
    with pytest.raises(RefusedError) as caught:
        await sent(target)
    assert caught.value is refused
    assert await told(target) == [INTENDED]
    assert not await is_open(target)


@pytest.mark.parametrize(
    "ends",
    [
        RefusedError("No.", mend="-"),
        OutcomeUnknownError("No answer.", mend="-"),
        VersionConflictError("Changed.", mend="-"),
    ],
)
async def test_what_a_write_took_back_is_in_the_ledger_before_anything_else_is_done(
    ends: CareplanError, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends.undone = UNDONE
    target = a_target(Scripted(ends, Settlement(outcome="absent")))
    known: list[tuple[str, dict[str, Any]]] = []

    async def look(step: str) -> None:
        if step == "settle" and not known:
            known.extend(await told(target))

    target.writer.before = look  # type: ignore[attr-defined]  # a Scripted
    abandon = target.plans.abandon_intent

    async def watched(intent: Intent) -> None:
        await look("settle")
        await abandon(intent)

    monkeypatch.setattr(target.plans, "abandon_intent", watched)
    with pytest.raises(CareplanError):
        await sent(target)
    assert known == [INTENDED, TAKEN_BACK]
