"""A resource with our identifier that nothing here remembers writing."""

import pytest

from tests.unit.reconcile.world import World, actions, change_of, goal, kinds, plan, rendered, target


def forgotten(*proposed, **edits):
    """The server holds what was proposed, and perhaps what somebody made of it; the memory is lost."""
    world = World()
    world.sync(*proposed)
    for identity, elements in edits.items():
        world.edit(identity.replace("_", "-"), **elements)
    world.bases.clear()
    return world


def test_what_is_equal_is_taken_as_ours_without_a_write():
    world = forgotten(goal(target=[target("7")]), plan("goal-1"))
    changes = world.sync(goal(target=[target("7")]), plan("goal-1"))

    assert actions(changes) == {"goal-1": "unchanged", "plan-1": "unchanged"}
    assert all(change.elements == () for change in changes.changes)
    world.sync(goal(target=[target("8")]), plan("goal-1"))
    assert world.bodies["goal-1"]["target"] == [target("8")]


def test_what_differs_is_a_conflict_that_stays_one_until_a_person_decides():
    world = forgotten(goal(), goal_1={"description": {"text": "Theirs"}})
    first = world.sync(goal())
    second = world.sync(goal())
    other = world.sync(goal(description={"text": "Newer"}))

    for changes in (first, second, other):
        assert kinds(changes, "goal-1") == {"Goal.description": "conflict"}
        assert actions(changes) == {"goal-1": "unchanged"}
    assert world.bodies["goal-1"]["description"] == {"text": "Theirs"}


def test_what_only_they_have_stays_without_a_word_also_later():
    world = forgotten(goal(), goal_1={"note": [{"text": "by hand"}], "outcomeCode": [{"text": "kept"}]})
    changes = world.sync(goal())
    world.sync(goal(description={"text": "new"}))
    later = world.compare(goal(description={"text": "new"}, outcomeCode=[{"text": "ours"}]))

    assert change_of(changes, "goal-1").elements == ()
    assert world.bodies["goal-1"]["note"] == [{"text": "by hand"}]
    assert kinds(later, "goal-1") == {"Goal.outcomeCode": "conflict"}


def test_what_only_we_have_may_have_been_taken_out_by_a_person():
    world = forgotten(goal(priority={"text": "high"}), goal_1={"priority": None})
    first = world.sync(goal(priority={"text": "high"}))
    second = world.sync(goal(priority={"text": "high"}))

    assert kinds(first, "goal-1") == kinds(second, "goal-1") == {"Goal.priority": "conflict"}
    assert "priority" not in world.bodies["goal-1"]


def test_an_item_of_a_list_that_only_we_have_is_a_conflict():
    world = forgotten(goal(target=[target("7")]), goal_1={"target": None})
    changes = world.sync(goal(target=[target("7")]))
    again = world.compare(goal(target=[target("7")]))

    assert kinds(changes, "goal-1") == kinds(again, "goal-1") == {"Goal.target[0]": "conflict"}


def test_a_conflict_is_settled_by_accepting_ours_once():
    world = forgotten(goal(), goal_1={"description": {"text": "Theirs"}})
    world.sync(goal(), accepted=True)

    assert world.bodies["goal-1"]["description"] == {"text": "HbA1c below 7"}
    assert actions(world.compare(goal())) == {"goal-1": "unchanged"}
    assert kinds(world.compare(goal(description={"text": "n"})), "goal-1") == {"Goal.description": "ours"}


def test_an_element_that_neither_side_has_any_more_is_forgotten():
    world = forgotten(goal(), goal_1={"description": {"text": "Theirs"}})
    world.sync(goal())
    world.edit("goal-1", description=None)
    changes = world.compare(_without(goal(), "description"))

    assert change_of(changes, "goal-1").elements == ()


def test_a_differing_narrative_is_left_and_told():
    world = forgotten(
        plan(text={"status": "generated", "div": "<div>1</div>"}),
        plan_1={"text": {"status": "additional", "div": "<div>theirs</div>"}},
    )
    first = world.sync(plan(text={"status": "generated", "div": "<div>1</div>"}))
    second = world.sync(plan(text={"status": "generated", "div": "<div>2</div>"}))

    for changes in (first, second):
        assert kinds(changes, "plan-1") == {"CarePlan.text": "theirs"}
        assert [issue.key for issue in changes.issues] == ["reconcile.narrative-kept"]


def test_our_profile_is_added_since_it_takes_nothing_from_anybody():
    world = forgotten(goal())
    changes = world.sync(goal(meta={"profile": ["http://ours"]}))

    assert kinds(changes, "goal-1") == {"Goal.meta.profile[0]": "ours"}
    assert world.bodies["goal-1"]["meta"]["profile"] == ["http://ours"]
    assert actions(world.compare(goal(meta={"profile": ["http://ours"]}))) == {"goal-1": "unchanged"}


@pytest.mark.parametrize(
    ("kind", "element"),
    [
        ("CarePlan", "created"),
        ("Goal", "startDate"),
        ("ServiceRequest", "authoredOn"),
        ("MedicationRequest", "authoredOn"),
        ("DetectedIssue", "identifiedDateTime"),
    ],
)
def test_the_first_date_is_theirs_or_none(kind, element):
    def proposed(day):
        return rendered(kind, "one", **({element: day} if day else {}))

    world = forgotten(proposed("2026-01-01"))
    changes = world.sync(proposed("2026-03-03"))
    none = forgotten(proposed(None))
    without = none.sync(proposed("2026-03-03"))

    assert actions(changes) == {"one": "unchanged"}
    assert change_of(changes, "one").elements == ()
    assert actions(none.compare(proposed("2026-04-04"))) == {"one": "unchanged"}
    assert change_of(without, "one").elements == ()


