"""What is no longer proposed is retired, once, and never over the head of a person who works on it."""

import pytest

from tests.unit.reconcile.world import (
    KINDS,
    World,
    actions,
    change_of,
    goal,
    keys_of,
    kinds,
    plan,
    rendered,
    target,
    written,
)


@pytest.mark.parametrize(("kind", "element", "first", "approved", "retired"), KINDS)
def test_what_is_no_longer_proposed_is_retired_once_and_taken_up_again(kind, element, first, approved, retired):
    world = written(rendered(kind, "one", **{element: first}, language="en"))
    gone = world.sync()
    reason = {"Goal.statusReason": "ours"} if kind == "Goal" else {}
    assert kinds(gone, "one") == {f"{kind}.{element}": "ours", **reason}
    assert world.bodies["one"][element] == retired
    assert world.bodies["one"]["language"] == "en"
    assert actions(world.compare()) == {"one": "unchanged"}

    back = world.sync(rendered(kind, "one", **{element: first}, language="fr"))
    assert kinds(back, "one") == {f"{kind}.{element}": "ours", f"{kind}.language": "ours", **reason}
    assert "statusReason" not in world.bodies["one"]
    assert world.bodies["one"][element] == first
    assert keys_of(back) == []

    world.sync()
    world.sync(rendered(kind, "one", **{element: approved}, language="fr"), approve=True)
    assert world.bodies["one"][element] == approved


def test_a_detected_issue_of_r5_is_retired_with_a_code_that_r5_has():
    world = written(
        rendered("DetectedIssue", "issue-1", status="preliminary", subject={"reference": "Patient/1"})
    )
    world.sync()
    assert world.bodies["issue-1"]["status"] == "mitigated"
    world.sync(rendered("DetectedIssue", "issue-1", status="preliminary", subject={"reference": "Patient/1"}))
    assert world.bodies["issue-1"]["status"] == "preliminary"


def test_a_goal_of_r4_and_r5_is_retired_alike_although_both_have_a_subject():
    world = written(goal(subject={"reference": "Patient/1"}))
    world.sync()
    assert world.bodies["goal-1"]["lifecycleStatus"] == "cancelled"


def test_a_retired_part_that_a_person_took_up_again_stays_up():
    world = written(goal())
    world.sync()
    world.edit("goal-1", lifecycleStatus="active")
    retired = world.compare()
    proposed = world.compare(goal())

    assert kinds(retired, "goal-1") == {"Goal.lifecycleStatus": "theirs"}
    assert kinds(proposed, "goal-1") == {"Goal.lifecycleStatus": "theirs", "Goal.statusReason": "ours"}


def test_a_part_that_a_person_took_up_is_not_retired_over_their_head():
    world = written(goal())
    world.edit("goal-1", lifecycleStatus="active")
    changes = world.compare()

    assert kinds(changes, "goal-1") == {"Goal.lifecycleStatus": "conflict", "Goal.statusReason": "conflict"}
    assert actions(changes) == {"goal-1": "unchanged"}


def test_a_part_that_a_person_worked_on_is_not_retired_over_their_head():
    world = written(goal(target=[target("7")]))
    world.edit("goal-1", target=[target("8")])
    changes = world.sync()

    assert kinds(changes, "goal-1") == {
        "Goal.lifecycleStatus": "conflict",
        "Goal.statusReason": "conflict",
        "Goal.target[0].detailQuantity": "theirs",
    }
    assert actions(changes) == {"goal-1": "unchanged"}
    assert change_of(changes, "goal-1").base == world.bases["goal-1"]
    world.sync(accepted=True)
    assert world.bodies["goal-1"]["lifecycleStatus"] == "cancelled"
    assert world.bodies["goal-1"]["target"] == [target("8")]


def test_retired_parts_come_after_proposed_ones_of_their_kind_in_a_fixed_order():
    gone = [f"goal-{letter}" for letter in "hgfedcba"]
    world = written(*(goal(one) for one in gone), goal("goal-z"), plan())
    changes = world.compare(goal("goal-z"), plan())

    assert [change.identity for change in changes.changes] == ["goal-z", *sorted(gone), "plan-1"]


def test_our_retiring_is_taken_back_also_where_the_server_keeps_no_status():
    world = World(keep=lambda body: {key: value for key, value in body.items() if key != "lifecycleStatus"})
    world.sync(goal())
    retired = world.sync()
    back = world.sync(goal())

    assert kinds(retired, "goal-1") == {"Goal.lifecycleStatus": "ours", "Goal.statusReason": "ours"}
    assert kinds(back, "goal-1") == kinds(retired, "goal-1")
    assert actions(world.compare(goal())) == {"goal-1": "unchanged"}


def test_what_never_had_a_status_is_retired_too():
    world = written(rendered("Goal", "goal-1", description={"text": "x"}))

    assert kinds(world.compare(), "goal-1") == {"Goal.lifecycleStatus": "ours", "Goal.statusReason": "ours"}


def test_retiring_remembers_what_the_server_had_added_as_the_servers():
    world = World(keep=lambda body: {"priority": {"text": "server"}, **body})
    world.sync(goal())
    before = world.bases["goal-1"]
    gone = world.sync()
    back = world.compare(goal(priority={"text": "ours"}))

    assert change_of(gone, "goal-1").base == before
    assert kinds(back, "goal-1") == {
        "Goal.lifecycleStatus": "ours",
        "Goal.statusReason": "ours",
        "Goal.priority": "ours",
    }
