"""Consent, payer, care team, needs, preferences, and where a value is from."""

import pytest

from tests.unit.mapping.builders import (
    ICD,
    LOINC,
    ME,
    concept,
    condition,
    keys,
    observation,
    only,
    patient,
    quantity,
    states,
)
from tests.unit.mapping.care_builders import SCOPE, answered, of

INTERPRETER = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-interpreter-needed"
INTEGRITY = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"


def consent(scope="treatment", kind="deny", **more):
    body = {
        "subject": None,
        "patient": ME,
        "scope": concept((SCOPE, scope)),
        "dateTime": "2026-05-01",
        "provision": {"type": kind},
    }
    return of("Consent", **(body | more))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (consent(), {"treatment_refusal": "present"}),
        (consent(kind="permit"), {"treatment_refusal": "absent"}),
        (consent("research"), {"research_refusal": "present"}),
        (consent("adr", provision=None), {"advance_directive": "present"}),
        (
            consent(scope="patient-privacy", category=[concept((LOINC, "42348-3"))]),
            {"advance_directive": "present"},
        ),
        (
            consent(patient=None, subject=ME, decision="deny", provision=None, date="2026-05-01"),
            {"treatment_refusal": "present"},
        ),
    ],
)
def test_a_consent_that_denies_is_a_refusal(mapped, body, found):
    snapshot = mapped(body)
    assert (states(snapshot), keys(snapshot)) == (found, [])
    assert {fact.effective for fact in snapshot.facts} == {"2026-05-01"}


@pytest.mark.parametrize(
    "more",
    [
        {"provision": None},
        {"provision": {"type": "banana"}},
        {"provision": {"type": ["deny"]}},
        {"provision": {"type": "permit", "provision": [{"type": "deny"}]}},
        {"decision": "permit", "provision": [{"period": {}}]},
    ],
)
def test_a_consent_with_exceptions_or_without_a_decision_is_unknown(mapped, more):
    snapshot = mapped(consent(**more))
    assert (states(snapshot), keys(snapshot)) == ({"treatment_refusal": "unknown"}, ["consent.unclear"])


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"status": "draft"}, "status.not-used"),
        ({"status": "entered-in-error"}, "status.entered-in-error"),
        ({"scope": "patient-privacy"}, "consent.scope"),
        ({"dateTime": "2027-01-01"}, "date.future"),
    ],
)
def test_a_consent_that_does_not_count_says_why(mapped, more, key):
    snapshot = mapped(consent(**more))
    assert (snapshot.facts, keys(snapshot)) == ((), [key])


def coverage(**more):
    payor = [{"reference": "Organization/1", "display": "Acme Health"}]
    body = {
        "subject": None,
        "beneficiary": ME,
        "payor": payor,
        "subscriberId": "S-123",
        "identifier": [{"value": "M-9"}],
    }
    return of("Coverage", **(body | more))


def test_of_a_coverage_only_the_payers_name_is_read(mapped):
    for more in ({}, {"payor": None, "insurer": {"reference": "Organization/1", "display": "Acme Health"}}):
        snapshot = mapped(coverage(**more))
        assert only(snapshot, "health_coverage").answer.display == "Acme Health"
        assert "S-123" not in repr(snapshot)
        assert "M-9" not in repr(snapshot)


@pytest.mark.parametrize(
    "payor",
    [
        [{"reference": "Patient/me", "display": "Jane Doe"}],
        [{"reference": "RelatedPerson/1", "display": "John Doe"}],
        [{"display": "Jane Doe"}],
    ],
)
def test_a_person_who_pays_is_never_named(mapped, payor):
    snapshot = mapped(coverage(payor=payor))
    assert only(snapshot, "health_coverage").answer is None
    assert "Doe" not in repr(snapshot)


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({}, "present"),
        ({"status": "inactive"}, "ended"),
        ({"period": {"end": "2025-01-01"}}, "ended"),
        ({"period": {"end": "2027"}}, "present"),
    ],
)
def test_a_team_and_a_coverage_end(mapped, more, state):
    assert states(mapped(coverage(**more))) == {"health_coverage": state}
    team = of("CareTeam", participant=[{"member": {"display": "Dr. Doe"}}], **more)
    snapshot = mapped(team)
    assert states(snapshot) == {"care_team": state}
    assert "Doe" not in repr(snapshot)


def test_a_team_that_is_only_proposed_does_not_count(mapped):
    assert keys(mapped(of("CareTeam", status="proposed"))) == ["status.not-used"]
    assert keys(mapped(of("CareTeam", status="entered-in-error"))) == ["status.entered-in-error"]
    assert states(mapped(of("CareTeam", status=None))) == {"care_team": "present"}


@pytest.mark.parametrize(
    ("coding", "state"),
    [
        ({"system": "http://snomed.info/sct", "code": "1", "display": "Yes"}, "present"),
        ({"system": LOINC, "code": "LA32-8"}, "absent"),
        ({"display": "No (qualifier value)"}, "absent"),
        ({"display": "Unknown"}, "unknown"),
    ],
)
def test_the_need_of_an_interpreter_is_read_from_the_patient(mapped, coding, state):
    snapshot = mapped(
        of=patient(extension=[{"url": INTERPRETER, "valueCoding": coding}, {"url": "x", "valueString": "y"}])
    )
    fact = only(snapshot, "interpreter_needed")
    assert (fact.state, fact.effective, fact.evidence.reference) == (state, "2026-11-24", "Patient/me")


