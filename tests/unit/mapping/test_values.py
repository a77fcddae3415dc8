"""Every kind of value an Observation can hold, what its interpretation adds, where it was measured, and when."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.mapping.dates import fault, instant_of, is_before, span_of
from careplan_exchange.mapping.numerals import quantity_in
from tests.unit.mapping.builders import LOINC, concept, keys, observation, only, patient, quantity

INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
SETTING = "http://hl7.org/fhir/us/vitals/StructureDefinition/MeasurementSettingExt"
CARDX = "http://hl7.org/fhir/us/cardx-htn/StructureDefinition/MeasurementSettingExt"
SMBP = "http://hl7.org/fhir/us/cardx-htn/CodeSystem/smbp-code-system"


def read_one(snapshot, concept_id="hba1c"):
    (fact,) = [fact for fact in snapshot.of(concept_id) if fact.rule is None]
    return fact


def potassium(**more):
    return observation("2823-3", **more)


# Texts, integers, ratios, no unit.


@pytest.mark.parametrize(
    ("text", "value", "comparator"),
    [
        ("7.2 %", "7.2", None),
        (" 7.2% ", "7.2", None),
        ("7,2 %", "7.2", None),
        ("<7.2 %", "7.2", "<"),
        ("≥ 7.2 %", "7.2", ">="),
        ("<= 7 percent", "7", "<="),
    ],
)
def test_a_text_that_is_a_number_with_a_known_unit_is_read_and_told(mapped, text, value, comparator):
    snapshot = mapped(observation(valueString=text))
    fact = read_one(snapshot)
    assert (str(fact.value), fact.comparator) == (value, comparator)
    assert keys(snapshot) == ["value.from-text"]


def test_a_text_that_stands_for_a_code_is_read_and_a_coded_answer_is_not(mapped):
    said = mapped(observation(valueCodeableConcept={"text": "7.2 %"}))
    assert read_one(said).value == Decimal("7.2")
    coded = observation(valueCodeableConcept=concept((LOINC, "LA6576-8"), text="7.2 %"))
    assert (mapped(coded).facts, keys(mapped(coded))) == ((), ["value.kind"])


@pytest.mark.parametrize(
    "text", ["7,200", "1,234.5", "1.234,5", "120/80", "5.6-7.0", "1:128", "+", "", "7..2", "\u0667"]
)
def test_a_text_that_may_be_another_number_is_none(text):
    assert quantity_in(text) is None


@given(st.text(max_size=30))
def test_any_text_at_all_is_a_quantity_or_none(text):
    found = quantity_in(text)
    assert found is None or (found.value is not None and found.value >= 0)


@given(value=st.decimals(min_value=0, max_value=9999, places=2))
def test_a_number_written_out_is_read_back(value):
    found = quantity_in(f"{value:f}")
    assert found is not None
    assert found.value == value


@pytest.mark.parametrize(
    ("code", "concept_id", "sent", "value"),
    [
        ("8480-6", "systolic_bp", {"valueInteger": 130}, 130),
        ("8480-6", "systolic_bp", {"valueQuantity": {"value": 130}}, 130),
        ("2160-0", "creatinine", {"valueQuantity": {"value": 97}}, Decimal("1.09728506787")),
        ("4548-4", "hba1c", {"valueQuantity": {"value": 53}}, Decimal("7.0")),
        ("13457-7", "ldl_cholesterol", {"valueQuantity": {"value": 3}}, Decimal("116.01")),
    ],
)
def test_a_value_without_a_unit_is_used_where_one_reading_is_plausible(mapped, code, concept_id, sent, value):
    snapshot = mapped(observation(code, **sent))
    assert read_one(snapshot, concept_id).value == value
    assert "unit.inferred" in keys(snapshot)


@pytest.mark.parametrize(
    ("code", "value", "said"),
    [("2160-0", 1.1, "several"), ("4548-4", 8, "several"), ("29463-7", 70, "several"), ("8480-6", 5000, "none")],
)
def test_a_value_without_a_unit_is_not_used_where_several_or_no_readings_are_plausible(mapped, code, value, said):
    snapshot = mapped(observation(code, valueQuantity={"value": value}))
    assert (snapshot.facts, keys(snapshot)) == ((), ["unit.missing"])
    assert said in snapshot.issues[0].detail


def test_a_percent_code_of_the_other_scale_is_refused_without_a_unit_too(mapped):
    assert mapped(observation("59261-8", valueQuantity={"value": 3})).facts == ()


@pytest.mark.parametrize(
    ("numerator", "denominator", "value", "comparator"),
    [
        (quantity(45, "mg"), quantity(1, "g"), 45, None),
        (quantity(90, "mg"), quantity(2, "g"), 45, None),
        (quantity(5, "mg"), quantity(1, "mmol"), Decimal("44.2"), None),
        (quantity(30, "mg", comparator="<"), quantity(1, "g"), 30, "<"),
    ],
)
def test_a_ratio_is_its_quotient_in_the_quotient_of_its_units(mapped, numerator, denominator, value, comparator):
    body = observation("9318-7", valueRatio={"numerator": numerator, "denominator": denominator})
    fact = read_one(mapped(body), "uacr")
    assert (fact.value, fact.comparator) == (value, comparator)


@pytest.mark.parametrize(
    "ratio",
    [
        {},
        {"numerator": quantity(1, None), "denominator": quantity(128, None)},
        {"numerator": quantity(45, "mg"), "denominator": quantity(0, "g")},
        {"numerator": quantity(45, "mg"), "denominator": quantity(1, "g", comparator=">")},
        {"numerator": quantity(45, "mg")},
    ],
)
def test_a_titre_and_a_ratio_without_a_sound_denominator_are_issues(mapped, ratio):
    snapshot = mapped(observation("9318-7", valueRatio=ratio))
    assert (snapshot.facts, keys(snapshot)) == ((), ["value.kind"])


@pytest.mark.parametrize(
    "value",
    [
        {"valueSampledData": {"origin": {"value": 0}, "period": 10, "dimensions": 1}},
        {"valueTime": "10:00:00"},
        {"valueDateTime": "2026-01-01"},
        {"valuePeriod": {"start": "2026-01-01"}},
        {"valueBoolean": True},
        {"valueAttachment": {"url": "x"}},
        {"valueReference": {"reference": "MolecularSequence/1"}},
    ],
    ids=lambda value: next(iter(value)),
)
def test_every_other_kind_of_value_is_an_issue(mapped, value):
    snapshot = mapped(observation(**value))
    assert (snapshot.facts, keys(snapshot)) == ((), ["value.kind"])
    assert next(iter(value)) in snapshot.issues[0].detail


# Reasons for absence, interpretation.


def test_a_value_beside_a_reason_for_its_absence_is_not_used(mapped):
    snapshot = mapped(observation(valueQuantity=quantity(7), dataAbsentReason={"text": "error"}))
    assert (snapshot.facts, keys(snapshot)) == ((), ["value.conflict"])


def test_a_component_whose_value_is_absent_leaves_the_other_one(mapped):
    body = observation(
        "85354-9",
        component=[
            {"code": concept((LOINC, "8480-6")), "valueQuantity": quantity(130, "mm[Hg]")},
            {"code": concept((LOINC, "8462-4")), "dataAbsentReason": {"text": "unknown"}},
        ],
    )
    snapshot = mapped(body)
    assert [fact.concept for fact in snapshot.facts] == ["systolic_bp"]
    assert keys(snapshot) == ["value.absent"]


def test_a_panel_with_a_value_of_its_own_says_that_it_was_not_read(mapped):
    component = {"code": concept((LOINC, "8480-6")), "valueQuantity": quantity(130, "mm[Hg]")}
    snapshot = mapped(observation("85354-9", component=[component], valueString="130/80"))
    assert [fact.concept for fact in snapshot.facts] == ["systolic_bp"]
    assert keys(snapshot) == ["value.of-panel"]


def test_a_panel_of_members_sends_its_reader_to_them(mapped):
    snapshot = mapped(observation("85354-9", hasMember=[{"reference": "Observation/2"}]))
    assert (snapshot.facts, keys(snapshot)) == ((), ["panel.members"])


def interpreted(*codes, system=INTERPRETATION, **more):
    coding = [{"coding": [{"system": system, "code": code} for code in codes]}]
    body = {"valueQuantity": quantity(5.0, "mmol/L"), "interpretation": coding}
    return potassium(**(body | more))


RANGE = [{"low": {"value": 3.5}, "high": {"value": 5.1, "unit": "mmol/L"}}]


@pytest.mark.parametrize(
    ("codes", "value", "told"),
    [
        (("N",), 5.0, False),
        (("H",), 5.4, False),
        (("L",), 3.0, False),
        (("H",), 5.1, False),
        (("H",), 4.0, True),
        (("L",), 4.0, True),
        (("N",), 6.0, True),
        (("N",), 3.0, True),
        (("H", "L"), 6.0, True),
        (("A",), 6.0, False),
    ],
)
def test_an_interpretation_that_contradicts_the_value_is_told_and_the_value_stands(mapped, codes, value, told):
    snapshot = mapped(interpreted(*codes, valueQuantity=quantity(value, "mmol/L"), referenceRange=RANGE))
    assert read_one(snapshot, "potassium").value == Decimal(str(value))
    assert keys(snapshot) == (["interpretation.conflict"] if told else [])


def test_a_reference_range_in_another_unit_is_converted_and_several_are_not_compared(mapped):
    value = quantity(1.5, "mg/dL")
    other = [{"low": quantity(60, "umol/L"), "high": quantity(110, "umol/L")}]
    body = observation("2160-0", valueQuantity=value, interpretation=[concept((INTERPRETATION, "N"))])
    assert "interpretation.conflict" in keys(mapped(body | {"referenceRange": other}))
    assert "interpretation.conflict" not in keys(mapped(body | {"referenceRange": other * 2}))
    assert "interpretation.conflict" not in keys(mapped(body | {"referenceRange": [{"high": quantity(1, "x")}]}))


@pytest.mark.parametrize(("code", "comparator"), [("<", "<="), (">", ">=")])
def test_off_the_scale_makes_the_value_a_bound(mapped, code, comparator):
    snapshot = mapped(interpreted(code))
    assert read_one(snapshot, "potassium").comparator == comparator
    assert keys(snapshot) == ["interpretation.bound"]
    kept = mapped(interpreted(code, valueQuantity=quantity(5, "mmol/L", comparator=code)))
    assert (read_one(kept, "potassium").comparator, keys(kept)) == (code, [])


@pytest.mark.parametrize(
    "body",
    [
        interpreted("<", valueQuantity=quantity(5, "mmol/L", comparator=">")),
        interpreted("<", ">"),
        interpreted(
            ">", valueQuantity=None, valueRange={"low": quantity(4, "mmol/L"), "high": quantity(5, "mmol/L")}
        ),
    ],
)
def test_a_scale_that_points_the_other_way_makes_the_value_unusable(mapped, body):
    snapshot = mapped({name: value for name, value in body.items() if value is not None})
    assert (snapshot.facts, keys(snapshot)) == ((), ["interpretation.off-scale"])


def test_an_interpretation_of_another_system_means_nothing_here(mapped):
    assert keys(mapped(interpreted("<", system="urn:lab"))) == []


# Where it was measured.


@pytest.mark.parametrize(
    ("more", "origin"),
    [
        ({}, None),
        ({"extension": [{"url": SETTING, "valueCodeableConcept": {"text": "Home"}}]}, "home"),
        ({"extension": [{"url": SETTING, "valueCodeableConcept": {"text": "Hospital"}}]}, "clinic"),
        ({"extension": [{"url": SETTING, "valueCodeableConcept": {"text": "Moon"}}]}, None),
        ({"extension": [{"url": "urn:other", "valueCodeableConcept": {"text": "Home"}}]}, None),
        ({"extension": [{"url": SETTING, "valueCodeableConcept": {"coding": [{"display": "Home"}]}}]}, "home"),
        ({"extension": [{"url": SETTING, "valueString": "Home"}]}, None),
        (
            {"extension": [{"url": CARDX, "valueCodeableConcept": concept((SMBP, "non-clinical-environment"))}]},
            "home",
        ),
    ],
)
def test_where_a_value_was_measured_is_kept(mapped, more, origin):
    snapshot = mapped(observation("8480-6", valueQuantity=quantity(130, "mm[Hg]"), **more))
    (fact,) = snapshot.facts
    assert fact.origin == origin
    assert fact.concept == ("systolic_bp" if origin in {None, "clinic"} else "home_systolic_bp")


def test_where_it_makes_no_difference_the_concept_stays_and_the_origin_is_kept(mapped):
    at_home = {"extension": [{"url": SETTING, "valueCodeableConcept": {"text": "Home"}}]}
    snapshot = mapped(observation(valueQuantity=quantity(7), **at_home))
    assert (read_one(snapshot).concept, read_one(snapshot).origin) == ("hba1c", "home")


# When.


@pytest.mark.parametrize(
    ("when", "effective"),
    [
        (
            {"effectiveTiming": {"repeat": {"boundsPeriod": {"start": "2026-01-01", "end": "2026-02-01"}}}},
            "2026-02-01",
        ),
        ({"effectiveTiming": {"event": ["2026-01-01", "2026-01-03"]}}, "2026-01-03"),
        ({"effectiveInstant": "2026-01-01T10:00:00.123+02:00"}, "2026-01-01T10:00:00.123+02:00"),
        ({"effectivePeriod": {"start": "2026-01-01"}}, "2026-01-01"),
        ({"effectiveDateTime": "2026"}, "2026"),
        ({"effectiveDateTime": "2026-11-25T00:30:00+14:00"}, "2026-11-25T00:30:00+14:00"),
    ],
)
def test_a_time_of_any_kind_and_precision_is_kept_as_it_was_sent(mapped, when, effective):
    snapshot = mapped(observation(valueQuantity=quantity(7), **({"effectiveDateTime": None} | when)))
    assert read_one(snapshot).effective == effective
    assert [key for key in keys(snapshot) if key.startswith("date.")] == []


@pytest.mark.parametrize("at", ["1900-01-01", "1980-05-16", "1980-05-16T23:00:00Z", "1979"])
def test_a_value_from_before_the_birth_stands_undated_with_an_issue(mapped, at):
    snapshot = mapped(observation(valueQuantity=quantity(7), effectiveDateTime=at))
    assert (read_one(snapshot).effective, keys(snapshot)) == (None, ["date.before-birth"])


@pytest.mark.parametrize(
    ("at", "birth"), [("1980-05-17", "1980-05-17"), ("1980", "1980-05-17"), ("1980-01-01", "1980")]
)
def test_a_date_that_may_be_after_the_birth_is_kept(mapped, at, birth):
    snapshot = mapped(observation(valueQuantity=quantity(7), effectiveDateTime=at), of=patient(birthDate=birth))
    assert read_one(snapshot).effective == at
    assert "date.before-birth" not in keys(snapshot)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026", "2026-01-01T00:00:00+00:00"),
        ("2026-10", "2026-10-01T00:00:00+00:00"),
        ("2026-10-02T23:30:00+02:00", "2026-10-02T21:30:00+00:00"),
        ("2026-10-02T23:30:00", "2026-10-02T23:30:00+00:00"),
        ("2026-10-02T23:59:60Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("2026-13", None),
        ("yesterday", None),
    ],
)
def test_a_moment_is_the_earliest_that_a_date_allows(text, moment):
    found = instant_of(text)
    assert (found and found.isoformat()) == moment


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-14:00", "9999-12-31"])
def test_the_last_day_that_there_is_lies_in_the_future(mapped, at):
    snapshot = mapped(observation(valueQuantity=quantity(7), effectiveDateTime=at))
    assert (snapshot.facts, keys(snapshot)) == ((), ["date.future"])


@given(st.text(max_size=30) | st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()))
def test_no_text_breaks_the_reading_of_dates(text):
    span_of(text)
    instant_of(text)
    is_before(text, "1980")
    fault(text, date(2026, 11, 24))


def test_a_preliminary_value_feeds_no_rule(mapped):
    body = observation("2160-0", valueQuantity=quantity(1.1, "mg/dL"), status="preliminary")
    snapshot = mapped(body)
    assert (snapshot.facts, keys(snapshot)) == ((), ["status.not-final"])
    assert only(mapped(body | {"status": "corrected"}), "egfr").rule is not None
