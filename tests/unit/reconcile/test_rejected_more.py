"""What a rejection does not reach, and what is left of a proposal that refers to something rejected."""

from careplan_exchange.model.codec import encode
from careplan_exchange.model.identity import full_url_of
from careplan_exchange.reconcile import accept, not_again
from tests.unit.reconcile.world import World, actions, because, change_of, goal, kinds, link, plan, rendered

OLD = because(walk="w1", goal_1="g1", goal_2="g2", goal_3="g3", plan_1="p1")


def walk(*goals, description="walk"):
    return {"id": "walk", "detail": {"description": description, "goal": [link(one) for one in goals]}}


def in_use(*proposal):
    world = World()
    world.sync(*proposal, grounds=OLD)
    world.edit("plan-1", status="active")
    return world


def without_goal_2(world):
    """What a person was shown and rejected: another goal."""
    return world.compare(goal(), goal("goal-2"), plan("goal-1", "goal-2"), grounds=OLD)


def tells_of(value, identity):
    return full_url_of(identity) in encode(value).decode()


def test_what_was_rejected_once_and_agreed_to_later_is_changed_as_any_other():
    rejected = World().compare(goal(), plan("goal-1"), grounds=OLD)
    world = in_use(goal(), plan("goal-1"))
    later = world.compare(goal(description={"text": "new"}), plan("goal-1"), grounds=OLD)

    assert not_again(later, [rejected]) == later
    assert actions(later)["goal-1"] == "update"


def test_a_narrative_falls_with_a_finding_to_which_the_plan_does_not_refer():
    def proposal(words):
        finding = rendered("DetectedIssue", "finding-1", status="registered", detail="two at once")
        return finding, plan(text={"status": "generated", "div": words})

    world = in_use(proposal("0")[1])
    shown = world.compare(*proposal("1"), grounds=OLD)
    left = not_again(world.compare(*proposal("2"), grounds=OLD), [shown])

    assert actions(left) == {"plan-1": "unchanged"}
    assert kinds(left, "plan-1")["CarePlan.text"] == "theirs"


def test_an_edit_that_was_only_shown_is_nothing_that_was_rejected():
    edited, ours = World(), World()
    edited.sync(goal(priority={"text": "low"}), grounds=OLD)
    edited.edit("goal-1", priority={"text": "high"})
    shown = edited.compare(goal(priority={"text": "low"}, description={"text": "new"}), grounds=OLD)
    assert kinds(shown, "goal-1") == {"Goal.priority": "theirs", "Goal.description": "ours"}
    ours.sync(goal(priority={"text": "high"}), grounds=OLD)
    later = ours.compare(goal(priority={"text": "low"}), grounds=OLD)

    assert not_again(later, [shown]) == later
    assert kinds(later, "goal-1") == {"Goal.priority": "ours"}


def test_a_deleted_request_comes_back_without_what_referred_to_a_rejected_goal():
    def request(*goals):
        links = [{"url": "u", "valueReference": link(one)} for one in goals]
        return rendered("ServiceRequest", "one", status="draft", extension=links)

    world = in_use(goal(), request("goal-1"), plan("goal-1"))
    shown = without_goal_2(world)
    del world.bodies["one"]
    proposal = (goal(), goal("goal-2"), request("goal-1", "goal-2"), plan("goal-1", "goal-2"))
    left = not_again(world.compare(*proposal, grounds=OLD), [shown])

    (question,) = change_of(left, "one").elements
    assert not tells_of(question.ours, "goal-2")
    agreed = change_of(accept(left), "one")
    assert agreed.action == "create"
    assert len(agreed.body["extension"]) == 1
    assert not tells_of(agreed.body, "goal-2")


def test_an_activity_that_refers_to_a_rejected_goal_among_others_is_offered_and_shown_without_it():
    world = in_use(goal(), plan("goal-1"))
    shown = without_goal_2(world)
    proposal = (goal(), goal("goal-2"), plan("goal-1", activity=[walk("goal-1", "goal-2")]))
    left = not_again(world.compare(*proposal, grounds=OLD), [shown])

    assert set(actions(left)) == {"goal-1", "plan-1"}
    change = change_of(left, "plan-1")
    assert change.action == "update"
    assert len(change.body["activity"][0]["detail"]["goal"]) == 1
    assert not tells_of(change.body, "goal-2")
    assert not any(tells_of(element.ours, "goal-2") for element in change.elements)


def test_what_stands_after_a_rejected_goal_in_a_list_is_offered_still():
    world = in_use(goal(), plan("goal-1"))
    shown = without_goal_2(world)
    three = (goal(), goal("goal-2"), goal("goal-3"), plan("goal-1", "goal-2", "goal-3"))
    left = not_again(world.compare(*three, grounds=OLD), [shown])

    assert set(actions(left)) == {"goal-1", "goal-3", "plan-1"}
    world.write(left)
    assert [one["reference"] for one in world.bodies["plan-1"]["goal"]] == [
        f"Goal/{world.bodies[identity]['id']}" for identity in ("goal-1", "goal-3")
    ]
