"""Means, the value before the latest, slopes, body mass index, pack-years, durations, classes of heart failure."""

import random
from datetime import date, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.mapping import map_record
from careplan_exchange.mapping.derived.bounds import Bounds, as_fields, bounds_of, hull, mean_of
from careplan_exchange.mapping.derived.desk import Point
from careplan_exchange.mapping.derived.rules import Days, Mean
from careplan_exchange.mapping.derived.series import slope_of
from careplan_exchange.model.snapshot import Evidence, Fact
from tests.unit.mapping.builders import (
    ICD,
    LOINC,
    SNOMED,
    TODAY,
    concept,
    condition,
    keys,
    observation,
    only,
    patient,
    quantity,
    record,
)

SETTING = "http://hl7.org/fhir/us/vitals/StructureDefinition/MeasurementSettingExt"
AT_HOME = {"extension": [{"url": SETTING, "valueCodeableConcept": {"text": "Home"}}]}
positive = st.decimals(min_value=0, max_value=1000, places=2)


def pressure(systolic, on, **more):
    components = [
        {"code": concept((LOINC, code)), "valueQuantity": quantity(value, "mm[Hg]")}
        for code, value in (("8480-6", systolic), ("8462-4", 80))
    ]
    return observation("85354-9", component=components, effectiveDateTime=on, **more)


def measured(code, value, unit, on="2026-10-01", **more):
    return observation(code, valueQuantity=quantity(value, unit, **more), effectiveDateTime=on)


def a1c(value, on, **more):
    return measured("4548-4", value, "%", on, **more)


def weight(value, on="2026-10-01"):
    return measured("29463-7", value, "kg", on)


def height(value, on="2026-10-01", unit="cm"):
    return measured("8302-2", value, unit, on)


def sources(fact):
    return sorted(one.reference for one in fact.inputs)


# Means.


def test_the_mean_is_of_the_last_three_readings_and_names_them(mapped):
    snapshot = mapped(
        pressure(190, "2026-01-01"),
        pressure(150, "2026-08-01"),
        pressure(140, "2026-09-01"),
        pressure(131, "2026-10-01"),
    )
    fact = only(snapshot, "systolic_bp_mean")
    assert (fact.value, fact.unit, fact.rule) == (Decimal("140.3"), "mm[Hg]", "systolic-mean-clinic")
    assert sources(fact) == ["Observation/2", "Observation/3", "Observation/4"]
    assert fact.effective == "2026-10-01"
    assert only(snapshot, "diastolic_bp_mean").value == 80


@pytest.mark.parametrize(
    "bodies",
    [
        [pressure(140, "2026-10-01")],
        [pressure(140, "2026-10-01T08:00:00Z"), pressure(150, "2026-10-01T08:05:00Z")],
        [pressure(140, "2025-01-01"), pressure(150, "2026-10-01")],
    ],
    ids=["one", "one day", "too far apart"],
)
def test_one_occasion_has_no_mean(mapped, bodies):
    assert mapped(*bodies).of("systolic_bp_mean") == ()


def test_a_reading_that_was_sent_twice_counts_once(mapped):
    bodies = [pressure(150, "2026-09-01"), pressure(130, "2026-10-01"), pressure(130, "2026-10-01")]
    assert only(mapped(*bodies), "systolic_bp_mean").value == 140


