"""Lists: what becomes of each item."""

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

LISTS = [
    (plan, "goal", [{"reference": "Goal/a"}, {"reference": "Goal/b"}], {"reference": "Goal/hand"}),
    (plan, "addresses", [{"reference": "Condition/a"}, {"reference": "Condition/b"}], {"reference": "Condition/h"}),
    (plan, "addresses", [{"reference": {"reference": "Condition/a"}}], {"reference": {"reference": "Condition/h"}}),
    (plan, "addresses", [{"concept": coded("a")}], {"concept": coded("h")}),
    (plan, "supportingInfo", [{"reference": "Observation/a"}], {"reference": "Observation/h"}),
    (plan, "careTeam", [{"reference": "CareTeam/a"}], {"reference": "CareTeam/h"}),
    (plan, "contributor", [{"identifier": {"system": "s", "value": "a"}}], {"identifier": {"system": "s", "value": "h"}}),
    (plan, "basedOn", [{"reference": "CarePlan/a"}], {"reference": "CarePlan/h"}),
    (plan, "partOf", [{"reference": "CarePlan/a"}], {"reference": "CarePlan/h"}),
    (plan, "activity", [activity("a", "walk"), activity("b", "swim")], activity("h", "by hand")),
    (plan, "activity", [{"plannedActivityReference": {"reference": "ServiceRequest/a"}}],
     {"plannedActivityReference": {"reference": "ServiceRequest/h"}}),
    (plan, "category", [coded("a")], coded("h")),
    (plan, "note", [{"text": "a"}], {"text": "by hand", "time": "2026-02-02"}),
    (plan, "note", [{"id": "reason", "text": "a"}], {"text": "by hand"}),
    (plan, "instantiatesCanonical", ["http://a|1"], "http://h"),
    (plan, "instantiatesUri", ["http://a"], "http://h"),
    (plan, "extension", [{"url": "a", "valueCode": "a"}], {"url": "h", "valueCode": "h"}),
    (plan, "extension", [{"url": "u", "valueCode": "a"}, {"url": "u", "valueCode": "b"}], {"url": "u", "valueCode": "h"}),
    (plan, "modifierExtension", [{"url": "a", "valueCode": "a"}], {"url": "h", "valueCode": "h"}),
    (plan, "contained", [{"id": "a", "resourceType": "Goal"}], {"id": "h", "resourceType": "Goal"}),
    (goal, "target", [target("7"), target("130", SBP)], {"measure": {"text": "steps"}, "detailString": "5000"}),
    (goal, "target", [{"id": "t", "measure": A1C}], {"id": "h", "measure": A1C}),
    (goal, "addresses", [{"reference": "Condition/a"}], {"reference": "Condition/h"}),
]  # fmt: skip


@pytest.mark.parametrize(("make", "name", "ours", "by_hand"), LISTS)
@pytest.mark.parametrize("where", ["first", "last"])
def test_what_a_person_added_to_a_list_survives_and_keeps_its_place(make, name, ours, by_hand, where):
    world = written(make(**{name: ours}))
    identity = next(iter(world.bodies))
    theirs = (
        [by_hand, *world.bodies[identity][name]] if where == "first" else [*world.bodies[identity][name], by_hand]
    )
    world.edit(identity, **{name: theirs})
    unchanged = world.compare(make(**{name: ours}))
    world.sync(make(**{name: ours}, language="en"))

    assert change_of(unchanged, identity).elements == ()
    assert world.bodies[identity][name] == theirs
    assert world.bodies[identity]["language"] == "en"
    gone = world.sync(make())
    assert set(kinds(gone, identity).values()) == {"ours"}
    assert world.bodies[identity][name] == [by_hand]


@pytest.mark.parametrize(("make", "name", "ours", "by_hand"), LISTS)
def test_an_item_that_we_propose_anew_is_appended_and_one_that_we_no_longer_propose_is_taken_out(
    make, name, ours, by_hand
):
    world = written(make(**{name: ours}))
    identity = next(iter(world.bodies))
    more = world.sync(make(**{name: [by_hand, *ours]}))
    assert kinds(more, identity) == {f"{make().type}.{name}[{len(ours)}]": "ours"}
    assert world.bodies[identity][name] == [*ours, by_hand]

    less = world.sync(make(**{name: [by_hand]}))
    assert set(kinds(less, identity).values()) == {"ours"}
    assert world.bodies[identity][name] == [by_hand]
    assert actions(world.compare(make(**{name: [by_hand]}))) == {identity: "unchanged"}


