"""What a person has ended or deleted: it is left as it is, and the rest of the plan goes on."""

import pytest

from tests.unit.reconcile.world import actions, change_of, goal, keys_of, kinds, link, plan, rendered, written

TERMINAL = [
    *(("CarePlan", "status", code) for code in ("completed", "revoked", "entered-in-error")),
    *(("Goal", "lifecycleStatus", code) for code in ("completed", "cancelled", "rejected", "entered-in-error")),
    *(("ServiceRequest", "status", code) for code in ("completed", "revoked", "entered-in-error")),
    *(
        ("MedicationRequest", "status", code)
        for code in ("completed", "cancelled", "stopped", "ended", "entered-in-error")
    ),
    *(("DetectedIssue", "status", code) for code in ("cancelled", "mitigated", "entered-in-error")),
]


@pytest.mark.parametrize(("kind", "element", "status"), TERMINAL)
def test_what_a_person_has_ended_is_never_changed_again(kind, element, status):
    world = written(rendered(kind, "one", **{element: "draft"}, language="en"))
    world.edit("one", **{element: status})
    changes = world.compare(rendered(kind, "one", **{element: "draft"}, language="fr"))
    retired = world.compare()

    assert actions(changes) == actions(retired) == {"one": "unchanged"}
    assert change_of(changes, "one").body == world.bodies["one"]
    assert len(changes.issues) == 1
    assert changes.issues[0].source == f"{kind}/{world.bodies['one']['id']}/_history/2"
    assert changes.issues[0].severity == "information"
    assert change_of(retired, "one").elements == ()
    assert keys_of(retired) == []


def test_a_status_that_we_set_and_a_person_changed_to_another_end_is_theirs():
    world = written(goal())
    world.sync()
    world.edit("goal-1", lifecycleStatus="completed")
    changes = world.compare(goal(description={"text": "new"}))

    assert actions(changes) == {"goal-1": "unchanged"}
    assert keys_of(changes) == ["reconcile.ended"]


def test_an_ended_goal_does_not_keep_the_rest_of_the_plan_from_going_on():
    world = written(goal(), goal("goal-2"), plan("goal-1", "goal-2"))
    world.edit("goal-1", lifecycleStatus="completed")
    changes = world.sync(
        goal(), goal("goal-2", description={"text": "new"}), plan("goal-1", "goal-2", title="New")
    )

    assert actions(changes) == {"goal-1": "unchanged", "goal-2": "update", "plan-1": "update"}


def test_a_plan_that_a_person_has_ended_stops_everything_and_tells():
    world = written(goal(), goal("goal-2"), plan("goal-1", "goal-2"))
    world.edit("plan-1", status="completed")
    changes = world.compare(
        goal(description={"text": "new"}), goal("goal-3"), plan("goal-1", "goal-3", title="New")
    )

    assert list(actions(changes).items()) == [(one, "unchanged") for one in ("goal-1", "goal-2", "plan-1")]
    assert kinds(changes, "goal-1") == kinds(changes, "goal-2") == kinds(changes, "plan-1") == {}
    assert changes.patient == "Patient/1"
    assert keys_of(changes) == ["reconcile.plan-ended"]
    assert changes.issues[0].source == f"CarePlan/{world.bodies['plan-1']['id']}/_history/2"


def test_a_plan_that_a_person_has_ended_and_nobody_proposes_asks_nothing():
    world = written(goal(), plan("goal-1"))
    world.edit("plan-1", status="completed")
    changes = world.compare()

    assert actions(changes) == {"goal-1": "unchanged", "plan-1": "unchanged"}
    assert changes.conflicts == ()
    assert changes.issues == ()


def test_an_older_plan_that_was_ended_does_not_stop_a_new_one():
    world = written(plan(identity="plan-0"))
    world.edit("plan-0", status="completed")
    changes = world.compare(goal(), plan("goal-1"))

    assert actions(changes) == {"goal-1": "create", "plan-0": "unchanged", "plan-1": "create"}


def test_what_somebody_deleted_is_not_made_again():
    world = written(goal(), goal("goal-2"), plan("goal-1", "goal-2"))
    gone = world.bodies.pop("goal-1")["id"]
    changes = world.sync(goal(), goal("goal-2"), plan("goal-1", "goal-2"))

    change = change_of(changes, "goal-1")
    assert (change.action, change.body, change.id, change.theirs) == ("unchanged", {}, None, None)
    (element,) = change.elements
    assert (element.path, element.kind, element.theirs) == ("Goal", "conflict", None)
    assert change.base == world.bases["goal-1"]
    assert element.before == change.base.ours
    assert element.ours == goal().body
    assert keys_of(changes) == ["reconcile.deleted"]
    assert changes.issues[0].source == f"Goal/{gone}/_history/1"
    assert "goal-1" not in world.bodies


