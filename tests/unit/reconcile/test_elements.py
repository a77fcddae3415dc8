"""One element, three sides: base, theirs, ours."""

from tests.unit.reconcile.world import World, actions, change_of, goal, kinds, plan, rendered, target, written


def test_what_is_not_there_is_created_with_the_goals_before_the_plan():
    changes = World().compare(
        plan("goal-1"),
        rendered("DetectedIssue", "issue-1", status="preliminary"),
        rendered("MedicationRequest", "drug-1", status="draft"),
        rendered("ServiceRequest", "request-1", status="draft"),
        goal(),
    )

    assert [(change.type, change.action) for change in changes.changes] == [
        ("Goal", "create"),
        ("ServiceRequest", "create"),
        ("MedicationRequest", "create"),
        ("DetectedIssue", "create"),
        ("CarePlan", "create"),
    ]
    assert changes.patient == "Patient/1"
    assert changes.to_write == changes.changes


def test_a_create_sends_our_rendering_and_refers_to_its_siblings_by_full_url():
    change = change_of(World().compare(goal(), plan("goal-1")), "plan-1")

    assert change.body == change.ours == plan("goal-1").body
    assert change.full_url == plan().full_url
    assert (change.id, change.version_id, change.theirs, change.base, change.elements) == (
        None,
        None,
        None,
        None,
        (),
    )


def test_a_second_sync_of_the_same_proposal_changes_nothing():
    world = written(goal(target=[target("7")]), plan("goal-1"))

    changes = world.compare(goal(target=[target("7")]), plan("goal-1"))

    assert actions(changes) == {"goal-1": "unchanged", "plan-1": "unchanged"}
    assert all(change.elements == () for change in changes.changes)
    assert changes.issues == ()


def test_a_new_proposal_is_taken_where_nobody_edited():
    world = written(goal())
    world.sync(goal(description={"text": "HbA1c below 8"}))

    assert world.bodies["goal-1"]["description"] == {"text": "HbA1c below 8"}
    assert world.versions() == {"goal-1": "2"}


def test_an_update_carries_id_version_base_and_both_sides():
    world = written(goal())
    change = change_of(world.compare(goal(description={"text": "new"})), "goal-1")

    assert (change.action, change.id, change.version_id) == ("update", world.bodies["goal-1"]["id"], "1")
    assert change.reference == f"Goal/{change.id}"
    assert change.full_url == goal().full_url
    assert change.theirs == world.bodies["goal-1"]
    assert change.base == world.bases["goal-1"]
    assert change.ours == goal(description={"text": "new"}).body
    (element,) = change.elements
    assert (element.path, element.kind) == ("Goal.description", "ours")
    assert (element.before, element.theirs, element.ours) == (
        {"text": "HbA1c below 7"},
        {"text": "HbA1c below 7"},
        {"text": "new"},
    )


def test_a_clinicians_edit_survives_the_next_sync():
    world = written(goal())
    world.edit("goal-1", description={"text": "Theirs"})
    changes = world.sync(goal())

    assert kinds(changes, "goal-1") == {"Goal.description": "theirs"}
    assert actions(changes) == {"goal-1": "unchanged"}
    assert world.bodies["goal-1"]["description"] == {"text": "Theirs"}


def test_an_edit_that_meets_a_new_proposal_is_a_conflict_and_stays():
    world = written(goal())
    world.edit("goal-1", description={"text": "Theirs"})
    changes = world.sync(goal(description={"text": "Ours"}))

    (_, element), *others = changes.conflicts
    assert not others
    assert (element.before, element.theirs, element.ours) == (
        {"text": "HbA1c below 7"},
        {"text": "Theirs"},
        {"text": "Ours"},
    )
    assert actions(changes) == {"goal-1": "unchanged"}


def test_an_edit_stays_theirs_after_another_element_was_written():
    world = written(goal(priority={"text": "high"}))
    world.edit("goal-1", description={"text": "Theirs"})
    world.sync(goal(priority={"text": "low"}))
    world.sync(goal(priority={"text": "medium"}))
    changes = world.compare(goal(priority={"text": "medium"}, description={"text": "Ours"}))

    assert world.bodies["goal-1"]["priority"] == {"text": "medium"}
    assert world.bodies["goal-1"]["description"] == {"text": "Theirs"}
    assert kinds(changes, "goal-1") == {"Goal.description": "conflict"}


