"""One element, three sides: base, theirs, ours."""

from decimal import Decimal

import msgspec
import pytest

from careplan_exchange.reconcile import compare
from tests.unit.reconcile.world import (
    A1C,
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
    world = World(**options)
    world.sync(*proposed)
    return world


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


def test_what_the_server_added_on_our_write_is_no_persons_edit():
    world = World(keep=lambda body: {"priority": {"text": "server"}, **body})
    world.sync(goal())
    changes = world.compare(goal(priority={"text": "ours"}))

    assert kinds(changes, "goal-1") == {"Goal.priority": "ours"}


def test_a_default_of_the_server_that_a_person_took_out_stays_out():
    world = World(keep=lambda body: {"priority": {"text": "server"}, **body})
    world.sync(goal())
    world.edit("goal-1", priority=None)
    changes = world.compare(goal(priority={"text": "ours"}))

    assert kinds(changes, "goal-1") == {"Goal.priority": "conflict"}


def test_a_server_that_drops_an_element_is_not_mistaken_for_a_person():
    world = World(keep=lambda body: {key: value for key, value in body.items() if key != "priority"})
    world.sync(goal(priority={"text": "high"}))
    changes = world.compare(goal(priority={"text": "high"}))
    new = world.sync(goal(priority={"text": "low"}))
    again = world.compare(goal(priority={"text": "low"}))

    assert actions(changes) == {"goal-1": "unchanged"}
    assert kinds(new, "goal-1") == {"Goal.priority": "ours"}
    assert actions(again) == {"goal-1": "unchanged"}


def test_a_server_that_rewrites_a_value_is_not_mistaken_for_a_person():
    world = World(keep=lambda body: {**body, "startDate": "2026-01-01T00:00:00Z"})
    world.sync(goal())
    changes = world.compare(goal())

    assert actions(changes) == {"goal-1": "unchanged"}
    assert change_of(changes, "goal-1").elements == ()


def test_a_proposal_that_the_server_made_out_of_the_last_one_already_is_no_change():
    world = World(keep=lambda body: {**body, "description": {"text": "HBA1C"}})
    world.sync(goal())

    assert actions(world.compare(goal(description={"text": "HBA1C"}))) == {"goal-1": "unchanged"}


def test_the_digits_of_a_number_are_no_edit_but_its_value_is():
    world = written(goal(target=[target("7.20")]))
    world.edit("goal-1", target=[target("7.2")])
    assert change_of(world.compare(goal(target=[target("7.20")])), "goal-1").elements == ()

    world.edit("goal-1", target=[target("7.3")])
    assert kinds(world.compare(goal(target=[target("7.20")])), "goal-1") == {
        "Goal.target[0].detailQuantity": "theirs"
    }


def test_the_merged_body_keeps_the_servers_order_and_its_meta():
    world = written(goal())
    world.bodies["goal-1"] = dict(reversed(world.bodies["goal-1"].items()))
    world.bodies["goal-1"]["meta"]["tag"] = [{"code": "x"}]
    body = change_of(world.compare(goal(description={"text": "new"}, priority={"text": "p"})), "goal-1").body

    assert list(body) == [*world.bodies["goal-1"], "priority"]
    assert body["meta"] == world.bodies["goal-1"]["meta"]
    assert body["id"] == world.bodies["goal-1"]["id"]


def test_meta_id_and_implicit_rules_are_never_compared():
    world = written(goal())
    world.edit("goal-1", implicitRules="http://example.org/rules")
    world.bodies["goal-1"]["meta"] |= {"source": "#abc", "security": [{"code": "R"}]}
    changes = world.compare(goal(id="mine", implicitRules="http://other", meta={"source": "mine"}))

    assert change_of(changes, "goal-1").elements == ()
    assert change_of(changes, "goal-1").body == world.bodies["goal-1"]


def test_a_profile_that_we_claim_is_kept_beside_those_of_others():
    world = written(goal(meta={"profile": ["http://ours|1"]}))
    world.bodies["goal-1"]["meta"]["profile"] = ["http://theirs", "http://ours|1"]
    unchanged = world.compare(goal(meta={"profile": ["http://ours|1"]}))
    world.sync(goal(meta={"profile": ["http://ours|2"]}))

    assert actions(unchanged) == {"goal-1": "unchanged"}
    assert world.bodies["goal-1"]["meta"]["profile"] == ["http://theirs", "http://ours|2"]


def test_a_resource_without_meta_gets_our_profile():
    world = written(goal())
    held = world.held()[0]
    held.body.pop("meta")
    changes = compare(
        [goal(meta={"profile": ["http://ours"]})], [held], world.bases, approve=False, patient="Patient/1"
    )

    assert kinds(changes, "goal-1") == {"Goal.meta.profile[0]": "ours"}
    assert change_of(changes, "goal-1").body["meta"] == {"profile": ["http://ours"]}


@pytest.mark.parametrize(
    ("theirs", "path"),
    [
        ({"unit": "mmol/mol", "value": Decimal(7), "code": "%"}, "Goal.target[0].detailQuantity"),
        ({"value": Decimal(7), "unit": "%", "code": "%", "comparator": "<"}, "Goal.target[0].detailQuantity"),
    ],
)
def test_a_quantity_is_one_element_so_that_value_and_unit_have_one_author(theirs, path):
    world = written(goal(target=[target("7")]))
    world.edit("goal-1", target=[{"measure": A1C, "detailQuantity": theirs}])
    changes = world.compare(goal(target=[target("8")]))

    assert kinds(changes, "goal-1") == {path: "conflict"}
    assert change_of(changes, "goal-1").body["target"][0]["detailQuantity"] == theirs


def test_two_types_of_one_choice_never_stand_together():
    world = written(goal(target=[target("7")]))
    world.edit("goal-1", target=[{"measure": A1C, "detailRange": {"high": {"value": Decimal(8)}}}])
    kept = world.compare(goal(target=[target("7")]))
    conflict = world.sync(goal(target=[target("6")]))
    accepted = world.sync(goal(target=[target("6")]), accepted=True)

    assert kinds(kept, "goal-1") == {"Goal.target[0].detail[x]": "theirs"}
    assert kinds(conflict, "goal-1") == {"Goal.target[0].detail[x]": "conflict"}
    assert kinds(accepted, "goal-1") == {"Goal.target[0].detail[x]": "ours"}
    assert world.bodies["goal-1"]["target"] == [target("6")]


def test_a_new_type_of_a_choice_replaces_the_old_one():
    world = written(goal(target=[target("7")]))
    wanted = {"measure": A1C, "detailRange": {"high": {"value": Decimal(8)}}}
    world.sync(goal(target=[wanted]))

    assert world.bodies["goal-1"]["target"] == [wanted]
    assert actions(world.compare(goal(target=[wanted]))) == {"goal-1": "unchanged"}


def test_an_extension_beside_a_primitive_belongs_to_it():
    world = written(plan(title="Plan"))
    world.edit("plan-1", _title={"extension": [{"url": "u", "valueString": "theirs"}]})
    kept = world.compare(plan(title="Plan"))
    conflict = world.compare(plan(title="New"))

    assert kinds(kept, "plan-1") == {"CarePlan.title": "theirs"}
    assert kinds(conflict, "plan-1") == {"CarePlan.title": "conflict"}


def test_an_extension_beside_a_primitive_survives_when_ours_is_accepted():
    world = written(plan(title="Plan"))
    extension = {"extension": [{"url": "u", "valueString": "theirs"}]}
    world.edit("plan-1", _title=extension, _status=extension)
    world.sync(plan(title="New"), accepted=True)

    assert world.bodies["plan-1"]["title"] == "New"
    assert world.bodies["plan-1"]["_title"] == extension
    assert world.bodies["plan-1"]["_status"] == extension


def test_an_extension_of_the_server_inside_a_value_survives_a_new_value():
    def with_extension(body):
        return {**body, "description": {**body["description"], "extension": [{"url": "u"}], "id": "d"}}

    world = World(keep=with_extension)
    world.sync(goal())
    body = change_of(world.compare(goal(description={"text": "new"})), "goal-1").body

    assert body["description"] == {"extension": [{"url": "u"}], "id": "d", "text": "new"}


def test_a_generated_narrative_is_made_anew_where_it_is_as_we_left_it():
    world = written(plan(text={"status": "generated", "div": "<div>1</div>"}))
    changes = world.sync(plan(text={"status": "generated", "div": "<div>2</div>"}))

    assert kinds(changes, "plan-1") == {"CarePlan.text": "ours"}
    assert keys_of(changes) == []
    assert world.bodies["plan-1"]["text"]["div"] == "<div>2</div>"


def test_a_persons_narrative_stays_without_a_conflict_and_is_told():
    world = written(plan(text={"status": "generated", "div": "<div>1</div>"}))
    world.edit("plan-1", text={"status": "generated", "div": "<div>theirs</div>"})
    changes = world.sync(plan(text={"status": "generated", "div": "<div>2</div>"}, title="New"))

    assert kinds(changes, "plan-1") == {"CarePlan.title": "ours", "CarePlan.text": "theirs"}
    assert keys_of(changes) == ["reconcile.narrative-kept"]
    assert world.bodies["plan-1"]["text"]["div"] == "<div>theirs</div>"
    assert changes.issues[0].source == f"CarePlan/{world.bodies['plan-1']['id']}/_history/2"
    assert changes.issues[0].severity == "information"


def test_a_narrative_that_the_server_makes_itself_is_no_persons():
    world = World(keep=lambda body: {**body, "text": {"status": "generated", "div": "<div>server</div>"}})
    world.sync(plan(text={"status": "generated", "div": "<div>1</div>"}))

    assert actions(world.compare(plan(text={"status": "generated", "div": "<div>1</div>"}))) == {
        "plan-1": "unchanged"
    }


def test_the_text_of_a_concept_is_not_taken_for_a_narrative():
    world = written(goal(category=[{"text": "diet"}]))
    world.edit("goal-1", category=[{"text": "diet", "id": "c"}])
    changes = world.compare(goal(category=[{"text": "diet", "coding": [{"code": "dietary"}]}]))

    assert "conflict" in kinds(changes, "goal-1").values() or "ours" in kinds(changes, "goal-1").values()
    assert keys_of(changes) == []


def test_references_between_ours_are_compared_as_the_server_holds_them():
    world = written(goal(), plan("goal-1"))
    changes = world.compare(goal(), plan("goal-1"))

    assert change_of(changes, "plan-1").ours["goal"] == [{"reference": f"Goal/{world.bodies['goal-1']['id']}"}]
    assert change_of(changes, "plan-1").base.ours["goal"] == [
        {"reference": f"Goal/{world.bodies['goal-1']['id']}"}
    ]


def test_a_reference_to_a_goal_that_is_made_in_the_same_write_stays_a_full_url():
    world = written(goal(), plan("goal-1"))
    changes = world.compare(goal(), goal("goal-2"), plan("goal-1", "goal-2"))

    assert change_of(changes, "plan-1").body["goal"] == [
        {"reference": f"Goal/{world.bodies['goal-1']['id']}"},
        link("goal-2"),
    ]


def test_references_inside_nested_elements_are_resolved():
    activity = {"id": "a", "detail": {"description": "walk", "goal": [link("goal-1")]}}
    world = written(goal(), plan(activity=[activity]))
    changes = world.compare(goal(), plan(activity=[activity]))

    assert actions(changes) == {"goal-1": "unchanged", "plan-1": "unchanged"}
    assert change_of(changes, "plan-1").elements == ()


def test_one_identity_twice_in_a_proposal_is_used_once_and_told():
    changes = World().compare(goal(), goal(description={"text": "other"}))

    assert [change.body["description"]["text"] for change in changes.changes] == ["HbA1c below 7"]
    assert keys_of(changes) == ["reconcile.rendered-twice"]
    assert changes.issues[0].severity == "error"


def test_a_rendering_is_known_by_the_full_url_that_it_came_with():
    def proposed():
        one = msgspec.structs.replace(goal(), full_url="urn:uuid:of-its-own")
        return one, plan(goal=[{"reference": "urn:uuid:of-its-own"}])

    world = written(*proposed())
    changes = world.compare(*proposed())

    assert change_of(changes, "goal-1").full_url == "urn:uuid:of-its-own"
    assert change_of(changes, "plan-1").elements == ()


def test_an_element_and_its_extension_that_only_a_person_wrote_are_not_mentioned():
    world = written(goal())
    extension = {"extension": [{"url": "u", "valueString": "theirs"}]}
    world.edit("goal-1", statusReason="theirs", _statusReason=extension)
    changes = world.sync(goal(language="en"))

    assert kinds(changes, "goal-1") == {"Goal.language": "ours"}
    assert world.bodies["goal-1"]["statusReason"] == "theirs"
    assert world.bodies["goal-1"]["_statusReason"] == extension


def test_a_choice_of_one_type_is_named_by_it_also_where_it_has_an_extension():
    def steps(count):
        return {"measure": A1C, "detailString": count}

    world = written(goal(target=[steps("5000")]))
    world.edit("goal-1", target=[{**steps("6000"), "_detailString": {"id": "theirs"}}])
    changes = world.compare(goal(target=[steps("7000")]))

    assert kinds(changes, "goal-1") == {"Goal.target[0].detailString": "conflict"}


def test_a_choice_without_a_type_in_its_name_is_one_element_with_those_that_have_one():
    world = written(
        rendered("MedicationRequest", "drug-1", status="draft", medication={"concept": {"text": "a"}})
    )
    world.edit("drug-1", medication=None, medicationCodeableConcept={"text": "theirs"})
    changes = world.compare(
        rendered("MedicationRequest", "drug-1", status="draft", medication={"concept": {"text": "b"}})
    )

    assert kinds(changes, "drug-1") == {"MedicationRequest.medication[x]": "conflict"}


def test_an_update_of_a_resource_without_meta_sends_none():
    world = written(goal())
    held = world.held()[0]
    held.body.pop("meta")
    changes = compare([goal(language="en")], [held], world.bases, approve=False, patient="Patient/1")

    assert "meta" not in change_of(changes, "goal-1").body


@pytest.mark.parametrize(
    ("kind", "where", "name", "types"),
    [
        ("Goal", (), "start", ("Date", "CodeableConcept")),
        ("Goal", ("target",), "detail", ("Quantity", "Range")),
        ("Goal", ("target",), "due", ("Date", "Duration")),
        ("CarePlan", ("activity", "detail"), "scheduled", ("Timing", "Period")),
        ("CarePlan", ("activity", "detail"), "product", ("CodeableConcept", "Reference")),
        ("ServiceRequest", (), "occurrence", ("DateTime", "Period")),
        ("ServiceRequest", (), "quantity", ("Quantity", "Range")),
        ("ServiceRequest", (), "asNeeded", ("Boolean", "CodeableConcept")),
        ("MedicationRequest", (), "medication", ("CodeableConcept", "Reference")),
        ("MedicationRequest", (), "reported", ("Boolean", "Reference")),
        ("DetectedIssue", (), "identified", ("DateTime", "Period")),
    ],
)
def test_every_choice_is_one_element_whatever_its_type(kind, where, name, types):
    def elements(type_, value):
        inner = {f"{name}{type_}": value}
        for key in reversed(where[1:]):
            inner = {key: inner}
        return {where[0]: [{"id": "a", **inner}]} if where else inner

    ours, theirs = elements(types[0], "ours"), elements(types[1], "theirs")
    world = written(rendered(kind, "one", **ours))
    world.edit("one", **dict.fromkeys(ours), **theirs) if not where else world.edit("one", **theirs)
    changes = world.compare(rendered(kind, "one", **ours, language="en"))

    path = ".".join(
        [kind, *(("target[0]",) if where == ("target",) else ("activity[0]", "detail") if where else ())]
    )
    assert kinds(changes, "one") == {f"{path}.{name}[x]": "theirs", f"{kind}.language": "ours"}


def test_the_start_of_a_period_that_a_person_moved_stays_and_its_end_goes_on():
    world = written(plan(period={"start": "2026-01-01", "end": "2026-12-31"}))
    world.edit("plan-1", period={"start": "2026-02-02", "end": "2026-12-31"})
    changes = world.compare(plan(period={"start": "2026-01-01", "end": "2027-01-31"}))

    assert kinds(changes, "plan-1") == {"CarePlan.period.start": "theirs", "CarePlan.period.end": "ours"}
