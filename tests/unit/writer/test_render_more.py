"""What stands in the resources of a plan: which references an element takes, what is left out, whose it is."""

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from careplan_exchange.model.identity import PLAN_KEY, full_url_of, identity_of, nth
from careplan_exchange.model.proposal import Reason, Used
from careplan_exchange.model.snapshot import Coding, Evidence
from careplan_exchange.model.target import TargetForm
from careplan_exchange.writer import render
from careplan_exchange.writer.lint import lint
from careplan_exchange.writer.render.requests import request
from tests.support.plans import CITATION, T2DM, a_context, a_proposal

R4, R5 = TargetForm(release="R4"), TargetForm(release="R5")
DETAIL = TargetForm(release="R4", rung="detail")
PROCEDURE = Evidence(reference="Procedure/x")
REPORT = Evidence(reference="DiagnosticReport/r")
OBSERVATION = Evidence(reference="Observation/bmi")
PROBLEM = Evidence(reference="Condition/c1", version_id="1")
QUARTERLY = {"repeat": {"frequency": 1, "period": 3, "periodUnit": "mo"}}


def bodies(resource_type, form=R4, proposal=None, **context):
    rendered = render(proposal or a_proposal(), a_context(**context), form)
    return [each.body for each in rendered if each.type == resource_type]


def plan(form=R4, proposal=None, **context):
    (one,) = bodies("CarePlan", form, proposal, **context)
    return one


def changed(**elements):
    return msgspec.structs.replace(a_proposal(), **elements)


def with_activity(at, **elements):
    activities = list(a_proposal().activities)
    activities[at] = msgspec.structs.replace(activities[at], **elements)
    return changed(activities=tuple(activities))


def with_goal(**elements):
    first, *rest = a_proposal().goals
    return changed(goals=(msgspec.structs.replace(first, **elements), *rest))


def with_issue(**elements):
    return changed(detected=(msgspec.structs.replace(a_proposal().detected[0], **elements),))


def a_reason(*evidence, text="It was read."):
    return Reason(text=text, rule="%x", result="true", used=(Used(variable="x", value="1", evidence=evidence),))


def named(references):
    return [each["reference"] for each in references]


def test_the_plan_addresses_problems_alone_whatever_a_line_addresses():
    proposal = changed(addresses=(PROBLEM, OBSERVATION))
    assert named(plan(R4, proposal)["addresses"]) == ["Condition/c1"]
    assert plan(R5, proposal)["addresses"] == [{"reference": {"reference": "Condition/c1"}}]


def test_a_service_on_the_rung_of_details_is_a_code_and_no_product():
    _, test, counselling = [each["detail"] for each in plan(DETAIL)["activity"]]
    assert test["code"] == {"coding": [{"system": "http://loinc.org", "code": "4548-4"}], "text": "HbA1c test"}
    assert counselling["code"] == {"text": "Counselling on alcohol"}
    assert "productCodeableConcept" not in test
    assert (test["kind"], test["instantiatesCanonical"]) == ("ServiceRequest", [T2DM.canonical])


def test_a_detail_gives_as_reason_only_what_its_element_takes():
    proposal = with_activity(0, addresses=(PROBLEM, PROCEDURE, REPORT))
    assert named(plan(R4, proposal)["activity"][0]["detail"]["reasonReference"]) == [
        "Condition/c1",
        "DiagnosticReport/r",
    ]
    assert "Procedure/x" in named(plan(R4, proposal)["supportingInfo"]), "the plan names it all the same"


@pytest.mark.parametrize("form", [R4, R5])
def test_a_request_gives_as_reason_only_what_its_element_takes(form):
    proposal = with_activity(1, addresses=(PROBLEM, PROCEDURE, REPORT))
    (test, _) = bodies("ServiceRequest", form, proposal)
    reasons = test["reasonReference"] if form is R4 else [each["reference"] for each in test["reason"]]
    assert named(reasons) == ["Condition/c1", "DiagnosticReport/r"]


def test_a_medicine_in_r5_gives_no_report_as_its_reason():
    (medicine,) = bodies("MedicationRequest", R5, with_activity(0, addresses=(PROBLEM, OBSERVATION, REPORT)))
    assert [each["reference"]["reference"] for each in medicine["reason"]] == ["Condition/c1", "Observation/bmi"]


def test_a_medicine_in_r5_names_what_is_taken_and_when_where_that_is_known():
    (plain,) = bodies("MedicationRequest", R5)
    assert plain["medication"]["concept"] == {
        "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "6809"}],
        "text": "Metformin",
    }
    assert (plain["subject"], plain["priority"]) == ({"reference": "Patient/p1"}, "routine")
    assert "dosageInstruction" not in plain
    (timed,) = bodies("MedicationRequest", R5, with_activity(0, timing=QUARTERLY))
    assert timed["dosageInstruction"] == [{"timing": QUARTERLY}]
    assert not {"code", "category", "occurrenceTiming", "oralDiet"} & set(timed)


