"""Vaccines, visits, orders, devices and reports: what counts, what does not, and what is told of it."""

import msgspec
import pytest

from careplan_exchange.errors import WrongPatientError
from careplan_exchange.planner.bindings import Bindings
from tests.unit.mapping.builders import (
    ICD,
    LOINC,
    ME,
    SNOMED,
    concept,
    condition,
    keys,
    observation,
    only,
    states,
)
from tests.unit.mapping.care_builders import ACT, CVX, encounter, of, service, vaccine

REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
DIETITIAN = (SNOMED, "103699006")


@pytest.mark.parametrize(
    ("code", "concept_id"),
    [
        ("140", "influenza_vaccine"),
        ("33", "pneumococcal_vaccine"),
        ("208", "covid19_vaccine"),
        ("43", "hepatitis_b_vaccine"),
        ("187", "zoster_vaccine"),
        ("115", "tetanus_vaccine"),
        ("165", "hpv_vaccine"),
    ],
)
def test_a_vaccine_that_was_given_counts_by_its_cvx_code(mapped, code, concept_id):
    fact = only(mapped(vaccine(code)), concept_id)
    assert (fact.kind, fact.state, fact.effective, fact.active) == ("immunization", "present", "2026-10-01", True)


def test_a_vaccine_that_was_not_given_says_nothing_and_a_refusal_is_a_circumstance(mapped):
    bare = mapped(vaccine("140", status="not-done"))
    assert (bare.facts, keys(bare)) == ((), ["status.not-done"])
    refused = mapped(vaccine("140", status="not-done", statusReason=concept((REASON, "PATOBJ"))))
    assert (states(refused), keys(refused)) == ({"vaccine_refusal": "present"}, ["status.not-done"])
    immune = mapped(vaccine("140", status="not-done", statusReason=concept((REASON, "IMMUNE"))))
    assert immune.facts == ()


def test_a_vaccine_without_a_usable_date_or_code_is_told(mapped):
    told = mapped(vaccine("140", occurrenceDateTime=None, occurrenceString="last autumn"))
    assert (states(told), keys(told)) == ({"influenza_vaccine": "present"}, ["date.missing"])
    assert only(told, "influenza_vaccine").effective is None
    assert keys(mapped(vaccine("140", occurrenceDateTime="2027-01-01"))) == ["date.future"]
    assert keys(mapped(vaccine("9999"))) == ["code.no-concept"]
    assert keys(mapped(vaccine("140", vaccineCode=None))) == ["code.missing"]
    assert keys(mapped(vaccine("140", status="entered-in-error"))) == ["status.entered-in-error"]
    assert keys(mapped(vaccine("140", status="banana"))) == ["status.not-used"]


def test_two_codes_that_name_different_vaccines_are_unknown(mapped):
    snapshot = mapped(vaccine("140", vaccineCode=concept((CVX, "140"), (CVX, "33"))))
    assert set(states(snapshot).values()) == {"unknown"}
    assert keys(snapshot) == ["code.conflict"]
    assert snapshot.issues[0].expression == "Immunization.vaccineCode"


@pytest.mark.parametrize(
    ("class_", "found"),
    [
        ("AMB", {"last_visit"}),
        ("VR", {"last_visit"}),
        ("EMER", {"last_visit", "acute_visit"}),
        ("IMP", {"last_visit", "acute_visit"}),
    ],
)
def test_a_visit_counts_by_its_class_in_both_releases(mapped, class_, found):
    r5 = encounter(
        [concept((ACT, class_))],
        status="completed",
        period=None,
        actualPeriod={"start": "2026-09-01T08:00:00Z", "end": "2026-09-01T09:00:00Z"},
    )
    for body in (encounter(class_), r5):
        snapshot = mapped(body)
        assert states(snapshot) == dict.fromkeys(found, "present")
        assert {fact.effective for fact in snapshot.facts} == {"2026-09-01T09:00:00Z"}
        assert snapshot.issues == ()


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (encounter(status="cancelled"), "status.not-used"),
        (encounter(status="banana"), "status.not-used"),
        (encounter(status="entered-in-error"), "status.entered-in-error"),
        (encounter("XX"), "code.no-concept"),
        (encounter(7), "code.missing"),
        (encounter({"code": 7}), "code.missing"),
        (encounter(period={"start": "2027-01-01"}), "date.future"),
        (encounter(status="planned", period=None), "date.missing"),
        (encounter(status="planned"), "visit.past"),
    ],
)
def test_a_visit_that_does_not_count_says_why(mapped, body, key):
    snapshot = mapped(body)
    assert (snapshot.facts, keys(snapshot)) == ((), [key])


def test_a_visit_without_a_date_is_told(mapped):
    snapshot = mapped(encounter(period=None))
    assert (only(snapshot, "last_visit").effective, keys(snapshot)) == (None, ["date.missing"])


def test_the_diet_that_a_visit_tells_is_a_preference(mapped):
    diet = [concept(("http://terminology.hl7.org/CodeSystem/diet", "vegan"))]
    for more in ({"hospitalization": {"dietPreference": diet}}, {"dietPreference": diet}):
        fact = only(mapped(encounter(**more)), "diet_preference")
        assert (fact.answer.code, fact.origin) == ("vegan", "patient")


