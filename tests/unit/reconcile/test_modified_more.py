"""What is remembered of an element that a person wanted otherwise than both sides of a conflict."""

import msgspec

from careplan_exchange.reconcile import accept, modified
from tests.unit.reconcile.world import World, change_of, goal

AGREED = {"text": "As all three agreed"}


def as_wanted(world, ours):
    changes = accept(world.compare(ours))
    change = change_of(changes, "goal-1")
    changed = modified(change, {**change.body, "description": AGREED})
    world.write(msgspec.structs.replace(changes, changes=(changed,)))
    return changed


def test_what_a_person_sets_in_the_place_of_both_sides_of_a_conflict_is_not_asked_about_again():
    world = World()
    world.sync(goal())
    world.edit("goal-1", description={"text": "Theirs"})
    ours = goal(description={"text": "Ours"}, priority={"text": "high"})
    assert len(world.compare(ours).conflicts) == 1
    as_wanted(world, ours)
    changes = world.compare(ours)

    assert changes.conflicts == changes.to_write == ()
    assert world.bodies["goal-1"]["description"] == AGREED
    assert world.bodies["goal-1"]["priority"] == {"text": "high"}
    assert len(world.compare(goal(description={"text": "Newer"}, priority={"text": "high"})).conflicts) == 1


def test_the_base_of_what_a_person_wants_otherwise_names_the_version_that_it_is_of():
    world = World()
    made = as_wanted(world, goal())
    assert made.base is not None
    assert (made.base.id, made.base.version_id) == ("", "")
    held = world.bodies["goal-1"]
    changed = as_wanted(world, goal(priority={"text": "high"}))
    assert changed.base is not None
    assert (changed.base.id, changed.base.version_id) == (held["id"], held["meta"]["versionId"])
