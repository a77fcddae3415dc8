"""First values, statuses and approval: what our rendering is worth beside what stands."""

import pytest

from tests.unit.reconcile.world import (
    KINDS,
    SBP,
    actions,
    change_of,
    goal,
    kinds,
    plan,
    rendered,
    target,
    written,
)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("CarePlan", ("created",)),
        ("CarePlan", ("period", "start")),
        ("Goal", ("startDate",)),
        ("ServiceRequest", ("authoredOn",)),
        ("MedicationRequest", ("authoredOn",)),
        ("DetectedIssue", ("identifiedDateTime",)),
    ],
)
def test_the_first_date_is_kept_on_another_day(kind, path):
    def proposed(day, **more):
        value = day
        for key in reversed(path[1:]):
            value = {key: value}
        return rendered(kind, "one", **{path[0]: value}, **more)

    world = written(proposed("2026-01-01"))
    assert actions(world.compare(proposed("2026-02-02"))) == {"one": "unchanged"}

    world.sync(proposed("2026-02-02", language="en"))
    world.sync(proposed("2026-03-03", language="fr"))
    assert world.bodies["one"]["language"] == "fr"
    assert world.bodies["one"][path[0]] == proposed("2026-01-01").body[path[0]]

    world.edit("one", **{path[0]: proposed("2026-09-09").body[path[0]]})
    world.sync(proposed("2026-04-04", language="de"))
    assert world.bodies["one"][path[0]] == proposed("2026-09-09").body[path[0]]


def test_a_date_that_we_did_not_write_at_first_is_not_added_on_another_day():
    world = written(rendered("CarePlan", "plan-1", status="draft"))

    changes = world.compare(rendered("CarePlan", "plan-1", status="draft", created="2026-01-01"))

    assert actions(changes) == {"plan-1": "unchanged"}


def test_the_end_of_a_period_is_no_first_value():
    world = written(plan(period={"start": "2026-01-01", "end": "2026-12-31"}))
    world.sync(plan(period={"start": "2026-02-02", "end": "2027-01-31"}))

    assert world.bodies["plan-1"]["period"] == {"start": "2026-01-01", "end": "2027-01-31"}


def test_a_due_date_moves_only_with_its_target():
    both = [target("7", dueDate="2026-04-01"), target("130", SBP, dueDate="2026-04-01")]
    world = written(goal(target=both))
    same_day = [target("7", dueDate="2026-05-01"), target("130", SBP, dueDate="2026-05-01")]
    assert actions(world.compare(goal(target=same_day))) == {"goal-1": "unchanged"}

    world.sync(goal(target=[target("6.5", dueDate="2026-06-01"), target("130", SBP, dueDate="2026-06-01")]))
    assert [item["dueDate"] for item in world.bodies["goal-1"]["target"]] == ["2026-06-01", "2026-04-01"]


def test_a_new_target_and_one_that_had_no_due_date_are_proposed_as_they_are():
    world = written(goal(target=[target("7")]))
    changes = world.sync(
        goal(target=[target("7", dueDate="2026-05-01"), target("130", SBP, dueDate="2026-05-01")])
    )

    assert kinds(changes, "goal-1") == {"Goal.target[1]": "ours"}
    assert world.bodies["goal-1"]["target"] == [target("7"), target("130", SBP, dueDate="2026-05-01")]


@pytest.mark.parametrize(("kind", "element", "first", "approved", "_"), KINDS)
def test_a_status_is_promoted_by_approval_and_not_demoted_by_the_next_sync(kind, element, first, approved, _):
    world = written(rendered(kind, "one", **{element: first}))
    promoted = world.sync(rendered(kind, "one", **{element: approved}), approve=True)
    again = world.sync(rendered(kind, "one", **{element: first}))
    other = world.sync(rendered(kind, "one", **{element: first}, language="en"))

    assert kinds(promoted, "one") == {f"{kind}.{element}": "ours"}
    assert actions(again) == {"one": "unchanged"}
    assert kinds(other, "one") == {f"{kind}.language": "ours"}
    assert world.bodies["one"][element] == approved


@pytest.mark.parametrize(("kind", "element", "first", "approved", "_"), KINDS)
def test_a_status_that_a_person_set_stays(kind, element, first, approved, _):
    world = written(rendered(kind, "one", **{element: first}))
    world.edit("one", **{element: approved})
    plain = world.compare(rendered(kind, "one", **{element: first}))
    agreed = world.compare(rendered(kind, "one", **{element: approved}), approve=True)
    world.edit("one", **{element: "on-hold"})
    conflict = world.compare(rendered(kind, "one", **{element: approved}), approve=True)

    assert kinds(plain, "one") == {f"{kind}.{element}": "theirs"}
    assert change_of(agreed, "one").elements == ()
    assert kinds(conflict, "one") == {f"{kind}.{element}": "conflict"}


def test_a_plan_on_hold_after_our_approval_stays_on_hold():
    world = written(plan(status="active"), approve=True)
    world.edit("plan-1", status="on-hold")

    assert kinds(world.compare(plan()), "plan-1") == {"CarePlan.status": "theirs"}
    assert kinds(world.compare(plan(status="active"), approve=True), "plan-1") == {"CarePlan.status": "theirs"}


def test_a_due_date_stays_as_it_is_beside_a_target_that_a_person_has_changed():
    world = written(goal(target=[target("7", dueDate="2026-04-01")]))
    world.edit("goal-1", target=[target("8", dueDate="2026-04-01")])
    changes = world.compare(goal(target=[target("7", dueDate="2026-05-01")]))

    assert kinds(changes, "goal-1") == {"Goal.target[0].detailQuantity": "theirs"}


def test_new_targets_of_a_goal_follow_in_our_order():
    targets = [target("130", SBP, dueDate="2026-05-01"), target("7", dueDate="2026-05-01")]
    world = written(goal())
    world.sync(goal(target=targets))

    assert world.bodies["goal-1"]["target"] == targets


def test_a_status_that_is_not_approved_is_no_promotion():
    world = written(goal())

    assert actions(world.compare(goal(lifecycleStatus="active"))) == {"goal-1": "unchanged"}
