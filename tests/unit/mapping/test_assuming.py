"""Suppositions: what they replace, and what is none."""

from decimal import Decimal

import pytest

from careplan_exchange import knowledge
from careplan_exchange.errors import UsageError
from careplan_exchange.mapping import assumed, load_mappings, map_record
from tests.cases.snapshots import ALL, TODAY, vocabulary
from tests.unit.mapping.builders import observation, patient, quantity, record


def given(*texts):
    return assumed(texts, vocabulary(), today=TODAY)


def mapped(*bodies, assume=(), **more):
    whole = record(*bodies, of=patient(gender="male", birthDate="1966-01-01", **more), categories=ALL)
    mappings = load_mappings(knowledge.documents("mappings"), vocabulary())
    return map_record(whole, mappings, vocabulary(), today=TODAY, given=given(*assume))


def measured(code, value, unit):
    return observation(code, effectiveDateTime="2026-10-01", valueQuantity=quantity(value, unit))


def test_an_assumed_value_stands_in_place_of_every_recorded_one():
    snapshot = mapped(measured("62238-1", 80, "mL/min/{1.73_m2}"), assume=["egfr=28"])
    (found,) = snapshot.of("egfr")
    assert (found.value, found.effective) == (Decimal(28), "2026-11-24")
    assert found.evidence.reference == "urn:careplan-exchange:assumption:egfr"


def test_what_is_derived_from_it_follows():
    before = mapped(measured("62238-1", 80, "mL/min/{1.73_m2}"))
    after = mapped(measured("62238-1", 80, "mL/min/{1.73_m2}"), assume=["egfr=28"])
    assert [f.answer.code for f in before.of("gfr_category")] != [f.answer.code for f in after.of("gfr_category")]


def test_an_assumed_derived_value_is_not_overwritten_by_its_rule():
    snapshot = mapped(measured("2160-0", "1.0", "mg/dL"), assume=["egfr=28"])
    assert [fact.value for fact in snapshot.of("egfr")] == [Decimal(28)]


def test_unknown_is_assumed_as_unknown_and_not_as_absent():
    (found,) = mapped(assume=["type_2_diabetes=unknown"]).of("type_2_diabetes")
    assert found.state == "unknown"


def test_age_and_sex_are_of_the_patient():
    profile = mapped(assume=["age=70", "sex=female"]).patient
    assert (profile.birth_date, profile.gender) == ("1956-11-24", "female")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("egfr", "equals sign"),
        ("egfr=", "equals sign"),
        ("egrf=28", "Did you mean 'egfr'"),
        ("egfr=much", "from"),
        ("egfr=28 mL/min", "without the unit"),
        ("egfr=-3", "from"),
        ("egfr=NaN", "from"),
        ("pregnancy=28", "=present, =absent or =unknown"),
        ("age=old", "whole years"),
        ("age=131", "whole years"),
        ("sex=f", "female"),
    ],
)
def test_what_is_no_assumption_is_refused_with_what_to_write(text, said):
    with pytest.raises(UsageError) as refused:
        given(text)
    assert said in f"{refused.value.detail} {refused.value.mend}"


def test_one_concept_is_assumed_once():
    with pytest.raises(UsageError, match="twice"):
        given("egfr=28", "egfr=30")


def test_a_comparator_and_a_stage_can_be_assumed():
    found = given("hba1c=<7", "cyp2c19_phenotype=LA9657-3").facts
    assert (found[0].comparator, found[0].value) == ("<", Decimal(7))
    assert found[1].answer.code == "LA9657-3"
