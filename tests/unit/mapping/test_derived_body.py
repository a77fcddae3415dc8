"""Body mass index, pack-years, classes of heart failure, durations, and all rules over one whole record."""

import random
from datetime import date
from decimal import Decimal

import msgspec
import pytest

from careplan_exchange.model.snapshot import Fact
from tests.unit.mapping.builders import ICD, SNOMED, condition, keys, only, patient
from tests.unit.mapping.series_builders import a1c, height, measured, pressure, sources, weight

# Body mass index.


@pytest.mark.parametrize(("kg", "cm", "index"), [(70, 175, "22.9"), (62.5, 160, "24.4"), (100, 200, "25.0")])
def test_the_index_is_weight_by_the_square_of_height(mapped, kg, cm, index):
    fact = only(mapped(weight(kg), height(cm)), "bmi")
    assert (fact.value, fact.unit, fact.rule) == (Decimal(index), "kg/m2", "bmi-quetelet")
    assert sources(fact) == ["Observation/1", "Observation/2", "Patient/me"]


def test_units_of_height_and_weight_do_not_matter(mapped):
    metric = only(mapped(weight(70), height(1.75, unit="m")), "bmi").value
    other = only(mapped(measured("29463-7", 154.324, "[lb_av]"), height(68.8976, unit="[in_i]")), "bmi").value
    assert metric == other == Decimal("22.9")


def test_the_height_nearest_in_time_counts_and_one_too_far_does_not(mapped):
    two = mapped(weight(70), height(170, "2022-10-01"), height(175, "2026-09-01"))
    assert only(two, "bmi").value == Decimal("22.9")
    far = mapped(weight(70), height(170, "2020-10-01"))
    assert (far.of("bmi"), keys(far)) == ((), ["derived.missing"])


def test_a_reported_index_is_preferred_and_a_newer_weight_is_not_lost(mapped):
    reported = measured("39156-5", 24.0, "kg/m2", "2026-10-01")
    assert [fact.rule for fact in mapped(weight(70), height(175), reported).of("bmi")] == [None]
    newer = mapped(weight(70), weight(80, "2026-11-01"), height(175), reported).of("bmi")
    assert [(fact.value, fact.rule) for fact in newer] == [(24, None), (Decimal("26.1"), "bmi-quetelet")]


@pytest.mark.parametrize(
    ("reported", "told"), [(22.9, []), (23.8, []), (24.2, ["derived.disagrees"]), (20, ["derived.disagrees"])]
)
def test_a_reported_index_that_disagrees_is_told(mapped, reported, told):
    snapshot = mapped(weight(70), height(175), measured("39156-5", reported, "kg/m2"))
    assert keys(snapshot) == told
    assert only(snapshot, "bmi").value == Decimal(str(reported))


def test_no_index_below_18_or_in_pregnancy(mapped):
    child = mapped(weight(40), height(150), of=patient(birthDate="2014-01-01"))
    assert (child.of("bmi"), keys(child)) == ((), ["derived.age-limit"])
    pregnant = mapped(weight(70), height(175), condition((SNOMED, "77386006"), onsetDateTime="2026-08-01"))
    assert (pregnant.of("bmi"), keys(pregnant)) == ((), ["derived.excluded"])


# Smoking, heart failure, durations.


def test_pack_years_are_packs_a_day_times_years(mapped):
    bodies = [measured("8663-7", 1.5, "{Packs}/d"), measured("88029-4", 20, "a", "2026-05-01")]
    fact = only(mapped(*bodies), "pack_years")
    assert (fact.value, fact.unit, sources(fact)) == (30, "{PackYears}", ["Observation/1", "Observation/2"])
    alone = mapped(bodies[0])
    assert (alone.of("pack_years"), keys(alone)) == ((), ["derived.missing"])
    reported = mapped(*bodies, measured("8664-5", 25, "{PackYears}"))
    assert [(fact.value, fact.rule) for fact in reported.of("pack_years")] == [(25, None)]


@pytest.mark.parametrize(
    ("value", "class_"),
    [(20, "HFrEF"), (40, "HFrEF"), (41, "HFmrEF"), (49, "HFmrEF"), (50, "HFpEF"), (65, "HFpEF")],
)
def test_the_class_of_heart_failure_has_the_edges_of_the_guideline(mapped, value, class_):
    snapshot = mapped(measured("10230-1", value, "%"), condition((ICD, "I50.9")))
    fact = only(snapshot, "lvef_class")
    assert (fact.answer.code, fact.state, fact.kind) == (class_, "present", "stage")
    assert sources(fact) == ["Condition/2", "Observation/1"]


def test_without_heart_failure_there_is_no_class(mapped):
    snapshot = mapped(measured("10230-1", 35, "%"))
    assert (snapshot.of("lvef_class"), snapshot.issues) == ((), ())
    ended = condition((ICD, "I50.9"), clinicalStatus={"coding": [{"code": "resolved"}]})
    assert mapped(measured("10230-1", 35, "%"), ended).of("lvef_class") == ()