def booked(**more):
    actors = [{"actor": {"reference": "Practitioner/1"}}, {"actor": ME}]
    return of(
        "Appointment",
        **({"status": "booked", "subject": None, "start": "2026-12-01T09:00:00Z", "participant": actors} | more),
    )


def test_the_next_visit_is_a_booked_appointment_or_a_planned_encounter(mapped):
    planned = encounter(status="planned", period={"start": "2026-12-02"})
    for body, on in (
        (booked(), "2026-12-01T09:00:00Z"),
        (booked(subject=ME, participant=[]), "2026-12-01T09:00:00Z"),
        (planned, "2026-12-02"),
    ):
        snapshot = mapped(body)
        assert (only(snapshot, "next_visit").effective, snapshot.issues) == (on, ())


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"start": "2026-11-23T09:00:00Z"}, "visit.past"),
        ({"start": None}, "date.missing"),
        ({"start": "soon"}, "date.missing"),
        ({"status": "cancelled"}, "status.not-used"),
        ({"status": "fulfilled"}, "status.not-used"),
        ({"status": "entered-in-error"}, "status.entered-in-error"),
        ({"participant": []}, "subject.unclear"),
        ({"participant": [{"actor": ME}, {"actor": {"reference": "Patient/other"}}]}, "subject.unclear"),
    ],
)
def test_an_appointment_that_does_not_count_says_why(mapped, more, key):
    snapshot = mapped(booked(**more))
    assert (snapshot.facts, keys(snapshot)) == ((), [key])


def test_an_appointment_of_another_patient_stops_the_run(mapped):
    with pytest.raises(WrongPatientError):
        mapped(booked(participant=[{"actor": {"reference": "Patient/other"}}]))


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({}, "present"),
        ({"status": "completed"}, "ended"),
        ({"status": "on-hold"}, "unknown"),
        ({"intent": "banana"}, "unknown"),
    ],
)
def test_an_order_stands_until_it_is_done(mapped, more, state):
    for code in ({}, {"code": {"concept": concept(DIETITIAN)}}):
        snapshot = mapped(service(DIETITIAN, **(more | code)))
        assert states(snapshot) == {"dietitian_order": state}
        assert keys(snapshot) == (["order.uncertain"] if state == "unknown" else [])


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"intent": "proposal"}, "status.idea"),
        ({"intent": "plan"}, "status.idea"),
        ({"status": "draft"}, "status.idea"),
        ({"doNotPerform": True}, "status.idea"),
        ({"status": "revoked"}, "status.not-used"),
        ({"status": "entered-in-error"}, "status.entered-in-error"),
        ({"authoredOn": "2027-01-01"}, "date.future"),
        ({"code": {"reference": {"reference": "ActivityDefinition/1"}}}, "code.missing"),
    ],
)
def test_an_idea_a_prohibition_and_a_revoked_order_are_no_orders(mapped, more, key):
    snapshot = mapped(service(DIETITIAN, **more))
    assert (snapshot.facts, keys(snapshot)) == ((), [key])


def test_our_own_order_never_counts_and_one_of_another_patient_stops_the_run(mapped):
    ours = [{"system": "urn:careplan-exchange:identity", "value": "abc"}]
    snapshot = mapped(service(DIETITIAN, identifier=ours))
    assert (snapshot.facts, snapshot.issues) == ((), ())
    with pytest.raises(WrongPatientError):
        mapped(service(DIETITIAN, identifier=ours, subject={"reference": "Patient/other"}))


def diet(**more):
    body = {"intent": "order", "subject": None, "patient": ME, "dateTime": "2026-09-01"}
    return of(
        "NutritionOrder", **(body | {"oralDiet": {"type": [concept((SNOMED, "1"), text="low salt")]}} | more)
    )


def test_a_diet_that_was_ordered_counts_in_both_releases(mapped):
    for body in (diet(), diet(patient=None, subject=ME, intent=None)):
        fact = only(mapped(body), "diet_order")
        assert (fact.kind, fact.state, fact.answer.code, fact.effective) == (
            "order",
            "present",
            "1",
            "2026-09-01",
        )
    assert keys(mapped(diet(oralDiet=None))) == ["order.no-diet"]


def device(**more):
    return of("Device", **({"subject": None, "patient": ME, "type": {"text": "Insulin pump"}} | more))


def use(**more):
    body = {"device": {"reference": "Device/d"}, "timingPeriod": {"start": "2025-01-01"}}
    return of("DeviceUseStatement", **(body | more))


