"""Third-party plans as they are, on their own records, and what their conditions see of a record."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from careplan_exchange import knowledge, planner
from careplan_exchange.mapping import map_record
from careplan_exchange.planner.loading import compile_protocols
from tests.cases.foreign import PATIENT, applied, fhirpath, mappings, plan, record, resources_of
from tests.cases.snapshots import vocabulary
from tests.support.shared import require_shared

CASES = knowledge.parse("foreign.yaml", (Path(__file__).parent / "apply" / "foreign.yaml").read_bytes()).content


def about(resource, patient):
    """Some samples name another patient than the one beside them."""
    return {**resource, "subject": {"reference": f"Patient/{patient}"}} if "subject" in resource else resource


def proposed(case):
    folder = require_shared(f"fixtures/{case['folder']}")
    plan = knowledge.read(folder / case.get("plan", "plandefinition.json"))
    found = [resource for name in case["resources"] for resource in resources_of(folder / name)]
    patient = next((resource for resource in found if resource["resourceType"] == "Patient"), PATIENT)
    patient = {**patient, "id": patient["id"].split("/")[1] if "/" in patient["id"] else patient["id"]}
    others = [about(found, patient["id"]) for found in found if found["resourceType"] != "Patient"]
    return applied([plan], [patient, *others], date.fromisoformat(case["today"]))


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_third_party_plan_comes_to_what_its_author_means(case):
    proposal = proposed(case)
    names = [line.key.split("/action/")[1] for line in proposal.activities]
    if "applies" in case:
        assert bool(names) is case["applies"]
        return
    assert names == case["activities"]
    assert bool(proposal.protocols) is bool(names)
    if "not_applied" in case:
        assert [line.key.split("/action/")[1] for line in proposal.not_applied] == case["not_applied"]
    assert len(proposal.goals) == case.get("goals", 0)
    if "issues" in case:
        own = Counter(issue.key for issue in proposal.issues if issue.key.startswith("planner."))
        assert own == case["issues"]
    for line in (*proposal.goals, *proposal.activities, *proposal.not_applied):
        assert line.reasons, line.key


def test_every_case_says_why():
    assert all(case["why"] for case in CASES)


OBSERVATION = {
    "resourceType": "Observation",
    "id": "o",
    "status": "final",
    "subject": {"reference": "Patient/p"},
    "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
    "effectiveDateTime": "2026-10-01",
    "valueQuantity": {"value": 8.1, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
}


@pytest.mark.parametrize(
    ("expression", "applies"),
    [
        ("Patient.active", True),
        ("active", True),
        ("$this.active", True),
        ("$this is Patient", True),
        ("$this.is(FHIR.Patient)", True),
        ("$this is Group", False),
        ("%patient.gender = 'female'", True),
        ("%subject.gender = 'male'", False),
        ("%context.birthDate < today()", True),
        ("%resource.birthDate < today() - 50 years", True),
        ("%resource.birthDate < today() - 51 years", False),
        ("%resource is Patient", True),
        ("%resource.entry.resource.ofType(Observation).exists()", True),
        ("%resource.entry.resource.ofType(Condition).exists()", False),
        ("%resource.entry.resource.where($this is Observation and value.value > 8).exists()", True),
        ("%resource.entry.resource.where(resourceType = 'Observation').value.value > 9", False),
        ("%hba1c > 8", True),
        ("%hba1c > 8 and Patient.active", True),
        ("deceased.exists()", False),
        ("Patient.maritalStatus.text = 'x'", False),
    ],
)
def test_a_condition_walks_over_the_record_and_over_variables(expression, applies):
    found = applied(
        [plan({"id": "a", "title": "A", "condition": [fhirpath(expression)]})],
        [PATIENT, OBSERVATION],
        date(2026, 11, 24),
    )
    assert bool(found.activities) is applies
    assert [issue.key for issue in found.issues if issue.severity != "information"] == []


def test_what_the_record_does_not_hold_is_unknown_and_not_false():
    found = applied(
        [plan({"id": "a", "title": "A", "condition": [fhirpath("Patient.maritalStatus.text = 'x'")]})],
        [PATIENT],
        date(2026, 11, 24),
    )
    assert [reason.result for reason in found.not_applied[0].reasons] == ["unknown"]
    (gap,) = found.gaps
    assert (gap.concept, gap.needed_by) == ("Patient.maritalStatus.text = 'x'", ("p/action/a",))
    assert gap.ask == "Does it hold? The record does not say: Patient.maritalStatus.text = 'x'"


def test_a_start_condition_in_cql_decides_nothing_and_is_told():
    start = {"kind": "start", "expression": {"language": "text/cql", "expression": "X"}}
    found = applied([plan({"id": "a", "title": "A", "condition": [start]})], [PATIENT], date(2026, 11, 24))
    assert found.activities[0].reasons[-1].text == (
        "To be started when X. Now: The condition 'X' could not be evaluated."
    )


def test_an_age_gives_no_date_where_the_birth_date_is_not_a_day():
    action = {"id": "a", "title": "A", "timingAge": {"value": 50, "code": "a"}}
    found = applied([plan(action)], [{**PATIENT, "birthDate": "1976-05"}], date(2026, 11, 24))
    assert found.activities[0].timing is None
    (issue,) = [issue for issue in found.issues if issue.key == "planner.apply.timing"]
    assert "full date of birth is not known" in issue.detail


def test_the_conditions_of_our_own_protocols_see_no_more_of_a_patient_than_sex_and_birth_date():
    found = record(PATIENT)
    snapshot = map_record(found, mappings(), vocabulary(), today=date(2026, 11, 24))
    own = compile_protocols([plan({"id": "a", "title": "A", "condition": [fhirpath("Patient.active")]})])
    proposal = planner.plan(snapshot, own, vocabulary(), planner.Policies(), found)
    assert [reason.result for reason in proposal.not_applied[0].reasons] == ["unknown"]
    walking = compile_protocols(
        [plan({"id": "a", "title": "A", "condition": [fhirpath("%resource.entry.exists()")]})]
    )
    proposal = planner.plan(snapshot, walking, vocabulary(), planner.Policies(), found)
    assert "not at hand here" in proposal.issues[-1].detail


def test_the_order_of_the_resources_and_others_beside_them_change_nothing():
    asked = [
        {
            "resourceType": "QuestionnaireResponse",
            "id": f"q{number}",
            "status": "completed",
            "questionnaire": f"urn:{number}",
            "subject": {"reference": "Patient/p"},
        }
        for number in range(3)
    ]
    conditions = [
        "%resource.entry.resource.ofType(QuestionnaireResponse).first().questionnaire = 'urn:0'",
        "%resource.entry.first().resource is Patient",
    ]
    file = plan({"id": "a", "title": "A", "condition": [fhirpath(expression) for expression in conditions]})
    beside = {"resourceType": "Organization", "id": "o", "name": "Beside"}
    orders = ([PATIENT, *asked], [*reversed(asked), PATIENT], [beside, asked[1], PATIENT, asked[0], asked[2]])
    lines = [applied([file], order, date(2026, 11, 24)).activities for order in orders]
    assert [line.key for line in lines[0]] == ["p/action/a"]
    assert lines[0] == lines[1] == lines[2]


@pytest.mark.parametrize(
    ("expression", "looked_at"),
    [
        ("Patient.active", ["Patient/p"]),
        ("$this is Patient", []),
        ("%resource.entry.resource.ofType(Observation).exists()", []),
        ("%resource.entry.resource.ofType(Observation).where(status = 'final').exists()", ["Observation/o"]),
        (
            "%resource.entry.resource.descendants().where($this = '4548-4').exists()",
            ["Patient/p", "Observation/o"],
        ),
        ("%hba1c > 8", ["Observation/o"]),
    ],
)
def test_a_reason_names_the_resources_of_which_something_was_read(expression, looked_at):
    file = plan({"id": "a", "title": "A", "condition": [fhirpath(expression)]})
    (line,) = applied([file], [PATIENT, OBSERVATION], date(2026, 11, 24)).activities
    found = [evidence for reason in line.reasons for used in reason.used for evidence in used.evidence]
    assert [evidence.reference for evidence in found] == looked_at
    assert all(evidence.version_id == "1" for evidence in found)


def test_of_many_resources_the_number_is_told():
    many = [{**OBSERVATION, "id": f"o{number}"} for number in range(60)]
    file = plan(
        {
            "id": "a",
            "title": "A",
            "condition": [fhirpath("%resource.entry.resource.where(status = 'final').exists()")],
        }
    )
    (line,) = applied([file], [PATIENT, *many], date(2026, 11, 24)).activities
    (used,) = line.reasons[0].used
    assert (used.value, used.evidence) == ("61 resource(s) looked at", ())
