from decimal import Decimal

import pytest

from careplan_exchange.model.codec import decode
from tests.unit.mapping.builders import (
    LOINC,
    SNOMED,
    UCUM,
    concept,
    keys,
    observation,
    only,
    quantity,
    states,
)


def panel(code, *components, **more):
    return observation(
        code,
        component=[
            {"code": concept((LOINC, loinc)), **({"valueQuantity": value} if value else {})}
            for loinc, value in components
        ],
        **more,
    )


def test_a_measurement_keeps_its_digits_its_date_and_the_version_it_came_from(mapped):
    body = decode(b'{"value": 7.20, "unit": "%", "code": "%", "system": "http://unitsofmeasure.org"}')
    fact = only(mapped(observation(valueQuantity=body)), "hba1c")
    assert str(fact.value) == "7.20"
    assert fact.unit == "%"
    assert fact.effective == "2026-10-01T08:00:00Z"
    assert (fact.evidence.reference, fact.evidence.version_id) == ("Observation/1", "3")
    assert fact.coding.code == "4548-4"


@pytest.mark.parametrize("code", ["85354-9", "55284-4"])
def test_both_kinds_of_blood_pressure_panel_give_two_measurements_of_one_resource(mapped, code):
    snapshot = mapped(panel(code, ("8480-6", quantity(132, "mm[Hg]")), ("8462-4", quantity(84, "mm[Hg]"))))
    assert only(snapshot, "systolic_bp").value == 132
    assert only(snapshot, "diastolic_bp").value == 84
    assert {fact.evidence.reference for fact in snapshot.facts} == {"Observation/1"}
    assert snapshot.issues == ()


def test_systolic_pressure_alone_is_a_measurement_too(mapped):
    assert only(mapped(observation("8480-6", valueQuantity=quantity(150, "mm[Hg]"))), "systolic_bp").value == 150


def test_half_a_panel_is_used_and_the_other_half_is_an_issue(mapped):
    snapshot = mapped(panel("85354-9", ("8480-6", quantity(132, "mm[Hg]")), ("8462-4", None)))
    assert states(snapshot) == {"systolic_bp": "present"}
    assert keys(snapshot) == ["value.missing"]
    assert snapshot.issues[0].expression == "Observation.component.value"


def test_a_panel_without_components_and_a_component_without_a_code_are_issues(mapped):
    assert keys(mapped(observation("85354-9"))) == ["value.missing"]
    body = observation("85354-9", component=[{"valueQuantity": quantity(1, "mm[Hg]")}])
    assert keys(mapped(body)) == ["code.missing"]
    modified = {"code": concept((LOINC, "8480-6")), "modifierExtension": [{"url": "urn:x"}]}
    assert keys(mapped(observation("85354-9", component=[modified]))) == ["code.missing"]


def test_components_of_anything_but_a_panel_are_not_read(mapped):
    snapshot = mapped(panel("4548-4", ("8480-6", quantity(132, "mm[Hg]")), valueQuantity=quantity(7)))
    assert states(snapshot) == {"hba1c": "present"}
    assert keys(snapshot) == ["component.not-read"]


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_a_settled_result_is_a_fact(mapped, status):
    assert mapped(observation(status=status, valueQuantity=quantity(7))).facts


@pytest.mark.parametrize(
    ("status", "key", "severity"),
    [
        ("preliminary", "status.not-final", "warning"),
        ("registered", "status.not-final", "warning"),
        ("unknown", "status.not-final", "warning"),
        ("banana", "status.not-final", "warning"),
        (None, "status.not-final", "warning"),
        ("cancelled", "status.cancelled", "information"),
        ("entered-in-error", "status.entered-in-error", "information"),
    ],
)
def test_a_result_that_is_not_settled_is_an_issue_and_no_fact(mapped, status, key, severity):
    snapshot = mapped(observation(status=status, valueQuantity=quantity(7)))
    assert snapshot.facts == ()
    assert [(issue.key, issue.severity) for issue in snapshot.issues] == [(f"mapping.{key}", severity)]
    assert "banana" not in snapshot.issues[0].detail