def test_a_service_in_r5_says_what_when_and_how_the_patient_reads_it():
    test, counselling = bodies("ServiceRequest", R5)
    assert test["code"]["concept"]["text"] == "HbA1c test"
    assert test["occurrenceTiming"] == QUARTERLY
    assert test["patientInstruction"] == [{"id": "patient", "instructionMarkdown": "A blood test"}]
    assert (test["instantiatesCanonical"], test["priority"]) == ([T2DM.canonical], "routine")
    assert "medication" not in test
    assert "occurrenceTiming" not in counselling


def test_a_service_in_r4_says_what_when_and_how_the_patient_reads_it():
    test, counselling = bodies("ServiceRequest")
    assert (test["occurrenceTiming"], test["patientInstruction"]) == (QUARTERLY, "A blood test")
    assert (test["priority"], test["subject"]) == ("routine", {"reference": "Patient/p1"})
    assert test["instantiatesCanonical"] == [T2DM.canonical]
    assert "occurrenceTiming" not in counselling


@pytest.mark.parametrize("form", [R4, R5])
def test_the_category_of_a_service_is_a_code_where_there_is_one_and_always_words(form):
    test, counselling = bodies("ServiceRequest", form)
    assert test["category"] == [{"text": "Monitoring"}]
    assert counselling["category"] == [
        {"coding": [{"system": "http://snomed.info/sct", "code": "409073007"}], "text": "Education"}
    ]


@pytest.mark.parametrize(
    ("form", "schedule"),
    [(R4, [QUARTERLY]), (TargetForm(release="R4B"), [QUARTERLY]), (R5, {"timing": [QUARTERLY]})],
)
def test_a_diet_has_its_schedule_in_the_shape_of_the_release(form, schedule):
    proposal = with_activity(1, kind="diet", resource_kind="NutritionOrder")
    (order,) = bodies("NutritionOrder", form, proposal)
    assert order["oralDiet"]["schedule"] == schedule
    assert order["instantiatesCanonical"] == [T2DM.canonical]


@pytest.mark.parametrize("form", [R4, R5])
def test_a_diet_without_a_schedule_names_none(form):
    proposal = with_activity(1, kind="diet", resource_kind="NutritionOrder", timing=None)
    (order,) = bodies("NutritionOrder", form, proposal)
    assert "schedule" not in order["oralDiet"]
    assert not {"code", "reasonReference", "reason", "category"} & set(order)


@pytest.mark.parametrize("release", ["R4", "R5"])
def test_the_plan_points_at_the_service_that_a_diet_has_become(release):
    form = TargetForm(release=release, without=frozenset({"NutritionOrder"}))
    proposal = with_activity(1, kind="diet", resource_kind="NutritionOrder")
    link = full_url_of(a_context().identity("ServiceRequest", "t2dm/activity/hba1c"))
    name = "reference" if release == "R4" else "plannedActivityReference"
    assert plan(form, proposal)["activity"][1][name] == {"reference": link}
    assert len(bodies("ServiceRequest", form, proposal)) == 2


@pytest.mark.parametrize("form", [R4, R5])
def test_a_request_says_what_to_do_what_to_ask_and_why_in_notes_of_their_own(form):
    (test, _) = bodies("ServiceRequest", form, with_activity(1, questions=("Is it morning?", "Fasting?")))
    instruction, reason = test["note"]
    assert instruction == {
        "id": "instruction",
        "text": "Measure HbA1c. Ask first: Is it morning? Fasting?",
    }
    assert reason["id"] == "reason"
    assert reason["text"].split("\n") == [
        "Why: HbA1c 8.1 % (2026-01-02) is above 7 %.",
        "Not known: Is the patient pregnant? <ask>",
        "Source: Guideline 2025 <3> (A), https://doi.org/10.1000/example?a=1&b=2",
        "Protocol: Type 2 diabetes <in adults> & more, version 1.0.0",
    ]


def test_a_note_leaves_out_what_there_is_none_of_and_says_nothing_twice():
    bare = msgspec.structs.replace(CITATION, url=None, grade=None)
    (unknown,) = a_proposal().activities[1].missing
    proposal = with_goal(
        reasons=(a_reason(text=" "),),
        citations=(bare, bare),
        missing=(unknown, unknown, msgspec.structs.replace(unknown, ask="")),
    )
    assert bodies("Goal", R4, proposal)[0]["note"][0]["text"].split("\n") == [
        "Not known: Is the patient pregnant? <ask>",
        "Source: Guideline 2025 <3>",
        "Protocol: Type 2 diabetes <in adults> & more, version 1.0.0",
    ]


