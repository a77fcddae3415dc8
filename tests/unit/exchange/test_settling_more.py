"""What becomes of each intent by what a look at the server shows: in the ledger, in the store, and to the caller."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from careplan_exchange import logs
from careplan_exchange.audit import Notes
from careplan_exchange.errors import (
    EndpointOverloadedError,
    UnsettledWriteError,
    UnsupportedServerError,
    VersionConflictError,
)
from careplan_exchange.exchange.settling import (
    LATEST,
    as_held,
    committed,
    require_nothing_came_late,
    settle,
    settle_what_is_open,
)
from careplan_exchange.exchange.steps import Target
from careplan_exchange.model.changes import Base, Intent, Settlement, Undone
from careplan_exchange.model.issue import Issue
from careplan_exchange.reconcile import next_base
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.interfering import a_target
from tests.support.writing import an_intent, an_update, as_written, creates

URL = "https://target.example.org/fhir"
PATIENT = "Patient/p1"
GOAL, *_, PLAN = creates()
ISSUE = Issue(severity="error", code="conflict", key="write.settle.foreign", detail="Not ours.")
COMMITTED = Settlement(outcome="committed", written=(as_written(GOAL), as_written(PLAN)))
LINES = [
    {"reference": "Goal/7", "versionId": "1", "action": "create"},
    {"reference": "CarePlan/7", "versionId": "1", "action": "create"},
]


class Scripted(MemoryPlanWriter):
    """Finds of each intent what a test says, one look after another; the last one for good."""

    def __init__(self, **found: Sequence[Settlement]) -> None:
        super().__init__(URL)
        self.found = {name: list(each) for name, each in found.items()}
        self.looks: list[str] = []
        self.booked: Mapping[str, Base] = {}

    async def settle(self, intent: Intent, booked: Mapping[str, Base]) -> Settlement:
        self.looks.append(intent.id)
        self.booked = booked
        found = self.found[intent.id]
        return found.pop(0) if len(found) > 1 else found[0]


async def opened(on: Target, name: str, **fields: Any) -> Intent:
    intent = msgspec.structs.replace(
        an_intent([GOAL, PLAN], URL),
        id=name,
        exchange=f"exchange-{name}",
        created_at=on.clock.now().isoformat(),
        **fields,
    )
    await on.plans.open_intent(intent)
    return intent


async def looked(*found: Settlement, **fields: Any) -> tuple[Target, Intent]:
    target = a_target(Scripted(a=found))
    return target, await opened(target, "a", **fields)


def notes_of(target: Target) -> Notes:
    return Notes(target.ledger, target.clock, exchange="x1", patient=PATIENT, target=URL)


async def left_open(target: Target) -> list[str]:
    return [one.id for one in await target.plans.open_intents(URL, PATIENT)]


async def told(target: Target) -> list[tuple[str, dict[str, Any]]]:
    entries = [link.entry for link in await target.ledger.links()]
    return [(one.event, one.data) for one in entries if one.event != logs.EXCHANGE_STARTED]


async def test_a_write_that_happened_is_told_booked_and_closed() -> None:
    target, intent = await looked(COMMITTED)
    assert await settle(target, intent, notes_of(target)) == COMMITTED.written
    assert await told(target) == [
        (
            logs.EXCHANGE_SETTLED,
            {"intent": "a", "state": "committed", "of": "exchange-a", "resources": LINES},
        )
    ]
    (commit,) = await target.plans.commits()
    assert (commit.intent, commit.written, commit.committed_at) == (
        intent,
        COMMITTED.written,
        target.clock.now().isoformat(),
    )
    bases = await target.plans.bases(URL, PATIENT)
    assert bases == {
        one.identity: next_base(change, one) for change, one in zip((GOAL, PLAN), COMMITTED.written, strict=True)
    }
    assert await left_open(target) == []


async def test_the_look_knows_what_is_booked_of_the_patient_by_now() -> None:
    target, intent = await looked(COMMITTED)
    base = next_base(GOAL, as_written(GOAL))
    await target.plans.save_bases(URL, PATIENT, [base])
    await settle(target, intent, notes_of(target))
    assert target.writer.booked == {base.identity: base}  # type: ignore[attr-defined]  # a Scripted


async def test_of_a_part_what_stands_is_booked_and_a_fresh_read_is_due() -> None:
    target, intent = await looked(Settlement(outcome="partial", written=(as_written(GOAL),)))
    assert await settle(target, intent, notes_of(target)) is None
    (commit,) = await target.plans.commits()
    assert commit.written == (as_written(GOAL),)
    assert list(await target.plans.bases(URL, PATIENT)) == [GOAL.identity]
    assert await left_open(target) == []


UNDONE = Undone(written=as_written(GOAL), how="delete")


@pytest.mark.parametrize(
    ("settlement", "passed", "left"),
    [
        (Settlement(outcome="absent"), timedelta(0), ["a"]),
        (Settlement(outcome="absent"), LATEST, ["a"]),
        (Settlement(outcome="absent"), LATEST + timedelta(seconds=1), []),
        (Settlement(outcome="absent", undone=(UNDONE,)), timedelta(0), []),
        (Settlement(outcome="superseded"), timedelta(0), []),
    ],
)
async def test_what_does_not_stand_is_waited_for_unless_it_can_come_no_more(
    settlement: Settlement, passed: timedelta, left: list[str]
) -> None:
    target, intent = await looked(settlement)
    target.clock.moment += passed  # type: ignore[attr-defined]  # a TickingClock
    assert await settle(target, intent, notes_of(target)) is None
    assert await left_open(target) == left
    assert await target.plans.commits() == ()
    assert (await told(target))[0][1]["state"] == settlement.outcome


async def test_what_cannot_be_told_apart_is_in_the_ledger_and_for_a_person() -> None:
    target, intent = await looked(Settlement(outcome="unclear", written=(as_written(GOAL),), issues=(ISSUE,)))
    with pytest.raises(UnsettledWriteError) as caught:
        await settle(target, intent, notes_of(target))
    assert caught.value.issues == (ISSUE,)
    assert "exchange-a" in caught.value.mend
    assert await told(target) == [
        (
            logs.EXCHANGE_SETTLED,
            {"intent": "a", "state": "unclear", "of": "exchange-a", "resources": LINES[:1]},
        )
    ]
    assert await left_open(target) == ["a"]
    assert await target.plans.commits() == ()


async def test_what_stands_in_place_of_somebody_elses_version_is_booked_before_anybody_is_told() -> None:
    target, intent = await looked(msgspec.structs.replace(COMMITTED, issues=(ISSUE,)))
    with pytest.raises(UnsupportedServerError) as caught:
        await settle(target, intent, notes_of(target))
    assert caught.value.issues == (ISSUE,)
    assert len(await target.plans.commits()) == 1
    assert await left_open(target) == []


async def test_what_a_look_took_away_or_put_back_is_in_the_ledger_line_by_line() -> None:
    plan = msgspec.structs.replace(as_written(PLAN), action="update", version_id="3")
    back = Undone(written=plan, how="update", version_id="4", restores="2", put_back=True)
    gone = Undone(written=msgspec.structs.replace(as_written(GOAL), id="8"), how=None)
    target, intent = await looked(Settlement(outcome="absent", undone=(UNDONE, back, gone)))
    await settle(target, intent, notes_of(target))
    assert (await told(target))[1:] == [
        (
            logs.WRITE_TAKEN_BACK,
            {
                "intent": "a",
                "count": 2,
                "resources": [
                    LINES[0],
                    {"reference": "Goal/8", "versionId": "1", "action": "create"},
                    {"reference": "Goal/7", "action": "delete", "of": "1"},
                ],
            },
        ),
        (
            logs.WRITE_PUT_BACK,
            {
                "intent": "a",
                "count": 1,
                "resources": [
                    {"reference": "CarePlan/7", "versionId": "3", "action": "update"},
                    {
                        "reference": "CarePlan/7",
                        "versionId": "4",
                        "action": "update",
                        "of": "3",
                        "restores": "2",
                    },
                ],
            },
        ),
    ]


# --- several at once --------------------------------------------------------------------------------------------

UNCLEAR = Settlement(outcome="unclear", issues=(ISSUE,))
ABSENT = Settlement(outcome="absent")


async def test_one_that_differs_is_looked_at_again_once_the_other_is_booked() -> None:
    target = a_target(Scripted(a=[UNCLEAR, Settlement(outcome="superseded")], b=[COMMITTED]))
    for name in ("a", "b"):
        await opened(target, name)
    await settle_what_is_open(target, PATIENT, notes_of(target))
    assert target.writer.looks == ["a", "b", "a"]  # type: ignore[attr-defined]  # a Scripted
    assert await left_open(target) == []
    assert [commit.intent.id for commit in await target.plans.commits()] == ["b"]


async def test_of_several_that_differ_for_good_the_first_is_named_and_the_others_are_booked() -> None:
    target = a_target(Scripted(a=[UNCLEAR], b=[COMMITTED], c=[UNCLEAR]))
    for name in ("a", "b", "c"):
        await opened(target, name)
    with pytest.raises(UnsettledWriteError) as caught:
        await settle_what_is_open(target, PATIENT, notes_of(target))
    assert "exchange-a" in caught.value.mend
    assert await left_open(target) == ["a", "c"]
    assert target.writer.looks == ["a", "b", "c", "a", "c"]  # type: ignore[attr-defined]  # a Scripted


async def test_a_write_is_settled_after_whatever_else_is_open_and_each_once() -> None:
    target = a_target(Scripted(a=[COMMITTED], b=[ABSENT], other=[ABSENT]))
    intent = await opened(target, "a")
    await opened(target, "b")
    await opened(target, "other", patient="Patient/2")
    assert await settle(target, intent, notes_of(target)) == COMMITTED.written
    assert target.writer.looks == ["b", "a"]  # type: ignore[attr-defined]  # a Scripted


async def test_what_became_of_another_is_not_what_became_of_this() -> None:
    target = a_target(Scripted(a=[ABSENT], b=[COMMITTED]))
    intent = await opened(target, "a")
    await opened(target, "b")
    assert await settle(target, intent, notes_of(target)) is None


async def test_only_what_is_open_of_this_patient_on_this_target_is_looked_at() -> None:
    target = a_target(Scripted(a=[ABSENT]))
    await opened(target, "a")
    await opened(target, "other", patient="Patient/2")
    await opened(target, "elsewhere", target="https://other.example.org/fhir")
    await settle_what_is_open(target, PATIENT, notes_of(target))
    assert target.writer.looks == ["a"]  # type: ignore[attr-defined]  # a Scripted


@pytest.mark.parametrize(
    ("settlement", "late"),
    [
        (COMMITTED, True),
        (Settlement(outcome="partial", written=(as_written(GOAL),)), True),
        (ABSENT, False),
        (Settlement(outcome="superseded"), False),
    ],
)
async def test_what_was_carried_out_after_the_look_means_that_the_record_is_read_again(
    settlement: Settlement, late: bool
) -> None:
    target, _ = await looked(settlement)
    if late:
        with pytest.raises(VersionConflictError, match="late"):
            await require_nothing_came_late(target, PATIENT, notes_of(target))
    else:
        await require_nothing_came_late(target, PATIENT, notes_of(target))


async def test_a_server_that_cannot_be_asked_leaves_every_intent_as_it_is() -> None:
    class Busy(MemoryPlanWriter):
        async def settle(self, intent: Intent, booked: Mapping[str, Base]) -> Settlement:
            raise EndpointOverloadedError("Busy.", mend="Later.")

    target = a_target(Busy(URL))
    await opened(target, "a")
    with pytest.raises(EndpointOverloadedError):
        await settle_what_is_open(target, PATIENT, notes_of(target))
    assert await left_open(target) == ["a"]


# --- what is remembered -----------------------------------------------------------------------------------------


async def test_after_a_revert_what_was_remembered_stays_and_has_the_new_version() -> None:
    target = a_target(MemoryPlanWriter(URL))
    base = next_base(GOAL, as_written(GOAL))
    await target.plans.save_bases(URL, PATIENT, [base])
    intent = await opened(target, "a", reverts="exchange-0")
    written = [
        msgspec.structs.replace(as_written(one), version_id="2", action="update", stored={})
        for one in (GOAL, PLAN)
    ]
    await committed(target, intent, written)
    assert await target.plans.bases(URL, PATIENT) == {
        GOAL.identity: msgspec.structs.replace(base, version_id="2")
    }
    (commit,) = await target.plans.commits()
    assert commit.written == tuple(written)


def test_what_stands_already_and_is_ours_is_held_as_it_stands() -> None:
    stands = msgspec.structs.replace(an_update(as_written(GOAL)), action="unchanged", base=None)
    gone = msgspec.structs.replace(stands, theirs=None)
    (held,) = as_held([stands, gone])
    assert (held.identity, held.type, held.id, held.version_id) == (GOAL.identity, "Goal", "7", "1")
    assert (held.action, held.stored, held.issues) == ("unchanged", stands.body, ())