@pytest.mark.parametrize(("make", "name", "ours", "by_hand"), LISTS)
def test_an_item_that_a_person_took_out_stays_out(make, name, ours, by_hand):
    world = written(make(**{name: ours}))
    identity = next(iter(world.bodies))
    world.edit(identity, **{name: ours[1:] or None})
    changes = world.sync(make(**{name: ours}, language="en"))
    again = world.compare(make(**{name: ours}, language="en"))

    assert set(kinds(changes, identity).values()) == {"theirs", "ours"}
    assert world.bodies[identity].get(name, []) == ours[1:]
    assert set(kinds(again, identity).values()) == {"theirs"}


def test_the_order_of_a_list_is_the_servers():
    world = written(plan(instantiatesCanonical=["http://a", "http://b"]))
    world.edit("plan-1", instantiatesCanonical=["http://b", "http://a"])
    changes = world.compare(plan(instantiatesCanonical=["http://a", "http://b", "http://d", "http://c"]))

    assert change_of(changes, "plan-1").body["instantiatesCanonical"] == [
        "http://b", "http://a", "http://d", "http://c",
    ]  # fmt: skip


def test_an_edit_inside_an_activity_stays_and_the_rest_of_it_goes_on():
    world = written(plan(activity=[activity("a", "walk", kind="ServiceRequest")]))
    theirs = activity("a", "walk slowly", kind="ServiceRequest")
    theirs["progress"] = [{"text": "did well"}]
    world.edit("plan-1", activity=[theirs])
    changes = world.sync(plan(activity=[activity("a", "walk", kind="Task")]))

    assert kinds(changes, "plan-1") == {
        "CarePlan.activity[0].detail.description": "theirs",
        "CarePlan.activity[0].detail.kind": "ours",
    }
    assert world.bodies["plan-1"]["activity"] == [
        {
            "id": "a",
            "detail": {"status": "not-started", "description": "walk slowly", "kind": "Task"},
            "progress": [{"text": "did well"}],
        }
    ]


def test_an_activity_that_a_person_worked_on_is_not_taken_out():
    world = written(plan(activity=[activity("a", "walk"), activity("b", "swim")]))
    stored = world.bodies["plan-1"]["activity"]
    world.edit("plan-1", activity=[{**stored[0], "progress": [{"text": "did well"}]}, stored[1]])
    world.sync(plan(activity=[activity("a", "walk"), activity("b", "swim more")]))
    changes = world.sync(plan(title="New"))

    assert kinds(changes, "plan-1") == {
        "CarePlan.title": "ours",
        "CarePlan.activity[0]": "theirs",
        "CarePlan.activity[1]": "ours",
    }
    assert [item["id"] for item in world.bodies["plan-1"]["activity"]] == ["a"]


def test_what_the_server_adds_to_an_item_does_not_keep_it_from_being_taken_out():
    def with_default(body):
        items = [
            {**item, "detail": {**item["detail"], "doNotPerform": False}} for item in body.get("activity", ())
        ]
        return {**body, **({"activity": items} if items else {})}

    world = World(keep=with_default)
    world.sync(plan(activity=[activity("a", "walk")]))
    world.sync(plan())

    assert "activity" not in world.bodies["plan-1"]


def test_an_item_taken_out_by_a_person_and_changed_by_us_is_a_conflict():
    world = written(plan(activity=[activity("a", "walk")]))
    world.edit("plan-1", activity=None)
    changes = world.compare(plan(activity=[activity("a", "walk more")]))

    assert kinds(changes, "plan-1") == {"CarePlan.activity[0]": "conflict"}
    assert "activity" not in change_of(changes, "plan-1").body