def test_home_and_clinic_never_mix(mapped):
    clinic = [pressure(150, "2026-09-01"), pressure(160, "2026-10-01")]
    home = [
        pressure(120 + hour // 12, f"2026-10-{day:02}T{hour:02}:00:00Z", **AT_HOME)
        for day in (2, 3, 4)
        for hour in (7, 19)
    ]
    snapshot = mapped(*clinic, *home)
    assert only(snapshot, "systolic_bp_mean").value == 155
    at_home = only(snapshot, "home_systolic_bp_mean")
    assert (at_home.value, at_home.origin, len(at_home.inputs)) == (Decimal("120.5"), "home", 6)
    assert {fact.value for fact in snapshot.of("systolic_bp")} == {150, 160}
    assert {fact.origin for fact in snapshot.of("home_systolic_bp")} == {"home"}
    assert mapped(*clinic, *home[:4]).of("home_systolic_bp_mean") == ()


def test_a_bound_among_the_readings_is_carried_into_the_mean(mapped):
    high = observation(
        "8480-6", valueQuantity=quantity(250, "mm[Hg]", comparator=">"), effectiveDateTime="2026-10-01"
    )
    fact = only(mapped(pressure(150, "2026-09-01"), high), "systolic_bp_mean")
    assert (fact.value, fact.comparator) == (200, ">=")


@given(values=st.lists(positive, min_size=1, max_size=9))
def test_a_mean_lies_between_the_least_and_the_most(values):
    bounds = mean_of([Bounds(value, value) for value in values])
    assert min(values) - Decimal("1e-9") <= bounds.low == bounds.high <= max(values) + Decimal("1e-9")


@given(pairs=st.lists(st.tuples(positive, positive), min_size=1, max_size=9), share=st.decimals(0, 1, places=2))
def test_the_mean_of_ranges_holds_the_mean_of_any_values_in_them(pairs, share):
    ranges = [Bounds(min(pair), max(pair)) for pair in pairs]
    inside = [one.low + (one.high - one.low) * share for one in ranges]
    bounds = mean_of(ranges)
    assert bounds.low - Decimal("1e-9") <= sum(inside) / len(inside) <= bounds.high + Decimal("1e-9")


# Bounds as facts.


@given(low=positive, width=positive, decimals=st.integers(0, 2))
def test_what_is_rounded_holds_what_was_not(low, width, decimals):
    half = Decimal(1).scaleb(-decimals) / 2
    fields = as_fields(Bounds(low, low + width), decimals)
    assert fields is not None
    fact = Fact(concept="x", kind="measurement", evidence=Evidence(reference="Observation/1"), **fields)
    found = bounds_of(fact)
    assert found is not None
    assert found.low <= low + half
    assert found.high >= low + width - half


def test_bounds_that_say_nothing_are_no_fact():
    assert as_fields(Bounds(Decimal(0), Decimal("Infinity")), 1) is None
    assert as_fields(Bounds(Decimal("NaN"), Decimal(1)), 1) is None
    assert as_fields(Bounds(Decimal("Infinity"), Decimal("Infinity")), 1) is None


def test_a_fact_without_a_number_has_no_bounds():
    assert bounds_of(Fact(concept="x", kind="measurement", evidence=Evidence(reference="Observation/1"))) is None


@pytest.mark.parametrize(("comparator", "open_"), [("<", True), ("<=", False), (">", True), (">=", False)])
def test_a_hull_excludes_an_end_only_where_all_do(comparator, open_):
    fact = Fact(
        concept="x",
        kind="measurement",
        evidence=Evidence(reference="Observation/1"),
        value=Decimal(7),
        comparator=comparator,
    )
    bounds = bounds_of(fact)
    assert (bounds.low_open or bounds.high_open) is open_
    with_end = hull([bounds, Bounds(Decimal(7), Decimal(7))])
    assert not with_end.low_open
    assert not with_end.high_open
    assert hull([bounds]) == bounds


# The value before the latest.


def test_the_previous_value_is_of_an_earlier_occasion(mapped):
    snapshot = mapped(a1c(9.1, "2026-03-01"), a1c(8.2, "2026-09-20"), a1c(7.4, "2026-10-01"))
    fact = only(snapshot, "hba1c_previous")
    assert (fact.value, fact.effective, sources(fact)) == (Decimal("9.1"), "2026-03-01", ["Observation/1"])


def test_a_single_value_has_no_previous_one(mapped):
    snapshot = mapped(a1c(9.1, "2026-03-01"))
    assert snapshot.of("hba1c_previous") == ()
    assert snapshot.issues == ()


def test_a_previous_value_keeps_its_comparator_and_two_of_one_moment_are_a_range(mapped):
    snapshot = mapped(a1c(5, "2026-03-01", comparator="<"), a1c(7.4, "2026-10-01"))
    assert (only(snapshot, "hba1c_previous").value, only(snapshot, "hba1c_previous").comparator) == (5, "<")
    fact = only(mapped(a1c(8.25, "2026-03-01"), a1c(8.1, "2026-03-01"), a1c(7, "2026-10-01")), "hba1c_previous")
    assert (fact.low, fact.high, len(fact.inputs)) == (Decimal("8.10"), Decimal("8.25"), 2)


# Slopes.


def test_the_slope_is_the_change_a_year(mapped):
    start = date(2024, 10, 1)
    bodies = [
        a1c(7 + half * 0.25, (start + timedelta(days=round(182.625 * half))).isoformat()) for half in range(5)
    ]
    fact = only(mapped(*bodies), "hba1c_slope")
    assert (fact.value, fact.unit, len(fact.inputs)) == (Decimal("0.50"), "%/a", 5)
    assert {one.date[:4] for one in fact.inputs} == {"2024", "2025", "2026"}


@pytest.mark.parametrize(
    "bodies",
    [
        [a1c(7, "2026-01-01"), a1c(8, "2026-10-01")],
        [a1c(7, "2026-07-01"), a1c(8, "2026-09-01"), a1c(8, "2026-10-01")],
        [a1c(7, "2015-07-01"), a1c(8, "2026-09-01"), a1c(8, "2026-10-01")],
    ],
    ids=["two points", "short span", "an old point"],
)
def test_too_few_points_or_too_short_a_span_have_no_slope(mapped, bodies):
    assert mapped(*bodies).of("hba1c_slope") == ()


def test_a_bound_among_the_points_leaves_no_slope_and_is_told(mapped):
    snapshot = mapped(a1c(7, "2026-01-01"), a1c(14, "2026-05-01", comparator=">"), a1c(8, "2026-10-01"))
    assert snapshot.of("hba1c_slope") == ()
    assert keys(snapshot) == ["derived.vague"]


@given(
    level=st.decimals(-100, 100, places=1),
    slope=st.decimals(-50, 50, places=1),
    days=st.lists(st.integers(0, 3000), min_size=2, max_size=8, unique=True),
)
def test_points_on_a_line_have_its_slope(level, slope, days):
    evidence = Evidence(reference="Observation/1")
    points = []
    for day in sorted(days):
        value = level + slope * Decimal(day) / Decimal("365.25")
        fact = Fact(concept="x", kind="measurement", evidence=evidence, value=value)
        points.append(Point(None, date(2010, 1, 1) + timedelta(days=day), fact, Bounds(value, value)))
    assert abs(slope_of(points) - slope) < Decimal("1e-6")


def test_a_slope_that_no_body_has_is_told_and_not_used(mapped):
    snapshot = mapped(weight(50, "2026-01-01"), weight(60, "2026-02-01"), weight(300, "2026-06-01"))
    assert snapshot.of("body_weight_slope") == ()
    assert "derived.implausible" in keys(snapshot)


def test_a_rule_of_the_sites_own_runs_and_a_mean_that_says_nothing_is_told(mappings, vocabulary):
    own = Mean(
        id="own",
        title="x",
        source="doi:10.1000/x",
        yields="uacr_previous",
        of="uacr",
        last=2,
        at_least=2,
        on_days=2,
        within=Days(days=365, reason="x"),
        decimals=0,
    )
    tables = msgspec.structs.replace(mappings, derived=(own,))
    low, high = (
        measured("9318-7", 30, "mg/g", "2026-09-01", comparator="<"),
        measured("9318-7", 0, "mg/g", comparator=">="),
    )
    snapshot = map_record(record(low, high), tables, vocabulary, today=TODAY)
    assert (snapshot.of("uacr_previous"), keys(snapshot)) == ((), ["derived.vague"])
    exact = map_record(record(low, measured("9318-7", 50, "mg/g")), tables, vocabulary, today=TODAY)
    (fact,) = exact.of("uacr_previous")
    assert (fact.low, fact.high, fact.rule) == (25, 40, "own")


def test_two_values_of_one_moment_that_together_say_nothing_have_no_previous(mapped):
    early = {"effectiveDateTime": "2026-01-01"}
    low, high = (
        observation("9318-7", valueQuantity=quantity(value, "mg/g", comparator=sign), **early)
        for value, sign in ((30, "<"), (0, ">="))
    )
    snapshot = mapped(low, high, measured("9318-7", 50, "mg/g"))
    assert snapshot.of("uacr_previous") == ()
    assert "derived.vague" in keys(snapshot)


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