@pytest.mark.parametrize(
    ("onset", "value", "reached"),
    [
        ("2016-11-24", 10, "2026-11-24"),
        ("2016-11-25", 9, "2025-11-25"),
        ("2024-02-29", 2, "2026-03-01"),
        ("2026-11-01", 0, "2026-11-01"),
    ],
)
def test_years_with_a_disease_are_whole_and_dated_when_they_were_reached(mapped, onset, value, reached):
    fact = only(mapped(condition((SNOMED, "44054006"), onsetDateTime=onset)), "type_2_diabetes_duration")
    assert (fact.value, fact.comparator, fact.effective, fact.unit) == (value, None, reached, "a")
    assert sources(fact) == ["Condition/1"]


def test_a_vague_onset_gives_a_span_of_years_and_the_date_of_an_entry_only_a_least(mapped):
    vague = only(mapped(condition((SNOMED, "44054006"), onsetDateTime="2016")), "type_2_diabetes_duration")
    assert (vague.low, vague.high) == (9, 10)
    body = condition((SNOMED, "44054006"), onsetDateTime=None, recordedDate="2016-05-05")
    entered = only(mapped(body), "type_2_diabetes_duration")
    assert (entered.value, entered.comparator) == (10, ">=")


def test_the_earliest_onset_counts_and_a_disease_that_ended_has_no_duration(mapped):
    two = [condition((SNOMED, "44054006"), onsetDateTime=on) for on in ("2020-01-01", "2016-01-01")]
    assert only(mapped(*two), "type_2_diabetes_duration").value == 10
    ended = condition((SNOMED, "44054006"), clinicalStatus={"coding": [{"code": "resolved"}]})
    assert mapped(ended).of("type_2_diabetes_duration") == ()
    undated = condition((SNOMED, "44054006"), onsetDateTime=None)
    assert mapped(undated).of("type_2_diabetes_duration") == ()


def test_the_duration_stays_the_same_until_the_next_anniversary(mapped):
    body = condition((SNOMED, "44054006"), onsetDateTime="2016-05-05")
    monday, tuesday = (mapped(body, today=date(2026, 11, day)).of("type_2_diabetes_duration") for day in (23, 24))
    assert monday == tuesday


# All together.


def whole_record():
    return [
        *(pressure(120 + number, f"2026-0{number}-01") for number in range(1, 8)),
        *(a1c(7 + number / 10, f"2026-0{number}-01") for number in range(1, 8)),
        *(measured("2160-0", 1 + number / 10, "mg/dL", f"2026-0{number}-03") for number in range(1, 8)),
        *(measured("9318-7", 40, "mg/g", f"2026-0{number}-03") for number in (1, 7)),
        *(weight(80 + number, f"2026-0{number}-01") for number in range(1, 8)),
        height(175),
        measured("10230-1", 35, "%"),
        condition((ICD, "I50.9")),
        condition((SNOMED, "44054006")),
    ]


def test_derived_facts_do_not_depend_on_the_order_of_the_record(mapped):
    bodies = [body | {"id": str(number)} for number, body in enumerate(whole_record())]
    expected = mapped(*bodies)
    assert {fact.rule for fact in expected.facts if fact.rule} >= {
        "egfr-ckd-epi-2021",
        "ckd-stage-kdigo",
        "bmi-quetelet",
        "systolic-mean-clinic",
        "hba1c-slope",
        "lvef-class",
    }
    for seed in range(5):
        random.Random(seed).shuffle(bodies)
        assert mapped(*bodies) == expected


def test_every_derived_fact_can_be_followed_and_has_a_unit_or_an_answer(mapped, vocabulary, mappings):
    snapshot = mapped(*whole_record())
    rules = {rule.id: rule for rule in mappings.derived}
    for fact in snapshot.facts:
        if fact.rule is None:
            assert fact.inputs == ()
            continue
        assert rules[fact.rule].yields == fact.concept
        assert fact.inputs
        assert len(set(fact.inputs)) == len(fact.inputs)
        assert fact.evidence in fact.inputs
        assert fact.kind == vocabulary.concepts[fact.concept].kind
        assert (fact.unit is None) is (fact.kind == "stage")
        assert msgspec.json.decode(msgspec.json.encode(fact), type=Fact) == fact


@pytest.mark.parametrize("on", ["2026", "2026-10"])
def test_a_value_without_a_full_date_feeds_no_rule_and_is_told(mapped, on):
    snapshot = mapped(a1c(9.1, "2026-03-01"), a1c(7.4, on))
    assert snapshot.of("hba1c_previous") == ()
    assert keys(snapshot) == ["derived.date"]