def test_a_comparator_makes_the_value_a_bound(mapped):
    fact = only(mapped(observation(valueQuantity=quantity(7, comparator="<"))), "hba1c")
    assert (fact.value, fact.comparator) == (7, "<")


def test_a_comparator_that_fhir_does_not_know_is_an_issue(mapped):
    assert keys(mapped(observation(valueQuantity=quantity(7, comparator="ad")))) == ["value.comparator"]


def test_a_range_keeps_both_ends(mapped):
    body = observation("8480-6", valueRange={"low": quantity(120, "mm[Hg]"), "high": quantity(16, "kPa")})
    fact = only(mapped(body), "systolic_bp")
    assert fact.value is None
    assert fact.low == 120
    assert round(fact.high, 2) == Decimal("120.01")


@pytest.mark.parametrize(("end", "comparator"), [("low", ">="), ("high", "<=")])
def test_a_range_with_one_end_is_a_bound(mapped, end, comparator):
    fact = only(mapped(observation(valueRange={end: quantity(7)})), "hba1c")
    assert (fact.value, fact.comparator) == (7, comparator)


@pytest.mark.parametrize("sent", [{}, {"low": quantity(8), "high": quantity(7)}])
def test_an_empty_or_reversed_range_is_an_issue(mapped, sent):
    snapshot = mapped(observation(valueRange=sent))
    assert (snapshot.facts, keys(snapshot)) == ((), ["value.range"])


def test_a_range_with_an_end_that_cannot_be_read_is_an_issue(mapped):
    body = observation(valueRange={"low": quantity(7), "high": quantity(8, None)})
    assert keys(mapped(body)) == ["unit.missing"]


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ({"valueString": "about 7.2 %"}, "value.kind"),
        ({"valueString": "7.2 of 10"}, "value.kind"),
        ({"valueString": "120/80"}, "value.kind"),
        ({"valueString": "7,200 %"}, "value.kind"),
        ({"valueString": "5.6-7.0"}, "value.kind"),
        ({"valueString": ""}, "value.kind"),
        ({"valueInteger": 7}, "unit.missing"),
        ({"valueBoolean": False}, "value.kind"),
        ({"valueRatio": {"numerator": {"value": 7}}}, "value.kind"),
        ({"valueCodeableConcept": {"text": "high"}}, "value.kind"),
        ({"dataAbsentReason": {"text": "error"}}, "value.absent"),
        ({}, "value.missing"),
        ({"valueQuantity": {"unit": "%"}}, "value.missing"),
        ({"valueQuantity": {"value": "NaN", "unit": "%"}}, "value.missing"),
        ({"valueQuantity": {"value": 7}}, "unit.missing"),
        ({"valueQuantity": {"value": 7, "unit": "  "}}, "unit.missing"),
        ({"valueQuantity": {"value": 7, "unit": "points"}}, "unit.unknown"),
        ({"valueQuantity": {"value": 7, "unit": "%", "code": "mmol/L", "system": UCUM}}, "unit.unknown"),
        ({"valueQuantity": {"value": 7, "unit": "%", "code": "mmol/mol", "system": UCUM}}, "unit.conflict"),
        ({"valueQuantity": {"value": -1, "unit": "%"}}, "value.negative"),
        ({"valueQuantity": {"value": 53, "unit": "%"}}, "value.implausible"),
        ({"valueQuantity": {"value": 0.2, "unit": "%"}}, "value.implausible"),
        ({"valueQuantity": {"value": 1e300, "unit": "mmol/mol"}}, "value.implausible"),
    ],
)
def test_a_value_that_cannot_be_read_is_an_issue_and_is_not_guessed(mapped, value, key):
    snapshot = mapped(observation(**value))
    assert snapshot.facts == ()
    (issue,) = snapshot.issues
    assert issue.key == f"mapping.{key}"
    assert issue.source == "Observation/1/_history/3"
    assert issue.mend


def test_no_issue_repeats_a_measured_value(mapped):
    snapshot = mapped(observation(valueQuantity=quantity(98.76)), observation(valueString="98.76 %"))
    assert len(snapshot.issues) == 2
    assert not any("98.76" in issue.detail for issue in snapshot.issues)


