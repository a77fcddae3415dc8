"""Approvals: by two different people, of what has changed since it was shown, and what the ledger keeps."""

import asyncio
from typing import Any

import pytest

from careplan_exchange import logs
from careplan_exchange.errors import EndpointOverloadedError, UsageError
from careplan_exchange.model.codec import encode
from careplan_exchange.model.review import ReviewPolicy
from careplan_exchange.review import content_of
from tests.support.hospital import Hospital
from tests.support.interfering import the_pending
from tests.support.persons import HOLD, TWO, a_goal_with_a_target, otherwise, reviews

# --- expired ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [ReviewPolicy(), HOLD], ids=["draft", "hold"])
async def test_what_changed_since_is_not_written_and_the_difference_is_told(policy: ReviewPolicy) -> None:
    hospital = Hospital(policy=policy)
    first = await hospital.sync()
    before = hospital.everything()
    otherwise(hospital)
    decided = await reviews(hospital).approve(str(first.review), by="Dr Who")
    assert (decided.state, decided.outcome) == ("superseded", "review")
    assert hospital.everything() == before
    newer = await the_pending(hospital)
    assert decided.waiting == newer.id != first.review
    assert any(line.startswith("was  ") for line in decided.differences) or any(
        line.startswith("now  ") for line in decided.differences
    )
    assert newer.steps == (), "an approval of something else does not count"
    with pytest.raises(UsageError) as caught:
        await reviews(hospital).approve(str(first.review), by="Dr Who")
    assert newer.id in caught.value.mend
    assert (await reviews(hospital).approve(newer.id, by="Dr Who")).state == "approved"
    assert hospital.plan()["status"] == "active"


async def test_an_approval_where_nothing_is_left_to_decide_writes_nothing_and_says_so() -> None:
    hospital = Hospital(policy=HOLD)
    first = await hospital.sync()
    for kind in ("Condition", "Observation", "MedicationRequest"):
        hospital.source.remove(kind)
    hospital.source.resources("Patient")[0]["birthDate"] = "2020-03-01"
    decided = await reviews(hospital).approve(str(first.review), by="Dr Who")
    assert (decided.state, decided.waiting) == ("superseded", None)
    assert decided.differences
    assert hospital.everything() == {}


# --- two persons ------------------------------------------------------------------------------------------------


async def test_two_different_people_approve_and_only_then_it_is_written() -> None:
    hospital = Hospital(policy=TWO)
    receipt = await hospital.sync()
    review = str(receipt.review)
    assert (await the_pending(hospital)).persons == 2
    first = await reviews(hospital).approve(review, by="Dr Who")
    assert (first.state, first.approved_by, first.persons, first.exchange) == ("pending", ("Dr Who",), 2, None)
    assert hospital.plan()["status"] == "draft"
    for same in ("Dr Who", " dr  WHO "):
        with pytest.raises(UsageError, match="has approved it already"):
            await reviews(hospital).approve(review, by=same)
    assert (await hospital.sync()).review == review, "the first approval stands"
    second = await reviews(hospital).approve(review, by="Dr Strange")
    assert (second.state, second.approved_by) == ("approved", ("Dr Who", "Dr Strange"))
    assert hospital.plan()["status"] == "active"
    assert (await hospital.plans.pending(review)).decided_by == "Dr Who, Dr Strange"


async def test_an_approval_that_could_not_be_carried_out_can_be_given_again() -> None:
    hospital = Hospital()
    review = str((await hospital.sync()).review)
    write = hospital.writer.write

    async def busy(*_: Any) -> Any:
        raise EndpointOverloadedError("busy", mend="later")

    hospital.writer.write = busy
    with pytest.raises(EndpointOverloadedError):
        await reviews(hospital).approve(review, by="Dr Who")
    assert [step.by for step in (await the_pending(hospital)).steps] == ["Dr Who"]
    hospital.writer.write = write
    assert (await reviews(hospital).approve(review, by="Dr Who")).state == "approved"
    decided = await hospital.plans.pending(review)
    assert [step.kind for step in decided.steps] == ["approve"], "it is one approval"


async def test_two_people_who_approve_at_the_same_moment_are_enough() -> None:
    hospital = Hospital(policy=TWO)
    review = str((await hospital.sync()).review)
    both = [reviews(hospital).approve(review, by=name) for name in ("Dr Who", "Dr Strange")]
    decided = await asyncio.gather(*both)
    assert "approved" in {one.state for one in decided}
    assert hospital.plan()["status"] == "active"


async def test_a_sync_that_one_person_approves_writes_what_needs_two_as_a_draft() -> None:
    hospital = Hospital(policy=TWO)
    receipt = await hospital.sync(approve=True)
    assert receipt.outcome == "written"
    assert hospital.plan()["status"] == "draft"
    pending = await the_pending(hospital)
    assert (pending.id, pending.persons, pending.steps) == (receipt.review, 2, ())


async def test_an_approval_of_what_was_shown_before_does_not_count_for_what_is_shown_now() -> None:
    hospital = Hospital(policy=TWO)
    review = str((await hospital.sync()).review)
    await reviews(hospital).approve(review, by="Dr Who")
    otherwise(hospital)
    decided = await reviews(hospital).approve(review, by="Dr Strange")
    assert decided.state == "superseded"
    newer = await the_pending(hospital)
    assert (await reviews(hospital).approve(newer.id, by="Dr Strange")).state == "pending"
    assert hospital.plan()["status"] == "draft"


async def test_a_policy_that_became_stricter_holds_for_what_waits_already() -> None:
    hospital = Hospital()
    review = str((await hospital.sync()).review)
    hospital.policy = TWO
    decided = await reviews(hospital).approve(review, by="Dr Who")
    assert decided.outcome == "review"
    assert hospital.plan()["status"] == "draft"


# --- recorded ---------------------------------------------------------------------------------------------------


async def test_every_step_is_in_the_ledger_without_reason_and_values() -> None:
    hospital = Hospital(policy=TWO)
    review = str((await hospital.sync()).review)
    goal = a_goal_with_a_target(hospital)
    board = reviews(hospital)
    await board.assign(review, to="Dr Who", by="Clerk", reason="Words about a person")
    edits = {f"Goal/{goal['id']} description.text": "Words about a person"}
    await board.modify(review, by="Dr Who", reason="Words about a person", edits=edits)
    seen = content_of(await the_pending(hospital))
    await board.approve(review, by="Dr Strange", reason="Words about a person", seen=seen)
    entries = [one for one in await hospital.entries(review) if one.event.startswith("review.")]
    steps = [one.data for one in entries if one.event == logs.REVIEW_STEP]
    assert [(one["kind"], one["by"]) for one in steps] == [
        ("assign", "Clerk"), ("modify", "Dr Who"), ("approve", "Dr Strange"),
    ]  # fmt: skip
    assert steps[1]["edits"] == list(edits)
    (decided,) = (one.data for one in entries if one.event == logs.REVIEW_DECIDED)
    assert decided == {"state": "approved", "by": "Dr Who, Dr Strange"}
    assert b"Words about" not in encode(await hospital.entries())


async def test_a_sync_that_is_approved_at_once_names_who_approved_it() -> None:
    hospital = Hospital()
    receipt = await hospital.sync(approve=True)
    assert receipt.review is None
    (decided,) = (
        one.data for one in await hospital.entries(receipt.exchange) if one.event == logs.REVIEW_DECIDED
    )
    assert decided == {"state": "approved", "by": "Dr Who"}
