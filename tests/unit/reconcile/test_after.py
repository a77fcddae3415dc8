"""What is remembered, what is accepted, and whether a decision is still the same."""

import copy

import msgspec
import pytest

from careplan_exchange.model.changes import ChangeSet, WrittenResource
from careplan_exchange.reconcile import accept, next_base, same_decision
from tests.unit.reconcile.world import World, actions, change_of, goal, kinds, plan, target, written


def answer(change, stored, version="2"):
    return WrittenResource(
        identity=change.identity,
        type=change.type,
        id="77",
        version_id=version,
        action=change.action,
        stored=stored,
    )


def test_after_a_create_the_base_is_our_rendering_and_what_was_stored():
    change = change_of(World().compare(goal()), "goal-1")
    base = next_base(change, answer(change, {"resourceType": "Goal", "id": "77", "x": 1}, "1"))

    assert (base.identity, base.type, base.id, base.version_id) == ("goal-1", "Goal", "77", "1")
    assert base.ours == goal().body
    assert base.stored == {"resourceType": "Goal", "id": "77", "x": 1}


def test_after_an_update_what_was_taken_is_remembered_as_stored():
    world = written(goal())
    change = change_of(world.compare(goal(description={"text": "new"})), "goal-1")
    base = next_base(change, answer(change, {**change.body, "description": {"text": "NEW"}}))

    assert base.version_id == "2"
    assert base.ours["description"] == {"text": "new"}
    assert base.stored["description"] == {"text": "NEW"}
    assert base.ours["startDate"] == base.stored["startDate"] == "2026-01-01"


def test_what_a_person_edited_keeps_its_old_base():
    world = written(goal(priority={"text": "1"}))
    world.edit("goal-1", description={"text": "Theirs"})
    change = change_of(world.compare(goal(description={"text": "Ours"}, priority={"text": "2"})), "goal-1")
    base = next_base(change, answer(change, change.body))

    assert base.ours["description"] == base.stored["description"] == {"text": "HbA1c below 7"}
    assert base.ours["priority"] == base.stored["priority"] == {"text": "2"}


def test_what_a_person_added_is_not_remembered_as_stored():
    world = written(goal())
    world.edit("goal-1", note=[{"text": "by hand"}], outcomeCode=[{"text": "x"}])
    change = change_of(world.compare(goal(description={"text": "Ours"})), "goal-1")
    base = next_base(change, answer(change, change.body))

    assert "note" not in base.stored
    assert "outcomeCode" not in base.stored


def test_an_element_kept_at_adoption_is_remembered_as_ours_that_they_changed():
    world = written(goal())
    world.edit("goal-1", description={"text": "Theirs"}, note=[{"text": "by hand"}])
    world.bases.clear()
    change = change_of(world.compare(goal()), "goal-1")
    base = next_base(change, answer(change, change.body))

    assert "description" not in base.ours
    assert base.stored["description"] == {"text": "HbA1c below 7"}
    assert "note" not in base.stored
    assert base.ours["lifecycleStatus"] == base.stored["lifecycleStatus"] == "proposed"


def test_an_extension_that_the_server_adds_beside_a_primitive_does_not_disturb_the_memory():
    world = written(plan(title="Plan"))
    change = change_of(world.compare(plan(title="New")), "plan-1")
    base = next_base(change, answer(change, {**change.body, "_title": {"id": "server"}}))

    assert base.ours["title"] == "New"
    assert base.stored["title"] == "New"
    assert base.stored["_title"] == {"id": "server"}


def test_a_type_of_a_choice_that_the_server_rewrites_does_not_disturb_the_memory():
    def keep(body):
        items = [
            {"measure": item["measure"], "detailString": str(item["detailQuantity"]["value"])}
            for item in body["target"]
        ]
        return {**body, "target": items}

    world = written(goal(target=[target("7")]), keep=keep)
    world.sync(goal(target=[target("8")]))

    assert world.bodies["goal-1"]["target"][0]["detailString"] == "8"
    assert actions(world.compare(goal(target=[target("8")]))) == {"goal-1": "unchanged"}


def test_another_type_of_a_choice_that_only_the_server_keeps_is_remembered_beside_what_was_accepted():
    world = written(goal(target=[target("7")]))
    world.edit("goal-1", target=[target("9")])
    change = change_of(accept(world.compare(goal(target=[target("8")]))), "goal-1")
    stored = [{"measure": change.body["target"][0]["measure"], "detailString": "8"}]
    base = next_base(change, answer(change, {**change.body, "target": stored}))

    assert base.ours["target"] == [target("8")]
    assert base.stored["target"] == stored


def test_what_the_server_had_made_of_it_already_is_remembered_as_our_proposal():
    world = written(goal(), keep=lambda body: {**body, "description": {"text": "HBA1C"}})
    world.sync(goal(description={"text": "HBA1C"}, language="en"))
    changes = world.compare(goal(language="en"))

    assert kinds(changes, "goal-1") == {"Goal.description": "ours"}


