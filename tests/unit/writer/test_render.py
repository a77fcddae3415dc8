import msgspec
import pytest

from careplan_exchange.model.codec import canonical, encode
from careplan_exchange.model.identity import IDENTITY_SYSTEM, PLAN_KEY, identity_of
from careplan_exchange.model.snapshot import Evidence
from careplan_exchange.model.target import TargetForm
from careplan_exchange.writer import render
from careplan_exchange.writer.lint import lint
from tests.support.plans import T2DM, a_context, a_proposal

FORMS = {
    "R4": TargetForm(release="R4"),
    "R4 detail": TargetForm(release="R4", rung="detail"),
    "R4B": TargetForm(release="R4B"),
    "R5": TargetForm(release="R5"),
}
RELEASES = list(FORMS)


def bodies(release, proposal=None, **context):
    return [each.body for each in render(proposal or a_proposal(), a_context(**context), FORMS[release])]


def one(resource_type, release="R4", **context):
    return next(body for body in bodies(release, **context) if body["resourceType"] == resource_type)


def link(resource_type, key, release="R4"):
    identity = a_context().identity(resource_type, key)
    return {
        "reference": next(
            r.full_url for r in render(a_proposal(), a_context(), FORMS[release]) if r.identity == identity
        )
    }


@pytest.mark.parametrize("release", RELEASES)
def test_every_resource_is_valid_by_our_own_lint(release):
    rendered = render(a_proposal(), a_context(), FORMS[release])
    links = {each.full_url: each.type for each in rendered}
    assert [lint(each.body, FORMS[release].release, links) for each in rendered] == [()] * len(rendered)


@pytest.mark.parametrize("release", RELEASES)
def test_every_resource_carries_the_identity_derived_from_its_key(release):
    for each in render(a_proposal(), a_context(), FORMS[release]):
        assert each.body["identifier"] == [{"system": IDENTITY_SYSTEM, "value": each.identity}]
    plan = render(a_proposal(), a_context(), FORMS[release])[-1]
    assert plan.identity == identity_of("https://ehr.example.org/fhir", "Patient/p1", "CarePlan", PLAN_KEY)


@pytest.mark.parametrize("release", RELEASES)
def test_the_plan_comes_last_because_it_points_at_the_others(release):
    rendered = render(a_proposal(), a_context(), FORMS[release])
    assert [each.type for each in rendered].index("CarePlan") == len(rendered) - 1
    known = {each.full_url for each in rendered}
    for each in rendered:
        assert {text for text in texts(each.body) if text.startswith("urn:uuid:")} <= known


def texts(value):
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("release", RELEASES)
def test_nothing_is_rendered_where_no_protocol_applies(release):
    empty = msgspec.structs.replace(
        a_proposal(), protocols=(), goals=(), activities=(), restrictions=(), withheld=()
    )
    assert render(empty, a_context(), FORMS[release]) == ()


@pytest.mark.parametrize("release", RELEASES)
def test_the_same_proposal_gives_the_same_bytes_whatever_the_hour_and_the_version_of_the_software(release):
    later = a_context(now=a_context().now.replace(hour=23), version="9.9.9")
    once = [canonical(each.body) for each in render(a_proposal(), a_context(), FORMS[release])]
    assert [canonical(each.body) for each in render(a_proposal(), later, FORMS[release])] == once


@pytest.mark.parametrize("release", RELEASES)
def test_on_another_day_only_the_dates_of_beginning_differ(release):
    later = a_context(now=a_context().now.replace(year=2027))
    for before, after in zip(
        render(a_proposal(), a_context(), FORMS[release]),
        render(a_proposal(), later, FORMS[release]),
        strict=True,
    ):
        changed = {name for name in before.body if before.body[name] != after.body[name]}
        assert changed <= {"created", "period", "identifiedDateTime"}


@pytest.mark.parametrize("release", RELEASES)
def test_approval_changes_the_status_of_plan_and_goals_and_nothing_else(release):
    for draft, active in zip(
        render(a_proposal(), a_context(), FORMS[release]),
        render(a_proposal(), a_context(status="active"), FORMS[release]),
        strict=True,
    ):
        changed = {name: active.body[name] for name in draft.body if draft.body[name] != active.body[name]}
        expected = {"CarePlan": {"status": "active"}, "Goal": {"lifecycleStatus": "active"}}
        assert changed == expected.get(draft.type, {})


@pytest.mark.parametrize("release", ["R4", "R4B", "R4 detail"])
def test_a_medicine_stays_a_line_of_the_plan_in_r4_and_never_becomes_a_request(release):
    assert "MedicationRequest" not in {body["resourceType"] for body in bodies(release)}
    detail = one("CarePlan", release)["activity"][0]["detail"]
    assert detail["kind"] == "MedicationRequest"
    assert detail["productCodeableConcept"]["coding"][0]["code"] == "6809"
    assert "code" not in detail


