"""What a person has rejected is not asked again for the same reason and with the same values."""

import msgspec
import pytest

from careplan_exchange.model.changes import ChangeSet
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.identity import full_url_of, nth
from careplan_exchange.reconcile import close, not_again, same_decision
from tests.unit.reconcile.world import (
    PATIENT,
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


def walk(description="walk", **detail):
    return {"id": "walk", "detail": {"description": description, **detail}}


def in_use(*proposal):
    world = World()
    world.sync(*proposal, grounds=OLD)
    world.edit("plan-1", status="active")
    return world


def test_a_set_stays_as_it_is_where_nothing_was_rejected():
    changes = World().compare(goal(), plan("goal-1"), grounds=OLD)

    assert not_again(changes, []) == changes
    assert not_again(changes, [msgspec.structs.replace(changes, changes=())]) == changes


def test_a_rejected_plan_is_not_asked_about_again_whatever_its_words_and_on_whatever_day():
    rejected = World().compare(goal(), plan("goal-1"), grounds=OLD)
    later = World().compare(
        goal(description={"text": "worded otherwise"}),
        plan("goal-1", created="2027-01-01", title="Other"),
        grounds=OLD,
    )

    assert not_again(later, [rejected]).changes == ()


def test_without_a_reason_the_content_counts_and_not_the_day():
    rejected = World().compare(goal())
    again = not_again(World().compare(goal(startDate="2027-01-01")), [rejected])
    other = World().compare(goal(description={"text": "other"}))

    assert again.changes == ()
    assert not_again(other, [rejected]) == other


def test_a_rejected_plan_with_another_reason_is_shown_whole():
    rejected = World().compare(goal(), plan("goal-1"), grounds=OLD)
    proposal = (goal(), goal("goal-2"), plan("goal-1", "goal-2"))
    later = World().compare(*proposal, grounds=OLD | because(plan_1="p2"))

    assert not_again(later, [rejected]) == later


def test_a_rejected_conflict_is_no_question_any_more_and_theirs_stays():
    world = in_use(goal(), plan("goal-1"))
    world.edit("goal-1", description={"text": "Theirs"})
    proposal = (goal(description={"text": "Ours"}), plan("goal-1"))
    shown = world.compare(*proposal, grounds=OLD)
    again = not_again(world.compare(*proposal, grounds=OLD), [shown])

    assert again.conflicts == ()
    assert kinds(again, "goal-1") == {"Goal.description": "theirs"}
    (element,) = change_of(again, "goal-1").elements
    assert (element.why, element.because) == (None, ())
    assert actions(again)["goal-1"] == "unchanged"


@pytest.mark.parametrize(
    ("text", "theirs", "reason"), [("Other", "Theirs", "g1"), ("Ours", "Other", "g1"), ("Ours", "Theirs", "g2")]
)
def test_a_rejected_conflict_is_asked_again_with_another_value_or_reason(text, theirs, reason):
    world = in_use(goal(), plan("goal-1"))
    world.edit("goal-1", description={"text": "Theirs"})
    shown = world.compare(goal(description={"text": "Ours"}), plan("goal-1"), grounds=OLD)
    world.edit("goal-1", description={"text": theirs})
    proposal = (goal(description={"text": text}), plan("goal-1"))

    assert len(not_again(world.compare(*proposal, grounds=OLD | because(goal_1=reason)), [shown]).conflicts) == 1


def test_a_conflict_in_the_plan_itself_does_not_come_back_because_some_line_has_another_reason():
    world = in_use(plan())
    world.edit("plan-1", title="Theirs")
    shown = world.compare(plan(title="Ours"), grounds=OLD)

    assert (
        not_again(world.compare(plan(title="Ours"), grounds=OLD | because(plan_1="p2")), [shown]).conflicts == ()
    )


def test_a_rejected_change_of_a_plan_in_use_leaves_what_is_new_to_decide():
    world = in_use(plan(activity=[walk()]))
    shown = world.compare(plan(activity=[walk("run")]), grounds=OLD)
    later = world.compare(plan(activity=[walk("run")], title="New"), grounds=OLD)
    left = not_again(later, [shown])

    assert kinds(left, "plan-1")["CarePlan.activity[0].detail.description"] == "theirs"
    assert kinds(left, "plan-1")["CarePlan.title"] == "ours"
    body = change_of(left, "plan-1").body
    assert (body["title"], body["activity"]) == ("New", [walk()])
    assert actions(not_again(world.compare(plan(activity=[walk("run")]), grounds=OLD), [shown])) == {
        "plan-1": "unchanged"
    }
    world.write(left)
    assert world.bases["plan-1"].ours["activity"] == [walk()], "what was rejected is not remembered as written"
    assert kinds(world.compare(plan(activity=[walk("run")], title="New"), grounds=OLD), "plan-1") == {
        "CarePlan.status": "theirs", "CarePlan.activity[0].detail.description": "ours",
    }  # fmt: skip


def test_what_refers_to_a_rejected_goal_is_offered_without_it():
    world = in_use(goal(), plan("goal-1"))
    shown = world.compare(goal(), goal("goal-2"), plan("goal-1", "goal-2"), grounds=OLD)
    lines = [walk(goal=[link("goal-1"), link("goal-2")])]
    later = world.compare(
        goal(), goal("goal-2"), plan("goal-1", "goal-2", activity=lines, title="New"), grounds=OLD
    )
    left = not_again(later, [shown])

    assert "goal-2" not in actions(left)
    assert full_url_of("goal-2") not in encode(change_of(left, "plan-1").body).decode()
    world.write(left)
    first = {"reference": f"Goal/{world.bodies['goal-1']['id']}"}
    assert world.bodies["plan-1"]["goal"] == [first]
    assert world.bodies["plan-1"]["activity"] == [walk(goal=[first])]
    again = world.compare(
        goal(), goal("goal-2"), plan("goal-1", "goal-2", activity=lines, title="New"), grounds=OLD
    )
    assert not_again(again, [shown]).to_write == ()


def test_a_new_request_for_a_rejected_goal_does_not_refer_to_it():
    request = rendered(
        "ServiceRequest", "one", status="draft", extension=[{"url": "u", "valueReference": link("goal-2")}]
    )
    world = in_use(goal(), plan("goal-1"))
    shown = world.compare(goal(), goal("goal-2"), plan("goal-1", "goal-2"), grounds=OLD)
    later = world.compare(goal(), goal("goal-2"), request, plan("goal-1", "goal-2"), grounds=OLD)

    assert "extension" not in change_of(not_again(later, [shown]), "one").body


def test_a_narrative_that_is_all_that_is_left_falls_too():
    def proposal(text, **more):
        return plan(activity=[walk("run")], text={"status": "generated", "div": text}, **more)

    world = in_use(plan(activity=[walk()], text={"status": "generated", "div": "0"}))
    shown = world.compare(proposal("1"), grounds=OLD)

    assert not_again(world.compare(proposal("2"), grounds=OLD), [shown]).to_write == ()
    alone = plan(activity=[walk()], text={"status": "generated", "div": "2"})
    assert kinds(not_again(world.compare(alone, grounds=OLD), [shown]), "plan-1")["CarePlan.text"] == "ours"
    left = not_again(world.compare(proposal("2", title="New"), grounds=OLD), [shown])
    assert kinds(left, "plan-1")["CarePlan.text"] == "ours"


def test_a_deleted_resource_that_a_person_left_deleted_is_not_asked_about_again():
    world = in_use(goal(), goal("goal-2"), plan("goal-1", "goal-2"))
    world.bodies.pop("goal-1")
    world.bodies.pop("goal-2")
    new = OLD | because(goal_1="x")
    proposal = (goal(), goal("goal-2"), plan("goal-1", "goal-2"))
    shown = world.compare(*proposal, grounds=new)
    again = not_again(world.compare(*proposal, grounds=new), [shown])
    other = not_again(world.compare(*proposal, grounds=new | because(goal_1="y")), [shown])

    assert again.conflicts == ()
    assert "reconcile.deleted" not in keys_of(again)
    assert keys_of(other).count("reconcile.deleted") == 1
    assert kinds(other, "goal-1") == {"Goal": "conflict"}


def test_a_plan_that_a_person_did_not_want_in_the_place_of_another_is_not_offered_again():
    second = nth("plan-1", 2)
    world = in_use(plan())
    world.edit("plan-1", status="completed")
    (ended,) = world.held()
    grounds = {second: because(x="p2")["x"]}
    shown = world.compare(plan(identity=second), after=ended, grounds=grounds)
    again = not_again(world.compare(plan(identity=second, title="New"), after=ended, grounds=grounds), [shown])

    assert again.conflicts == ()
    assert keys_of(again) == []
    assert actions(again) == {"plan-1": "unchanged"}


def test_twice_is_as_once_and_a_set_from_the_store_does_as_well():
    world = in_use(goal(), plan("goal-1", activity=[walk()]))
    world.edit("goal-1", description={"text": "Theirs"})
    proposal = (
        goal(description={"text": "Ours"}),
        goal("goal-2"),
        plan("goal-1", "goal-2", activity=[walk("run")]),
    )
    shown = world.compare(*proposal, grounds=OLD)
    stored = msgspec.convert(decode(encode(shown)), ChangeSet)
    later = world.compare(
        *proposal[:2], plan("goal-1", "goal-2", activity=[walk("run")], title="New"), grounds=OLD
    )
    once = not_again(later, [stored])

    assert not_again(once, [stored]) == once
    assert once == not_again(later, [shown])
    assert not same_decision(once, later)


def test_an_ending_that_was_rejected_for_one_reason_is_asked_about_for_another():
    world = in_use(goal(), plan("goal-1"))
    deceased = close(world.held(), world.bases, why="Deceased.", patient=PATIENT)
    again = close(world.held(), world.bases, why="Deceased.", patient=PATIENT)

    assert not_again(again, [deceased]).conflicts == ()
    retired = not_again(world.compare(plan()), [deceased])
    assert kinds(retired, "goal-1") == {"Goal.lifecycleStatus": "ours", "Goal.statusReason": "ours"}
