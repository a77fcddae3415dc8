"""What makes one element: quantities, choices, extensions, narratives."""

from decimal import Decimal

import pytest

from tests.unit.reconcile.world import (
    A1C,
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


def test_the_text_of_a_concept_is_not_taken_for_a_narrative():
    world = written(goal(category=[{"text": "diet"}]))
    world.edit("goal-1", category=[{"text": "diet", "id": "c"}])
    changes = world.compare(goal(category=[{"text": "diet", "coding": [{"code": "dietary"}]}]))

    assert "conflict" in kinds(changes, "goal-1").values() or "ours" in kinds(changes, "goal-1").values()
    assert keys_of(changes) == []


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
