"""What a person took out stays out, and is offered again only under another reason."""

import msgspec
import pytest

from careplan_exchange.model.changes import Base
from careplan_exchange.model.codec import decode, encode
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

OLD = because(walk="w1", swim="s1", goal_1="g1", goal_2="g2", plan_1="p1")


def activity(key, description="as it was", **detail):
    return {"id": key, "detail": {"status": "not-started", "description": description, **detail}}


def proposed(description="as it was", **elements):
    return plan(
        "goal-1", "goal-2", activity=[activity("walk", description), activity("swim", "in water")], **elements
    )


def everything(description="as it was", **elements):
    return goal(), goal("goal-2"), proposed(description, **elements)


def written(grounds=OLD, **options):
    world = World(**options)
    world.sync(*everything(), grounds=grounds)
    return world


def taken_out(world, name, index):
    items = list(world.bodies["plan-1"][name])
    items.pop(index)
    world.edit("plan-1", **{name: items})
    return world


def test_the_base_remembers_the_reason_of_the_resource_and_of_each_line_of_the_plan():
    world = written()

    assert world.bases["goal-1"].grounds == {"goal-1": "g1"}
    assert world.bases["plan-1"].grounds == {
        "plan-1": "p1", "walk": "w1", "swim": "s1", "goal-1": "g1", "goal-2": "g2",
    }  # fmt: skip


@pytest.mark.parametrize("drop_ids", [False, True])
def test_an_activity_that_a_person_took_out_stays_out_whatever_its_words(drop_ids):
    def keep(body):
        items = body.get("activity", ())
        return (
            {**body, "activity": [{"detail": item["detail"]} for item in items]} if items and drop_ids else body
        )

    world = taken_out(written(keep=keep), "activity", 0)
    changes = world.compare(*everything("worded otherwise"), grounds=OLD)

    assert set(kinds(changes, "plan-1").values()) == {"theirs"}
    assert changes.conflicts == ()
    assert actions(changes)["plan-1"] == "unchanged"


def test_an_activity_that_a_person_took_out_is_offered_again_under_another_reason():
    world = taken_out(written(), "activity", 0)
    changes = world.compare(*everything(), grounds=OLD | because(walk="w2"))

    ((change, element),) = changes.conflicts
    assert change.identity == "plan-1"
    assert element.theirs is None
    assert element.ours == activity("walk")
    assert (element.line, element.ground, element.because) == ("walk", "w2", ("Because of w2.",))
    assert element.why == "A person took it out, and the reason for it is another one now."


def test_the_tombstone_survives_a_write_of_the_rest_and_falls_when_a_person_agrees():
    world = taken_out(written(), "activity", 0)
    new = OLD | because(walk="w2", swim="s2")
    world.sync(*everything(language="en"), grounds=new)
    assert world.bases["plan-1"].grounds["walk"] == "w1"
    assert world.bases["plan-1"].grounds["swim"] == "s2"
    assert len(world.compare(*everything(language="en"), grounds=new).conflicts) == 1

    world.sync(*everything(language="en"), grounds=new, accepted=True)
    assert {item["id"] for item in world.bodies["plan-1"]["activity"]} == {"walk", "swim"}
    assert world.bases["plan-1"].grounds["walk"] == "w2"
    assert world.compare(*everything(language="en"), grounds=new).conflicts == ()


def test_a_field_taken_out_of_an_activity_is_no_tombstone_of_the_activity():
    def lines(timing):
        return plan(activity=[activity("walk", scheduledString=timing)])

    world = World()
    world.sync(lines("daily"), grounds=OLD)
    world.edit("plan-1", activity=[activity("walk")])
    changes = world.sync(lines("weekly"), grounds=OLD)
    assert kinds(changes, "plan-1") == {"CarePlan.activity[0].detail.scheduledString": "conflict"}

    world.sync(
        plan(activity=[activity("walk", scheduledString="weekly")], language="en"),
        grounds=OLD | because(walk="w2"),
    )
    assert world.bases["plan-1"].grounds["walk"] == "w2"


def test_a_goal_taken_out_of_the_plans_list_stays_out_until_its_reason_is_another():
    world = taken_out(written(), "goal", 0)
    same = world.compare(*everything(), grounds=OLD)
    other = world.compare(*everything(), grounds=OLD | because(goal_1="other"))

    assert kinds(same, "plan-1") == {"CarePlan.goal[1]": "theirs"}
    ((_, element),) = other.conflicts
    assert (element.path, element.line, element.ground) == ("CarePlan.goal[1]", "goal-1", "other")


def test_a_plan_of_r5_remembers_activities_that_only_refer():
    requests = [rendered("ServiceRequest", one, status="draft") for one in ("request-1", "request-2")]
    lines = [
        {"id": key, "plannedActivityReference": link(identity)}
        for key, identity in (("walk", "request-1"), ("swim", "request-2"))
    ]
    world = World()
    world.sync(*requests, plan(activity=lines), grounds=OLD)
    taken_out(world, "activity", 0)

    assert world.compare(*requests, plan(activity=lines), grounds=OLD).conflicts == ()
    ((_, element),) = world.compare(*requests, plan(activity=lines), grounds=OLD | because(walk="w2")).conflicts
    assert element.line == "walk"


