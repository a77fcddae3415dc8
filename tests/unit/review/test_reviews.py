"""What persons do with what waits, over the data path in memory: adopt, approve, reject, assign."""

import pytest

from careplan_exchange.errors import UsageError
from careplan_exchange.model.review import ReviewPolicy, ReviewRule
from tests.support.hospital import Hospital
from tests.support.interfering import the_pending
from tests.support.persons import HOLD, otherwise, reviews

# --- a new plan is adopted --------------------------------------------------------------------------------------


async def test_a_draft_is_written_and_a_review_waits_that_adopts_it() -> None:
    hospital = Hospital()
    receipt = await hospital.sync()
    pending = await the_pending(hospital)
    assert (receipt.outcome, receipt.review) == ("written", pending.id)
    assert pending.adopts
    assert pending.why == ("The plan stands as a draft until a person adopts it.",)
    assert {change.type for change in pending.change_set.to_write} == {"CarePlan", "Goal"}
    assert "review.waiting" in {issue.key for issue in receipt.issues}

    pulled = hospital.source.pulls
    decided = await reviews(hospital).approve(pending.id, by="Dr Who")
    assert (decided.state, decided.outcome, decided.waiting) == ("approved", "written", None)
    assert hospital.source.pulls == pulled + 1
    assert hospital.plan()["status"] == "active"
    assert {goal["lifecycleStatus"] for goal in hospital.goals()} == {"active"}
    assert await hospital.plans.pendings() == ()
    again = await hospital.sync()
    assert (again.outcome, again.review) == ("unchanged", None)


async def test_what_asks_for_adoption_needs_no_further_read() -> None:
    hospital = Hospital()
    await hospital.sync()
    assert hospital.source.pulls == 1


async def test_a_later_sync_that_changes_nothing_names_the_same_review() -> None:
    hospital = Hospital()
    first = await hospital.sync()
    again = await hospital.sync()
    assert (again.outcome, again.review) == ("unchanged", first.review)
    assert [one.id for one in await hospital.plans.pendings(None)] == [first.review]


async def test_a_change_to_a_draft_is_written_and_its_review_brought_up_to_date() -> None:
    hospital = Hospital()
    first = await hospital.sync()
    await reviews(hospital).assign(str(first.review), to="Dr Who", by="Ward clerk")
    otherwise(hospital)
    later = await hospital.sync()
    assert later.outcome == "written"
    assert later.review != first.review
    pending = await the_pending(hospital)
    assert pending.id == later.review
    assert pending.assigned_to == "Dr Who", "whoever was to look at it still is"
    assert (await reviews(hospital).approve(pending.id, by="Dr Who")).state == "approved"
    assert hospital.plan()["status"] == "active"


async def test_a_draft_that_a_clinician_edits_keeps_the_edit_when_it_is_adopted() -> None:
    hospital = Hospital()
    first = await hospital.sync()
    hospital.edit(hospital.plan(), title="Agreed at the visit")
    later = await hospital.sync()
    assert later.outcome == "unchanged"
    decided = await reviews(hospital).approve(str(later.review or first.review), by="Dr Who")
    assert decided.state == "approved"
    assert (hospital.plan()["status"], hospital.plan()["title"]) == ("active", "Agreed at the visit")


async def test_a_plan_that_a_clinician_makes_active_waits_no_longer() -> None:
    hospital = Hospital()
    first = await hospital.sync()
    for resource in (hospital.plan(), *hospital.goals()):
        name = "status" if resource["resourceType"] == "CarePlan" else "lifecycleStatus"
        hospital.edit(resource, **{name: "active"})
    assert (await hospital.sync()).review is None
    assert (await hospital.plans.pending(str(first.review))).state == "superseded"


async def test_a_held_plan_is_written_active_once_it_is_approved() -> None:
    hospital = Hospital(policy=HOLD)
    receipt = await hospital.sync()
    assert (receipt.outcome, receipt.review) == ("review", receipt.exchange)
    assert hospital.everything() == {}
    decided = await reviews(hospital).approve(receipt.exchange, by="Dr Who")
    assert decided.state == "approved"
    assert hospital.plan()["status"] == "active"