def test_no_activity_has_both_reference_and_detail():
    assert [set(activity) for activity in one("CarePlan", "R4 detail")["activity"]] == [{"id", "detail"}] * 3
    assert [set(activity) for activity in one("CarePlan")["activity"]] == [
        {"id", "detail"},
        {"id", "reference"},
        {"id", "reference"},
    ]


def test_on_the_first_rung_a_service_is_a_request_of_its_own_and_the_plan_points_at_it():
    requests = [body for body in bodies("R4", status="active") if body["resourceType"] == "ServiceRequest"]
    assert [(body["status"], body["intent"]) for body in requests] == [("draft", "proposal")] * 2
    test = requests[0]
    assert one("CarePlan")["activity"][1]["reference"] == link("ServiceRequest", "t2dm/activity/hba1c")
    assert test["code"] == {"coding": [{"system": "http://loinc.org", "code": "4548-4"}], "text": "HbA1c test"}
    assert test["reasonReference"] == [{"reference": "Condition/c1"}]
    assert test["extension"][0]["valueReference"] == link("Goal", "t2dm/goal/hba1c")
    assert test["note"][0] == {"id": "instruction", "text": "Measure HbA1c."}


def a_diet():
    proposal = a_proposal()
    diet = msgspec.structs.replace(
        proposal.activities[1],
        key="t2dm/activity/diet",
        kind="diet",
        resource_kind="NutritionOrder",
        title="A diet",
    )
    return msgspec.structs.replace(proposal, activities=(diet,))


@pytest.mark.parametrize(("release", "whose"), [("R4", "patient"), ("R4B", "patient"), ("R5", "subject")])
def test_a_diet_is_a_nutrition_order_with_its_required_elements(release, whose):
    rendered = render(a_diet(), a_context(), FORMS[release])
    (order,) = [each.body for each in rendered if each.type == "NutritionOrder"]
    assert lint(order, FORMS[release].release, {}) == ()
    assert order[whose] == {"reference": "Patient/p1"}
    assert (order["status"], order["intent"], order["dateTime"]) == ("draft", "proposal", "2026-03-04")
    assert order["oralDiet"]["type"][0]["text"] == "A diet"
    assert order["oralDiet"]["instruction"] == "Measure HbA1c."


def test_a_diet_is_a_service_where_the_target_takes_no_nutrition_orders():
    form = TargetForm(release="R4", without=frozenset({"NutritionOrder"}))
    rendered = render(a_diet(), a_context(), form)
    assert [each.type for each in rendered if each.type not in {"Goal", "DetectedIssue"}] == [
        "ServiceRequest",
        "CarePlan",
    ]


def test_where_the_target_takes_no_detected_issues_the_plan_refers_to_none_and_tells_them_in_words():
    form = TargetForm(release="R4", rung="detail", without=frozenset({"DetectedIssue"}))
    rendered = render(a_proposal(), a_context(), form)
    assert {each.type for each in rendered} == {"Goal", "CarePlan"}
    plan = rendered[-1].body
    assert not [text for text in texts(plan["supportingInfo"]) if text.startswith("urn:uuid:")]
    assert "Held back until a fact is known: Statin" in plan["text"]["div"]


def test_an_activity_keeps_its_key_as_element_id_and_points_at_its_goals_and_problem():
    activity = one("CarePlan", "R4 detail")["activity"][1]
    assert activity["id"] == "t2dm/activity/hba1c"
    assert activity["detail"]["goal"] == [link("Goal", "t2dm/goal/hba1c")]
    assert activity["detail"]["reasonReference"] == [{"reference": "Condition/c1"}]
    assert activity["detail"]["scheduledTiming"] == {"repeat": {"frequency": 1, "period": 3, "periodUnit": "mo"}}
    assert activity["detail"]["status"] == "not-started"


def test_a_question_that_must_be_answered_first_stands_in_the_description():
    assert one("CarePlan")["activity"][0]["detail"]["description"] == (
        "Consider starting metformin. Ask first: Does the patient accept tablets?"
    )


def test_in_r5_every_activity_is_a_draft_proposal_whatever_the_status_of_the_plan():
    requests = [body for body in bodies("R5", status="active") if body["resourceType"].endswith("Request")]
    assert len(requests) == 3
    assert {(body["status"], body["intent"]) for body in requests} == {("draft", "proposal")}


def test_in_r5_the_plan_points_at_its_requests_and_each_request_at_its_goal():
    plan = one("CarePlan", "R5")
    assert plan["activity"][0] == {
        "id": "t2dm/activity/metformin",
        "plannedActivityReference": link("MedicationRequest", "t2dm/activity/metformin", "R5"),
    }
    assert one("MedicationRequest", "R5")["extension"][0]["valueReference"] == link(
        "Goal", "t2dm/goal/hba1c", "R5"
    )
    assert plan["addresses"] == [{"reference": {"reference": "Condition/c1"}}]


