"""What a change holds that is a question: nothing to be written, what stands, and what is proposed."""

from tests.unit.reconcile.world import World, because, change_of, goal, plan

OLD = because(goal_1="g1", goal_2="g2", plan_1="p1")


def on_hold():
    world = World()
    world.sync(goal(), plan("goal-1"), grounds=OLD)
    world.edit("plan-1", status="on-hold")
    return world


def test_what_would_be_new_is_shown_whole_and_has_nothing_to_be_written():
    change = change_of(on_hold().compare(goal(), goal("goal-2"), plan("goal-1"), grounds=OLD), "goal-2")

    assert (change.action, change.body) == ("unchanged", {})
    (question,) = change.elements
    assert question.ours == change.ours == goal("goal-2").body


def test_what_would_be_changed_holds_what_stands():
    world = on_hold()
    changes = world.compare(goal(description={"text": "new"}), plan("goal-1", title="New"), grounds=OLD)

    for change in changes.changes:
        assert change.action == "unchanged"
        assert change.body == change.theirs == world.bodies[change.identity]


def test_what_somebody_deleted_is_the_question_that_it_was_also_where_the_plan_is_on_hold():
    world = on_hold()
    del world.bodies["goal-1"]
    change = change_of(world.compare(goal(), plan("goal-1"), grounds=OLD | because(goal_1="another")), "goal-1")

    assert (change.action, change.theirs, change.body) == ("unchanged", None, {})
    (question,) = change.elements
    assert question.why == "Somebody deleted it, and the reason for it is another one now."