def test_the_due_date_of_a_target_is_theirs_while_the_target_is_the_same():
    world = forgotten(goal(target=[target("7", dueDate="2026-04-01")]))
    changes = world.sync(goal(target=[target("7", dueDate="2026-05-01")]))
    other = world.compare(goal(target=[target("8", dueDate="2026-05-01")]))

    assert actions(changes) == {"goal-1": "unchanged"}
    assert change_of(changes, "goal-1").elements == ()
    # nobody here knows whose date it is
    assert kinds(other, "goal-1") == {
        "Goal.target[0].detailQuantity": "ours",
        "Goal.target[0].dueDate": "conflict",
    }


def test_the_due_date_of_a_target_that_differs_from_theirs_is_proposed():
    world = forgotten(goal(target=[target("7", dueDate="2026-04-01")]))
    changes = world.compare(goal(target=[target("8", dueDate="2026-05-01")]))

    assert kinds(changes, "goal-1") == {
        "Goal.target[0].detailQuantity": "conflict",
        "Goal.target[0].dueDate": "conflict",
    }


@pytest.mark.parametrize("theirs", ["proposed", "active", "on-hold"])
def test_our_first_word_never_demotes_a_status(theirs):
    world = forgotten(goal(), goal_1={"lifecycleStatus": theirs})
    changes = world.sync(goal())

    assert change_of(changes, "goal-1").elements == ()
    assert world.bodies["goal-1"]["lifecycleStatus"] == theirs
    assert actions(world.compare(goal())) == {"goal-1": "unchanged"}


def test_an_approval_takes_a_draft_that_nobody_has_taken_up():
    world = forgotten(goal(), plan("goal-1"))
    changes = world.sync(goal(lifecycleStatus="active"), plan("goal-1", status="active"), approve=True)

    assert kinds(changes, "goal-1") == {"Goal.lifecycleStatus": "ours"}
    assert kinds(changes, "plan-1") == {"CarePlan.status": "ours"}
    assert change_of(changes, "plan-1").elements[0].before == "draft"
    assert world.bodies["plan-1"]["status"] == "active"
    assert actions(world.compare(goal(), plan("goal-1"))) == {"goal-1": "unchanged", "plan-1": "unchanged"}


def test_an_approval_meets_a_status_that_a_person_may_have_set_as_a_conflict():
    world = forgotten(plan(), plan_1={"status": "on-hold"})
    changes = world.compare(plan(status="active"), approve=True)

    assert kinds(changes, "plan-1") == {"CarePlan.status": "conflict"}


@pytest.mark.parametrize("approve", [True, False])
def test_a_status_that_nobody_remembers_setting_is_not_ours_to_end(approve):
    world = forgotten(goal(), goal_1={"lifecycleStatus": "active"})
    changes = world.sync(goal(lifecycleStatus="active"), approve=approve)

    assert change_of(changes, "goal-1").elements == ()
    assert kinds(world.compare(), "goal-1") == {
        "Goal.lifecycleStatus": "conflict",
        "Goal.statusReason": "conflict",
    }


def test_an_approval_that_still_says_draft_does_not_demote():
    world = forgotten(rendered("ServiceRequest", "request-1", status="draft"), request_1={"status": "active"})
    changes = world.compare(rendered("ServiceRequest", "request-1", status="draft"), approve=True)

    assert change_of(changes, "request-1").elements == ()


def test_what_is_not_proposed_is_retired_if_nobody_took_it_up_and_asked_about_otherwise():
    world = forgotten(goal(), goal("goal-2"), goal_2={"lifecycleStatus": "active"})
    changes = world.compare()

    assert kinds(changes, "goal-1") == {"Goal.lifecycleStatus": "ours"}
    assert kinds(changes, "goal-2") == {"Goal.lifecycleStatus": "conflict"}


def test_a_status_that_somebody_took_out_is_not_ours_to_end():
    world = forgotten(goal(), goal_1={"lifecycleStatus": None})

    assert kinds(world.compare(), "goal-1") == {"Goal.lifecycleStatus": "conflict"}


def test_what_a_person_has_ended_is_not_touched_and_not_overwritten_when_opened_again():
    world = forgotten(goal(), goal_1={"lifecycleStatus": "completed"})
    changes = world.sync(goal(description={"text": "new"}))
    again = world.sync(goal(description={"text": "new"}))
    world.edit("goal-1", lifecycleStatus="active")
    opened = world.sync(goal(description={"text": "new"}))

    for ended in (changes, again):
        assert actions(ended) == {"goal-1": "unchanged"}
        assert change_of(ended, "goal-1").elements == ()
        assert [issue.key for issue in ended.issues] == ["reconcile.ended"]
    assert set(kinds(opened, "goal-1").values()) == {"conflict"}
    assert world.bodies["goal-1"]["description"] == {"text": "HbA1c below 7"}


@pytest.mark.parametrize(
    ("kind", "element", "first"),
    [
        ("CarePlan", "status", "draft"),
        ("Goal", "lifecycleStatus", "proposed"),
        ("ServiceRequest", "status", "draft"),
        ("MedicationRequest", "status", "draft"),
        ("DetectedIssue", "status", "registered"),
        ("DetectedIssue", "status", "preliminary"),
    ],
)
def test_a_status_that_only_we_write_is_nobodys_decision(kind, element, first):
    world = forgotten(rendered(kind, "one", **{element: first}))

    assert kinds(world.compare(), "one") == {f"{kind}.{element}": "ours"}
    approved = world.compare(rendered(kind, "one", **{element: "active"}), approve=True)
    assert kinds(approved, "one") == {f"{kind}.{element}": "ours"}


def _without(one, name):
    one.body.pop(name)
    return one
