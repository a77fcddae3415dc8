"""From draft to an end, and what comes after it: every row of the tables in docs/merge.md."""

import pytest

from careplan_exchange.model.changes import Ground
from careplan_exchange.model.codec import encode
from careplan_exchange.model.identity import nth
from careplan_exchange.model.record import Resource
from careplan_exchange.reconcile import accept, close, current_plan, generations, numbered, resolved_problems
from tests.unit.reconcile.world import (
    A1C,
    PATIENT,
    SBP,
    actions,
    because,
    change_of,
    goal,
    keys_of,
    kinds,
    plan,
    rendered,
    target,
    written,
)

DIABETES = {"reference": "Condition/dm"}
PRESSURE = {"reference": "Condition/ht"}
SECOND = nth("plan-1", 2)


def achieved(code):
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/goal-achievement", "code": code}]}


# --- what is no longer proposed ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("elements", "resolved", "status", "reason"),
    [
        ({"achievementStatus": achieved("achieved")}, (), "completed", "The target was reached"),
        ({"achievementStatus": achieved("sustaining")}, (), "completed", "The target was reached"),
        ({"achievementStatus": achieved("improving")}, (), "cancelled", "No protocol proposes it any more."),
        ({"addresses": [DIABETES]}, {"Condition/dm"}, "completed", "The problem that it is about is recorded as"),
        ({"addresses": [DIABETES, PRESSURE]}, {"Condition/dm"}, "cancelled", "No protocol proposes it any more."),
        ({"addresses": [{"identifier": {"system": "http://s", "value": "Condition/dm"}}]}, {"Condition/dm"},
         "completed", "The problem"),
        ({}, {"Condition/dm"}, "cancelled", "No protocol proposes it any more."),
    ],
)  # fmt: skip
def test_a_goal_that_is_no_longer_proposed_says_how_it_ended(elements, resolved, status, reason):
    world = written(goal(**elements))
    world.sync(resolved=resolved)

    assert world.bodies["goal-1"]["lifecycleStatus"] == status
    assert world.bodies["goal-1"]["statusReason"].startswith(reason)
    assert world.bodies["goal-1"].get("achievementStatus") == elements.get("achievementStatus")
    assert actions(world.compare()) == {"goal-1": "unchanged"}, "another reason on another day is no change"


def test_a_goal_with_another_for_the_same_measure_in_its_place_is_cancelled_and_names_it():
    world = written(goal(target=[target("8")]), goal("goal-2", target=[target("140", SBP)]))
    world.sync(goal("goal-3", description={"text": "HbA1c below 6.5"}, target=[target("6.5")]))

    assert world.bodies["goal-1"]["lifecycleStatus"] == "cancelled"
    assert world.bodies["goal-1"]["statusReason"].endswith("is proposed in its place: HbA1c below 6.5")
    assert world.bodies["goal-2"]["statusReason"] == "No protocol proposes it any more."


def test_a_reason_that_a_person_wrote_is_not_replaced():
    world = written(goal())
    world.edit("goal-1", statusReason="Agreed")
    world.sync(accepted=True)

    assert world.bodies["goal-1"]["lifecycleStatus"] == "cancelled"
    assert world.bodies["goal-1"]["statusReason"] == "Agreed"


@pytest.mark.parametrize(
    ("addresses", "resolved", "status"),
    [
        ([DIABETES, PRESSURE], {"Condition/dm", "Condition/ht"}, "completed"),
        ([DIABETES, PRESSURE], {"Condition/dm"}, "revoked"),
        ([{"reference": DIABETES}], {"Condition/dm"}, "completed"),
        (None, {"Condition/dm"}, "revoked"),
    ],
)
def test_a_plan_is_completed_where_all_its_problems_are_resolved(addresses, resolved, status):
    world = written(plan(**({"addresses": addresses} if addresses else {})))
    world.sync(resolved=resolved)

    assert world.bodies["plan-1"]["status"] == status
    assert actions(world.compare()) == {"plan-1": "unchanged"}, "what has ended stays as it ended"


def test_a_request_whose_problem_is_resolved_was_not_carried_out():
    world = written(rendered("ServiceRequest", "one", status="draft", addresses=[DIABETES]))
    world.sync(resolved={"Condition/dm"})

    assert world.bodies["one"]["status"] == "revoked"


def test_a_plan_that_a_person_took_up_is_completed_only_if_a_person_agrees():
    world = written(plan(addresses=[DIABETES]))
    world.edit("plan-1", status="active")
    changes = world.compare(resolved={"Condition/dm"})

    ((_, element),) = changes.conflicts
    assert (element.theirs, element.ours) == ("active", "completed")
    assert element.why == "It is no longer proposed, and a person has worked on it."
    world.sync(resolved={"Condition/dm"}, accepted=True)
    assert world.bodies["plan-1"]["status"] == "completed"


def condition(number, clinical=None, verification=None):
    body = {"resourceType": "Condition", "id": number}
    for name, code in (("clinicalStatus", clinical), ("verificationStatus", verification)):
        if code:
            body[name] = {"coding": [{"code": code}]}
    return Resource(type="Condition", id=number, version_id="1", last_updated=None, content=encode(body))


