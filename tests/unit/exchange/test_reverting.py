"""Who may take an exchange back: the policy is asked, as about any other change."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange import logs
from careplan_exchange.errors import RefusedError, UsageError
from careplan_exchange.model.review import Needs, Pending, ReviewPolicy, ReviewRule
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.hospital import URL, Hospital
from tests.support.persons import TWO, reviews, take_back
from tests.support.stores import STORES, hospital_with


def rule(needs: Needs, **conditions: Any) -> ReviewPolicy:
    return ReviewPolicy(rules=(ReviewRule(needs=needs, **conditions),))


@pytest.fixture(params=STORES)
async def hospital(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Hospital]:
    async with hospital_with(request.param, tmp_path) as found:
        yield found


async def waits(hospital: Hospital) -> Pending:
    (pending,) = await hospital.plans.pendings()
    return pending


def is_taken_back(hospital: Hospital) -> bool:
    return bool(hospital.plan()["status"] == "entered-in-error")


# --- two persons ------------------------------------------------------------------------------------------------


async def test_what_needs_two_waits_until_another_person_approves(hospital: Hospital) -> None:
    made = await hospital.sync()
    before = hospital.everything()
    hospital.policy = TWO
    receipt = await take_back(hospital, made.exchange)
    assert (receipt.outcome, receipt.review) == ("review", receipt.exchange)
    assert {one.action for one in receipt.resources} == {"pending"}
    (issue,) = [one for one in receipt.issues if one.key == "review.waiting"]
    assert "two persons" in issue.detail
    assert hospital.everything() == before
    pending = await waits(hospital)
    assert (pending.id, pending.persons, pending.request.reverts) == (receipt.exchange, 2, made.exchange)
    assert [(step.kind, step.by, step.reason) for step in pending.steps] == [
        ("revert", "Dr Who", "Another patient's")
    ]
    with pytest.raises(UsageError, match="has approved it already"):
        await reviews(hospital).approve(pending.id, by="dr  who")
    decided = await reviews(hospital).approve(pending.id, by="Dr Strange")
    assert (decided.state, decided.outcome) == ("approved", "written")
    assert decided.approved_by == ("Dr Who", "Dr Strange")
    assert is_taken_back(hospital)
    (told,) = [one.data for one in await hospital.entries(pending.id) if one.event == logs.REVIEW_DECIDED]
    assert told == {"state": "approved", "by": "Dr Who, Dr Strange"}
    undone = str(hospital.writer.resources("Provenance")[-1])
    assert "Dr Who" in undone
    assert "Dr Strange" in undone


async def test_asked_again_while_it_waits_it_is_the_same_review_and_nobody_counts_twice(
    hospital: Hospital,
) -> None:
    made = await hospital.sync()
    hospital.policy = TWO
    first = await take_back(hospital, made.exchange)
    for by in ("Dr Who", "Dr Strange"):
        again = await take_back(hospital, made.exchange, by)
        assert (again.outcome, again.review) == ("review", first.review)
    assert [step.by for step in (await waits(hospital)).steps] == ["Dr Who"]
    assert not is_taken_back(hospital)


async def test_a_revert_that_waits_for_the_second_holds_a_sync_and_can_be_rejected(hospital: Hospital) -> None:
    made = await hospital.sync()
    hospital.policy = TWO
    review = str((await take_back(hospital, made.exchange)).review)
    before = hospital.everything()
    hospital.source.remove("Observation")
    assert (await hospital.sync()).review == review
    await reviews(hospital).reject(review, by="Dr Strange", reason="It is the right patient")
    assert hospital.everything() == before
    assert (await hospital.sync()).outcome == "written"


async def test_what_was_changed_since_it_was_asked_is_asked_of_two_anew(hospital: Hospital) -> None:
    made = await hospital.sync()
    hospital.policy = TWO
    review = str((await take_back(hospital, made.exchange)).review)
    hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    before = hospital.everything()
    decided = await reviews(hospital).approve(review, by="Dr Strange")
    assert decided.state == "superseded"
    assert hospital.everything() == before
    pending = await waits(hospital)
    assert (pending.id, pending.persons, pending.steps) == (decided.waiting, 2, ())
    assert (await reviews(hospital).approve(pending.id, by="Dr Who")).state == "pending"
    assert (await reviews(hospital).approve(pending.id, by="Dr Strange")).state == "approved"
    assert is_taken_back(hospital)


async def test_where_somebody_changed_it_the_one_who_asks_has_not_seen_that(hospital: Hospital) -> None:
    made = await hospital.sync()
    hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    hospital.policy = TWO
    review = str((await take_back(hospital, made.exchange)).review)
    pending = await waits(hospital)
    assert (pending.persons, pending.steps) == (2, ())
    assert (await reviews(hospital).approve(review, by="Dr Who")).state == "pending"
    assert not is_taken_back(hospital)
    assert (await reviews(hospital).approve(review, by="Dr Strange")).state == "approved"
    assert is_taken_back(hospital)


async def test_a_policy_that_became_stricter_holds_for_a_revert_that_waits_already(hospital: Hospital) -> None:
    made = await hospital.sync()
    hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    review = str((await take_back(hospital, made.exchange)).review)
    hospital.policy = TWO
    decided = await reviews(hospital).approve(review, by="Dr Who")
    assert (decided.outcome, is_taken_back(hospital)) == ("review", False)
    decided = await reviews(hospital).approve(str(decided.waiting), by="Dr Strange")
    assert (decided.state, is_taken_back(hospital)) == ("approved", True)


async def test_what_everybody_took_back_by_hand_meanwhile_waits_no_longer(hospital: Hospital) -> None:
    made = await hospital.sync()
    hospital.policy = TWO
    review = str((await take_back(hospital, made.exchange)).review)
    for body in hospital.everything().values():
        name = "lifecycleStatus" if body["resourceType"] == "Goal" else "status"
        hospital.edit(body, **{name: "entered-in-error"})
    decided = await reviews(hospital).approve(review, by="Dr Strange")
    assert (decided.state, decided.outcome, decided.waiting) == ("superseded", "unchanged", None)
    assert await hospital.plans.pendings() == ()


async def test_a_revert_that_one_may_write_by_now_leaves_no_question_about_it(hospital: Hospital) -> None:
    made = await hospital.sync()
    hospital.policy = TWO
    review = str((await take_back(hospital, made.exchange)).review)
    hospital.policy = ReviewPolicy()
    assert (await take_back(hospital, made.exchange, "Dr Strange")).outcome == "written"
    stored = await hospital.plans.pending(review)
    assert stored is not None
    assert stored.state == "superseded"


# --- the other answers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("needs", ["auto", "one"])
async def test_where_one_person_is_enough_it_is_the_one_who_asks(hospital: Hospital, needs: Needs) -> None:
    made = await hospital.sync()
    hospital.policy = rule(needs, change=("new", "changed", "retired", "status"))
    assert (await take_back(hospital, made.exchange)).outcome == "written"
    assert is_taken_back(hospital)
    assert [one for one in await hospital.plans.pendings() if one.request.reverts] == []


@pytest.mark.parametrize("edited", [False, True])
async def test_what_nobody_may_take_back_is_refused_and_nothing_is_written(
    hospital: Hospital, edited: bool
) -> None:
    made = await hospital.sync()
    if edited:
        hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    before = hospital.everything()
    hospital.policy = rule("never", change=("retired",), of=("medication",))
    with pytest.raises(RefusedError, match="policy") as caught:
        await take_back(hospital, made.exchange)
    assert (caught.value.exit_code, caught.value.http_status) == (4, 403)
    assert "protocols/review" in caught.value.mend
    assert hospital.everything() == before
    assert [one for one in await hospital.plans.pendings() if one.request.reverts] == []
    assert logs.EXCHANGE_FAILED in await hospital.events()


async def test_a_revert_that_waits_is_refused_once_nobody_may(hospital: Hospital) -> None:
    made = await hospital.sync()
    hospital.policy = TWO
    review = str((await take_back(hospital, made.exchange)).review)
    hospital.policy = rule("never", change=("retired",), of=("goal",))
    with pytest.raises(RefusedError):
        await reviews(hospital).approve(review, by="Dr Strange")
    assert not is_taken_back(hospital)


# --- what the policy is asked about -----------------------------------------------------------------------------

MEDICINE_OF_BLOOD_PRESSURE = {"of": ("medication",), "protocol": ("hypertension",)}


@pytest.mark.parametrize(
    ("conditions", "waits"),
    [
        ({"change": ("new",)}, True),  # what two persons let in, one does not take out
        ({"change": ("retired",)}, True),
        ({"change": ("retired",), "of": ("medication",)}, True),
        ({"change": ("retired",), **MEDICINE_OF_BLOOD_PRESSURE}, True),
        ({"change": ("retired",), "of": ("medication",), "protocol": ("gout",)}, False),
        ({"change": ("retired",), "of": ("activity",), "protocol": ("prevention",)}, True),
        ({"change": ("retired",), "of": ("activity",), "protocol": ("gout",)}, False),
        ({"change": ("retired",), "of": ("goal",), "severity": ("high",)}, True),
        ({"change": ("conflict", "deleted", "changed")}, False),
        ({"change": ("retired",), "origin": ("person",)}, False),
    ],
)
async def test_what_is_undone_is_judged_by_kind_part_protocol_severity_and_origin(
    conditions: dict[str, Any], waits: bool
) -> None:
    hospital = Hospital()
    made = await hospital.sync()
    hospital.policy = rule("two", **conditions)
    receipt = await take_back(hospital, made.exchange)
    assert receipt.outcome == ("review" if waits else "written")


async def test_what_a_person_edited_is_judged_as_a_persons() -> None:
    hospital = Hospital()
    await hospital.sync()
    hospital.source.remove("Condition")
    changed = await hospital.sync()
    (goal, *_) = [
        one.stored
        for commit in await hospital.plans.commits(exchange=changed.exchange)
        for one in commit.written
        if one.type == "Goal"
    ]
    hospital.edit(goal, description={"text": "In the patient's own words"})
    hospital.policy = rule("two", origin=("person",), of=("goal",))
    assert (await take_back(hospital, changed.exchange)).outcome == "review"


async def test_what_was_ended_and_stands_again_is_a_status() -> None:
    hospital = Hospital()
    made = await hospital.sync()
    reverted = await take_back(hospital, made.exchange)
    hospital.policy = rule("two", change=("status",))
    assert (await take_back(hospital, reverted.exchange)).outcome == "review"


async def test_what_the_policy_never_lets_in_may_be_taken_out_by_two() -> None:
    hospital = Hospital()
    made = await hospital.sync()
    hospital.policy = rule("never", change=("new",), of=("medication",))
    receipt = await take_back(hospital, made.exchange)
    assert receipt.outcome == "review"
    assert (await reviews(hospital).approve(str(receipt.review), by="Dr Strange")).state == "approved"
    assert is_taken_back(hospital)


@pytest.mark.parametrize("rung", ["references", "detail", "document"])
async def test_in_any_form_two_are_asked(rung: Any) -> None:
    hospital = Hospital(writer=MemoryPlanWriter(URL, rung=rung), policy=TWO)
    made = await hospital.sync()
    receipt = await take_back(hospital, made.exchange)
    assert receipt.outcome == "review"
    assert (await reviews(hospital).approve(str(receipt.review), by="Dr Strange")).state == "approved"
    states = {body.get("lifecycleStatus") or body["status"] for body in hospital.everything().values()}
    assert states == {"entered-in-error"}
