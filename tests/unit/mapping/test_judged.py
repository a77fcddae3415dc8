"""What was judged and is not needed: never a fact, always an issue, and counted apart."""

import pytest

from careplan_exchange.mapping import report, survey
from tests.unit.mapping.builders import (
    ICD,
    LOINC,
    SNOMED,
    TODAY,
    allergy,
    concept,
    condition,
    keys,
    observation,
    procedure,
    quantity,
    record,
)

MCV = observation("787-2", valueQuantity=quantity(90, "fL"))
SINUSITIS = condition(code=concept((SNOMED, "444814009"), display="Viral sinusitis (disorder)"))
POLLEN = allergy(code=concept((SNOMED, "418689008"), text="Allergy to grass pollen"))
PULSE = procedure(code=concept((SNOMED, "73761001"), display="Documentation of current medications"))
TEXT_ALONE = condition(code={"text": "Viral Sinusitis"})


@pytest.fixture
def counted(mappings, vocabulary):
    def run(*bodies):
        return report(survey(record(*bodies), mappings, vocabulary, today=TODAY), patients=1, as_of=TODAY)

    return run


@pytest.mark.parametrize("body", [MCV, SINUSITIS, POLLEN, PULSE, TEXT_ALONE], ids=lambda one: one["resourceType"])
def test_what_is_judged_is_no_fact_and_one_issue_with_the_reason(mapped, body):
    snapshot = mapped(body)
    assert (snapshot.facts, keys(snapshot)) == ((), ["code.not-used"])
    assert "is never used. " in snapshot.issues[0].detail


@pytest.mark.parametrize(
    ("body", "state"),
    [(MCV, "judged"), (SINUSITIS, "judged-by-text"), (POLLEN, "judged-by-text"), (PULSE, "judged-by-text")],
)
def test_coverage_lists_it_as_not_needed_and_says_by_what(counted, body, state):
    coverage = counted(body)
    assert (coverage.total.not_needed, coverage.total.not_understood) == (1, 0)
    assert [one.state for one in coverage.codes] == [state]


@pytest.mark.parametrize(
    ("code", "state"), [("J06.9", "judged"), ("J069", "judged"), ("J06", "judged"), ("J0", "unmapped")]
)
def test_what_is_below_a_judged_code_is_judged(counted, code, state):
    assert [one.state for one in counted(condition((ICD, code))).codes] == [state]


def test_a_judged_text_without_a_code_is_known(counted):
    coverage = counted(TEXT_ALONE)
    assert (coverage.total.not_needed, coverage.texts[0].known) == (1, 1)


def test_a_judged_text_hides_no_code_that_means_something(mapped, counted):
    body = condition(code=concept((ICD, "J45.909"), text="Viral sinusitis"))
    assert {fact.concept for fact in mapped(body).facts} == {"asthma"}
    assert [one.state for one in counted(body).codes] == ["mapped"]


def test_what_is_judged_of_one_type_is_not_judged_of_another(mapped):
    assert keys(mapped(procedure(code=concept((SNOMED, "1"), display="Viral sinusitis")))) == ["code.no-concept"]
    assert keys(mapped(condition(code=concept((LOINC, "787-2"))))) == ["code.no-concept"]


def test_what_an_observation_measured_is_never_judged_by_its_text(mapped):
    body = observation(concept((LOINC, "11502-2"), display="Viral sinusitis"), valueQuantity=quantity(1, "1"))
    assert keys(mapped(body)) == ["code.no-concept"]