def test_a_conflict_stays_a_conflict_after_another_element_was_written():
    world = written(goal(priority={"text": "high"}))
    world.edit("goal-1", description={"text": "Theirs"})
    first = world.sync(goal(priority={"text": "low"}, description={"text": "Ours"}))
    second = world.compare(goal(priority={"text": "low"}, description={"text": "Ours"}))

    assert kinds(first, "goal-1") == {"Goal.description": "conflict", "Goal.priority": "ours"}
    assert first.conflicts[0][1] == second.conflicts[0][1]
    assert actions(second) == {"goal-1": "unchanged"}


def test_both_sides_with_the_same_value_is_no_difference_and_the_edit_stays_theirs_for_good():
    world = written(goal(priority={"text": "high"}))
    world.edit("goal-1", description={"text": "Agreed"})
    agreed = world.sync(goal(description={"text": "Agreed"}, priority={"text": "low"}))
    later = world.compare(goal(description={"text": "Later"}, priority={"text": "low"}))

    assert kinds(agreed, "goal-1") == {"Goal.priority": "ours"}
    assert kinds(later, "goal-1") == {"Goal.description": "conflict"}


def test_an_element_we_no_longer_author_is_taken_out_where_nobody_edited_it():
    world = written(goal(priority={"text": "high"}))
    changes = world.sync(goal())

    (element,) = change_of(changes, "goal-1").elements
    assert (element.path, element.kind, element.ours) == ("Goal.priority", "ours", None)
    assert "priority" not in world.bodies["goal-1"]


def test_an_element_we_no_longer_author_stays_where_a_person_edited_it():
    world = written(goal(priority={"text": "high"}))
    world.edit("goal-1", priority={"text": "theirs"})
    changes = world.sync(goal())

    assert kinds(changes, "goal-1") == {"Goal.priority": "theirs"}
    assert world.bodies["goal-1"]["priority"] == {"text": "theirs"}


def test_an_element_that_a_person_took_out_stays_out():
    world = written(goal(priority={"text": "high"}))
    world.edit("goal-1", priority=None)
    same = world.sync(goal(priority={"text": "high"}))
    new = world.sync(goal(priority={"text": "low"}))

    assert kinds(same, "goal-1") == {"Goal.priority": "theirs"}
    assert kinds(new, "goal-1") == {"Goal.priority": "conflict"}
    assert "priority" not in world.bodies["goal-1"]


def test_an_element_that_both_sides_took_out_is_remembered_as_the_persons_decision():
    world = written(goal(priority={"text": "high"}))
    world.edit("goal-1", priority=None)
    world.sync(goal(description={"text": "new"}))
    changes = world.compare(goal(description={"text": "new"}, priority={"text": "high"}))

    assert kinds(changes, "goal-1") == {"Goal.priority": "theirs"}


def test_what_we_never_author_is_never_touched_or_mentioned():
    world = written(goal())
    world.edit(
        "goal-1",
        extension=[{"url": "http://example.org/x", "valueString": "kept"}],
        outcomeCode=[{"text": "kept"}],
        unheardOf={"deep": {"er": [1, 2]}},
    )
    changes = world.sync(goal(description={"text": "new"}))

    assert kinds(changes, "goal-1") == {"Goal.description": "ours"}
    body = world.bodies["goal-1"]
    assert body["extension"] == [{"url": "http://example.org/x", "valueString": "kept"}]
    assert body["outcomeCode"] == [{"text": "kept"}]
    assert body["unheardOf"] == {"deep": {"er": [1, 2]}}


def test_an_element_that_a_person_wrote_first_is_a_conflict_when_we_begin_to_author_it():
    world = written(goal())
    world.edit("goal-1", priority={"text": "theirs"})
    world.sync(goal(description={"text": "new"}))
    changes = world.compare(goal(description={"text": "new"}, priority={"text": "ours"}))

    assert kinds(changes, "goal-1") == {"Goal.priority": "conflict"}


def test_the_digits_of_a_number_are_no_edit_but_its_value_is():
    world = written(goal(target=[target("7.20")]))
    world.edit("goal-1", target=[target("7.2")])
    assert change_of(world.compare(goal(target=[target("7.20")])), "goal-1").elements == ()

    world.edit("goal-1", target=[target("7.3")])
    assert kinds(world.compare(goal(target=[target("7.20")])), "goal-1") == {
        "Goal.target[0].detailQuantity": "theirs"
    }