def test_a_unit_that_is_no_unit_is_not_repeated(mapped):
    snapshot = mapped(observation(valueQuantity={"value": 7, "unit": "as told by Jane; call 555-0100 first"}))
    assert keys(snapshot) == ["unit.unknown"]
    assert "Jane" not in snapshot.issues[0].detail


def test_a_local_unit_code_does_not_hide_the_unit_that_is_displayed(mapped):
    body = observation(valueQuantity={"value": 7.1, "code": "PCT", "system": "urn:local", "unit": "%"})
    assert mapped(body).facts


def test_a_percent_under_a_code_of_the_other_scale_is_refused(mapped):
    snapshot = mapped(observation("59261-8", valueQuantity=quantity(5.3)))
    assert (snapshot.facts, keys(snapshot)) == ((), ["unit.ambiguous"])
    assert only(mapped(observation("59261-8", valueQuantity=quantity(53, "mmol/mol"))), "hba1c").value == Decimal(
        "7.0"
    )


def test_a_reading_that_rests_on_an_assumption_is_used_and_told(mapped):
    snapshot = mapped(observation("33914-3", valueQuantity=quantity(58, "mL/min")))
    assert only(snapshot, "egfr").value == 58
    (assumed,) = [issue for issue in snapshot.issues if issue.key == "mapping.unit.assumed"]
    assert assumed.severity == "information"


def test_a_race_based_estimate_is_never_used_and_the_issue_says_why(mapped):
    snapshot = mapped(observation("48642-3", valueQuantity=quantity(58, "mL/min/{1.73_m2}")))
    assert (snapshot.facts, keys(snapshot)) == ((), ["code.not-used"])
    assert "race" in snapshot.issues[0].detail


def test_codes_that_name_two_measurements_make_the_value_unusable(mapped):
    body = observation(concept((LOINC, "4548-4"), (LOINC, "2823-3")), valueQuantity=quantity(5))
    snapshot = mapped(body)
    assert snapshot.facts == ()
    assert [(issue.key, issue.severity) for issue in snapshot.issues] == [("mapping.code.conflict", "error")]


def test_a_local_code_beside_a_known_one_does_no_harm(mapped):
    body = observation(concept(("urn:lab", "A1C"), (LOINC, "4548-4")), valueQuantity=quantity(5))
    snapshot = mapped(body)
    assert (states(snapshot), snapshot.issues) == ({"hba1c": "present"}, ())


def test_a_code_system_under_its_other_name_is_understood(mapped):
    body = observation(concept(("urn:oid:2.16.840.1.113883.6.1", "4548-4")), valueQuantity=quantity(5))
    assert mapped(body).facts


@pytest.mark.parametrize(
    ("code", "key"), [({}, "code.missing"), ({"text": "HbA1c"}, "code.text-only"), (None, "code.missing")]
)
def test_a_measurement_is_never_recognised_by_its_text(mapped, code, key):
    snapshot = mapped(observation(code, valueQuantity=quantity(7)))
    assert (snapshot.facts, keys(snapshot)) == ((), [key])


def test_a_code_of_no_concept_is_told_once_with_all_its_sources(mapped):
    snapshot = mapped(*[observation("11502-2", valueQuantity=quantity(1, "mg/dL")) for _ in range(40)])
    (issue,) = snapshot.issues
    assert issue.key == "mapping.code.no-concept"
    assert "11502-2" in issue.detail
    assert "(40 resources)" in issue.detail
    assert len(set(issue.sources)) == 40
    assert issue.source in issue.sources


def test_what_is_not_about_the_patient_is_not_used(mapped):
    snapshot = mapped(observation(focus=[{"display": "fetus"}], valueQuantity=quantity(7)))
    assert (snapshot.facts, keys(snapshot)) == ((), ["subject.focus"])


@pytest.mark.parametrize(
    "when",
    [
        {"effectiveInstant": "2026-10-01T08:00:00.123+02:00"},
        {"effectivePeriod": {"start": "2026-09-01", "end": "2026-10-01"}},
        {"effectivePeriod": {"start": "2026-10-01"}},
        {"effectivePeriod": {"start": "2026-10-01", "end": "2027-10-01"}},
        {"effectiveTiming": {"event": ["2026-09-01", "2026-10-01"]}},
    ],
)
def test_every_kind_of_effective_time_is_read(mapped, when):
    fact = only(mapped(observation(effectiveDateTime=None, **when, valueQuantity=quantity(7))), "hba1c")
    assert fact.effective.startswith("2026-10-01")