def test_problems_are_over_by_their_clinical_status_and_not_where_they_never_were():
    resources = [
        condition("1", "resolved"), condition("2", "remission"), condition("3", "inactive"), condition("4", "active"),
        condition("5"), condition("6", "resolved", "entered-in-error"), condition("7", "inactive", "refuted"),
        condition("8", "resolved", "confirmed"),
        Resource(type="Goal", id="9", version_id=None, last_updated=None, content=condition("9", "resolved").content),
    ]  # fmt: skip

    assert resolved_problems(resources) == {f"Condition/{number}" for number in (1, 2, 3, 8)}


# --- on hold ----------------------------------------------------------------------------------------------------


def test_a_plan_on_hold_is_not_changed_before_a_person_decides():
    world = written(goal(), plan("goal-1"))
    world.edit("plan-1", status="on-hold")
    proposal = (goal(description={"text": "new"}), goal("goal-2"), plan("goal-1", "goal-2", title="New"))
    changes = world.compare(*proposal)

    assert set(actions(changes).values()) == {"unchanged"}
    assert kinds(changes, "goal-1") == {"Goal.description": "conflict"}
    assert kinds(changes, "goal-2") == {"Goal": "conflict"}
    assert kinds(changes, "plan-1") == {
        "CarePlan.status": "theirs", "CarePlan.title": "conflict", "CarePlan.goal[1]": "conflict",
    }  # fmt: skip
    assert {element.why for _, element in changes.conflicts} == {
        "The plan is on hold, so nothing of it is changed before a person decides."
    }
    world.sync(*proposal, accepted=True)
    assert world.bodies["plan-1"]["status"] == "on-hold"
    assert world.bodies["plan-1"]["title"] == "New"
    assert len(world.bodies["plan-1"]["goal"]) == 2
    assert set(actions(world.compare(*proposal)).values()) == {"unchanged"}


# --- the plan after one that has ended --------------------------------------------------------------------------


def next_plan(*goals, **elements):
    return plan(*goals, identity=SECOND, **elements)


@pytest.mark.parametrize("status", ["completed", "revoked", "entered-in-error"])
def test_a_new_plan_takes_the_place_of_one_that_has_ended_only_if_a_person_agrees(status):
    world = written(goal(), goal("goal-2"), plan("goal-1", "goal-2"))
    world.edit("plan-1", status=status)
    world.edit("goal-1", lifecycleStatus="completed")
    (ended,) = (one for one in world.held() if one.identity == "plan-1")
    again = nth("goal-1", 2)
    proposal = (goal(again), goal("goal-2", description={"text": "new"}), next_plan(again, "goal-2"))
    changes = world.compare(*proposal, after=ended, grounds=because(plan_1="p") | {SECOND: Ground(digest="p2")})

    assert set(actions(changes).values()) == {"unchanged"}
    assert kinds(changes, again) == {"Goal": "conflict"}
    assert kinds(changes, "goal-2") == kinds(changes, "plan-1") == kinds(changes, "goal-1") == {}
    (question,) = change_of(changes, SECOND).elements
    assert (question.kind, question.theirs, question.ground) == ("conflict", None, "p2")
    assert question.why == "The plan before it has ended: a new one takes its place only if a person agrees."
    assert keys_of(changes) == ["reconcile.plan-replaced"]
    assert keys_of(accept(changes)) == []

    world.sync(*proposal, after=ended, accepted=True)
    new = world.bodies[SECOND]
    assert new.get("replaces") == (None if status == "entered-in-error" else [{"reference": ended.reference}])
    assert [one["reference"] for one in new["goal"]] == [
        f"Goal/{world.bodies[one]['id']}" for one in (again, "goal-2")
    ]
    assert world.bodies["plan-1"]["status"] == status
    onward = world.sync(*proposal)
    assert actions(onward)["goal-2"] == "update", "what goes on is brought up to date once the plan stands"
    assert actions(onward)[SECOND] == "unchanged", "the plan keeps naming the one before it"
    assert set(actions(world.compare(*proposal)).values()) == {"unchanged"}


def test_a_deleted_goal_that_would_come_back_with_a_new_plan_is_part_of_the_question():
    world = written(goal(), plan("goal-1"))
    world.edit("plan-1", status="completed")
    world.bodies.pop("goal-1")
    (ended,) = (one for one in world.held() if one.identity == "plan-1")
    world.sync(goal(), next_plan("goal-1"), after=ended, accepted=True)

    assert world.bodies[SECOND]["goal"] == [{"reference": f"Goal/{world.bodies['goal-1']['id']}"}]


# --- which plan is the current one ------------------------------------------------------------------------------

PLANS = numbered("plan-1", (), ahead=2)
P = Ground(digest="p")