@pytest.mark.parametrize("form", [R4, R5])
def test_a_goal_says_how_far_it_has_come_only_where_that_is_known(form):
    assert "achievementStatus" not in bodies("Goal", form)[0]
    (measured, _) = bodies("Goal", form, with_goal(achievement="improving"))
    assert measured["achievementStatus"] == {
        "coding": [
            {"system": "http://terminology.hl7.org/CodeSystem/goal-achievement", "code": "improving"},
        ]
    }


def test_a_goal_is_of_the_patient_of_the_target_and_says_what_kind_it_is_and_since_when():
    goal = bodies("Goal", subject="Patient/there")[0]
    assert goal["subject"] == {"reference": "Patient/there"}
    assert (goal["startDate"], goal["description"]) == ("2026-03-04", {"text": "HbA1c below 7 %"})
    assert goal["category"][0]["coding"][0]["code"] == "physiotherapy"
    assert goal["priority"]["coding"][0]["code"] == "high-priority"


def test_a_range_has_both_of_its_bounds_and_a_target_without_a_day_names_none():
    aim = msgspec.structs.replace(a_proposal().goals[0].targets[0], low=Decimal("6.5"), due=None)
    (target,) = bodies("Goal", R4, with_goal(targets=(aim,)))[0]["target"]
    assert [str(target["detailRange"][bound]["value"]) for bound in ("low", "high")] == ["6.5", "7.0"]
    assert set(target) == {"id", "measure", "detailRange"}


def test_a_target_without_bounds_has_no_value_of_its_own():
    aim = msgspec.structs.replace(a_proposal().goals[0].targets[0], high=None, due=date(2026, 6, 4))
    (target,) = bodies("Goal", R4, with_goal(targets=(aim,)))[0]["target"]
    assert target == {
        "id": "4548-4",
        "measure": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
        "dueDate": "2026-06-04",
    }


def test_a_lower_bound_alone_leaves_the_range_open_above():
    aim = msgspec.structs.replace(a_proposal().goals[0].targets[0], low=Decimal(3), high=None)
    (target,) = bodies("Goal", R4, with_goal(targets=(aim,)))[0]["target"]
    assert set(target["detailRange"]) == {"low"}
    assert "detailQuantity" not in target


def test_a_target_whose_bounds_are_alike_is_one_value_and_no_range_beside_it():
    aim = msgspec.structs.replace(a_proposal().goals[0].targets[0], low=Decimal(7), high=Decimal("7.0"))
    (target,) = bodies("Goal", R4, with_goal(targets=(aim,)))[0]["target"]
    assert set(target) == {"id", "measure", "detailQuantity", "dueDate"}


def test_a_code_keeps_its_display_where_the_proposal_has_one():
    code = Coding(system="http://loinc.org", code="4548-4", display="Hemoglobin A1c")
    (test, _) = bodies("ServiceRequest", R4, with_activity(1, codings=(code,)))
    assert test["code"]["coding"] == [
        {"system": "http://loinc.org", "code": "4548-4", "display": "Hemoglobin A1c"}
    ]


def test_what_an_issue_rests_on_is_its_evidence_and_the_medicines_among_it_are_implicated():
    taken = [
        Evidence(reference=f"{kind}/m")
        for kind in (
            "MedicationRequest",
            "MedicationStatement",
            "MedicationDispense",
            "MedicationAdministration",
        )
    ]
    reason = a_reason(Evidence(reference="Patient/p1"), taken[0], OBSERVATION, *taken[1:])
    (issue,) = bodies("DetectedIssue", R4, with_issue(reasons=(reason,)))
    assert named(issue["implicated"]) == [each.reference for each in taken]
    assert issue["evidence"] == [{"detail": [{"reference": "Observation/bmi"}]}]
    (alone,) = bodies("DetectedIssue", R4, with_issue(reasons=(a_reason(taken[0]),)))
    assert "evidence" not in alone, "nothing beside the medicine was looked at"


def test_a_hazard_without_a_code_is_told_in_words_and_one_with_a_code_by_both():
    (words,) = bodies("DetectedIssue", R4, with_issue(hazard="alcohol", action="warned"))
    assert words["code"] == {"text": "Caution: Statin"}
    (kidney,) = bodies("DetectedIssue", R4, with_issue(hazard="kidney", certain=True))
    assert kidney["code"] == {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "LAB"}],
        "text": "Contraindicated: Statin",
    }


