"""What makes two items of a list the same one."""

import pytest

from tests.unit.reconcile.world import (
    A1C,
    SBP,
    World,
    actions,
    activity,
    change_of,
    coded,
    goal,
    kinds,
    plan,
    rendered,
    target,
    written,
)


def test_an_activity_whose_id_the_server_drops_is_found_by_what_it_says():
    def without_ids(body):
        items = [{key: item[key] for key in item if key != "id"} for item in body.get("activity", ())]
        return {**body, "activity": items}

    world = World(keep=without_ids)
    world.sync(plan(activity=[activity("a", "walk"), activity("b", "swim", code=coded("swim"))]))
    unchanged = world.compare(plan(activity=[activity("a", "walk"), activity("b", "swim", code=coded("swim"))]))
    world.sync(plan(activity=[activity("a", "walk a lot"), activity("b", "swim a lot", code=coded("swim"))]))

    assert change_of(unchanged, "plan-1").elements == ()
    assert [item["detail"]["description"] for item in world.bodies["plan-1"]["activity"]] == [
        "walk a lot",
        "swim a lot",
    ]
    again = world.compare(
        plan(activity=[activity("a", "walk a lot"), activity("b", "swim a lot", code=coded("swim"))])
    )
    assert actions(again) == {"plan-1": "unchanged"}


def test_a_persons_new_wording_of_a_target_is_met_by_its_measure():
    world = written(goal(target=[target("7"), target("130", SBP)]))
    world.edit("goal-1", target=[target("125", SBP), target("7")])
    changes = world.compare(goal(target=[target("6.5"), target("130", SBP)]))

    assert kinds(changes, "goal-1") == {
        "Goal.target[0].detailQuantity": "theirs",
        "Goal.target[1].detailQuantity": "ours",
    }
    assert change_of(changes, "goal-1").body["target"] == [target("125", SBP), target("6.5")]


def test_an_item_that_both_sides_added_alike_is_one_item_and_a_difference_in_it_a_conflict():
    world = written(goal())
    world.edit("goal-1", target=[target("8")])
    alike = world.compare(goal(target=[target("8")]))
    unlike = world.compare(goal(target=[target("7")]))

    assert actions(alike) == {"goal-1": "unchanged"}
    assert kinds(unlike, "goal-1") == {"Goal.target[0].detailQuantity": "conflict"}


def test_a_list_without_a_key_is_one_element():
    first, second = [{"text": "once"}], [{"text": "twice"}]
    world = World()
    world.sync(rendered("MedicationRequest", "drug-1", status="draft", dosageInstruction=first))
    world.edit("drug-1", dosageInstruction=[*first, {"text": "theirs"}])
    changes = world.compare(rendered("MedicationRequest", "drug-1", status="draft", dosageInstruction=second))

    assert kinds(changes, "drug-1") == {"MedicationRequest.dosageInstruction": "conflict"}


def test_an_instruction_that_is_text_is_one_element():
    world = written(rendered("ServiceRequest", "request-1", status="draft", patientInstruction="a"))
    changes = world.sync(rendered("ServiceRequest", "request-1", status="draft", patientInstruction="b"))

    assert kinds(changes, "request-1") == {"ServiceRequest.patientInstruction": "ours"}
    assert world.bodies["request-1"]["patientInstruction"] == "b"


def test_extensions_of_one_url_are_told_apart_by_their_value():
    def extension(code):
        return {"url": "u", "valueCode": code}

    world = written(plan(extension=[extension("a"), extension("b")]))
    world.edit("plan-1", extension=[extension("theirs"), extension("a"), extension("b")])
    world.sync(plan(extension=[extension("c"), extension("b")]))

    assert [item["valueCode"] for item in world.bodies["plan-1"]["extension"]] == ["theirs", "c", "b"]