def test_what_was_deleted_and_left_so_has_no_next_base():
    world = written(goal())
    world.bodies.clear()
    change = change_of(world.compare(goal()), "goal-1")

    with pytest.raises(ValueError, match="no next base"):
        next_base(change, answer(change, {}))


def test_an_untouched_resource_keeps_its_base():
    world = written(goal())
    world.edit("goal-1", lifecycleStatus="completed", description={"text": "Theirs"})
    change = change_of(world.compare(goal(description={"text": "Ours"})), "goal-1")
    base = next_base(change, answer(change, change.body))

    assert base.ours["description"] == base.stored["description"] == {"text": "HbA1c below 7"}
    assert base.ours["lifecycleStatus"] == base.stored["lifecycleStatus"] == "proposed"
    assert base.ours["startDate"] == base.stored["startDate"] == "2026-01-01"


def test_accepting_decides_conflicts_for_ours_and_leaves_edits_alone():
    world = written(goal(priority={"text": "1"}))
    world.edit("goal-1", description={"text": "Theirs"}, priority={"text": "theirs"})
    changes = accept(world.compare(goal(description={"text": "Ours"}, priority={"text": "1"})))

    assert changes.conflicts == ()
    assert actions(changes) == {"goal-1": "update"}
    assert kinds(changes, "goal-1") == {"Goal.description": "ours", "Goal.priority": "theirs"}
    body = change_of(changes, "goal-1").body
    assert (body["description"], body["priority"]) == ({"text": "Ours"}, {"text": "theirs"})


def test_what_was_accepted_is_ours_from_then_on():
    world = written(goal())
    world.edit("goal-1", description={"text": "Theirs"})
    world.sync(goal(description={"text": "Ours"}), accepted=True)

    assert actions(world.compare(goal(description={"text": "Ours"}))) == {"goal-1": "unchanged"}
    assert kinds(world.compare(goal(description={"text": "x"})), "goal-1") == {"Goal.description": "ours"}


def test_accepting_a_set_without_conflicts_changes_nothing():
    world = written(goal(), plan("goal-1"))
    world.edit("goal-1", description={"text": "Theirs"})
    changes = world.compare(goal(), goal("goal-2"), plan("goal-1", "goal-2"))

    assert accept(changes) == changes


def test_accepting_keeps_the_issues_that_ask_nothing():
    world = written(goal(), goal("goal-2"))
    world.edit("goal-1", lifecycleStatus="completed")
    world.bodies.pop("goal-2")
    changes = world.compare(goal(), goal("goal-2"))

    assert [issue.key for issue in changes.issues] == ["reconcile.ended", "reconcile.deleted"]
    assert [issue.key for issue in accept(changes).issues] == ["reconcile.ended"]


def conflict_on(description="Ours", **elements):
    world = written(goal(), plan("goal-1"))
    world.edit("goal-1", description={"text": "Theirs"})
    return world, (goal(description={"text": description}, **elements), plan("goal-1"))


def test_the_same_question_is_the_same_decision():
    world, proposed = conflict_on()
    shown = world.compare(*proposed)
    through_store = msgspec.json.decode(msgspec.json.encode(shown), type=ChangeSet)

    assert same_decision(shown, world.compare(*proposed))
    assert same_decision(through_store, world.compare(*proposed))


def test_a_part_of_a_set_is_the_same_decision_if_the_rest_decides_nothing():
    world, proposed = conflict_on()
    shown = world.compare(*proposed)
    part = msgspec.structs.replace(shown, changes=shown.changes[:1])

    assert same_decision(part, shown)
    assert same_decision(shown, part)


@pytest.mark.parametrize("side", ["theirs", "ours", "more", "base"])
def test_another_value_on_any_side_of_a_conflict_is_another_decision(side):
    world, proposed = conflict_on()
    shown = world.compare(*proposed)
    if side == "theirs":
        world.edit("goal-1", description={"text": "Theirs again"})
    elif side == "ours":
        proposed = (goal(description={"text": "Ours again"}), plan("goal-1"))
    elif side == "more":
        proposed = (*proposed, goal("goal-2"))
    else:
        base = world.bases["goal-1"]
        world.bases["goal-1"] = msgspec.structs.replace(base, ours={**base.ours, "description": {"text": "b"}})

    assert not same_decision(shown, world.compare(*proposed))
    assert not same_decision(world.compare(*proposed), shown)


def test_an_edit_that_we_keep_anyway_is_no_part_of_the_decision():
    world, proposed = conflict_on()
    shown = world.compare(*proposed)
    world.edit("goal-1", startDate="2020-01-01")

    assert same_decision(shown, world.compare(*proposed))


def test_a_change_of_ours_that_was_not_shown_is_another_decision():
    world = written(goal())
    shown = world.compare(goal(description={"text": "Ours"}))

    assert same_decision(shown, world.compare(goal(description={"text": "Ours"})))
    assert not same_decision(shown, world.compare(goal(description={"text": "Other"})))
    assert not same_decision(shown, world.compare(goal(description={"text": "Ours"}, priority={"text": "1"})))
    assert not same_decision(shown, world.compare(goal()))