def test_a_value_without_a_date_stands_undated_with_an_issue(mapped):
    snapshot = mapped(
        observation(effectiveDateTime=None, issued="2026-10-01T00:00:00Z", valueQuantity=quantity(7))
    )
    assert only(snapshot, "hba1c").effective is None
    assert keys(snapshot) == ["date.missing"]


def test_an_unreadable_date_is_an_issue_and_the_value_stands_undated(mapped):
    snapshot = mapped(observation(effectiveDateTime="01/10/2026", valueQuantity=quantity(7)))
    assert only(snapshot, "hba1c").effective is None
    assert keys(snapshot) == ["date.missing", "date.unreadable"]


def test_a_value_from_the_future_is_no_fact(mapped):
    snapshot = mapped(observation(effectiveDateTime="2027-01-01", valueQuantity=quantity(7)))
    assert (snapshot.facts, keys(snapshot)) == ((), ["date.future"])


def test_the_same_measurement_twice_stays_two_facts(mapped):
    assert len(mapped(*[observation(valueQuantity=quantity(7))] * 2).of("hba1c")) == 2


@pytest.mark.parametrize(
    ("answer", "state"),
    [("LA15173-0", "present"), ("LA26683-5", "absent"), ("LA4489-6", "unknown")],
)
def test_pregnancy_status_is_read_from_its_answer(mapped, answer, state):
    body = observation("82810-3", effectiveDateTime="2026-11-20", valueCodeableConcept=concept((LOINC, answer)))
    assert states(mapped(body)) == {"pregnancy": state}


def test_not_pregnant_says_nothing_once_it_is_old(mapped):
    body = observation(
        "82810-3", effectiveDateTime="2026-08-01", valueCodeableConcept=concept((LOINC, "LA26683-5"))
    )
    snapshot = mapped(body)
    assert (snapshot.facts, keys(snapshot)) == ((), ["answer.outdated"])


def test_not_pregnant_without_a_date_says_nothing(mapped):
    body = observation("82810-3", effectiveDateTime=None, valueCodeableConcept=concept((LOINC, "LA26683-5")))
    assert keys(mapped(body)) == ["answer.outdated", "date.missing"]


def test_an_answer_from_the_future_is_no_fact(mapped):
    body = observation(
        "82810-3", effectiveDateTime="2027-01-01", valueCodeableConcept=concept((LOINC, "LA15173-0"))
    )
    assert (mapped(body).facts, keys(mapped(body))) == ((), ["date.future"])


def test_an_answer_by_text_is_used_and_told(mapped):
    value = concept((SNOMED, "266919005"), display="Never smoker (finding)")
    snapshot = mapped(observation("72166-2", valueCodeableConcept=value))
    assert states(snapshot) == {"smoking": "absent"}
    assert keys(snapshot) == ["text.used"]
    assert states(mapped(observation("72166-2", valueCodeableConcept={"text": "FORMER  smoker"}))) == {
        "smoking": "absent"
    }


def test_answers_that_disagree_make_it_unknown(mapped):
    value = concept((LOINC, "LA18976-3"), (LOINC, "LA18978-9"))
    snapshot = mapped(observation("72166-2", valueCodeableConcept=value))
    assert (states(snapshot), keys(snapshot)) == ({"smoking": "unknown"}, ["answer.conflict"])


@pytest.mark.parametrize("value", [concept((LOINC, "LA99-9")), {"text": "sometimes, at parties"}])
def test_an_answer_that_no_mapping_knows_is_an_issue_and_is_not_quoted(mapped, value):
    snapshot = mapped(observation("72166-2", valueCodeableConcept=value))
    assert (snapshot.facts, keys(snapshot)) == ((), ["answer.unknown"])
    assert "parties" not in snapshot.issues[0].detail


def test_a_question_without_a_coded_answer_is_an_issue(mapped):
    assert keys(mapped(observation("82810-3", valueBoolean=True))) == ["value.kind"]
