"""What is refused on write, and what is not."""

import pytest

from careplan_exchange.model.codec import decode, encode
from careplan_exchange.sandbox.rules import judge

PLAN = {
    "resourceType": "CarePlan",
    "status": "draft",
    "intent": "plan",
    "subject": {"reference": "Patient/1"},
}
GOAL = {
    "resourceType": "Goal",
    "lifecycleStatus": "proposed",
    "description": {"text": "walk"},
    "subject": {"reference": "Patient/1"},
}
OBSERVATION = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
CONDITION = {
    "resourceType": "Condition",
    "subject": {"reference": "Patient/1"},
    "clinicalStatus": {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
    },
}
XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'
HTML = [
    "<div>no namespace</div>",
    f"<div {XHTML}><p>not closed</div>",
    f"<div {XHTML}><script>alert(1)</script></div>",
    f"<div {XHTML} onclick='x()'>text</div>",
    f"<!DOCTYPE div><div {XHTML}>text</div>",
    f"<p {XHTML}>no div</p>",
]


def problems(body, release="R4", places=None):
    verdict = judge(decode(encode(body)), release, (places or {}).get)
    return [(one.code, one.expression) for one in (*verdict.syntax, *verdict.business)]


@pytest.mark.parametrize("body", [PLAN, GOAL, OBSERVATION, CONDITION])
def test_a_plain_resource_has_no_problem(body):
    assert problems(body) == []


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({**PLAN, "status": "banana"}, "CarePlan.status"),
        ({**PLAN, "colour": "red"}, "CarePlan.colour"),
        ({**PLAN, "activity": [{"detail": {"status": "banana"}}]}, "CarePlan.activity.detail.status"),
        ({**PLAN, "activity": [{"detail": {"status": "draft"}}]}, "CarePlan.activity.detail.status"),
        ({**PLAN, "text": {"status": "fine", "div": f"<div {XHTML}>x</div>"}}, "Narrative.status"),
        ({**PLAN, "identifier": [{"use": "best", "value": "1"}]}, "Identifier.use"),
        ({**PLAN, "title": ""}, "CarePlan.title"),
        ({**PLAN, "goal": []}, "CarePlan.goal"),
        ({**PLAN, "goal": [{}]}, "CarePlan.goal[0]"),
        ({**PLAN, "period": None}, "CarePlan.period"),
        ({**OBSERVATION, "valueQuantity": {"value": "7.2"}}, "Quantity.value"),
        ({**OBSERVATION, "valueQuantity": {"value": 7, "comparator": "~"}}, "Quantity.comparator"),
        ({**OBSERVATION, "valueBoolean": "true"}, "Observation.valueBoolean"),
        ({**OBSERVATION, "valueInteger": True}, "Observation.valueInteger"),
        ({**OBSERVATION, "effectiveDateTime": "2026-01-01T10:00:00"}, "Observation.effectiveDateTime"),
        ({**CONDITION, "clinicalStatus": {"coding": [{"system": "urn:mine", "code": "active"}]}},
         "Condition.clinicalStatus"),
        ({**CONDITION, "clinicalStatus": {"text": "active"}}, "Condition.clinicalStatus"),
        ({**OBSERVATION, "effectiveTiming": {"repeat": {"durationUnit": "fortnight", "duration": 1}}},
         "Timing.repeat.durationUnit"),
    ],
)  # fmt: skip
def test_what_is_no_fhir_is_refused_at_its_element(body, where):
    verdict = judge(decode(encode(body)), "R4", lambda _: None)
    assert where in [one.expression for one in verdict.syntax]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({**PLAN, "subject": {"reference": "Goal/1"}}, "CarePlan.subject"),
        ({**PLAN, "goal": [{"reference": "urn:uuid:1"}]}, "CarePlan.goal"),
        ({**PLAN, "activity": [{"reference": {"reference": "Goal/1"}}]}, "CarePlan.activity.reference"),
        ({**PLAN, "activity": [{"reference": {"reference": "Task/1"}, "detail": {"status": "unknown"}}]},
         "CarePlan.activity"),
        ({**GOAL, "target": [{"detailString": "more"}]}, "Goal.target"),
        ({**OBSERVATION, "valueString": "a", "dataAbsentReason": {"text": "none"}}, "Observation"),
        ({**OBSERVATION, "referenceRange": [{"appliesTo": [{"text": "all"}]}]}, "Observation.referenceRange"),
        ({**CONDITION, "abatementString": "gone"}, "Condition"),
        ({"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/1"}}, "AllergyIntolerance"),
        *[({**PLAN, "text": {"status": "generated", "div": div}}, "CarePlan.text.div") for div in HTML],
    ],
)  # fmt: skip
def test_what_is_fhir_and_still_not_right_is_refused_at_its_element(body, where):
    verdict = judge(decode(encode(body)), "R4", {"urn:uuid:1": "Task"}.get)
    assert verdict.syntax == []
    assert [one.expression for one in verdict.business] == [where]