def test_the_identities_of_a_chain_are_told_from_the_first():
    assert nth("plan-1", 1) == "plan-1"
    assert len({nth("plan-1", number) for number in range(1, 9)}) == 8
    assert nth("plan-1", 2) != nth("plan-2", 2)
    assert list(numbered("plan-1", ())) == ["plan-1"]
    assert numbered("plan-1", {"plan-1", SECOND}, ahead=1) == {nth("plan-1", n): n for n in (1, 2, 3)}
    assert numbered("plan-1", {"plan-1", nth("plan-1", 3)}) == {"plan-1": 1}


def test_a_plan_that_is_not_there_or_goes_on_is_the_current_one():
    world = written(plan(), grounds=because(plan_1="p"))

    assert current_plan(PLANS, (), {}, P, again=False) == (1, None)
    assert current_plan(PLANS, world.held(), world.bases, P, again=False) == (1, None)
    assert current_plan(PLANS, (), world.bases, P, again=True) == (1, None), "deleted: that is another question"


@pytest.mark.parametrize(
    ("remembered", "again", "number"), [("p", False, 1), ("p", True, 2), ("other", False, 2), (None, False, 2)]
)
def test_a_plan_that_a_person_has_ended_is_followed_by_another_only_for_another_reason(remembered, again, number):
    world = written(plan(), grounds=because(plan_1=remembered) if remembered else {})
    world.edit("plan-1", status="completed")
    current = current_plan(PLANS, world.held(), world.bases, P, again=again)

    assert current.number == number
    assert current.after == (world.held()[0] if number == 2 else None)


def test_a_plan_that_we_completed_is_followed_by_another_and_one_that_we_revoked_is_taken_up_again():
    completed = written(plan(addresses=[DIABETES]), grounds=because(plan_1="p"))
    completed.sync(resolved={"Condition/dm"}, grounds=because(plan_1="p"))
    revoked = written(plan(addresses=[DIABETES]), grounds=because(plan_1="p"))
    revoked.sync()

    assert current_plan(PLANS, completed.held(), completed.bases, P, again=False).number == 2
    assert current_plan(PLANS, revoked.held(), revoked.bases, P, again=False) == (1, None)


def test_a_later_plan_is_found_without_any_memory_and_not_made_twice():
    world = written(plan(), next_plan())
    world.edit("plan-1", status="completed")

    assert current_plan(PLANS, world.held(), {}, P, again=False) == (2, None)


def test_a_goal_that_is_open_goes_on_and_one_that_has_ended_gets_the_next_identity():
    world = written(goal(), goal("goal-2"), goal("goal-3"), plan())
    world.edit("plan-1", status="completed")
    world.edit("goal-2", lifecycleStatus="completed")
    world.bodies.pop("goal-3")
    firsts = ["goal-1", "goal-2", "goal-3", "goal-4", "plan-1"]
    current = current_plan(PLANS, world.held(), world.bases, P, again=False)

    assert generations(firsts, world.held(), world.bases, current) == {"goal-2": 2, "plan-1": 2}


def test_later_parts_keep_their_identity_while_the_plan_goes_on():
    second = nth("goal-2", 2)
    world = written(goal(), goal("goal-2"), goal(second), plan(), next_plan())
    world.edit("plan-1", status="completed")
    world.edit("goal-2", lifecycleStatus="completed")
    world.edit(second, lifecycleStatus="completed")
    current = current_plan(PLANS, world.held(), world.bases, P, again=False)

    assert generations(["goal-1", "goal-2", "plan-1"], world.held(), world.bases, current) == {
        "goal-2": 2, "plan-1": 2,
    }  # fmt: skip


# --- closed -----------------------------------------------------------------------------------------------------


def test_closing_asks_about_everything_that_is_not_over():
    world = written(
        goal(target=[target("7", A1C)]), goal("goal-2"), rendered("ServiceRequest", "one", status="draft"), plan()
    )
    world.edit("goal-2", lifecycleStatus="completed")
    world.edit("plan-1", status="active")
    changes = close(world.held(), world.bases, why="Deceased.", patient=PATIENT)

    assert set(actions(changes).values()) == {"unchanged"}
    assert {element.why for _, element in changes.conflicts} == {"Deceased."}
    assert kinds(changes, "goal-2") == {}
    world.write(accept(changes))
    assert world.bodies["plan-1"]["status"] == "revoked"
    assert world.bodies["one"]["status"] == "revoked"
    assert world.bodies["goal-1"]["lifecycleStatus"] == "cancelled"
    assert world.bodies["goal-1"]["statusReason"] == "Deceased."
    assert world.bodies["goal-2"]["lifecycleStatus"] == "completed"
    assert close(world.held(), world.bases, why="Deceased.", patient=PATIENT).conflicts == ()


def test_a_plan_that_nobody_remembers_is_closed_by_its_status_alone():
    world = written(goal(), plan("goal-1", title="Theirs or ours"))
    world.bases.clear()
    changes = close(world.held(), {}, why="Deceased.", patient=PATIENT)

    assert kinds(changes, "plan-1") == {"CarePlan.status": "conflict"}
    assert kinds(changes, "goal-1") == {"Goal.lifecycleStatus": "conflict"}
