"""From creatinine alone to a plan: what was calculated decides, is said to be calculated, and names what it rests on."""

from functools import cache
from typing import Any

from careplan_exchange import knowledge, planner
from careplan_exchange.mapping import load_mappings, map_record
from careplan_exchange.model.proposal import Proposal
from tests.cases.snapshots import ALL, TODAY, policies, protocol_documents, vocabulary
from tests.unit.mapping.builders import SNOMED, condition, observation, patient, quantity, record


@cache
def mappings():
    return load_mappings(knowledge.documents("mappings"), vocabulary())


def proposed(*bodies: dict[str, Any], **more: Any) -> Proposal:
    whole = record(*bodies, of=patient(gender="male", birthDate="1966-01-01", **more), categories=ALL)
    snapshot = map_record(whole, mappings(), vocabulary(), today=TODAY)
    return planner.plan(
        snapshot, planner.load_protocols(protocol_documents(), vocabulary()), vocabulary(), policies()
    )


SETTING = "http://hl7.org/fhir/us/vitals/StructureDefinition/MeasurementSettingExt"
DIABETES = condition((SNOMED, "44054006"), id="t2dm")
A1C = observation(valueQuantity=quantity(8.1), id="a1c")


def creatinine(value: float) -> dict[str, Any]:
    return observation("2160-0", valueQuantity=quantity(value, "mg/dL"), id="crea")


def reasons_with(proposal: Proposal, variable: str) -> list[Any]:
    lines = (*proposal.activities, *proposal.withheld)
    return [r for line in lines for r in line.reasons if variable in {used.variable for used in r.used}]


def test_a_calculated_rate_answers_the_question_that_a_missing_one_leaves_open():
    assert "egfr" in {gap.concept for gap in proposed(DIABETES, A1C).gaps}
    assert "egfr" not in {gap.concept for gap in proposed(DIABETES, A1C, creatinine(1.0)).gaps}


def test_a_calculated_rate_is_said_to_be_calculated_and_names_creatinine_and_patient():
    proposal = proposed(DIABETES, A1C, creatinine(1.0))
    found = reasons_with(proposal, "egfr")
    assert found
    for reason in found:
        (used,) = [one for one in reason.used if one.variable == "egfr"]
        assert used.value == "86 mL/min/1.73 m2 (2026-10-01, calculated)"
        assert [one.reference for one in used.evidence] == ["Observation/crea", "Patient/me"]
    assert "Observation/crea" in {one.reference for one in proposal.evidence}


def test_a_reported_rate_is_not_said_to_be_calculated():
    reported = observation("62238-1", valueQuantity=quantity(70, "mL/min/{1.73_m2}"), id="rate")
    for reason in reasons_with(proposed(DIABETES, A1C, creatinine(1.0), reported), "egfr"):
        (used,) = [one for one in reason.used if one.variable == "egfr"]
        assert used.value == "70 mL/min/1.73 m2 (2026-10-01)"
        assert [one.reference for one in used.evidence] == ["Observation/rate"]


def test_a_low_calculated_rate_decides_as_a_reported_one_does():
    low = proposed(DIABETES, A1C, creatinine(3.0))
    assert "t2dm/action/metformin-start" not in {line.key for line in low.activities}
    assert "t2dm/action/metformin-start" in {
        line.key for line in proposed(DIABETES, A1C, creatinine(1.0)).activities
    }


def test_a_home_pressure_is_never_taken_for_one_of_the_clinic():
    hypertension = condition((SNOMED, "38341003"), id="htn")
    at_home = {"url": SETTING, "valueCodeableConcept": {"text": "Home"}}
    reading = observation("8480-6", valueQuantity=quantity(150, "mm[Hg]"), extension=[at_home])
    assert "systolic_bp" in {gap.concept for gap in proposed(hypertension, reading).gaps}
    del reading["extension"]
    assert "systolic_bp" not in {gap.concept for gap in proposed(hypertension, reading).gaps}
