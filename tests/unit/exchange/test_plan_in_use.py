"""A plan in use: what waits for a person, conflicts, and what somebody has deleted."""

import pytest

from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.review import ReviewPolicy
from careplan_exchange.writer.bundle import resolved
from tests.support.hospital import Hospital
from tests.support.interfering import (
    AUTO,
    AUTO_NEW,
    REVIEW_NEW,
    actions,
    goal_with,
    nothing_applies_to,
    the_pending,
    with_interference,
)


async def a_plan_in_use() -> Hospital:
    """A person has made the plan active; since then the blood pressure trigger has gone from the record."""
    hospital = Hospital()
    await hospital.sync()
    hospital.edit(hospital.plan(), status="active")
    assert (await hospital.sync()).outcome == "unchanged"
    hospital.source.bundle["entry"] = [
        entry
        for entry in hospital.source.bundle["entry"]
        if "38341003" not in encode(entry["resource"]).decode()
        and "I10" not in encode(entry["resource"]).decode()
    ]
    return hospital


async def test_a_change_to_a_plan_in_use_waits_and_the_server_stays_as_it_is() -> None:
    hospital = await a_plan_in_use()
    before = hospital.everything()
    receipt = await hospital.sync()
    assert receipt.outcome == "review"
    assert hospital.everything() == before
    assert "pending" in actions(receipt)
    pending = await the_pending(hospital)
    assert pending.change_set.to_write
    assert pending.patient == f"Patient/{hospital.source.patient}"
    assert [issue.key for issue in receipt.issues if issue.key == "review.waiting"]


async def test_an_approval_carries_out_exactly_what_was_shown() -> None:
    hospital = await a_plan_in_use()
    await hospital.sync()
    pending = await the_pending(hospital)
    before = hospital.everything()
    receipt = await hospital.sync(accepting=pending)
    assert receipt.outcome == "written"
    after = hospital.everything()
    shown = {change.identity: change for change in pending.change_set.to_write}
    placed = {body["identifier"][0]["value"]: reference for reference, body in after.items()}
    written = {identity for identity, place in placed.items() if after[place] != before.get(place)}
    assert written == set(shown)
    became = {change.full_url: placed[identity] for identity, change in shown.items()}
    for identity, change in shown.items():
        sent = {key: value for key, value in after[placed[identity]].items() if key not in {"id", "meta"}}
        meant = {key: value for key, value in change.body.items() if key not in {"id", "meta"}}
        assert decode(encode(sent)) == decode(encode(resolved(meant, became)))
    assert (await hospital.sync()).outcome == "unchanged"


async def test_an_approval_of_a_change_makes_no_proposed_goal_active_that_was_not_shown() -> None:
    hospital = await a_plan_in_use()
    await hospital.sync()
    shown = {change.identity for change in (await the_pending(hospital)).change_set.to_write}
    await hospital.sync(accepting=await the_pending(hospital))
    left = [goal for goal in hospital.goals() if goal["identifier"][0]["value"] not in shown]
    assert left
    assert {goal["lifecycleStatus"] for goal in left} == {"proposed"}


async def test_an_approval_waits_again_when_the_plan_has_changed_since() -> None:
    hospital = await a_plan_in_use()
    await hospital.sync()
    pending = await the_pending(hospital)
    hospital.edit(hospital.plan(), activity=hospital.plan()["activity"][:3])
    before = hospital.everything()
    receipt = await hospital.sync(accepting=pending)
    assert receipt.outcome == "review"
    assert hospital.everything() == before
    newer = await the_pending(hospital)
    assert newer.id == receipt.exchange != pending.id
    assert (await hospital.plans.pending(pending.id)).state == "superseded"


async def test_an_approval_waits_again_when_the_proposal_has_changed_since() -> None:
    hospital = await a_plan_in_use()
    await hospital.sync()
    pending = await the_pending(hospital)
    before = hospital.everything()
    hospital.source.remove("Condition")
    receipt = await hospital.sync(accepting=pending)
    assert receipt.outcome == "review"
    assert hospital.everything() == before
    assert (await the_pending(hospital)).id == receipt.exchange


