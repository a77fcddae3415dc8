"""The resources around the clinical findings, counted: used, not needed, or not understood, with their codes."""

import pytest

from careplan_exchange.mapping import report, skeleton, survey
from tests.unit.mapping.builders import LOINC, RXNORM, TODAY, concept, observation, record
from tests.unit.mapping.care_builders import (
    CVX,
    answered,
    encounter,
    implication,
    of,
    service,
    statement,
    vaccine,
    variant,
)

LOCAL = ("urn:local", "1")


@pytest.fixture
def surveyed(mappings, vocabulary):
    def run(*bodies):
        return report(survey(record(*bodies), mappings, vocabulary, today=TODAY), patients=1, as_of=TODAY)

    return run


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (vaccine("140"), (1, 0, 0)),
        (vaccine("52"), (0, 1, 0)),
        (vaccine("999"), (0, 0, 1)),
        (vaccine("140", status="not-done"), (0, 1, 0)),
        (encounter(), (1, 0, 0)),
        (encounter("XX"), (0, 0, 1)),
        (service(("http://snomed.info/sct", "103699006")), (1, 0, 0)),
        (service(LOCAL), (0, 0, 1)),
        (service(LOCAL, intent="plan"), (0, 1, 0)),
        (statement((RXNORM, "6809")), (1, 0, 0)),
        (statement(LOCAL), (0, 0, 1)),
        (statement((RXNORM, "6809"), status="not-taken"), (0, 1, 0)),
        (of("DiagnosticReport", status="final", result=[{"reference": "Observation/gone"}]), (0, 0, 1)),
        (of("DiagnosticReport", status="final", conclusion="x"), (0, 1, 0)),
        (answered(_44261_6=12), (1, 0, 0)),
        (answered(_44250_9="LA6568-5"), (0, 0, 1)),
        (of("CareTeam"), (1, 0, 0)),
    ],
)
def test_what_became_of_each_is_counted(surveyed, body, expected):
    coverage = surveyed(body)
    found = next(one for one in coverage.resources if one.type == body["resourceType"])
    assert (found.used, found.not_needed, found.not_understood) == expected


def test_a_variant_that_is_not_acted_on_is_understood(surveyed):
    coverage = surveyed(variant(), implication("LA26333-7"), observation("75773-2", valueString="x"))
    found = next(one for one in coverage.resources if one.type == "Observation")
    assert (found.used, found.not_needed, found.not_understood) == (1, 2, 0)
    assert {one.state for one in coverage.codes if one.path == "Observation.code"} == {"mapped"}


def test_their_codes_are_met_and_a_skeleton_names_those_that_are_missing(surveyed, vocabulary):
    r5 = encounter([concept(LOCAL)])
    coverage = surveyed(vaccine("140"), vaccine("998"), r5, service(LOCAL), statement(LOCAL))
    states = {(one.path, one.code): one.state for one in coverage.codes}
    assert states == {
        ("Immunization.vaccineCode", "140"): "mapped",
        ("Immunization.vaccineCode", "998"): "unmapped",
        ("Encounter.class", "1"): "unmapped",
        ("ServiceRequest.code", "1"): "unmapped",
        ("MedicationStatement.medication", "1"): "unmapped",
    }
    written = skeleton(coverage, vocabulary).codes
    assert CVX in written
    assert RXNORM in written
    assert LOINC not in written
