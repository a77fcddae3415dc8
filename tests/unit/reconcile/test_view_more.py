"""Which line an element is about, what is proposed at all, and what a reference points to that nobody remembers."""

from careplan_exchange.model.identity import nth
from careplan_exchange.reconcile.compare import WITH_THE_PLAN
from careplan_exchange.reconcile.decisions import NEW_REASON
from tests.unit.reconcile.world import (
    World,
    actions,
    because,
    change_of,
    goal,
    keys_of,
    kinds,
    link,
    plan,
    rendered,
)

OLD = because(walk="w1", goal_1="g1", goal_2="g2", plan_1="p1")
WALK = {"id": "walk", "detail": {"status": "not-started", "description": "walk"}}


def written(*proposed, grounds=OLD):
    world = World()
    world.sync(*proposed, grounds=grounds)
    return world


def test_a_link_that_is_a_question_where_nothing_is_remembered_is_one_still_once_its_goal_stands():
    world = written(goal(), plan("goal-1"), grounds={})
    world.bases.clear()
    proposal = (goal(), goal("goal-2"), plan("goal-1", "goal-2"))
    first = world.sync(*proposal)
    again = world.sync(*proposal)

    for changes in (first, again):
        assert kinds(changes, "plan-1") == {"CarePlan.goal[1]": "conflict"}
    assert actions(again) == {"goal-1": "unchanged", "goal-2": "unchanged", "plan-1": "unchanged"}
    assert len(world.bodies["plan-1"]["goal"]) == 1


def test_what_is_gone_and_has_a_reason_but_no_resource_of_its_own_is_nothing_that_stays_deleted():
    world = written(goal(), goal("goal-2"), plan("goal-1", "goal-2"))
    world.bodies.clear()
    document = rendered("DocumentReference", "document-1", status="current")
    changes = world.compare(document, grounds=OLD)

    assert actions(changes) == {"document-1": "create"}
    assert keys_of(changes) == []


def test_what_refers_to_a_goal_beside_the_list_of_goals_is_about_the_plan():
    def proposed(**more):
        return goal(), plan("goal-1", supportingInfo=[{**link("goal-1"), **more}])

    world = written(*proposed())
    world.edit("plan-1", supportingInfo=None)
    changes = world.compare(*proposed(), grounds=OLD | because(goal_1="another"))

    (element,) = change_of(changes, "plan-1").elements
    assert (element.path, element.kind) == ("CarePlan.supportingInfo[0]", "theirs")
    assert (element.line, element.ground) == ("plan-1", "p1")


def test_an_activity_that_is_proposed_no_more_is_about_the_plan():
    world = written(plan(activity=[WALK, {**WALK, "id": "swim"}]))
    changes = world.compare(plan(activity=[WALK]), grounds=OLD)

    (element,) = change_of(changes, "plan-1").elements
    assert (element.path, element.kind, element.line) == ("CarePlan.activity[1]", "ours", "plan-1")


def test_where_no_reason_is_told_what_a_person_took_out_is_decided_by_what_it_says():
    world = written(goal(), plan("goal-1", activity=[WALK]))
    world.edit("plan-1", activity=None)
    del world.bodies["goal-1"]
    changes = world.compare(goal(), plan(activity=[WALK]))
    reworded = plan(activity=[{**WALK, "detail": {"status": "not-started", "description": "run"}}])

    assert kinds(changes, "plan-1")["CarePlan.activity[0]"] == "theirs"
    assert kinds(world.compare(reworded), "plan-1")["CarePlan.activity[0]"] == "conflict"
    assert change_of(world.compare(reworded), "plan-1").elements[0].why != NEW_REASON
    (question,) = change_of(changes, "goal-1").elements
    assert question.why == "Somebody deleted it, and nothing here remembers for which reason it was proposed."


def test_only_the_plan_names_the_one_in_whose_place_it_would_stand():
    second = nth("plan-1", 2)
    world = written(plan())
    world.edit("plan-1", status="completed")
    (ended,) = world.held()
    changes = world.compare(goal(), plan("goal-1", identity=second), after=ended)

    (question,) = change_of(changes, "goal-1").elements
    assert question.why == WITH_THE_PLAN
    assert "replaces" not in question.ours
    assert "replaces" in change_of(changes, second).ours