@pytest.mark.parametrize(
    ("name", "ours", "by_hand"),
    [
        ("implicated", [{"reference": "MedicationRequest/a"}], {"reference": "MedicationRequest/h"}),
        ("evidence", [{"code": [{"text": "a"}]}], {"code": [{"text": "h"}]}),
        ("mitigation", [{"action": {"text": "a"}}], {"action": {"text": "h"}}),
    ],
)
def test_what_a_person_added_to_a_detected_issue_survives(name, ours, by_hand):
    world = written(rendered("DetectedIssue", "issue-1", status="preliminary", **{name: ours}))
    world.edit("issue-1", **{name: [by_hand, *ours]})
    world.sync(rendered("DetectedIssue", "issue-1", status="preliminary"))

    assert world.bodies["issue-1"][name] == [by_hand]


@pytest.mark.parametrize(
    ("name", "ours", "by_hand"),
    [
        ("reasonReference", [{"reference": "Condition/a"}], {"reference": "Condition/h"}),
        ("reasonCode", [coded("a")], coded("h")),
        ("reason", [{"concept": {"text": "a"}}], {"concept": {"text": "h"}}),
        ("performer", [{"reference": "Practitioner/a"}], {"reference": "Practitioner/h"}),
        ("supportingInformation", [{"reference": "Observation/a"}], {"reference": "Observation/h"}),
        ("patientInstruction", [{"id": "p", "instructionMarkdown": "a"}], {"instructionMarkdown": "h"}),
    ],
)
def test_what_a_person_added_to_a_request_survives(name, ours, by_hand):
    world = written(rendered("ServiceRequest", "request-1", status="draft", **{name: ours}))
    world.edit("request-1", **{name: [by_hand, *ours]})
    world.sync(rendered("ServiceRequest", "request-1", status="draft"))

    assert world.bodies["request-1"][name] == [by_hand]


def test_identifiers_of_others_survive_beside_ours():
    world = written(goal())
    ours = world.bodies["goal-1"]["identifier"]
    world.edit("goal-1", identifier=[{"system": "urn:other", "value": "9"}, *ours, {"value": "bare"}])
    changes = world.sync(goal(description={"text": "new"}))

    assert kinds(changes, "goal-1") == {"Goal.description": "ours"}
    assert len(world.bodies["goal-1"]["identifier"]) == 3


@pytest.mark.parametrize("junk", ["text", None, 7, ["list"]])
@pytest.mark.parametrize(
    "name",
    ["activity", "goal", "addresses", "category", "note", "extension", "contained", "contributor", "target"],
)
def test_an_item_that_is_no_object_is_left_where_it_is(name, junk):
    ours = {"id": "a", "url": "a", "text": "a", "reference": "Goal/a"}
    world = written(plan(**{name: [ours]}))
    world.edit("plan-1", **{name: [junk, *world.bodies["plan-1"][name]]})
    changes = world.sync(plan(**{name: [ours]}, language="en"))

    assert kinds(changes, "plan-1") == {"CarePlan.language": "ours"}
    assert world.bodies["plan-1"][name] == [junk, ours]


def test_details_that_are_no_object_are_left_where_they_are():
    world = written(plan(activity=[activity("a", "walk")]))
    theirs = [{"detail": "text"}, {"detail": {"code": "text"}}, *world.bodies["plan-1"]["activity"]]
    world.edit("plan-1", activity=theirs)
    world.sync(plan(activity=[activity("a", "walk more")]))

    assert world.bodies["plan-1"]["activity"] == [*theirs[:2], activity("a", "walk more")]


def test_items_that_come_back_when_a_person_agrees_stand_in_our_order():
    world = written(plan(activity=[activity("a", "walk"), activity("b", "swim")]))
    world.edit("plan-1", activity=None)
    ours = [activity("c", "run"), activity("b", "swim more"), activity("a", "walk more")]
    changes = world.sync(plan(activity=ours), accepted=True)

    assert list(kinds(changes, "plan-1")) == [f"CarePlan.activity[{index}]" for index in range(3)]
    assert world.bodies["plan-1"]["activity"] == ours


def test_an_empty_list_says_nothing():
    world = written(goal(target=[target("7")]))
    world.edit("goal-1", target=[], addresses=[])
    changes = world.sync(goal(target=[target("7")], language="en"))

    assert kinds(changes, "goal-1") == {"Goal.target[0]": "theirs", "Goal.language": "ours"}
    assert "addresses" not in world.bodies["goal-1"]