def test_a_change_that_stands_behind_one_that_decides_nothing_is_part_of_the_decision():
    world = written(goal(priority={"text": "1"}), plan(text={"div": "1"}, language="en"))
    world.edit("goal-1", description={"text": "Theirs"})

    def proposed(priority, language):
        return goal(priority={"text": priority}), plan(text={"div": "2"}, language=language)

    shown = world.compare(*proposed("2", "fr"))
    assert same_decision(shown, world.compare(*proposed("2", "fr")))
    assert not same_decision(shown, world.compare(*proposed("3", "fr")))
    assert not same_decision(shown, world.compare(*proposed("2", "de")))


def test_a_change_of_ours_and_a_conflict_with_the_same_values_are_two_decisions():
    world = written(goal())
    shown = world.compare(goal(description={"text": "Ours"}))
    change = shown.changes[0]
    asked = tuple(msgspec.structs.replace(element, kind="conflict") for element in change.elements)

    assert not same_decision(
        shown, msgspec.structs.replace(shown, changes=(msgspec.structs.replace(change, elements=asked),))
    )


def test_another_resource_with_the_same_change_is_another_decision():
    world = written(goal(), goal("goal-2"))
    one = world.compare(goal(description={"text": "Ours"}), goal("goal-2"))
    other = world.compare(goal(), goal("goal-2", description={"text": "Ours"}))

    assert not same_decision(one, other)


def test_another_day_and_another_narrative_are_no_other_decision():
    def proposed(day, narrative):
        return (
            goal(startDate=day, target=[target("7", dueDate=day)]),
            plan("goal-1", created=day, period={"start": day, "end": "2030"}, text={"div": narrative}),
        )

    shown = World().compare(*proposed("2026-01-01", "1"))
    before = copy.deepcopy(shown)

    assert same_decision(shown, World().compare(*proposed("2026-01-02", "2")))
    assert shown == before
    other_end = (goal(), plan("goal-1", period={"end": "2031"}))
    assert not same_decision(shown, World().compare(*other_end))


def test_another_day_is_no_other_decision_about_a_changed_target_or_a_new_one():
    world = written(goal(target=[target("7", dueDate="2026-04-01")]), plan(text={"div": "1"}))
    extra = {"measure": {"text": "steps"}, "detailString": "5000"}

    def proposed(day, value="8", steps="5000"):
        return (
            goal(target=[target(value, dueDate=day), {**extra, "detailString": steps, "dueDate": day}]),
            plan(text={"div": day}),
        )

    shown = world.compare(*proposed("2026-05-01"))
    assert same_decision(shown, world.compare(*proposed("2026-06-01")))
    assert not same_decision(shown, world.compare(*proposed("2026-05-01", "9")))
    assert not same_decision(shown, world.compare(*proposed("2026-05-01", "8", "6000")))


def test_another_place_in_a_list_is_no_other_decision():
    world = written(plan(activity=[{"id": "a", "detail": {"description": "walk"}}]))
    world.edit("plan-1", activity=[{"id": "a", "detail": {"description": "theirs"}}])
    proposed = plan(activity=[{"id": "a", "detail": {"description": "run"}}])
    shown = world.compare(proposed)
    world.edit("plan-1", activity=[{"id": "h"}, {"id": "a", "detail": {"description": "theirs"}}])

    assert same_decision(shown, world.compare(proposed))


def test_a_new_resource_with_another_content_is_another_decision():
    shown = World().compare(goal())

    assert not same_decision(shown, World().compare(goal(description={"text": "other"})))
    assert not same_decision(shown, World().compare(goal("goal-2")))
    assert not same_decision(shown, World().compare(goal(), goal("goal-2")))
    assert not same_decision(shown, World().compare(goal(target=[target("7")])))
    aimed = World().compare(goal(target=[target("7")]))
    assert not same_decision(aimed, World().compare(goal(target=[target("8")])))
    assert not same_decision(aimed, World().compare(goal(target=[target("7"), target("7")])))


def test_a_deleted_resource_asked_about_on_another_day_is_the_same_decision():
    world = written(goal())
    world.bodies.clear()
    shown = world.compare(goal(startDate="2026-03-03"))

    assert same_decision(shown, world.compare(goal(startDate="2026-04-04")))
    assert not same_decision(shown, world.compare(goal(description={"text": "other"})))


def test_another_order_of_the_elements_on_the_server_is_no_other_decision():
    world = written(goal(priority={"text": "1"}))
    proposed = goal(description={"text": "Ours"}, priority={"text": "2"})
    shown = world.compare(proposed)
    world.bodies["goal-1"] = dict(reversed(world.bodies["goal-1"].items()))

    assert same_decision(shown, world.compare(proposed))
