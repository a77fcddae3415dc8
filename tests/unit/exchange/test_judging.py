"""Whether a revert may be written now, and the sentences that say why not."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import pytest

from careplan_exchange.errors import UsageError
from careplan_exchange.exchange import Undo
from careplan_exchange.exchange.judging import Judged, forbidden, judged
from careplan_exchange.exchange.steps import Target
from careplan_exchange.model.changes import (
    ChangeSet,
    Commit,
    ElementChange,
    Held,
    Intent,
    WrittenResource,
    identities_of,
)
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.review import Needs, Pending, ReviewPolicy, ReviewRule, ReviewStep
from careplan_exchange.review import approvers, content_of
from careplan_exchange.store import MemoryLedger, MemoryPlanStore
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.exchanges import CountingIds, TickingClock
from tests.support.writing import an_intent, an_update, as_written, creates

URL, PATIENT = "https://target.example.org/fhir", "hospital/Patient/p1"
AT = "2026-11-24T08:00:00Z"
GOAL, OTHER = [change for change in creates() if change.type == "Goal"][:2]
GOAL_WRITTEN = as_written(GOAL)
OTHER_WRITTEN = msgspec.structs.replace(as_written(OTHER), id="8", stored={**OTHER.body, "id": "8"})
CHANGED_SINCE = "What exchange e1 wrote was changed since; taking it back would undo that too."
FOR_TWO = "Taking back what exchange e1 wrote waits for two persons."
ANEW = "It is no longer what was shown, so a person is asked anew."


class Holding(MemoryPlanWriter):
    def __init__(self, *held: Held) -> None:
        super().__init__(URL)
        self.held = held
        self.wanted: Mapping[str, Collection[str]] = {}

    async def current(self, identities: Mapping[str, Collection[str]]) -> tuple[Held, ...]:
        self.wanted = identities
        return self.held


def a_commit(name: str, *written: WrittenResource, exchange: str = "e1", patient: str = PATIENT) -> Commit:
    changes = [one for one in (GOAL, OTHER) if one.identity in {each.identity for each in written}]
    intent: Intent = msgspec.structs.replace(an_intent(changes, URL), id=name, exchange=exchange, patient=patient)
    return Commit(intent=intent, written=written, committed_at=AT)


MADE = a_commit("i1", GOAL_WRITTEN)


def stands(written: WrittenResource = GOAL_WRITTEN, **edits: Any) -> Held:
    return Held(
        identity=written.identity,
        type=written.type,
        id=written.id,
        version_id="1",
        body={**written.stored, **edits},
    )


EDITED = stands(description={"text": "In the patient's own words"})


def policy(needs: Needs) -> ReviewPolicy:
    return ReviewPolicy(rules=(ReviewRule(needs=needs),))


def a_target(*held: Held, needs: Needs = "one") -> Target:
    return Target(
        writer=Holding(*held),
        plans=MemoryPlanStore(),
        ledger=MemoryLedger(),
        clock=TickingClock(),
        ids=CountingIds(),
        policy=policy(needs),
        version="0.1.0",
    )


def asked(*commits: Commit, accepting: Pending | None = None) -> Undo:
    return Undo(
        exchange="e9",
        reverts="e1",
        commits=commits or (MADE,),
        step=ReviewStep(kind="revert", by="Dr Who", at=AT),
        accepting=accepting,
    )


async def found_by(target: Target, undo: Undo) -> Judged:
    for commit in undo.commits:
        await target.plans.commit_intent(commit.intent, [], commit.written, AT)
    return await judged(target, undo)


async def shown(target: Target, *approved: str) -> Pending:
    """A review of just what there is to take back now, which these have approved."""
    pending = Pending(
        id="r1",
        request=ExchangeRequest(endpoint=URL, patient="Patient/p1", reverts="e1"),
        target=URL,
        patient=PATIENT,
        change_set=(await found_by(target, asked())).changes,
        why=(),
        created_at=AT,
    )
    content = content_of(pending)
    steps = tuple(ReviewStep(kind="approve", by=by, at=AT, content=content) for by in approved)
    return msgspec.structs.replace(pending, steps=steps)


async def test_whoever_asks_is_the_one_that_it_takes() -> None:
    target = a_target(stands())
    found = await found_by(target, asked())
    assert (found.needs, found.why, found.same, found.counts, found.persons) == ("one", (), False, True, 1)
    (change,) = found.changes.to_write
    assert change.body["lifecycleStatus"] == "entered-in-error"
    assert found.changes.patient == "Patient/p1"
    assert target.writer.wanted == identities_of([GOAL_WRITTEN])  # type: ignore[attr-defined]  # a Holding


@pytest.mark.parametrize(
    ("needs", "why"), [("auto", ()), ("one", ()), ("two", (FOR_TWO,)), ("never", (FOR_TWO,))]
)
async def test_it_waits_for_another_where_the_policy_asks_for_more_than_who_asks(
    needs: Needs, why: tuple[str, ...]
) -> None:
    found = await found_by(a_target(stands(), needs=needs), asked())
    assert (found.needs, found.why, found.counts) == (needs, why, True)
    assert found.persons == (2 if why else 1)


async def test_where_nothing_is_left_to_take_back_nobody_is_asked() -> None:
    found = await found_by(a_target(needs="two"), asked())
    assert (found.needs, found.why, found.counts, found.changes.changes) == ("auto", (), False, ())


async def test_what_was_changed_since_is_a_question_and_who_asks_has_not_answered_it() -> None:
    found = await found_by(a_target(EDITED), asked())
    assert (found.why, found.counts, found.same) == ((CHANGED_SINCE,), False, False)
    assert found.changes.conflicts
    assert found.changes.to_write == ()


async def test_what_was_changed_since_and_needs_two_says_both() -> None:
    assert (await found_by(a_target(EDITED, needs="two"), asked())).why == (CHANGED_SINCE, FOR_TWO)


async def test_a_conflict_beside_what_could_be_taken_back_holds_all_of_it() -> None:
    both = a_commit("i1", GOAL_WRITTEN, OTHER_WRITTEN)
    found = await found_by(a_target(EDITED, stands(OTHER_WRITTEN)), asked(both))
    assert found.changes.to_write
    assert found.why == (CHANGED_SINCE,)


async def test_later_exchanges_that_wrote_there_are_named_once_and_in_order() -> None:
    target = a_target(EDITED)
    history = (
        a_commit("i0", GOAL_WRITTEN, exchange="before"),
        MADE,
        a_commit("i2", OTHER_WRITTEN, exchange="beside"),
        a_commit("i3", OTHER_WRITTEN, GOAL_WRITTEN, exchange="later"),
        a_commit("i4", GOAL_WRITTEN, exchange="latest"),
        a_commit("i5", GOAL_WRITTEN, exchange="later"),
        a_commit("i6", GOAL_WRITTEN, exchange="another's", patient="Patient/2"),
    )
    for commit in history:
        await target.plans.commit_intent(commit.intent, [], commit.written, AT)
    assert (await judged(target, asked())).why == (
        CHANGED_SINCE,
        "Later exchanges wrote there too: later, latest. Take those back first.",
    )


async def test_what_an_exchange_wrote_in_two_parts_is_not_in_its_own_way() -> None:
    first, second = a_commit("i1", GOAL_WRITTEN), a_commit("i2", OTHER_WRITTEN)
    target = a_target(EDITED, stands(OTHER_WRITTEN))
    assert (await found_by(target, asked(first, second))).why == (CHANGED_SINCE,)


@pytest.mark.parametrize("held", [stands(), EDITED])
async def test_what_was_shown_and_approved_by_as_many_as_it_takes_is_written(held: Held) -> None:
    target = a_target(held, needs="two")
    pending = await shown(target, "Dr Who", "Dr Strange")
    found = await judged(target, asked(accepting=pending))
    assert (found.why, found.same, found.counts) == ((), True, False)
    assert found.changes.to_write
    assert found.changes.conflicts == ()


async def test_what_was_shown_and_approved_by_too_few_waits_for_the_others() -> None:
    target = a_target(EDITED, needs="two")
    found = await judged(target, asked(accepting=await shown(target, "Dr Who")))
    assert (found.why, found.same) == ((FOR_TWO,), True)


async def test_what_was_shown_and_approved_by_nobody_is_asked_anew() -> None:
    target = a_target(stands())
    found = await judged(target, asked(accepting=await shown(target)))
    assert (found.why, found.same) == ((ANEW,), True)


@pytest.mark.parametrize(("held", "why"), [(stands(), (ANEW,)), (EDITED, (CHANGED_SINCE,))])
async def test_approvals_of_something_else_than_what_there_is_to_take_back_do_not_count(
    held: Held, why: tuple[str, ...]
) -> None:
    nothing = ChangeSet(patient="Patient/p1", changes=())
    pending = msgspec.structs.replace(await shown(a_target(held)), change_set=nothing)
    steps = tuple(
        ReviewStep(kind="approve", by=by, at=AT, content=content_of(pending)) for by in ("Dr Who", "Dr Strange")
    )
    pending = msgspec.structs.replace(pending, steps=steps)
    assert approvers(pending) == ("Dr Who", "Dr Strange")
    found = await found_by(a_target(held), asked(accepting=pending))
    assert (found.why, found.same, found.counts) == (why, False, False)


async def test_what_was_meant_and_never_written_is_not_judged() -> None:
    update = msgspec.structs.replace(
        an_update(GOAL_WRITTEN, description={"text": "new"}),
        elements=(ElementChange(path="Goal.description", kind="ours", theirs="a", ours="b"),),
    )
    meant = a_commit("i2", OTHER_WRITTEN)
    meant = msgspec.structs.replace(
        meant, intent=msgspec.structs.replace(meant.intent, changes=(update, *meant.intent.changes))
    )
    target = a_target(stands(), stands(OTHER_WRITTEN))
    two = ReviewPolicy(rules=(ReviewRule(needs="two", change=("changed",)),))
    target = msgspec.structs.replace(target, policy=two)
    assert (await found_by(target, asked(MADE, meant))).needs == "one"
    carried_out = msgspec.structs.replace(meant, written=(*meant.written, GOAL_WRITTEN))
    assert (await found_by(target, asked(MADE, carried_out))).needs == "two"


@pytest.mark.parametrize(
    ("stored", "subject"),
    [
        ({"subject": {"reference": "Patient/77"}}, "Patient/77"),
        ({"patient": {"reference": "Patient/78"}}, "Patient/78"),
    ],
)
async def test_the_patient_is_whom_the_resources_themselves_name(stored: dict[str, Any], subject: str) -> None:
    silent = msgspec.structs.replace(GOAL_WRITTEN, stored={"resourceType": "Goal", "subject": {"display": "x"}})
    named = msgspec.structs.replace(OTHER_WRITTEN, stored={"resourceType": "Goal", **stored})
    found = await found_by(a_target(), asked(a_commit("i1", silent), a_commit("i2", named)))
    assert found.changes.patient == subject


async def test_where_no_resource_names_a_patient_nothing_is_taken_back() -> None:
    silent = msgspec.structs.replace(GOAL_WRITTEN, stored={"resourceType": "Goal"})
    with pytest.raises(UsageError, match="names no patient"):
        await found_by(a_target(), asked(a_commit("i1", silent)))


def test_what_nobody_may_take_back_is_refused_by_the_name_of_the_exchange() -> None:
    assert "e1" in forbidden(asked()).detail
    assert asked().patient == PATIENT