async def test_an_approval_is_not_carried_over_to_what_a_conflict_brings() -> None:
    hospital, writer = with_interference()
    await hospital.sync()
    hospital.edit(hospital.plan(), status="active")
    hospital.source.remove("Observation")
    assert (await hospital.sync()).outcome == "review"
    pending = await the_pending(hospital)

    def somebody_is_quicker() -> None:
        writer.before_write = lambda: None
        hospital.edit(hospital.plan(), activity=hospital.plan()["activity"][:3])

    writer.before_write = somebody_is_quicker
    receipt = await hospital.sync(accepting=pending)
    assert receipt.outcome == "review"
    assert len(hospital.plan()["activity"]) == 3


async def test_the_policy_write_changes_a_plan_in_use_without_a_person() -> None:
    hospital = await a_plan_in_use()
    hospital.policy = AUTO
    assert (await hospital.sync()).outcome == "written"
    assert hospital.plan()["status"] == "active"
    assert await hospital.plans.pendings() == ()


async def test_what_waited_is_superseded_once_there_is_nothing_to_decide() -> None:
    hospital = Hospital(policy=REVIEW_NEW)
    await hospital.sync()
    nothing_applies_to(hospital.source)
    assert (await hospital.sync()).outcome == "unchanged"
    assert await hospital.plans.pendings() == ()
    assert [pending.state for pending in await hospital.plans.pendings(None)] == ["superseded"]


# --- conflicts and deletions ------------------------------------------------------------------------------------


async def a_draft_with_a_conflict() -> tuple[Hospital, str]:
    """One goal was edited by a person and is proposed otherwise now; the rest of the plan changes too."""
    hospital = Hospital("01-adult-pregnancy-unknown")
    await hospital.sync()
    goal = goal_with(hospital, "HbA1c")
    hospital.edit(goal, description={"text": "Agreed with the family"})
    hospital.source.resources("Patient")[0]["birthDate"] = "1936-03-01"
    return hospital, f"Goal/{goal['id']}"


async def test_a_conflict_waits_while_the_rest_of_a_draft_is_written() -> None:
    hospital, reference = await a_draft_with_a_conflict()
    receipt = await hospital.sync()
    assert receipt.outcome == "review"
    assert actions(receipt)["update"] > 0
    assert hospital.everything()[reference]["description"] == {"text": "Agreed with the family"}
    pending = await the_pending(hospital)
    assert {change.reference for change in pending.change_set.changes} == {reference}
    assert pending.change_set.conflicts

    again = await hospital.sync()
    assert again.outcome == "review"
    assert actions(again)["update"] == 0, "what could be written was written the first time"
    assert await hospital.plans.pendings() == (pending,)


async def test_an_approved_conflict_is_decided_for_ours_and_the_draft_stays_a_draft() -> None:
    hospital, reference = await a_draft_with_a_conflict()
    await hospital.sync()
    pending = await the_pending(hospital)
    receipt = await hospital.sync(accepting=pending)
    assert receipt.outcome == "written"
    (change,) = pending.change_set.changes
    conflict = next(element for element in change.elements if element.path == "Goal.description")
    assert hospital.everything()[reference]["description"] == conflict.ours
    assert hospital.plan()["status"] == "draft"
    assert {goal["lifecycleStatus"] for goal in hospital.goals()} == {"proposed"}
    assert (await hospital.sync()).outcome == "unchanged"


POLICIES = [ReviewPolicy(), AUTO_NEW, REVIEW_NEW]


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_deleted_plan_stays_deleted_and_nobody_is_asked(policy: ReviewPolicy) -> None:
    hospital = Hospital()
    await hospital.sync()
    hospital.policy = policy
    hospital.writer.delete("CarePlan", hospital.plan()["id"])
    before = hospital.everything()
    receipt = await hospital.sync()
    assert receipt.outcome == "unchanged"
    assert "reconcile.left-deleted" in {issue.key for issue in receipt.issues}
    assert hospital.everything() == before
    assert await hospital.plans.pendings() == ()


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_deleted_plan_comes_back_only_when_a_person_says_so(policy: ReviewPolicy) -> None:
    hospital = Hospital()
    await hospital.sync()
    hospital.policy = policy
    hospital.writer.delete("CarePlan", hospital.plan()["id"])
    assert (await hospital.sync(approve=True)).outcome == "review"
    assert hospital.writer.resources("CarePlan") == ()
    pending = await the_pending(hospital)
    receipt = await hospital.sync(approve=pending.request.approve, accepting=pending)
    assert receipt.outcome == "written"
    assert len(hospital.writer.resources("CarePlan")) == 1
