"""The life of a plan over the whole path: deleted, ended, followed by another, closed."""

from collections.abc import Callable
from typing import Any

import pytest

from careplan_exchange.errors import PatientMergedError, PatientNotEligibleError
from careplan_exchange.model.codec import encode
from careplan_exchange.model.review import Pending, ReviewPolicy, ReviewRule
from careplan_exchange.store import MemoryPlanStore
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.hospital import TODAY, Hospital, HospitalSource

COMPANION = "https://companion.example.org/fhir"
POLICIES = [
    ReviewPolicy(),
    ReviewPolicy(rules=(ReviewRule(change=("new",), needs="auto"),)),
    ReviewPolicy(rules=(ReviewRule(change=("new", "changed", "retired", "status"), needs="auto"),)),
]


async def the_pending(hospital: Hospital) -> Pending:
    (pending,) = await hospital.plans.pendings()
    return pending


async def reject(hospital: Hospital) -> None:
    await hospital.plans.decide_pending(
        (await the_pending(hospital)).id, "rejected", "Dr. A", "2026-11-24T09:00:00Z"
    )


async def approve(hospital: Hospital) -> Any:
    pending = await the_pending(hospital)
    receipt = await hospital.sync(approve=pending.request.approve, accepting=pending)
    await hospital.plans.decide_pending(pending.id, "approved", "Dr. A", "2026-11-24T09:00:00Z")
    return receipt


def without_pressure(hospital: Hospital) -> None:
    """High blood pressure goes from the record: fewer lines are proposed, so the plan has another reason."""
    hospital.source.bundle["entry"] = [
        entry
        for entry in hospital.source.bundle["entry"]
        if "38341003" not in encode(entry["resource"]).decode()
        and "I10" not in encode(entry["resource"]).decode()
    ]


def living(hospital: Hospital) -> list[dict[str, Any]]:
    return [
        one for one in hospital.writer.resources("CarePlan") if one["status"] in ("draft", "active", "on-hold")
    ]


async def ended_plan(*, elsewhere: bool = False, policy: ReviewPolicy | None = None) -> Hospital:
    """A plan in use that a person has completed, with one of its goals."""
    if elsewhere:
        writer = MemoryPlanWriter(COMPANION)
        source = HospitalSource("02-older-adult-si-units", written_here=None)
        hospital = Hospital(writer=writer, source=source, policy=policy)
    else:
        hospital = Hospital(policy=policy)
    await hospital.sync()
    hospital.edit(hospital.plan(), status="completed")
    hospital.edit(hospital.goals()[0], lifecycleStatus="completed")
    return hospital


# --- ended by a person ------------------------------------------------------------------------------------------


async def test_a_plan_that_a_person_ended_stays_ended_for_the_same_reasons() -> None:
    hospital = await ended_plan()
    before = hospital.everything()
    receipt = await hospital.sync()
    assert receipt.outcome == "unchanged"
    assert "reconcile.plan-ended" in {issue.key for issue in receipt.issues}
    assert hospital.everything() == before
    assert await hospital.plans.pendings() == ()


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("policy", POLICIES)
async def test_another_reason_brings_a_new_plan_that_replaces_the_old_one_after_review_and_once(
    policy: ReviewPolicy, elsewhere: bool
) -> None:
    hospital = await ended_plan(elsewhere=elsewhere, policy=policy)
    old = hospital.plan()
    before = hospital.everything()
    without_pressure(hospital)
    for _ in range(2):
        assert (await hospital.sync()).outcome == "review"
    assert hospital.everything() == before, "nothing of it is written before a person agrees"

    assert (await approve(hospital)).outcome == "written"
    (new,) = living(hospital)
    assert new["id"] != old["id"]
    assert new["status"] == "active"
    assert new["replaces"] == [{"reference": f"CarePlan/{old['id']}"}]
    assert {goal["reference"] for goal in new["goal"]} <= set(hospital.everything())
    ended = {f"Goal/{goal['id']}" for goal in hospital.goals() if goal["lifecycleStatus"] == "completed"}
    assert ended
    assert not ended & {goal["reference"] for goal in new["goal"]}

    await hospital.sync()
    if await hospital.plans.pendings():
        await approve(hospital)
    assert (await hospital.sync()).outcome == "unchanged"
    hospital.plans = MemoryPlanStore()
    assert (await hospital.sync()).outcome == "unchanged", "a lost memory makes no third plan"
    assert len(hospital.writer.resources("CarePlan")) == 2


