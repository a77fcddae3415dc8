"""What persons do with what waits, over the data path in memory: adopt, approve by two, modify, reject, assign."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from careplan_exchange import exchange, logs
from careplan_exchange.errors import EndpointOverloadedError, UnsafeModificationError, UsageError
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.review import Pending, ReviewPolicy, ReviewRule
from careplan_exchange.operations import Reviews
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.hospital import TODAY, URL, Hospital

EVERYTHING = ("new", "changed", "retired", "status")
HOLD = ReviewPolicy(new_plans="hold")
TWO = ReviewPolicy(rules=(ReviewRule(change=EVERYTHING, needs="two"),))


def reviews(hospital: Hospital) -> Reviews:
    async def run(request: ExchangeRequest, *, exchange_id: str, accepting: Pending | None = None) -> Receipt:
        asked = exchange.Request(exchange=exchange_id, asked=request, today=TODAY, accepting=accepting)
        return await exchange.sync(hospital.steps(), asked)

    return Reviews(plans=hospital.plans, ledger=hospital.ledger, clock=hospital.clock, ids=hospital.ids, run=run)


async def the_pending(hospital: Hospital) -> Pending:
    (pending,) = await hospital.plans.pendings()
    return pending


def a_goal_with_a_target(hospital: Hospital) -> dict[str, Any]:
    return next(goal for goal in hospital.goals() if "high" in goal.get("target", [{}])[0].get("detailRange", {}))


def otherwise(hospital: Hospital) -> None:
    """The record changes so that other lines are proposed."""
    hospital.source.remove("Observation")


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


# --- modified ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [ReviewPolicy(), HOLD], ids=["draft", "hold"])
async def test_a_modified_target_is_written_and_stays_the_persons_own(policy: ReviewPolicy) -> None:
    hospital = Hospital(policy=policy)
    review = str((await hospital.sync()).review)
    shown = await the_pending(hospital)
    goal = next(
        change
        for change in shown.change_set.changes
        if change.type == "Goal" and "high" in change.ours.get("target", [{}])[0].get("detailRange", {})
    )
    name = f"Goal/{goal.id}" if goal.id else f"Goal/~{goal.identity[:8]}"
    was = goal.ours["target"][0]["detailRange"]["high"]["value"]
    wanted = was + Decimal(1)
    edits = {f"{name} target[0].detailRange.high.value": wanted}
    with pytest.raises(UsageError, match="names a value that its target no longer has"):
        await reviews(hospital).modify(review, by="Dr Who", reason="Frail", edits=edits)
    edits[f"{name} description.text"] = "A gentler goal"
    decided = await reviews(hospital).modify(review, by="Dr Who", reason="Frail", edits=edits)
    assert (decided.state, decided.approved_by) == ("approved", ("Dr Who",))
    assert hospital.plan()["status"] == "active"

    def target() -> Any:
        (found,) = (one for one in hospital.goals() if one["identifier"][0]["value"] == goal.identity)
        return decode(encode(found))["target"][0]["detailRange"]["high"]["value"]

    assert target() == wanted
    assert "Changed on review by Dr Who" in hospital.plan()["text"]["div"]
    for _ in range(2):
        assert (await hospital.sync()).outcome == "unchanged"
    assert target() == wanted
    otherwise(hospital)
    receipt = await hospital.sync()
    if receipt.review is not None:
        await reviews(hospital).approve(receipt.review, by="Dr Strange")
    assert target() == wanted, "a later plan does not change it back"


@pytest.mark.parametrize("policy", [ReviewPolicy(), HOLD], ids=["draft", "hold"])
async def test_a_line_that_is_left_out_is_refused_for_good(policy: ReviewPolicy) -> None:
    hospital = Hospital(policy=policy)
    review = str((await hospital.sync()).review)
    goal = next(one for one in (await the_pending(hospital)).change_set.changes if one.type == "Goal")
    name = f"Goal/{goal.id}" if goal.id else f"Goal/~{goal.identity[:8]}"
    await reviews(hospital).modify(review, by="Dr Who", reason="Not wanted", edits={name: None})

    def state() -> str:
        (found,) = (one for one in hospital.goals() if one["identifier"][0]["value"] == goal.identity)
        return str(found["lifecycleStatus"])

    assert state() == "rejected"
    again = await hospital.sync()
    assert (again.outcome, again.review, state()) == ("unchanged", None, "rejected")
    assert {one["lifecycleStatus"] for one in hospital.goals()} == {"active", "rejected"}


async def test_an_activity_of_the_plan_is_left_out_by_its_place() -> None:
    hospital = Hospital(writer=MemoryPlanWriter(URL, rung="detail"))
    review = str((await hospital.sync()).review)
    plan = f"CarePlan/{hospital.plan()['id']}"
    await reviews(hospital).modify(review, by="Dr Who", reason="No", edits={f"{plan} activity[0]": None})
    assert hospital.plan()["activity"][0]["detail"]["status"] == "cancelled"
    assert (await hospital.sync()).outcome == "unchanged"
    assert hospital.plan()["activity"][0]["detail"]["status"] == "cancelled"


def medicine(text: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": code}], "text": text}


async def test_a_harmful_modification_is_refused_with_rule_and_citation_and_nothing_of_it_is_kept() -> None:
    hospital = Hospital("04-kidney-disease")
    review = str((await hospital.sync()).review)
    before = hospital.everything()
    plan = f"CarePlan/{hospital.plan()['id']}"
    number = len(hospital.plan()["activity"])
    detail = {
        "kind": "MedicationRequest",
        "status": "not-started",
        "productCodeableConcept": medicine("ibuprofen", "5640"),
        "description": "Ibuprofen for the knee",
    }
    with pytest.raises(UnsafeModificationError) as caught:
        await reviews(hospital).modify(
            review, by="Dr Who", reason="Pain", edits={f"{plan} activity[{number}]": {"detail": detail}}
        )
    assert caught.value.exit_code == 4
    assert "Rule '" in caught.value.detail
    assert "(no source)" not in caught.value.detail
    assert hospital.everything() == before
    assert (await the_pending(hospital)).steps == ()
    assert (await reviews(hospital).approve(review, by="Dr Who")).state == "approved"


async def test_a_medicine_that_no_rule_knows_is_refused() -> None:
    hospital = Hospital()
    review = str((await hospital.sync()).review)
    plan = f"CarePlan/{hospital.plan()['id']}"
    number = len(hospital.plan()["activity"])
    detail = {"status": "not-started", "productCodeableConcept": medicine("something", "0")}
    with pytest.raises(UnsafeModificationError, match="do not know this medicine"):
        await reviews(hospital).modify(
            review, by="Dr Who", reason="x", edits={f"{plan} activity[{number}]": {"detail": detail}}
        )


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("target[0].detailRange.high.value", 9999, "outside what a living person can have"),
        ("target[0].detailRange.high.code", "furlong", "A target of"),
        ("target[0].detailRange.high", "much", "cannot be written"),
        ("lifecycleStatus", "banana", "cannot be written"),
        ("subject.reference", "Patient/other", "not to be changed"),
        ("identifier[0].value", "x", "not to be changed"),
        ("target[7].dueDate", "2027-01-01", "no such place"),
        ("target..x", 1, "no path"),
    ],
)
async def test_an_edit_that_cannot_be_is_refused_and_nothing_is_written(path: str, value: Any, says: str) -> None:
    hospital = Hospital()
    review = str((await hospital.sync()).review)
    before = hospital.everything()
    goal = f"Goal/{a_goal_with_a_target(hospital)['id']}"
    with pytest.raises(UsageError, match=says):
        await reviews(hospital).modify(review, by="Dr Who", reason="x", edits={f"{goal} {path}": value})
    assert hospital.everything() == before
    assert (await the_pending(hospital)).steps == ()


@pytest.mark.parametrize("edit", ["Goal/unknown priority", "CarePlan/{plan}", "CarePlan/{plan} status"])
async def test_an_edit_of_what_is_not_there_or_not_a_persons_to_change_is_refused(edit: str) -> None:
    hospital = Hospital()
    review = str((await hospital.sync()).review)
    edits = {edit.format(plan=hospital.plan()["id"]): None if edit.endswith("}") else "active"}
    with pytest.raises(UsageError):
        await reviews(hospital).modify(review, by="Dr Who", reason="x", edits=edits)
    with pytest.raises(UsageError):
        await reviews(hospital).modify(review, by="Dr Who", reason="x", edits={})


async def test_an_edit_to_what_stands_already_changes_nothing_and_is_refused() -> None:
    hospital = Hospital()
    review = str((await hospital.sync()).review)
    goal = a_goal_with_a_target(hospital)
    edits = {f"Goal/{goal['id']} description.text": goal["description"]["text"]}
    with pytest.raises(UsageError, match="change nothing"):
        await reviews(hospital).modify(review, by="Dr Who", reason="x", edits=edits)


async def test_a_modification_is_one_of_two_approvals_and_undoes_those_before_it() -> None:
    hospital = Hospital(policy=TWO)
    review = str((await hospital.sync()).review)
    goal = a_goal_with_a_target(hospital)
    edits = {f"Goal/{goal['id']} description.text": "As agreed"}
    await reviews(hospital).approve(review, by="Dr Who")
    modified = await reviews(hospital).modify(review, by="Dr Strange", reason="x", edits=edits)
    assert (modified.state, modified.approved_by) == ("pending", ("Dr Strange",))
    assert hospital.plan()["status"] == "draft"
    decided = await reviews(hospital).approve(review, by="Dr Who")
    assert decided.state == "approved"
    assert "As agreed" in [one["description"]["text"] for one in hospital.goals()]


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


# --- recorded ---------------------------------------------------------------------------------------------------


async def test_every_step_is_in_the_ledger_without_reason_and_values() -> None:
    hospital = Hospital(policy=TWO)
    review = str((await hospital.sync()).review)
    goal = a_goal_with_a_target(hospital)
    board = reviews(hospital)
    await board.assign(review, to="Dr Who", by="Clerk", reason="Words about a person")
    edits = {f"Goal/{goal['id']} description.text": "Words about a person"}
    await board.modify(review, by="Dr Who", reason="Words about a person", edits=edits)
    await board.approve(review, by="Dr Strange", reason="Words about a person")
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
