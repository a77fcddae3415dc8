"""What a person wants otherwise: it is written with the rest, stays theirs, and takes nobody else's edit with it."""

import copy
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.model.changes import ChangeSet, ElementChange, Json, ResourceChange
from careplan_exchange.reconcile import accept, modified
from tests.unit.reconcile.world import SBP, World, change_of, goal, target

PROPOSED = {
    "priority": {"text": "high"},
    "description": {"text": "HbA1c below 7"},
    "target": [target("7", dueDate="2026-06-01"), target("130", SBP)],
    "note": [{"id": "reason", "text": "Why"}],
}
LEAVES: tuple[tuple[tuple[str | int, ...], Any], ...] = (
    (("lifecycleStatus",), "rejected"),
    (("priority",), {"text": "low"}),
    (("description",), {"text": "As agreed"}),
    (("target", 0, "detailQuantity", "value"), Decimal("7.5")),
    (("target", 0, "dueDate"), "2027-01-01"),
    (("target", 1, "detailQuantity", "value"), Decimal(140)),
    (("note", 0, "text"), "Why not"),
    (("note", 1), {"id": "mine", "text": "Talked about it"}),
    (("extension",), [{"url": "urn:x", "valueString": "y"}]),
)


def put(body: Json, path: tuple[str | int, ...], value: Any) -> Json:
    changed: Any = copy.deepcopy(body)
    at = changed
    for step in path[:-1]:
        at = at[step]
    if isinstance(at, list) and path[-1] == len(at):
        at.append(value)
    else:
        at[path[-1]] = value
    return changed


def at(body: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        body = body[step]
    return body


def written(world: World, changes: ChangeSet, *edits: tuple[tuple[str | int, ...], Any]) -> ResourceChange:
    """The ChangeSet with the edits in its one goal, as it is sent."""
    changes = accept(changes)
    change = change_of(changes, "goal-1")
    body = change.body
    for path, value in edits:
        body = put(body, path, value)
    changed = modified(change, body)
    world.write(
        msgspec.structs.replace(
            changes, changes=tuple(changed if one is change else one for one in changes.changes)
        )
    )
    return changed


EDITS = st.lists(st.sampled_from(LEAVES), min_size=1, max_size=3, unique_by=lambda edit: edit[0])


@given(EDITS, st.sampled_from(["new", "changed", "adopted"]))
def test_what_a_person_wants_is_written_and_no_later_run_changes_it_back(edits, state):
    world = World()
    ours = goal(**PROPOSED)
    if state != "new":
        world.sync(goal(**{**PROPOSED, "target": [target("8"), target("130", SBP)]}))
    if state == "adopted":
        ours = goal(**PROPOSED, lifecycleStatus="active")
    change = written(world, world.compare(ours, approve=state == "adopted"), *edits)
    assert change.action == ("create" if state == "new" else "update")
    stands = copy.deepcopy(world.bodies["goal-1"])
    for path, value in edits:
        assert at(stands, path) == value
    for _ in range(2):
        changes = world.sync(ours, approve=state == "adopted")
        assert changes.to_write == changes.conflicts == ()
        assert world.bodies["goal-1"] == stands


def test_another_proposal_for_what_a_person_has_set_is_a_conflict_and_the_rest_is_taken():
    world = World()
    written(world, world.compare(goal(**PROPOSED)), (("target", 0, "detailQuantity", "value"), Decimal("7.5")))
    other = goal(**{**PROPOSED, "target": [target("6.5"), target("120", SBP)]})
    changes = world.sync(other)
    assert [element.path for _, element in changes.conflicts] == ["Goal.target[0].detailQuantity"]
    first, second = world.bodies["goal-1"]["target"]
    assert (first["detailQuantity"]["value"], second["detailQuantity"]["value"]) == (Decimal("7.5"), Decimal(120))


def test_what_a_clinician_had_edited_before_stays_the_clinicians():
    world = World()
    world.sync(goal(**PROPOSED))
    world.edit("goal-1", description={"text": "Agreed with the family"})
    written(
        world,
        world.compare(goal(**{**PROPOSED, "priority": {"text": "medium"}})),
        (("target", 1, "detailQuantity", "value"), Decimal(140)),
    )
    body = world.bodies["goal-1"]
    assert (body["description"], body["priority"]) == ({"text": "Agreed with the family"}, {"text": "medium"})
    changes = world.sync(goal(**{**PROPOSED, "description": {"text": "Anew"}}))
    assert [element.path for _, element in changes.conflicts] == ["Goal.description"]
    assert world.bodies["goal-1"]["description"] == {"text": "Agreed with the family"}


def test_what_nobody_touched_is_still_ours_also_where_the_server_rewrites_it():
    world = World(keep=lambda body: {**body, "description": {"text": body["description"]["text"].upper()}})
    written(world, world.compare(goal(**PROPOSED)), (("priority",), {"text": "low"}))
    assert world.sync(goal(**PROPOSED)).to_write == ()
    changes = world.sync(goal(**{**PROPOSED, "description": {"text": "Anew"}}))
    assert changes.conflicts == ()
    assert world.bodies["goal-1"]["description"] == {"text": "ANEW"}
    assert world.bodies["goal-1"]["priority"] == {"text": "low"}


def test_the_change_says_what_the_person_wants_beside_what_was_proposed():
    world = World()
    world.sync(goal(**{**PROPOSED, "priority": {"text": "medium"}}))
    change = written(world, world.compare(goal(**PROPOSED)), (("priority",), {"text": "low"}))
    (element,) = (one for one in change.elements if one.path == "Goal.priority")
    assert element == ElementChange(
        path="Goal.priority",
        kind="theirs",
        before={"text": "medium"},
        theirs={"text": "low"},
        ours={"text": "high"},
    )


def test_an_element_that_a_person_takes_out_stays_out():
    world = World()
    changes = accept(world.compare(goal(**PROPOSED)))
    change = change_of(changes, "goal-1")
    body = {name: value for name, value in change.body.items() if name != "priority"}
    world.write(msgspec.structs.replace(changes, changes=(modified(change, body),)))
    assert "priority" not in world.bodies["goal-1"]
    assert world.sync(goal(**PROPOSED)).to_write == ()
    assert "priority" not in world.bodies["goal-1"]