KEYED = [
    ("goal", {"reference": "Goal/a"}),
    ("addresses", {"reference": "Condition/a"}),
    ("addresses", {"reference": {"reference": "Condition/a"}}),
    ("addresses", {"concept": coded("a")}),
    ("addresses", {"concept": {"text": "a"}}),
    ("contributor", {"identifier": {"system": "s", "value": "a"}}),
    ("contributor", {"reference": {"identifier": {"value": "a"}}}),
    ("activity", {"plannedActivityReference": {"reference": "ServiceRequest/a"}}),
    ("activity", {"reference": {"reference": "ServiceRequest/a"}}),
    ("activity", {"id": "a"}),
    ("activity", {"detail": {"code": coded("a")}}),
    ("activity", {"detail": {"description": "a"}}),
    ("category", coded("a")),
    ("category", {"coding": [{"display": "no code"}, {"code": "a"}]}),
    ("category", {"text": "a"}),
    ("note", {"id": "a"}),
    ("note", {"text": "a"}),
    ("extension", {"url": "a"}),
    ("modifierExtension", {"url": "a"}),
    ("contained", {"id": "a"}),
    ("identifier", {"system": "s", "value": "a"}),
    ("identifier", {"value": "a"}),
    *(
        (name, {"reference": "Any/a"})
        for name in (
            "supportingInfo", "supportingInformation", "careTeam", "basedOn", "replaces", "partOf", "performer",
            "reasonReference", "reason", "implicated",
        )
    ),
    ("reasonCode", {"text": "a"}),
    ("patientInstruction", {"id": "a"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "key"), KEYED)
def test_an_item_to_which_a_person_and_we_added_something_is_one_item_and_a_conflict(name, key):
    world = written(plan(**{name: [key]}))
    theirs = [{"display": "before"}, {**key, "display": "by hand"}]
    world.edit("plan-1", **{name: theirs})
    changes = world.sync(plan(**{name: [{**key, "display": "by us"}]}))

    assert set(kinds(changes, "plan-1").values()) == {"conflict"}
    assert world.bodies["plan-1"][name] == theirs


@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [
        ("category", {"coding": [{"system": "a", "code": "1"}]}, {"coding": [{"system": "b", "code": "1"}]}),
        ("category", {"coding": [{"code": "1"}]}, {"coding": [{"system": "b", "code": "1"}]}),
        ("category", {"coding": [{"code": "1"}, {"code": "2"}]}, {"coding": [{"code": "2"}]}),
        ("category", {"coding": [{"code": "1"}], "text": "t"}, {"coding": [{"code": "2"}], "text": "t"}),
        ("identifier", {"system": "a", "value": "1"}, {"system": "b", "value": "1"}),
        ("identifier", {"value": "1"}, {"system": "b", "value": "1"}),
        ("identifier", {"system": "a"}, {"system": "b"}),
        ("addresses", {"reference": {"display": "a"}}, {"reference": {"display": "b"}}),
        ("activity", {"detail": {"code": coded("1")}}, {"detail": {"code": coded("2")}}),
        ("goal", {"reference": "Goal/1", "display": "a"}, {"reference": "Goal/2", "display": "a"}),
    ],
)
def test_what_a_person_wrote_in_the_place_of_our_item_is_another_item(name, ours, theirs):
    world = written(plan(**{name: [ours]}))
    world.edit("plan-1", **{name: [theirs]})
    changes = world.compare(plan(**{name: [{**ours, "changed": "by us"}]}))

    assert change_of(changes, "plan-1").body[name][0] == theirs
    assert f"CarePlan.{name}[0]" not in kinds(changes, "plan-1")
    assert f"CarePlan.{name}[1]" in kinds(changes, "plan-1")


@pytest.mark.parametrize("measure", [A1C, {"text": "steps"}, {"coding": [{"display": "x"}, {"code": "x"}]}])
def test_a_target_is_met_by_its_measure_however_that_is_said(measure):
    world = written(goal(target=[target("7", measure)]))
    world.edit("goal-1", target=[target("9", measure)])
    changes = world.compare(goal(target=[target("8", measure)]))

    assert kinds(changes, "goal-1") == {"Goal.target[0].detailQuantity": "conflict"}


def test_a_second_target_of_the_same_measure_is_not_taken_for_ours_that_the_server_rewrote():
    def with_default(body):
        return {**body, "target": [{**item, "default": "server"} for item in body["target"]]}

    world = written(goal(target=[target("7")]), keep=with_default)
    by_hand = target("9")
    world.edit("goal-1", target=[by_hand, *world.bodies["goal-1"]["target"]])
    changes = world.compare(goal(target=[target("6")]))

    assert kinds(changes, "goal-1") == {"Goal.target[1].detailQuantity": "ours"}
    assert change_of(changes, "goal-1").body["target"] == [by_hand, {**target("6"), "default": "server"}]


@pytest.mark.parametrize("more", [{}, {"kind": "ServiceRequest"}])
def test_an_activity_that_a_person_wrote_first_is_not_doubled_where_the_server_drops_ids(more):
    def without_ids(body):
        items = [{key: item[key] for key in item if key != "id"} for item in body.get("activity", ())]
        return {**body, **({"activity": items} if items else {})}

    world = written(plan(), keep=without_ids)
    world.edit("plan-1", activity=[{"detail": {"status": "not-started", "description": "walk"}}])
    for _ in range(3):
        world.sync(plan(activity=[activity("a", "walk", **more)], language="en"))
        assert world.bodies["plan-1"]["activity"] == [{"detail": activity("a", "walk", **more)["detail"]}]

    last = world.compare(plan(activity=[activity("a", "walk", **more)], language="fr"))
    assert kinds(last, "plan-1") == {"CarePlan.language": "ours"}
    assert change_of(last, "plan-1").body["activity"] == world.bodies["plan-1"]["activity"]