@pytest.mark.parametrize("form", [R4, R5])
def test_an_issue_says_what_to_do_what_to_take_instead_and_what_it_is_about(form):
    (issue,) = bodies("DetectedIssue", form, with_issue(alternative="Ezetimibe", action="reported"))
    assert [each["action"]["text"] for each in issue["mitigation"]] == [
        "Ask, then plan again.",
        "Instead: Ezetimibe",
    ]
    assert issue["code"]["text"] == "Taken now: Statin"
    assert issue["identifiedDateTime"] == "2026-03-04"
    assert issue["detail"].split("\n") == [
        "Held back while pregnancy is not known.",
        "Why: Pregnancy is not known.",
        "Not known: Is the patient pregnant? <ask>",
        "Source: Guideline 2025 <3> (A), https://doi.org/10.1000/example?a=1&b=2",
    ]


@pytest.mark.parametrize("form", [R4, R5])
def test_a_question_is_no_issue_of_its_own(form):
    asked = with_issue(action="asked", reasons=(a_reason(Evidence(reference="Observation/asked")),))
    assert bodies("DetectedIssue", form, asked) == []
    assert not [one for one in named(plan(form, asked)["supportingInfo"]) if one.startswith("urn:")]
    assert "Observation/asked" not in named(plan(form, asked)["supportingInfo"])


def test_the_plan_names_once_what_any_line_rests_on_but_neither_patient_nor_problem():
    reason = a_reason(
        Evidence(reference="Patient/p1"), PROBLEM, OBSERVATION, Evidence(reference="Observation/o1")
    )
    proposal = msgspec.structs.replace(with_goal(reasons=(reason,), addresses=(REPORT,)), detected=())
    assert named(plan(R4, proposal)["supportingInfo"]) == [
        "Observation/o1",
        "AllergyIntolerance/a1",
        "Observation/bmi",
        "DiagnosticReport/r",
    ]


@pytest.mark.parametrize("kind", ["goals", "activities", "restrictions", "withheld", "detected"])
def test_what_a_line_of_any_kind_rests_on_is_named_by_the_plan(kind):
    line, *rest = getattr(a_proposal(), kind)
    proposal = changed(**{kind: (msgspec.structs.replace(line, reasons=(a_reason(OBSERVATION),)), *rest)})
    assert "Observation/bmi" in named(plan(R4, proposal)["supportingInfo"])


def test_a_service_without_a_text_for_the_patient_has_none_that_is_empty():
    (test, _) = bodies("ServiceRequest", R4, with_activity(1, patient_text=""))
    assert "patientInstruction" not in test


def test_the_plan_is_named_after_all_of_its_protocols():
    other = msgspec.structs.replace(T2DM, url="http://example.org/PlanDefinition/htn", title="Hypertension")
    body = plan(R4, changed(protocols=(T2DM, other)))
    assert body["title"] == "Plan of care: Type 2 diabetes <in adults> & more, Hypertension"
    assert body["instantiatesCanonical"] == [T2DM.canonical, other.canonical]
    assert (body["created"], body["period"], body["intent"]) == ("2026-03-04", {"start": "2026-03-04"}, "plan")


def test_an_element_with_nothing_in_it_is_left_out():
    proposal = changed(activities=(), detected=(), addresses=(), restrictions=())
    body = plan(R4, proposal)
    assert not {"activity", "addresses"} & set(body)
    assert lint(body, "R4", {each.full_url: each.type for each in render(proposal, a_context(), R4)}) == ()


def test_what_comes_after_a_plan_that_ended_has_an_identity_of_its_own_and_is_pointed_at_by_it():
    first = identity_of("https://ehr.example.org/fhir", "Patient/p1", "Goal", "t2dm/goal/hba1c")
    rendered = render(a_proposal(), a_context(generations={first: 2}), R4)
    assert rendered[0].identity == nth(first, 2) != first
    assert rendered[0].full_url == full_url_of(nth(first, 2))
    assert rendered[-1].body["goal"][0] == {"reference": rendered[0].full_url}
    assert rendered[-1].identity == a_context().identity("CarePlan", PLAN_KEY), "the plan itself goes on"


def test_a_medicine_is_refused_as_a_request_in_r4_and_never_becomes_a_service():
    with pytest.raises(ValueError, match="medicine"):
        request(a_proposal().activities[0], a_context(), R4, "R4")


@pytest.mark.parametrize("form", [R4, R5])
def test_what_a_plan_addresses_and_cannot_name_as_a_problem_is_its_evidence(form):
    """CarePlan.addresses takes Conditions alone in R4, and here in R5."""
    addressed = (*a_proposal().addresses, Evidence(reference="Observation/o1"))
    body = plan(form, changed(addresses=addressed))
    assert "Observation/o1" in str(body["supportingInfo"])
    assert "Condition/" not in str(body["supportingInfo"])