def test_a_device_of_the_patient_counts_by_type_or_name_in_both_releases(mapped):
    for more in (
        {},
        {"type": [{"text": "Insulin pump"}]},
        {"type": None, "deviceName": [{"name": "Insulin Pump"}]},
        {"type": None, "name": [{"value": "insulin pump"}]},
    ):
        snapshot = mapped(device(**more))
        assert states(snapshot) == {"insulin_pump": "present"}
        assert keys(snapshot) == ["text.used"]
    assert states(mapped(device(status="inactive"))) == {"insulin_pump": "ended"}
    assert keys(mapped(device(status="entered-in-error"))) == ["status.entered-in-error"]
    assert keys(mapped(device(patient=None))) == ["device.unassigned"]
    assert keys(mapped(device(type={"text": "toaster"}))) == ["code.text-only"]


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({}, "present"),
        ({"status": "completed"}, "ended"),
        ({"status": "on-hold"}, "unknown"),
        ({"timingPeriod": {"start": "2025-01-01", "end": "2025-06-01"}}, "ended"),
        ({"timingPeriod": {"start": "2025-01-01", "end": "2027-06-01"}}, "present"),
    ],
)
def test_the_statement_on_its_use_decides_over_the_device(mapped, more, state):
    held = device(id="d", type={"text": "Pacemaker"})
    r5 = use(**more) | {"resourceType": "DeviceUsage", "subject": None, "patient": ME}
    r5 = {key: value for key, value in r5.items() if value is not None}
    r5["device"] = {"reference": {"reference": "Device/d"}}
    for bodies in ((held, use(**more)), (use(**more), held), (held, r5)):
        snapshot = mapped(*bodies)
        assert states(snapshot) == {"pacemaker": state}
        assert [fact.effective for fact in snapshot.facts] == ["2025-01-01"]


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({}, "device.missing"),
        ({"status": "intended"}, "status.idea"),
        ({"status": "not-done"}, "status.not-used"),
        ({"status": "entered-in-error"}, "status.entered-in-error"),
    ],
)
def test_a_use_that_does_not_count_says_why(mapped, more, key):
    snapshot = mapped(use(**more))
    assert (snapshot.facts, keys(snapshot)) == ((), [key])


def test_a_condition_may_tell_a_device(mapped):
    fact = only(mapped(condition((ICD, "Z95.0"))), "pacemaker")
    assert (fact.kind, fact.state) == ("device", "present")


def report(**more):
    return of(
        "DiagnosticReport",
        **({"status": "final", "code": concept((LOINC, "24323-8")), "effectiveDateTime": "2026-09-01"} | more),
    )


def test_a_coded_conclusion_leaves_a_diagnosis_open_until_a_condition_says_it(mapped):
    conclusion = [concept((SNOMED, "53741008"))]
    snapshot = mapped(report(conclusionCode=conclusion))
    assert (states(snapshot), keys(snapshot)) == ({"coronary_disease": "unknown"}, ["report.conclusion"])
    both = mapped(report(conclusionCode=conclusion), condition((SNOMED, "53741008")))
    assert {fact.state for fact in both.facts} == {"unknown", "present"}


def test_a_result_counts_once_and_a_missing_one_is_told(mapped):
    value = observation(id="o", valueQuantity={"value": 8.1, "code": "%", "system": "http://unitsofmeasure.org"})
    held = mapped(report(result=[{"reference": "Observation/o"}]), value)
    assert (len(held.of("hba1c")), keys(held)) == (1, ["report.results"])
    assert keys(mapped(report(result=[{"reference": "Observation/gone"}]))) == ["report.result-missing"]


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"conclusion": "looks fine"}, "report.text-only"),
        ({"presentedForm": [{"contentType": "application/pdf"}]}, "report.text-only"),
        (
            {
                "category": [concept(("http://terminology.hl7.org/CodeSystem/v2-0074", "GE"))],
                "conclusion": "BRCA1",
            },
            "report.genetic-text",
        ),
        ({}, "report.empty"),
        ({"status": "preliminary"}, "status.not-used"),
        ({"status": "entered-in-error"}, "status.entered-in-error"),
    ],
)
def test_a_text_is_no_evidence(mapped, more, key):
    snapshot = mapped(report(**more))
    assert (snapshot.facts, keys(snapshot)) == ((), [key])
    assert "looks fine" not in repr(snapshot)


@pytest.mark.parametrize("type_", ["ServiceRequest", "QuestionnaireResponse", "Observation", "Encounter"])
def test_what_is_nested_deeper_than_anything_is_is_unreadable_and_no_failure(mapped, type_):
    deep = msgspec.Raw(b'{"item":[' * 5000 + b"{}" + b"]}" * 5000)
    body = of(type_, status="completed", item=[deep], code=deep, **{"class": deep})
    assert keys(mapped(body)) == ["resource.unreadable"]


def test_what_is_read_can_be_asked_for_in_a_protocol(mapped, vocabulary):
    phenotype = observation("79714-2", valueCodeableConcept=concept((LOINC, "LA9657-3")))
    snapshot = mapped(phenotype, vaccine("140"), encounter(), booked(), service(DIETITIAN), device(), report())
    asked = Bindings(snapshot, vocabulary)
    assert {
        name: asked.binding(name).value
        for name in (
            "cyp2c19_phenotype",
            "influenza_vaccine",
            "last_visit_days",
            "next_visit_days",
            "dietitian_order",
        )
    } == {
        "cyp2c19_phenotype": "LA9657-3",
        "influenza_vaccine": True,
        "last_visit_days": 84,
        "next_visit_days": 7,
        "dietitian_order": True,
    }
    assert asked.issues == []