def test_a_deleted_goal_stays_deleted_for_the_same_reason_and_nothing_refers_to_it():
    world = written()
    gone = world.bodies.pop("goal-1")["id"]
    lines = [activity("walk", goal=[link("goal-1"), link("goal-2")]), activity("swim", goal=[link("goal-1")])]
    proposal = (
        goal(description={"text": "worded otherwise"}),
        goal("goal-2"),
        plan("goal-1", "goal-2", activity=lines),
    )
    changes = world.sync(*proposal, grounds=OLD)

    assert changes.conflicts == ()
    assert "goal-1" not in actions(changes)
    assert keys_of(changes) == ["reconcile.left-deleted"]
    assert changes.issues[0].source == f"Goal/{gone}/_history/1"
    other = {"reference": f"Goal/{world.bodies['goal-2']['id']}"}
    assert world.bodies["plan-1"]["goal"] == [other]
    assert [item["detail"].get("goal") for item in world.bodies["plan-1"]["activity"]] == [[other], None]
    assert set(actions(world.compare(*proposal, grounds=OLD)).values()) == {"unchanged"}


def test_a_deleted_request_takes_its_line_in_the_plan_with_it():
    request = rendered(
        "ServiceRequest", "request-1", status="draft", extension=[{"url": "u", "valueReference": link("goal-1")}]
    )
    proposal = (
        goal(),
        request,
        plan("goal-1", activity=[{"id": "walk", "plannedActivityReference": link("request-1")}]),
    )
    grounds = OLD | because(request_1="w1")
    world = World()
    world.sync(*proposal, grounds=grounds)
    world.bodies.pop("request-1")
    world.sync(*proposal, grounds=grounds)
    assert "activity" not in world.bodies["plan-1"]

    world.bodies.pop("goal-1")
    world.sync(*proposal, grounds=grounds | because(request_1="w2"), accepted=True)
    assert "extension" not in world.bodies["request-1"]
    assert "activity" in world.bodies["plan-1"]


def test_a_deleted_goal_is_asked_about_under_another_reason_and_comes_back_when_a_person_agrees():
    world = written()
    world.bodies.pop("goal-1")
    new = OLD | because(goal_1="other")
    changes = world.compare(*everything(), grounds=new)
    question = change_of(changes, "goal-1").elements[0]

    assert question.why == "Somebody deleted it, and the reason for it is another one now."
    assert (question.kind, question.ground, question.because) == ("conflict", "other", ("Because of other.",))
    world.sync(*everything(), grounds=new, accepted=True)
    assert world.bases["goal-1"].grounds == {"goal-1": "other"}
    assert set(actions(world.compare(*everything(), grounds=new)).values()) == {"unchanged"}


def test_without_a_remembered_reason_a_person_is_asked():
    world = written(grounds={})
    world.bodies.pop("goal-1")
    changes = world.compare(*everything(), grounds=OLD)

    assert "nothing here remembers" in change_of(changes, "goal-1").elements[0].why


def test_who_asks_again_is_asked_about_what_was_deleted():
    world = written()
    world.bodies.pop("goal-1")
    changes = world.compare(*everything(), grounds=OLD, again=True)

    assert change_of(changes, "goal-1").elements[0].why == "Somebody deleted it, and it was asked for again."


def test_a_deleted_plan_stays_deleted_and_its_parts_are_left_as_they_are():
    world = written()
    world.bodies.pop("plan-1")
    changes = world.compare(
        goal(description={"text": "new"}), goal("goal-2"), goal("goal-3"), proposed(), grounds=OLD
    )

    assert actions(changes) == {"goal-1": "unchanged", "goal-2": "unchanged"}
    assert changes.conflicts == ()
    assert keys_of(changes) == ["reconcile.left-deleted"]


def test_a_deleted_plan_with_another_reason_is_asked_about_with_all_that_would_be_made():
    world = written()
    world.bodies.pop("plan-1")
    proposal = (goal(description={"text": "new"}), goal("goal-2"), goal("goal-3"), plan("goal-1", "goal-3"))
    changes = world.compare(*proposal, grounds=OLD | because(plan_1="p2"))

    assert set(actions(changes).values()) == {"unchanged"}
    assert kinds(changes, "goal-1") == {}
    assert kinds(changes, "goal-3") == {"Goal": "conflict"}
    assert kinds(changes, "plan-1") == {"CarePlan": "conflict"}
    world.sync(*proposal, grounds=OLD | because(plan_1="p2"), accepted=True)
    assert {one["reference"] for one in world.bodies["plan-1"]["goal"]} == {
        f"Goal/{world.bodies[one]['id']}" for one in ("goal-1", "goal-3")
    }


def test_a_conflict_says_why_it_is_one_and_why_ours_is_proposed():
    world = written()
    world.edit("goal-1", description={"text": "Theirs"})
    changes = world.compare(
        goal(description={"text": "Ours"}), goal("goal-2"), proposed("otherwise"), grounds=OLD
    )
    by_line = {element.line: element for change in changes.changes for element in change.elements}

    assert (
        by_line["goal-1"].why
        == "A person changed it since it was last written, and it is proposed otherwise now."
    )
    assert by_line["goal-1"].because == ("Because of g1.",)
    assert (by_line["walk"].why, by_line["walk"].because, by_line["walk"].ground) == (None, (), "w1")


def test_a_base_that_was_stored_before_there_were_reasons_is_read():
    stored = decode(encode(written(grounds={}).bases["goal-1"]))
    del stored["grounds"]

    assert msgspec.convert(stored, Base).grounds == {}
