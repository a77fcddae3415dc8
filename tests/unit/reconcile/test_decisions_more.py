"""What is written although a reason stands, and what is not although the server keeps it otherwise."""

import pytest

from tests.unit.reconcile.world import World, actions, because, change_of, goal, kinds, link, plan

OLD = because(goal_1="g1", goal_2="g2", plan_1="p1")


@pytest.mark.parametrize("reason", ["g1", "another"])
def test_new_words_of_an_item_that_stands_are_written_under_any_reason(reason):
    def proposal(words):
        text = {"id": "reason", "text": words}
        return goal(note=[text]), plan(goal=[{**link("goal-1"), "display": words}])

    world = World()
    world.sync(*proposal("old"), grounds=OLD)
    changes = world.sync(*proposal("new"), grounds=OLD | because(goal_1=reason))

    assert kinds(changes, "goal-1") == {"Goal.note[0]": "ours"}
    assert kinds(changes, "plan-1") == {"CarePlan.goal[0]": "ours"}
    assert world.bodies["plan-1"]["goal"][0]["display"] == "new"


def test_an_item_that_a_person_changed_is_no_question_because_the_reason_for_it_is_another():
    world = World()
    world.sync(goal(note=[{"id": "reason", "text": "ours"}]), grounds=OLD)
    world.edit("goal-1", note=[{"id": "reason", "text": "theirs"}])
    again = goal(note=[{"id": "reason", "text": "ours"}])

    assert kinds(world.compare(again, grounds=OLD | because(goal_1="x")), "goal-1") == {"Goal.note[0]": "theirs"}


def test_what_the_server_keeps_otherwise_is_not_written_again_where_a_part_was_deleted():
    def keep(body):
        return {name: value for name, value in body.items() if name not in {"text", "language"}}

    proposal = (
        goal("goal-2"),
        plan("goal-2", language="en", text={"status": "generated", "div": "<div>1</div>"}),
    )
    world = World(keep=keep)
    world.sync(goal(), *proposal, grounds=OLD)
    del world.bodies["goal-1"]
    changes = world.compare(*proposal, grounds=OLD)

    assert actions(changes) == {"goal-2": "unchanged", "plan-1": "unchanged"}
    assert change_of(changes, "plan-1").elements == ()
