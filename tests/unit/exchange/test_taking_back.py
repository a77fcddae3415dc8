"""Taking back: decided by a person, whatever waits or has changed, and in every form of a plan."""

from typing import Any

import pytest

from careplan_exchange import logs
from careplan_exchange.errors import UsageError
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.hospital import URL, Hospital
from tests.support.interfering import the_pending
from tests.support.persons import reviews, take_back

# --- a revert that a person decides -----------------------------------------------------------------------------


async def test_a_revert_that_a_person_approves_is_decided_and_who_did_is_kept() -> None:
    hospital = Hospital()
    made = await hospital.sync()
    hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    waiting = await take_back(hospital, made.exchange)
    decided = await reviews(hospital).approve(waiting.exchange, by="Dr Strange")
    assert (decided.state, decided.outcome) == ("approved", "written")
    kept = await hospital.plans.pending(waiting.exchange)
    assert kept is not None
    assert (kept.state, kept.decided_by) == ("approved", "Dr Strange")
    assert [step.kind for step in kept.steps] == ["approve"]
    assert await hospital.plans.pendings() == ()
    events = [entry.event for entry in await hospital.entries(waiting.exchange)]
    assert logs.REVIEW_DECIDED in events
    with pytest.raises(UsageError, match="approved already"):
        await reviews(hospital).approve(waiting.exchange, by="Dr Who")


async def test_a_revert_whose_review_is_out_of_date_names_the_one_that_took_its_place() -> None:
    hospital = Hospital()
    made = await hospital.sync()
    hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    waiting = await take_back(hospital, made.exchange)
    hospital.edit(hospital.goals()[1], description={"text": "And another"})
    before = hospital.everything()
    decided = await reviews(hospital).approve(waiting.exchange, by="Dr Strange")
    assert decided.state == "superseded"
    assert hospital.everything() == before
    assert (await the_pending(hospital)).id == decided.waiting


async def test_a_revert_cannot_be_modified_and_says_so() -> None:
    hospital = Hospital()
    made = await hospital.sync()
    goal = hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    waiting = await take_back(hospital, made.exchange)
    edits = {f"Goal/{goal['id']} description.text": "Otherwise"}
    with pytest.raises(UsageError, match="taken back"):
        await reviews(hospital).modify(waiting.exchange, by="Dr Who", edits=edits)
    assert (await the_pending(hospital)).steps == ()


async def test_a_revert_that_waits_is_not_pushed_aside_by_the_next_sync() -> None:
    hospital = Hospital()
    made = await hospital.sync()
    hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    waiting = await take_back(hospital, made.exchange)
    before = hospital.everything()
    hospital.source.remove("Observation")
    for approve in (False, True):
        receipt = await hospital.sync(approve=approve)
        assert (receipt.outcome, receipt.review) == ("review", waiting.exchange)
        assert hospital.everything() == before
    await reviews(hospital).reject(waiting.exchange, by="Dr Who", reason="It is the right patient")
    assert (await hospital.sync()).outcome == "written"


# --- taking back, whatever was written --------------------------------------------------------------------------


@pytest.mark.parametrize("release", ["R4", "R4B", "R5"])
@pytest.mark.parametrize("rung", ["references", "detail", "document"])
async def test_a_first_plan_in_any_form_is_taken_back_and_stays_so(rung: Any, release: Any) -> None:
    hospital = Hospital(writer=MemoryPlanWriter(URL, rung=rung, release=release))
    made = await hospital.sync(approve=True)
    reverted = await take_back(hospital, made.exchange)
    assert reverted.outcome == "written"
    states = {body.get("lifecycleStatus") or body["status"] for body in hospital.everything().values()}
    assert states == {"entered-in-error"}
    stands = hospital.everything()
    await hospital.sync()
    assert hospital.everything() == stands
    assert await hospital.open_intents() == 0


async def test_a_plan_that_took_the_place_of_another_is_taken_back_and_no_third_is_made() -> None:
    hospital = Hospital()
    await hospital.sync(approve=True)
    hospital.edit(hospital.plan(), status="completed")
    hospital.source.remove("Observation")
    hospital.source.remove("MedicationRequest")
    await hospital.sync()
    (pending,) = await hospital.plans.pendings()
    decided = await reviews(hospital).approve(pending.id, by="Dr Who")
    assert decided.state == "approved"
    assert [plan["status"] for plan in hospital.writer.resources("CarePlan")] == ["completed", "active"]
    await take_back(hospital, str(decided.exchange))
    assert [plan["status"] for plan in hospital.writer.resources("CarePlan")] == ["completed", "entered-in-error"]
    await hospital.sync()
    assert len(hospital.writer.resources("CarePlan")) == 2