def test_the_plan_names_the_exact_evidence_and_every_protocol_with_its_version():
    plan = one("CarePlan")
    assert plan["supportingInfo"] == [
        {"reference": "Observation/o1"},
        {"reference": "AllergyIntolerance/a1"},
        link("DetectedIssue", "t2dm/activity/statin"),
    ]
    assert plan["addresses"] == [{"reference": "Condition/c1"}]
    assert plan["instantiatesCanonical"] == [T2DM.canonical]


def test_evidence_on_another_server_is_named_by_a_logical_reference():
    reference = one("CarePlan", same_server=False)["supportingInfo"][0]
    assert reference == {
        "type": "Observation",
        "identifier": {"system": "https://ehr.example.org/fhir", "value": "Observation/o1"},
        "display": "Observation on the server that the plan was made from",
    }


def test_a_target_with_one_bound_leaves_the_range_open_and_keeps_the_digits():
    target = one("Goal")["target"][0]
    quantity = {"unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
    assert target["id"] == "4548-4"
    assert set(target["detailRange"]) == {"high"}
    assert encode(target["detailRange"]["high"]["value"]) == b"7.0"
    assert {name: target["detailRange"]["high"][name] for name in quantity} == quantity
    assert target["dueDate"] == "2026-06-04"


def test_equal_bounds_are_a_value_and_no_bound_leaves_the_measure_alone():
    proposal = a_proposal()
    aim = proposal.goals[0].targets[0]
    targets = (msgspec.structs.replace(aim, low=aim.high), msgspec.structs.replace(aim, high=None))
    goal = msgspec.structs.replace(proposal.goals[0], targets=targets)
    body = bodies("R4", msgspec.structs.replace(proposal, goals=(goal, *proposal.goals[1:])))[0]
    assert encode(body["target"][0]["detailQuantity"]["value"]) == b"7.0"
    assert {"measure", "id", "dueDate"} == set(body["target"][1])


def test_a_goal_says_why_in_a_note_with_an_id_of_its_own():
    note = one("Goal")["note"][0]
    assert note["id"] == "reason"
    assert note["text"].startswith(
        "Why: HbA1c 8.1 % (2026-01-02) is above 7 %.\nSource: Guideline 2025 <3> (A), "
    )
    assert note["text"].endswith("Protocol: Type 2 diabetes <in adults> & more, version 1.0.0")


def test_a_goal_addresses_only_types_that_its_release_allows():
    proposal = a_proposal()
    goal = msgspec.structs.replace(
        proposal.goals[0], addresses=(*proposal.goals[0].addresses, Evidence(reference="Procedure/x"))
    )
    changed = msgspec.structs.replace(proposal, goals=(goal,))
    assert [ref["reference"] for ref in bodies("R4", changed)[0]["addresses"]] == ["Condition/c1"]
    assert [ref["reference"] for ref in bodies("R5", changed)[0]["addresses"]] == ["Condition/c1", "Procedure/x"]
    plan = bodies("R4", changed)[-1]
    assert {"reference": "Procedure/x"} in plan["supportingInfo"], "what one element cannot take is not lost"


@pytest.mark.parametrize(("release", "patient"), [("R4", "patient"), ("R5", "subject")])
def test_what_is_withheld_becomes_a_detected_issue_with_what_it_rests_on(release, patient):
    issue = one("DetectedIssue", release)
    assert issue[patient] == {"reference": "Patient/p1"}
    assert issue["status"] == "preliminary"
    assert issue["severity"] == "high"
    assert issue["code"] == {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PREG"}],
        "text": "Held back until a fact is known: Statin",
    }
    assert issue["evidence"] == [{"detail": [{"reference": "AllergyIntolerance/a1"}]}]
    assert "implicated" not in issue
    assert issue["mitigation"] == [{"action": {"text": "Ask, then plan again."}}]
    assert issue["detail"].startswith("Held back while pregnancy is not known.\nWhy: Pregnancy is not known.")


@pytest.mark.parametrize("version", [None, "3.1.1", "5.0.1", "6.1.0", "7.0.0", "8.0.0"])
def test_the_category_that_us_core_has_until_8_is_on_the_plan(version):
    plan = render(a_proposal(), a_context(), TargetForm(release="R4", us_core=version))[-1].body
    assert plan["category"][0]["coding"][0]["code"] == "assess-plan"


def test_the_category_is_left_out_where_us_core_has_retired_it_and_in_r5():
    plan = render(a_proposal(), a_context(), TargetForm(release="R4", us_core="9.0.0"))[-1].body
    assert "category" not in plan
    assert "category" not in one("CarePlan", "R5")