async def test_a_new_plan_that_a_person_rejected_is_not_asked_about_again_for_the_same_reason() -> None:
    hospital = await ended_plan()
    without_pressure(hospital)
    await hospital.sync()
    await reject(hospital)
    assert (await hospital.sync()).outcome == "unchanged"
    assert (await hospital.sync(approve=True)).outcome == "review", "unless it is asked for"
    assert living(hospital) == []


async def test_a_rejected_conflict_is_not_asked_about_again() -> None:
    hospital = Hospital("01-adult-pregnancy-unknown")
    await hospital.sync()
    goal = next(goal for goal in hospital.goals() if "HbA1c" in goal["description"]["text"])
    hospital.edit(goal, description={"text": "Agreed with the family"})
    hospital.source.resources("Patient")[0]["birthDate"] = "1936-03-01"
    assert (await hospital.sync()).outcome == "review"
    pending = await the_pending(hospital)
    (conflict,) = [element for _, element in pending.change_set.conflicts if element.path == "Goal.description"]
    assert conflict.why
    assert conflict.because
    await reject(hospital)
    assert (await hospital.sync()).outcome == "unchanged"
    assert hospital.everything()[f"Goal/{goal['id']}"]["description"] == {"text": "Agreed with the family"}


# --- what has done its work -------------------------------------------------------------------------------------


async def test_a_plan_whose_problems_are_all_resolved_is_completed() -> None:
    hospital = Hospital()
    await hospital.sync()
    addressed = {one["reference"] for one in hospital.plan()["addresses"]}
    assert addressed
    for condition in hospital.source.resources("Condition"):
        condition["clinicalStatus"] = {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "resolved"}]
        }
    for kind in ("Observation", "MedicationRequest"):
        hospital.source.remove(kind)
    hospital.source.resources("Patient")[0]["birthDate"] = "2020-03-01"
    receipt = await hospital.sync()
    assert receipt.outcome == "written"
    assert hospital.plan()["status"] == "completed"
    statuses = {
        goal["lifecycleStatus"]
        for goal in hospital.goals()
        if goal.get("addresses") and {one["reference"] for one in goal["addresses"]} <= addressed
    }
    assert statuses == {"completed"}
    assert (await hospital.sync()).outcome == "unchanged"


# --- nobody to plan for -----------------------------------------------------------------------------------------


def deceased(hospital: Hospital) -> type[Exception]:
    hospital.source.resources("Patient")[0]["deceasedBoolean"] = True
    return PatientNotEligibleError


def merged(hospital: Hospital) -> type[Exception]:
    def replaced() -> None:
        raise PatientMergedError("Patient/1 was replaced by another record.", mend="Ask for the other one.")

    hospital.source.before_pull = replaced
    return PatientMergedError


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("happens", [deceased, merged])
async def test_a_plan_of_a_patient_who_gets_none_any_more_is_ended_only_if_a_person_agrees(
    happens: Callable[[Hospital], type[Exception]], policy: ReviewPolicy
) -> None:
    hospital = Hospital(policy=policy)
    await hospital.sync()
    before = hospital.everything()
    error = happens(hospital)
    for _ in range(2):
        receipt = await hospital.sync()
        assert receipt.outcome == "review"
        assert error.key in {issue.key for issue in receipt.issues}
    assert hospital.everything() == before
    pending = await the_pending(hospital)
    assert all(element.why for _, element in pending.change_set.conflicts)

    assert (await approve(hospital)).outcome == "written"
    assert hospital.plan()["status"] == "revoked"
    assert {goal["lifecycleStatus"] for goal in hospital.goals()} == {"cancelled"}
    assert set(hospital.everything()) == set(before)
    with pytest.raises(error):
        await hospital.sync()


async def test_a_plan_that_a_person_left_open_is_not_asked_about_again() -> None:
    hospital = Hospital()
    await hospital.sync()
    error = deceased(hospital)
    await hospital.sync()
    await reject(hospital)
    with pytest.raises(error):
        await hospital.sync()
    assert hospital.plan()["status"] == "draft"


async def test_a_death_that_was_recorded_by_mistake_leaves_everything_as_it_was() -> None:
    hospital = Hospital()
    await hospital.sync()
    deceased(hospital)
    await hospital.sync()
    del hospital.source.resources("Patient")[0]["deceasedBoolean"]
    assert (await hospital.sync(today=TODAY)).outcome == "unchanged"
    assert [one.adopts for one in await hospital.plans.pendings()] == [True], "the draft itself still waits"


async def test_a_plan_that_nobody_remembers_is_found_and_asked_about() -> None:
    hospital = Hospital()
    await hospital.sync()
    hospital.plans = MemoryPlanStore()
    deceased(hospital)
    assert (await hospital.sync()).outcome == "review"