async def test_an_approval_that_lost_its_answer_is_settled_and_the_plan_is_adopted_once() -> None:
    hospital = Hospital()
    first = await hospital.sync()
    hospital.writer.fault = "lose-answer"
    decided = await reviews(hospital).approve(str(first.review), by="Dr Who")
    assert decided.state == "approved"
    assert hospital.plan()["status"] == "active"
    assert (await hospital.sync()).outcome == "unchanged"


# --- rules about lines ------------------------------------------------------------------------------------------


async def test_what_the_policy_never_lets_be_written_is_left_out_with_a_word_and_the_rest_is_whole() -> None:
    never = ReviewRule(change=("new",), of=("medication",), needs="never")
    hospital, without = Hospital(), Hospital(policy=ReviewPolicy(rules=(never,)))
    await hospital.sync()
    receipt = await without.sync()
    kinds = [one.get("detail", {}).get("kind") for one in hospital.plan()["activity"]]
    assert "MedicationRequest" in kinds
    left = [one.get("detail", {}).get("kind") for one in without.plan()["activity"]]
    assert left == [kind for kind in kinds if kind != "MedicationRequest"]
    told = [issue for issue in receipt.issues if issue.key == "review.never"]
    assert len(told) == kinds.count("MedicationRequest")
    decided = await reviews(without).approve(str(receipt.review), by="Dr Who")
    assert decided.state == "approved"
    assert len(without.plan()["activity"]) == len(left)
    assert (await without.sync()).outcome == "unchanged"


async def test_a_plan_takes_two_where_one_line_of_it_does() -> None:
    two = ReviewRule(change=("new",), protocol=("t2dm",), needs="two")
    for name, persons in (("02-older-adult-si-units", 2), ("08-nothing-applies", 1)):
        hospital = Hospital(name, policy=ReviewPolicy(rules=(two,)))
        await hospital.sync()
        assert (await the_pending(hospital)).persons == persons


async def test_a_plan_in_use_changes_by_itself_where_every_part_of_the_change_may() -> None:
    lines = ("new", "changed", "retired", "status")
    hospital = Hospital()
    await hospital.sync(approve=True)
    otherwise(hospital)
    hospital.policy = ReviewPolicy(
        rules=(
            ReviewRule(change=lines, of=("goal", "activity", "medication", "finding"), needs="auto"),
            ReviewRule(change=lines, of=("plan",), needs="auto"),
        )
    )
    assert (await hospital.sync()).outcome == "written"
    assert hospital.plan()["status"] == "active"


# --- rejected, assigned, listed ---------------------------------------------------------------------------------


async def test_what_was_rejected_is_not_asked_again_while_it_is_the_same() -> None:
    hospital = Hospital()
    review = str((await hospital.sync()).review)
    await reviews(hospital).reject(review, by="Dr Who", reason="Hospice")
    again = await hospital.sync()
    assert (again.outcome, again.review) == ("unchanged", None)
    assert await hospital.plans.pendings() == ()
    otherwise(hospital)
    later = await hospital.sync()
    assert later.review is not None, "something else is proposed, so it is asked"
    rejected = await hospital.plans.pending(review)
    assert (rejected.state, rejected.steps[-1].reason) == ("rejected", "Hospice")


async def test_a_rejected_change_to_a_plan_in_use_is_not_asked_again() -> None:
    hospital = Hospital()
    await hospital.sync(approve=True)
    otherwise(hospital)
    review = str((await hospital.sync()).review)
    await reviews(hospital).reject(review, by="Dr Who", reason="As it is")
    before = hospital.everything()
    again = await hospital.sync()
    assert (again.outcome, again.review) == ("unchanged", None)
    assert hospital.everything() == before


async def test_reviews_are_listed_by_state_and_by_whom_they_were_assigned_to() -> None:
    hospital = Hospital()
    review = str((await hospital.sync()).review)
    board = reviews(hospital)
    await board.assign(review, to="Dr Who", by="Clerk", reason="On call")
    await board.assign(review, to="Dr Strange", by="Dr Who")
    assert [one.id for one in await board.listed(assigned_to="dr strange")] == [review]
    assert await board.listed(assigned_to="Dr Who") == ()
    assert await board.listed("rejected") == ()
    await board.reject(review, by="Dr Strange", reason="No")
    assert [one.id for one in await board.listed("rejected")] == [review]
    assert await board.listed() == ()
    assert [one.id for one in await board.listed(None)] == [review]
    with pytest.raises(UsageError, match="rejected already"):
        await board.assign(review, to="Dr Who", by="Clerk")
