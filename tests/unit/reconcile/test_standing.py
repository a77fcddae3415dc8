"""First values, statuses, approval, retiring, deletion: what our rendering is worth beside what stands."""

import pytest

from tests.unit.reconcile.world import (
    SBP,
    World,
    actions,
    change_of,
    goal,
    keys_of,
    kinds,
    link,
    plan,
    rendered,
    target,
)


def written(*proposed, **options):
    world = World()
    world.sync(*proposed, **options)
    return world


KINDS = [
    ("CarePlan", "status", "draft", "active", "revoked"),
    ("Goal", "lifecycleStatus", "proposed", "active", "cancelled"),
    ("ServiceRequest", "status", "draft", "active", "revoked"),
    ("MedicationRequest", "status", "draft", "active", "cancelled"),
    ("DetectedIssue", "status", "preliminary", "final", "cancelled"),
]
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