def test_the_plan_no_longer_refers_to_what_somebody_deleted():
    world = written(goal(), goal("goal-2"), plan("goal-1", "goal-2"))
    world.bodies.pop("goal-1")
    first = world.sync(goal(), goal("goal-2"), plan("goal-1", "goal-2"))
    second = world.sync(goal(), goal("goal-2"), plan("goal-1", "goal-2", title="New"))
    third = world.compare(goal(), goal("goal-2"), plan("goal-1", "goal-2", title="New"))

    assert kinds(first, "plan-1") == {"CarePlan.goal[0]": "ours", "CarePlan.goal[2]": "conflict"}
    assert kinds(second, "plan-1") == {"CarePlan.title": "ours", "CarePlan.goal[1]": "conflict"}
    assert world.bodies["plan-1"]["goal"] == [{"reference": f"Goal/{world.bodies['goal-2']['id']}"}]
    assert actions(third)["plan-1"] == "unchanged"


def test_accepting_makes_what_was_deleted_anew_and_the_plan_refers_to_it():
    world = written(goal(), plan("goal-1"))
    old = world.bodies.pop("goal-1")["id"]
    world.sync(goal(), plan("goal-1"))
    accepted = world.sync(goal(), plan("goal-1"), accepted=True)

    new = world.bodies["goal-1"]["id"]
    assert new != old
    assert actions(accepted) == {"goal-1": "create", "plan-1": "update"}
    assert keys_of(accepted) == []
    assert change_of(accepted, "goal-1").elements == ()
    assert change_of(accepted, "goal-1").base is None
    assert world.bodies["plan-1"]["goal"] == [{"reference": f"Goal/{new}"}]
    assert actions(world.compare(goal(), plan("goal-1"))) == {"goal-1": "unchanged", "plan-1": "unchanged"}


def test_a_deleted_plan_is_a_question_too():
    world = written(goal(), plan("goal-1"))
    world.bodies.pop("plan-1")
    changes = world.compare(goal(), plan("goal-1"))

    assert kinds(changes, "plan-1") == {"CarePlan": "conflict"}
    assert actions(changes) == {"goal-1": "unchanged", "plan-1": "unchanged"}


def test_what_was_deleted_and_is_no_longer_proposed_is_past():
    world = written(goal(), plan("goal-1"))
    world.bodies.pop("goal-1")
    changes = world.compare(plan())

    assert actions(changes) == {"plan-1": "update"}
    assert kinds(changes, "plan-1") == {"CarePlan.goal[0]": "ours"}
    assert changes.issues == ()


def test_a_nested_reference_to_what_was_deleted_waits_with_it():
    activity = {"id": "a", "detail": {"description": "walk", "goal": [link("goal-1")]}}
    world = written(goal(), plan(activity=[activity]))
    world.bodies.pop("goal-1")
    world.sync(goal(), plan(activity=[activity]))

    assert world.bodies["plan-1"]["activity"] == [{"id": "a", "detail": {"description": "walk"}}]
    world.sync(goal(), plan(activity=[activity]), accepted=True)
    assert world.bodies["plan-1"]["activity"][0]["detail"]["goal"] == [
        {"reference": f"Goal/{world.bodies['goal-1']['id']}"}
    ]


def test_a_reference_to_what_was_deleted_is_written_again_once_it_is_restored():
    world = written(goal(), plan("goal-1"))
    gone = world.bodies.pop("goal-1")
    world.sync(goal(), plan("goal-1"))
    assert "goal" not in world.bodies["plan-1"]
    world.bodies["goal-1"] = gone
    world.sync(goal(), plan("goal-1"))

    assert world.bodies["plan-1"]["goal"] == [{"reference": f"Goal/{gone['id']}"}]


def test_a_new_activity_with_a_reference_to_what_was_deleted_waits_with_it():
    world = written(goal(), goal("goal-2"), plan())
    world.bodies.pop("goal-1")
    activity = {"id": "a", "detail": {"description": "walk", "goal": [link("goal-2"), link("goal-1")]}}
    changes = world.sync(goal(), goal("goal-2"), plan(activity=[activity]))

    assert kinds(changes, "plan-1") == {"CarePlan.activity[0]": "conflict"}
    assert "activity" not in world.bodies["plan-1"]


def test_an_ended_plan_stops_goals_that_are_proposed_without_one():
    world = written(goal(), plan("goal-1"))
    world.edit("plan-1", status="completed")
    changes = world.compare(goal(description={"text": "new"}))

    assert actions(changes) == {"goal-1": "unchanged", "plan-1": "unchanged"}
    assert changes.conflicts == ()


def test_an_older_plan_that_was_ended_does_not_stop_a_new_one_without_goals():
    world = written(plan(identity="plan-0"))
    world.edit("plan-0", status="completed")

    assert actions(world.compare(plan())) == {"plan-0": "unchanged", "plan-1": "create"}


def test_a_goal_that_somebody_made_anew_under_another_id_is_referred_to_by_that():
    world = written(goal(), plan("goal-1"))
    world.bodies["goal-1"] = {**world.bodies["goal-1"], "id": "99"}
    changes = world.sync(goal(), plan("goal-1"))

    assert actions(changes) == {"goal-1": "unchanged", "plan-1": "update"}
    assert world.bodies["plan-1"]["goal"] == [{"reference": "Goal/99"}]


def test_a_reference_to_a_goal_that_is_forgotten_is_taken_out_with_it():
    world = written(goal(), plan("goal-1"))
    world.bases.pop("goal-1")

    assert kinds(world.compare(plan()), "plan-1") == {"CarePlan.goal[0]": "ours"}