def test_a_narrative_of_plain_xhtml_is_taken():
    div = f"<div {XHTML}><h2>Avoid</h2><ul><li>a &amp; b</li></ul><p class='x'>text<br/></p></div>"
    assert problems({**PLAN, "text": {"status": "generated", "div": div}}) == []


def test_null_stands_beside_an_extension_in_a_list_of_primitives():
    names = {"given": ["Ann", None], "_given": [None, {"extension": [{"url": "urn:x", "valueString": "y"}]}]}
    assert problems({"resourceType": "Patient", "name": [names]}) == []


def test_a_contained_resource_is_judged_too():
    inner = {**GOAL, "id": "g", "lifecycleStatus": "banana"}
    assert ("code-invalid", "Goal.lifecycleStatus") in problems({**PLAN, "contained": [inner]})


def test_r5_has_its_own_elements_codes_and_targets():
    planned = {"plannedActivityReference": {"reference": "ServiceRequest/1"}}
    assert problems({**PLAN, "intent": "directive", "activity": [planned]}, "R5") == []
    assert problems({**PLAN, "activity": [{"detail": {"status": "unknown"}}]}, "R5") != []
    wrong = {**PLAN, "addresses": [{"reference": {"reference": "Goal/1"}}]}
    assert problems(wrong, "R5") == [("invariant", "CarePlan.addresses")]
    assert problems({**PLAN, "intent": "directive"}) == [("code-invalid", "CarePlan.intent")]


def test_no_problem_repeats_what_was_sent():
    secret = "Rumpelstiltskin"
    body = {**PLAN, "status": secret, "title": 5, "colour": secret, "subject": {"reference": f"Goal/{secret}"}}
    verdict = judge(decode(encode(body)), "R4", lambda _: None)
    assert verdict.syntax
    assert secret not in "".join(one.detail for one in (*verdict.syntax, *verdict.business))


CONSENT = {
    "resourceType": "Consent",
    "status": "active",
    "scope": {"text": "treatment"},
    "category": [{"text": "general"}],
    "policy": [{"uri": "urn:policy"}],
}
DISPENSE = {
    "resourceType": "MedicationDispense",
    "status": "completed",
    "medicationCodeableConcept": {"text": "a drug"},
    "whenPrepared": "2026-01-02",
    "whenHandedOver": "2026-01-02T10:00:00Z",
}
USE = {
    "resourceType": "DeviceUseStatement",
    "status": "active",
    "subject": {"reference": "Patient/1"},
    "device": {"reference": "Device/1"},
}
ASSOCIATION = {
    "resourceType": "DeviceAssociation",
    "device": {"reference": "Device/1"},
    "status": {"coding": [{"system": "http://hl7.org/fhir/deviceassociation-status", "code": "implanted"}]},
}


@pytest.mark.parametrize(
    ("body", "release"), [(CONSENT, "R4"), (DISPENSE, "R4"), (USE, "R4"), (ASSOCIATION, "R5")]
)
def test_consents_dispenses_and_devices_are_taken_in_their_release(body, release):
    assert problems(body, release) == []


@pytest.mark.parametrize(
    ("body", "release", "found"),
    [
        ({**CONSENT, "status": "completed"}, "R4", ("code-invalid", "Consent.status")),
        ({**CONSENT, "patient": {"reference": "Group/1"}}, "R4", ("invariant", "Consent.patient")),
        ({**CONSENT, "provision": {"type": "maybe"}}, "R4", ("code-invalid", "Consent.provision.type")),
        ({k: v for k, v in CONSENT.items() if k != "policy"}, "R4", ("invariant", "Consent")),
        ({**DISPENSE, "whenHandedOver": "2026-01-01"}, "R4", ("invariant", "MedicationDispense")),
        ({**DISPENSE, "subject": {"reference": "Device/1"}}, "R4", ("invariant", "MedicationDispense.subject")),
        ({**USE, "device": {"reference": "Patient/1"}}, "R4", ("invariant", "DeviceUseStatement.device")),
        ({**ASSOCIATION, "status": {"text": "in place"}}, "R5", ("code-invalid", "DeviceAssociation.status")),
        ({**ASSOCIATION, "subject": {"reference": "Goal/1"}}, "R5", ("invariant", "DeviceAssociation.subject")),
    ],
)
def test_consents_dispenses_and_devices_are_judged(body, release, found):
    assert problems(body, release) == [found]