def test_an_answer_that_no_mapping_knows_is_told(mapped):
    extension = [{"url": INTERPRETER, "valueCoding": {"display": "Perhaps Jane"}}]
    snapshot = mapped(of=patient(extension=extension))
    assert (snapshot.facts, keys(snapshot)) == ((), ["answer.unknown"])
    assert "Jane" not in repr(snapshot)


@pytest.mark.parametrize(
    ("code", "answer", "found"),
    [
        ("71802-3", "LA31994-9", {"housing_insecurity": "present"}),
        ("71802-3", "LA31993-1", {"housing_insecurity": "absent"}),
        ("88122-7", "LA6729-3", {"food_insecurity": "present"}),
        ("93030-5", "LA32-8", {"transportation_insecurity": "absent"}),
        ("76513-1", "LA15832-1", {"financial_strain": "present"}),
        ("69856-3", "LA33-6", {"hearing_difficulty": "present"}),
        ("54588-9", "LA33-6", {"interpreter_needed": "present"}),
    ],
)
def test_a_social_need_counts_as_an_observation_and_in_a_questionnaire(mapped, code, answer, found):
    value = concept((LOINC, answer))
    assert states(mapped(observation(code, valueCodeableConcept=value))) == found
    snapshot = mapped(answered(**{"_" + code.replace("-", "_"): answer}))
    assert states(snapshot) == found
    assert {(fact.kind, fact.origin) for fact in snapshot.facts} == {("circumstance", "patient")}


def test_a_condition_may_tell_a_need(mapped):
    for code, found in (
        ("Z59.00", "housing_insecurity"),
        ("Z59.41", "food_insecurity"),
        ("H54.8", "vision_difficulty"),
    ):
        assert states(mapped(condition((ICD, code)))) == {found: "present"}


def test_a_preference_is_a_fact_and_its_words_stay_where_they_are(mapped):
    for code, found in (("75773-2", "treatment_preference"), ("95541-9", "care_experience_preference")):
        snapshot = mapped(observation(code, valueString="No dialysis, says Jane"))
        assert (states(snapshot), keys(snapshot)) == ({found: "present"}, ["preference.text"])
        assert only(snapshot, found).origin == "patient"
        assert "Jane" not in repr(snapshot)
        coded = mapped(observation(code, valueCodeableConcept=concept(("urn:x", "dnr"))))
        assert (only(coded, found).answer.code, coded.issues) == ("dnr", ())


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({}, "value.missing"),
        ({"valueString": "x", "status": "preliminary"}, "status.not-used"),
        ({"valueString": "x", "status": "entered-in-error"}, "status.entered-in-error"),
        ({"valueString": "x", "effectiveDateTime": "2027-01-01"}, "date.future"),
    ],
)
def test_a_preference_that_does_not_count_says_why(mapped, more, key):
    snapshot = mapped(observation("75773-2", **more))
    assert (snapshot.facts, keys(snapshot)) == ((), [key])


def by(*kinds):
    return [{"reference": f"{kind}/1"} for kind in kinds]


@pytest.mark.parametrize(
    ("more", "origin"),
    [
        ({}, None),
        ({"performer": by("Practitioner")}, "clinic"),
        ({"performer": [{"reference": "https://ehr.example/fhir/Organization/1"}]}, "clinic"),
        ({"performer": by("Patient")}, "home"),
        ({"performer": by("RelatedPerson", "Practitioner")}, "home"),
        ({"performer": by("Patient"), "device": {"reference": "Device/1"}}, "home"),
        ({"performer": by("Device")}, "device"),
        ({"device": {"reference": "Device/1"}}, "device"),
        ({"device": {"reference": "Device/1"}, "performer": by("Practitioner")}, "clinic"),
        (
            {"meta": {"tag": [{"system": INTEGRITY, "code": "PATRPT"}]}, "performer": by("Practitioner")},
            "patient",
        ),
        ({"meta": {"security": [{"system": INTEGRITY, "code": "DEVRPT"}]}}, "device"),
        ({"meta": {"security": [{"system": INTEGRITY, "code": "CLINAST"}]}}, "clinic"),
        ({"method": {"text": "Home blood pressure monitoring"}, "performer": by("Practitioner")}, "home"),
        ({"category": [{"coding": [{"display": "Patient-reported"}]}]}, "patient"),
        ({"method": {"text": "Office"}}, "clinic"),
        ({"method": {"text": "not at home"}}, None),
        ({"encounter": {"reference": "Encounter/1"}}, None),
        ({"performer": [{"type": "Patient", "display": "somebody"}]}, "home"),
        ({"performer": {"reference": "Patient/me"}}, "home"),
        ({"performer": ["Patient/me", {"reference": 7}], "category": 7, "method": [[]], "meta": []}, None),
        ({"category": {"coding": {"code": ["x"], "system": {}, "display": "Home"}}}, "home"),
    ],
)
def test_a_home_reading_is_never_taken_for_one_of_the_clinic(mapped, more, origin):
    (fact,) = mapped(observation("8480-6", valueQuantity=quantity(130, "mm[Hg]"), **more)).facts
    away = origin in {"home", "patient", "device"}
    assert (fact.concept, fact.origin) == ("home_systolic_bp" if away else "systolic_bp", origin)


def test_a_panel_hands_its_origin_to_its_components(mapped):
    components = [
        {"code": concept((LOINC, code)), "valueQuantity": quantity(value, "mm[Hg]")}
        for code, value in (("8480-6", 130), ("8462-4", 80))
    ]
    snapshot = mapped(observation("85354-9", component=components, performer=by("Patient")))
    assert {fact.origin for fact in snapshot.facts} == {"home"}
    assert len(snapshot.facts) == 2
