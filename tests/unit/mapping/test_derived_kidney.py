"""eGFR by CKD-EPI 2021, KDIGO categories, and CKD that has lasted: published numbers, both sides of every edge."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.mapping.derived.bounds import Bounds
from careplan_exchange.mapping.derived.equations import value_of
from careplan_exchange.mapping.derived.stages import stages_of
from tests.unit.mapping.builders import ICD, SNOMED, condition, keys, observation, only, patient, quantity, states

EGFR = "mL/min/{1.73_m2}"
creatinines = st.decimals(min_value="0.2", max_value="20", places=2)


@pytest.fixture(scope="session")
def rule(mappings):
    by_id = {rule.id: rule for rule in mappings.derived}
    return by_id.__getitem__


def creatinine(value, unit="mg/dL", on="2026-10-01", **more):
    return observation("2160-0", valueQuantity=quantity(value, unit), effectiveDateTime=on, **more)


def rate(value, on="2026-10-01", **more):
    return observation("62238-1", valueQuantity=quantity(value, EGFR, **more), effectiveDateTime=on)


def ratio(value, on="2026-10-01"):
    return observation("9318-7", valueQuantity=quantity(value, "mg/g"), effectiveDateTime=on)


def aged(gender, years):
    return patient(gender=gender, birthDate=f"{2026 - years}-01-01")


def derived(snapshot, concept):
    return [fact for fact in snapshot.of(concept) if fact.rule]


def staged(snapshot, concept):
    fact = only(snapshot, concept)
    return fact.state if fact.answer is None else fact.answer.code


@pytest.mark.parametrize(
    # Inker 2021, doi:10.1056/NEJMoa2102953, as integers that calculators of the National Kidney Foundation print.
    ("person", "value", "unit", "published"),
    [
        (("female", 55), 1.5, "mg/dL", 41),
        (("male", 55), 1.5, "mg/dL", 55),
        (("female", 43), 1.5, "mg/dL", 44),
        (("male", 43), 1.5, "mg/dL", 59),
        (("female", 43), 102, "umol/L", 60),
        (("male", 77), 111, "umol/L", 59),
        (("female", 60), 0.6, "mg/dL", 103),
        (("male", 25), 0.7, "mg/dL", 131),
    ],
)
def test_the_rate_is_the_published_one(mapped, person, value, unit, published):
    snapshot = mapped(creatinine(value, unit), of=aged(*person))
    fact = only(snapshot, "egfr")
    assert (fact.value, fact.comparator, fact.unit, fact.rule) == (published, None, EGFR, "egfr-ckd-epi-2021")
    assert fact.effective == "2026-10-01"


@pytest.mark.parametrize(
    ("sex", "age", "value", "exact"),
    [
        ("female", 55, "1.5", "40.900"),
        ("male", 55, "1.5", "54.640"),
        ("female", 43, "1.5", "44.069"),
        ("male", 43, "1.5", "58.874"),
        ("female", 60, "0.6", "102.693"),
        ("male", 25, "0.7", "131.137"),
    ],
)
def test_the_equation_agrees_to_three_digits_after_the_point(rule, sex, age, value, exact):
    (variant,) = [one for one in rule("egfr-ckd-epi-2021").equations if one.sex == sex]
    found = value_of(variant, {"creatinine": Bounds(Decimal(value), Decimal(value))}, (age, age))
    assert found.exact
    assert round(found.low, 3) == Decimal(exact)


def test_a_derived_rate_names_the_creatinine_and_the_patient_and_nothing_of_race(mapped, mappings):
    race = {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race", "extension": []}
    snapshot = mapped(creatinine(1.1), of=patient(extension=[race]))
    fact = only(snapshot, "egfr")
    assert fact == only(mapped(creatinine(1.1)), "egfr")
    assert [(one.reference, one.version_id) for one in fact.inputs] == [
        ("Observation/1", "3"),
        ("Patient/me", "3"),
    ]
    assert fact.evidence == only(snapshot, "creatinine").evidence
    assert "race" not in repr([rule for rule in mappings.derived if rule.yields == "egfr"]).replace(
        "without race", ""
    )


@pytest.mark.parametrize(
    ("reported_on", "rates"),
    [("2026-10-02", [(70, None)]), ("2026-10-01", [(70, None)]), ("2026-09-30", [(70, None), (64, "rule")])],
)
def test_a_reported_rate_that_is_as_new_is_preferred(mapped, reported_on, rates):
    snapshot = mapped(creatinine(1.05), rate(70, reported_on), of=aged("female", 51))
    assert [(fact.value, fact.rule and "rule") for fact in snapshot.of("egfr")] == [
        (Decimal(value), by) for value, by in rates
    ]


@pytest.mark.parametrize(("gender", "told"), [("unknown", False), ("other", False), (None, True)])
def test_an_unknown_sex_gives_no_rate_and_says_so(mapped, gender, told):
    snapshot = mapped(creatinine(1.1), of=patient(gender=gender))
    assert snapshot.of("egfr") == ()
    assert keys(snapshot) == ["derived.sex", *(["patient.gender"] if told else [])]
    (issue,) = [issue for issue in snapshot.issues if issue.key == "mapping.derived.sex"]
    assert (issue.source, issue.severity) == ("Observation/1/_history/3", "warning")


@pytest.mark.parametrize(
    ("birth", "key"),
    [("2012-01-01", "derived.age-limit"), ("2008-10-02", "derived.age-limit"), (None, "derived.age")],
)
def test_below_18_or_of_no_known_age_there_is_no_rate(mapped, birth, key):
    body = {name: value for name, value in patient(birthDate=birth).items() if value is not None}
    snapshot = mapped(creatinine(1.1), of=body)
    assert snapshot.of("egfr") == ()
    assert key in keys(snapshot)


def test_the_age_counts_on_the_day_of_the_sample(mapped):
    young, old = (
        only(mapped(creatinine(1.5), of=patient(birthDate=born)), "egfr").value
        for born in ("1966-10-02", "1966-10-01")
    )
    assert young >= old
    assert only(mapped(creatinine(1.1), of=patient(birthDate="2008-10-01")), "egfr").value > 60


def test_a_year_of_birth_gives_the_rates_of_both_ages(mapped):
    fact = only(mapped(creatinine(0.7), of=patient(birthDate="1971")), "egfr")
    young, old = (
        only(mapped(creatinine(0.7), of=patient(birthDate=born)), "egfr").value
        for born in ("1971-12-31", "1971-01-01")
    )
    assert (fact.low, fact.high, fact.value) == (old, young, None)
    assert old < young


@pytest.mark.parametrize(
    ("told", "derives"),
    [
        (condition((SNOMED, "77386006"), onsetDateTime="2026-08-01"), False),
        (condition((SNOMED, "77386006"), onsetDateTime="2020-08-01"), True),
        (condition((ICD, "Z99.2"), onsetDateTime="2025-01-01"), False),
        (condition((ICD, "Z99.2"), onsetDateTime="2026-11-01"), True),
        (condition((SNOMED, "44054006")), True),
    ],
)
def test_pregnancy_and_dialysis_at_the_time_forbid_the_equation(mapped, told, derives):
    snapshot = mapped(creatinine(1.1), told)
    assert bool(snapshot.of("egfr")) is derives
    assert ("derived.excluded" in keys(snapshot)) is not derives


@pytest.mark.parametrize(
    ("value", "comparator", "bound"),
    [(1.5, ">", "<="), (1.5, ">=", "<="), (0.5, "<", ">=")],
)
def test_a_bound_of_creatinine_is_the_opposite_bound_of_the_rate(mapped, value, comparator, bound):
    snapshot = mapped(
        observation("2160-0", valueQuantity=quantity(value, "mg/dL", comparator=comparator)),
        of=aged("female", 55),
    )
    fact = only(snapshot, "egfr")
    assert (fact.value, fact.comparator) == (
        only(mapped(creatinine(value), of=aged("female", 55)), "egfr").value,
        bound,
    )


def test_a_creatinine_outside_of_where_the_equation_was_tried_gives_none(mapped):
    snapshot = mapped(creatinine(31))
    assert (snapshot.of("egfr"), "derived.range" in keys(snapshot)) == ((), True)


def test_a_result_that_no_living_kidney_has_is_told_and_not_used(mapped):
    snapshot = mapped(creatinine(30), of=aged("female", 95))
    assert (snapshot.of("egfr"), "derived.implausible" in keys(snapshot)) == ((), True)


@given(one=creatinines, other=creatinines)
def test_more_creatinine_is_never_a_higher_rate(rule, one, other):
    low, high = sorted((one, other))
    for variant in rule("egfr-ckd-epi-2021").equations:
        worse, better = (
            value_of(variant, {"creatinine": Bounds(value, value)}, (60, 60)).low for value in (high, low)
        )
        assert worse <= better


@given(
    one=creatinines,
    other=creatinines,
    share=st.decimals(min_value=0, max_value=1, places=3),
    age=st.integers(18, 90),
)
def test_the_bounds_hold_the_rate_of_every_value_between(rule, one, other, share, age):
    low, high = sorted((one, other))
    inside = low + (high - low) * share
    for variant in rule("egfr-ckd-epi-2021").equations:
        bounds = value_of(variant, {"creatinine": Bounds(low, high)}, (age, age + 1))
        for years in (age, age + 1):
            exact = value_of(variant, {"creatinine": Bounds(inside, inside)}, (years, years))
            assert bounds.low - Decimal("1e-9") <= exact.low <= bounds.high + Decimal("1e-9")


@pytest.mark.parametrize(
    # KDIGO 2024, doi:10.1016/j.kint.2023.10.018.
    ("value", "stage"),
    [
        (90, "G1"),
        ("89.5", "G1"),
        (89, "G2"),
        ("59.5", "G2"),
        ("59.4", "G3a"),
        (45, "G3a"),
        (44, "G3b"),
        (30, "G3b"),
        (29, "G4"),
        (15, "G4"),
        (14, "G5"),
        (1, "G5"),
    ],
)
def test_the_gfr_category_is_that_of_the_rounded_rate(mapped, value, stage):
    assert staged(mapped(rate(float(value))), "gfr_category") == stage


@pytest.mark.parametrize(("value", "stage"), [(0, "A1"), (29.9, "A1"), (30, "A2"), (300, "A2"), (300.5, "A3")])
def test_the_albuminuria_category_has_the_edges_of_kdigo(mapped, value, stage):
    assert staged(mapped(ratio(value)), "albuminuria_category") == stage


@pytest.mark.parametrize(
    ("value", "comparator", "stage"),
    [
        (60, ">", "unknown"),
        (90, ">", "G1"),
        (90, ">=", "G1"),
        (15, "<", "G5"),
        (15, "<=", "unknown"),
        (60, "<", "unknown"),
    ],
)
def test_a_bound_has_a_category_only_where_all_its_values_share_it(mapped, value, comparator, stage):
    snapshot = mapped(rate(value, comparator=comparator))
    assert staged(snapshot, "gfr_category") == stage
    assert ("derived.vague" in keys(snapshot)) is (stage == "unknown")


def test_two_rates_of_one_moment_that_differ_in_stage_leave_it_unknown(mapped):
    assert staged(mapped(rate(61), rate(58)), "gfr_category") == "unknown"
    assert staged(mapped(rate(58), rate(58)), "gfr_category") == "G3a"


@given(low=st.integers(0, 150), width=st.integers(0, 60))
def test_the_stages_of_a_range_are_those_of_its_values(rule, low, width):
    staging = rule("gfr-category-kdigo")
    every = {stages_of(staging, Bounds(Decimal(one), Decimal(one)))[0] for one in range(low, low + width + 1)}
    assert set(stages_of(staging, Bounds(Decimal(low), Decimal(low + width)))) == every


NEW, OLD, TOO_NEAR, TOO_OLD = "2026-10-01", "2026-07-03", "2026-07-04", "2024-01-01"


@pytest.mark.parametrize(
    ("bodies", "stage", "missing"),
    [
        ([rate(52, OLD), rate(50, NEW), ratio(20)], "G3aA1", None),
        ([rate(35, OLD), rate(28, NEW), ratio(400)], "G4A3", None),
        ([ratio(50, OLD), ratio(60, NEW), rate(95)], "G1A2", None),
        ([rate(52, TOO_NEAR), rate(50, NEW), ratio(20)], "unknown", "a second 'egfr', 90 days apart"),
        ([rate(50, NEW), ratio(20)], "unknown", "a second 'egfr', 90 days apart"),
        ([rate(52, TOO_OLD), rate(50, NEW), ratio(20)], "unknown", "a second 'egfr', 90 days apart"),
        ([rate(52, OLD), rate(65, "2026-08-15"), rate(50, NEW), ratio(20)], "unknown", "a second 'uacr'"),
        (
            [rate(52, "2026-05-01"), rate(65, "2026-08-15"), rate(50, NEW), ratio(20)],
            "unknown",
            "a second 'uacr'",
        ),
        ([rate(52, OLD), rate(50, NEW)], "unknown", "'uacr'"),
        ([ratio(50, OLD), ratio(60, NEW)], "unknown", "'egfr'"),
        ([rate(95, OLD), rate(95, NEW), ratio(5, OLD), ratio(5, NEW)], "unknown", "a sign of kidney damage"),
        ([rate(95, OLD), rate(95, NEW), ratio(5), condition((ICD, "N18.9"))], "G1A1", None),
        (
            [rate(60, OLD, comparator=">"), rate(50, NEW), ratio(5, OLD), ratio(5, NEW)],
            "unknown",
            "a sign of kidney",
        ),
    ],
)
def test_a_stage_of_ckd_needs_two_values_ninety_days_apart(mapped, bodies, stage, missing):
    snapshot = mapped(*bodies)
    assert staged(snapshot, "ckd_stage") == stage
    told = [issue.detail for issue in snapshot.issues if issue.key == "mapping.derived.not-shown"]
    assert (not told) if missing is None else (missing in told[0])


def test_a_stage_of_ckd_names_every_value_that_shows_it(mapped):
    fact = only(
        mapped(rate(52, OLD), rate(51, "2026-08-15"), rate(50, NEW), ratio(20), rate(80, TOO_OLD)), "ckd_stage"
    )
    assert {one.reference for one in fact.inputs} == {f"Observation/{number}" for number in (1, 2, 3, 4)}
    assert (fact.kind, fact.answer.display, fact.effective) == ("stage", "CKD G3a A1", NEW)


def test_a_stage_of_ckd_may_rest_on_rates_that_were_calculated(mapped):
    snapshot = mapped(creatinine(1.5, on=OLD), creatinine(1.5, on=NEW), ratio(20), of=aged("female", 55))
    fact = only(snapshot, "ckd_stage")
    assert fact.answer.code == "G3bA1"
    assert {one.reference for one in fact.inputs} == {
        "Observation/1",
        "Observation/2",
        "Observation/3",
        "Patient/me",
    }


def test_without_a_measurement_nothing_is_staged_and_nothing_is_asked(mapped):
    snapshot = mapped(condition((ICD, "N18.9")))
    assert states(snapshot) == {"chronic_kidney_disease": "present"}
    assert snapshot.of("ckd_stage") == ()
    assert snapshot.issues == ()


def test_a_value_of_the_day_before_yesterday_in_another_time_zone_keeps_its_own_day(mapped):
    snapshot = mapped(creatinine(1.1, on="2026-10-01T23:30:00-05:00"), of=aged("female", 55))
    assert only(snapshot, "egfr").effective == "2026-10-01T23:30:00-05:00"
    assert date(2026, 10, 1).isoformat() in only(snapshot, "egfr").evidence.date
