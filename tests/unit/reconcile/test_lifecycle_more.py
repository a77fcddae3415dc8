"""How a part ends whose problems say little, and which plan is current where a later one was deleted."""

from typing import Any

import pytest

from careplan_exchange.model.changes import Ground
from careplan_exchange.model.codec import encode
from careplan_exchange.model.identity import nth
from careplan_exchange.model.record import Resource
from careplan_exchange.reconcile import current_plan, generations, numbered, resolved_problems
from careplan_exchange.reconcile.generations import Current
from tests.unit.reconcile.world import World, because, goal, plan


def test_a_goal_about_a_problem_that_is_only_named_is_cancelled_when_it_is_proposed_no_more():
    world = World()
    world.sync(goal(addresses=[{"display": "Gout"}]))
    world.sync(resolved={"Condition/dm"})

    assert world.bodies["goal-1"]["lifecycleStatus"] == "cancelled"


@pytest.mark.parametrize("status", [{"coding": ["resolved", {"code": "active"}]}, {"coding": None}, "resolved"])
def test_a_problem_whose_status_is_no_status_is_not_over(status: Any):
    body = {"resourceType": "Condition", "id": "1", "clinicalStatus": status}
    problem = Resource(type="Condition", id="1", version_id="1", last_updated=None, content=encode(body))

    assert resolved_problems([problem]) == frozenset()


@pytest.mark.parametrize("again", [True, False])
def test_a_later_plan_that_was_deleted_is_the_current_one_although_the_one_before_it_still_stands(again):
    second = nth("plan-1", 2)
    world = World()
    world.sync(plan(), plan(identity=second), grounds=because(plan_1="p"))
    world.edit("plan-1", status="completed")
    del world.bodies[second]
    plans = numbered("plan-1", world.bases, ahead=2)

    assert current_plan(plans, world.held(), world.bases, Ground(digest="q"), again=again) == Current(2)


@pytest.mark.parametrize("status", ["revoked", "entered-in-error"])
def test_a_plan_or_goal_that_a_person_gave_up_is_over_as_well_as_one_that_has_done_its_work(status):
    world = World()
    world.sync(goal(), goal("goal-2"), plan("goal-1", "goal-2"), grounds=because(plan_1="p"))
    world.edit("plan-1", status=status)
    world.edit("goal-1", lifecycleStatus="rejected")
    plans = numbered("plan-1", world.bases, ahead=2)
    current = current_plan(plans, world.held(), world.bases, Ground(digest="q"), again=False)

    assert current.number == 2
    assert current.after is not None
    assert generations(["goal-1", "goal-2"], world.held(), world.bases, current) == {"goal-1": 2}


def test_a_goal_about_a_problem_that_is_named_in_words_alone_is_not_fulfilled_by_the_end_of_another():
    world = World()
    world.sync(goal(addresses=[{"reference": "Condition/dm"}, {"display": "Gout"}]))
    world.sync(resolved={"Condition/dm"})

    assert world.bodies["goal-1"]["lifecycleStatus"] == "cancelled"
