"""From outcomes to the whole proposal: words, evidence, dates, goals, merging, and what one protocol forbids."""

import time
from datetime import date
from decimal import Decimal
from itertools import permutations

import msgspec
import pytest

from careplan_exchange import knowledge, planner
from careplan_exchange.model.codec import encode
from careplan_exchange.model.proposal import Citation, Used
from careplan_exchange.model.snapshot import Evidence
from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.dates import after, days_of, instant_of
from careplan_exchange.planner.dynamic import Filled, fill
from careplan_exchange.planner.elements import number
from careplan_exchange.planner.loading import compile_protocols
from careplan_exchange.planner.planning import _once
from careplan_exchange.planner.protocol import DynamicValue
from tests.cases.snapshots import fact, protocol_documents, snapshot, vocabulary
from tests.unit.planner.plans import CODED, compiled_of, condition, definition, plan_of, uses


def reason_of(expression, *facts, **more):
    patient = {name: more.pop(name) for name in ("birth", "gender") if name in more}
    action = {"id": "a", "title": "A", "condition": [condition(expression, **more)]}
    proposal = plan_of({"id": "p", "action": [action, {"id": "b", "title": "B"}]}, facts=facts, **patient)
    lines = [*proposal.activities, *proposal.not_applied, *proposal.withheld]
    return next(line for line in lines if line.key == "p/action/a").reasons[0]


@pytest.mark.parametrize(
    ("expression", "facts", "text"),
    [
        ("%hba1c > 7", {"hba1c": "8.1"}, "Haemoglobin A1c (NGSP) 8.1 % (2026-10-02) is above 7 %."),
        ("%hba1c > 7", {"hba1c": "6.9"}, "Haemoglobin A1c (NGSP) 6.9 % (2026-10-02) is not above 7 %."),
        ("%hba1c >= 7", {"hba1c": "7.0"}, "Haemoglobin A1c (NGSP) 7.0 % (2026-10-02) is at or above 7 %."),
        ("%hba1c >= 7", {"hba1c": "6.9"}, "Haemoglobin A1c (NGSP) 6.9 % (2026-10-02) is below 7 %."),
        ("%hba1c < 7", {"hba1c": "6.9"}, "Haemoglobin A1c (NGSP) 6.9 % (2026-10-02) is below 7 %."),
        ("%hba1c < 7", {"hba1c": "7.0"}, "Haemoglobin A1c (NGSP) 7.0 % (2026-10-02) is not below 7 %."),
        ("%hba1c <= 7", {"hba1c": "7.0"}, "Haemoglobin A1c (NGSP) 7.0 % (2026-10-02) is at or below 7 %."),
        ("%hba1c <= 7", {"hba1c": "7.1"}, "Haemoglobin A1c (NGSP) 7.1 % (2026-10-02) is above 7 %."),
        ("%hba1c = 7", {"hba1c": "7.0"}, "Haemoglobin A1c (NGSP) 7.0 % (2026-10-02) is 7 %."),
        ("%hba1c = 7", {"hba1c": "7.1"}, "Haemoglobin A1c (NGSP) 7.1 % (2026-10-02) is not 7 %."),
        ("%hba1c != 7", {"hba1c": "7.1"}, "Haemoglobin A1c (NGSP) 7.1 % (2026-10-02) is not 7 %."),
        ("%hba1c != 7", {"hba1c": "7.0"}, "Haemoglobin A1c (NGSP) 7.0 % (2026-10-02) is 7 %."),
        (
            "%hba1c = 7",
            {"hba1c": "<8"},
            "Haemoglobin A1c (NGSP) <8 % (2026-10-02) does not show whether it is 7 %.",
        ),
        ("%hba1c > 7", {}, "Haemoglobin A1c (NGSP) is not known."),
        (
            "%hba1c > 7",
            {"hba1c": "<8"},
            "Haemoglobin A1c (NGSP) <8 % (2026-10-02) does not show whether it is above 7 %.",
        ),
        (
            "%egfr < 30",
            {"egfr": 22},
            "Estimated glomerular filtration rate 22 mL/min/1.73 m2 (2026-10-02) is below 30 mL/min/1.73 m2.",
        ),
        (
            "%systolic_bp > 130",
            {"systolic_bp": 150},
            "Systolic blood pressure 150 mmHg (2026-10-02) is above 130 mmHg.",
        ),
        ("%metformin", {"metformin": None}, "Metformin is present (2026-10-02)."),
        ("%metformin.not()", {}, "Metformin is not recorded."),
        ("%metformin = false", {}, "Metformin is not recorded."),
        ("%frailty", {}, "Frailty is not known."),
        ("%ace_inhibitor", {}, "ACE inhibitor is not recorded."),
        ("%age >= 18", {}, "Age 50 years is at or above 18 years."),
        ("%sex = 'male'", {}, "Recorded sex is male."),
        ("%sex = 'female'", {}, "Recorded sex male is not female."),
        (
            "%metformin_days > 30",
            {"metformin": None},
            "Time since metformin (2026-10-02) is above 30 days.",
        ),
        ("true", {}, "This always holds."),
        ("false", {}, "This never holds."),
        ("Patient.gender = 'male'", {}, "It is true that Patient.gender = 'male'."),
        ("Patient.gender = 'female'", {}, "It is not true that Patient.gender = 'female'."),
        ("%hba1c + 1 > 7", {}, "It is not known that %hba1c + 1 > 7."),
        # An `and` that is false tells its false side, a true `or` its true one; two that are alike both.
        ("%metformin and %insulin", {"metformin": None}, "Insulin is not recorded."),
        ("%metformin or %insulin", {"metformin": None}, "Metformin is present (2026-10-02)."),
        ("%metformin or %insulin", {}, "Metformin is not recorded; insulin is not recorded."),
        ("%metformin and %hba1c > 7", {"metformin": None}, "Haemoglobin A1c (NGSP) is not known."),
        ("%metformin or %hba1c > 7", {}, "Haemoglobin A1c (NGSP) is not known."),
        ("(%metformin or %insulin).not()", {}, "Metformin is not recorded; insulin is not recorded."),
        ("(%metformin or %insulin).not()", {"insulin": None}, "Insulin is present (2026-10-02)."),
        ("%metformin.not() and %insulin.not()", {"metformin": None}, "Metformin is present (2026-10-02)."),
        (
            "%metformin xor %insulin",
            {"metformin": None},
            "Metformin is present (2026-10-02); insulin is not recorded.",
        ),
        ("%metformin xor %frailty", {"metformin": None}, "Frailty is not known."),
        (
            "%metformin implies %insulin",
            {"metformin": None},
            "Metformin is present (2026-10-02); insulin is not recorded.",
        ),
        ("%frailty implies %metformin", {}, "Frailty is not known."),
        (
            "%metformin or (%insulin and %frailty.not())",
            {},
            "Metformin is not recorded; insulin is not recorded.",
        ),
    ],
)
def test_a_reason_is_told_in_words_with_the_values(expression, facts, text):
    found = reason_of(expression, *(fact(concept, value) for concept, value in facts.items()))
    assert found.text == text
    assert found.rule == expression


def test_a_description_stands_before_the_words():
    found = reason_of("%egfr >= 30", fact("egfr", 22), description="Metformin is contraindicated.")
    assert found.text == (
        "Metformin is contraindicated: estimated glomerular filtration rate 22 mL/min/1.73 m2 (2026-10-02) is below "
        "30 mL/min/1.73 m2."
    )


def test_a_description_keeps_its_words_before_more_than_one_of_ours():
    facts = [fact("metformin"), fact("insulin")]
    found = reason_of("%metformin and %insulin", *facts, description="Bleeds for want of factor X.")
    assert found.text == (
        "Bleeds for want of factor X: metformin is present (2026-10-02); insulin is present (2026-10-02)."
    )


def test_a_reason_names_every_variable_with_its_value_and_exact_evidence():
    hba1c = fact("hba1c", "8.1")
    found = reason_of("%hba1c > 7 and %frailty and %subject.exists()", hba1c)
    assert found.used == (
        Used(variable="hba1c", value="8.1 % (2026-10-02)", evidence=(hba1c.evidence,)),
        Used(variable="frailty", value="not known"),
    )
    assert found.result == "unknown"


@pytest.mark.parametrize(
    ("expression", "asked"),
    [
        ("%frailty or %dementia or (%hba1c > 7 and %metformin)", ["dementia", "frailty"]),
        ("%dementia or %frailty", ["dementia", "frailty"]),
        ("%hba1c + %egfr > 7", ["hba1c"]),
    ],
)
def test_what_is_known_or_does_not_matter_is_not_asked_for(expression, asked):
    action = {"id": "a", "title": "A", "condition": [condition(expression, "ask")]}
    (activity,) = plan_of({"id": "p", "action": [action]}, facts=[fact("egfr", 40)]).activities
    assert [gap.concept for gap in activity.missing] == asked
    assert len(activity.questions) == len(asked)
    assert list(activity.questions) == [gap.ask for gap in activity.missing]


@pytest.mark.parametrize(
    ("expression", "ask"),
    [
        ("%metformin and %metformin_days > 3", "Metformin: does it hold? What is recorded leaves it open."),
        ("%metformin_days > 3 and %metformin", "When was the latest: metformin? The record does not say."),
    ],
)
def test_of_two_questions_about_one_concept_the_first_in_the_condition_is_asked(expression, ask):
    action = {"id": "a", "title": "A", "condition": [condition(expression, "ask")]}
    proposal = plan_of({"id": "p", "action": [action]}, facts=[fact("metformin", state="unknown")])
    assert [(gap.concept, gap.ask) for gap in proposal.gaps] == [("metformin", ask)]


def test_a_gap_asks_only_for_what_the_answer_hangs_on():
    action = {"id": "a", "title": "A", "condition": [condition("%frailty or (%hba1c > 7 and %metformin)", "ask")]}
    proposal = plan_of({"id": "p", "action": [action]})
    assert [gap.concept for gap in proposal.gaps] == ["frailty"]
    whole = {
        "id": "a",
        "title": "A",
        "condition": [condition("%frailty.exists().not() and %hba1c + 1 > 7", "ask")],
    }
    assert [gap.concept for gap in plan_of({"id": "p", "action": [whole]}).gaps] == ["frailty", "hba1c"]


def test_a_condition_asks_its_own_question_where_one_thing_is_missing():
    one = {"id": "a", "title": "A", "condition": [condition("%pregnancy.not()", "ask", question="Is she?")]}
    two = {"id": "b", "title": "B", "condition": [condition("%frailty and %dementia", "ask", question="Is she?")]}
    proposal = plan_of({"id": "p", "action": [one, two]})
    assert proposal.activities[0].questions == ("Is she?",)
    assert proposal.activities[1].questions == (
        "Does the patient have dementia? The record does not say.",
        "Does the patient have frailty? The record does not say.",
    )


def test_ranges_that_are_too_many_to_reason_about_are_all_asked_for():
    ranges = ["bmi", "creatinine", "diastolic_bp", "egfr", "hba1c", "potassium", "systolic_bp", "uacr"]
    parts = [f"(%{name} >= 0 and %{name} <= 12 and %{name} != 20)" for name in ranges]
    for expression in (" and ".join(["true", *parts]), f"%metformin or ({' and '.join(parts)})"):
        action = {"id": "a", "title": "A", "condition": [condition(expression, "ask")]}
        facts = [fact("metformin"), *(fact(name, "0..12") for name in ranges)]
        (activity,) = plan_of({"id": "p", "action": [action]}, facts=facts).activities
        assert [gap.concept for gap in activity.missing] == ranges
        assert len(activity.questions) == len(ranges)


def test_a_question_asked_by_a_parent_is_asked_of_the_child():
    child = {"id": "c", "title": "C", "condition": [condition("%frailty", "ask")]}
    parent = {"id": "a", "title": "A", "condition": [condition("%pregnancy.not()", "ask")], "action": [child]}
    (activity,) = plan_of({"id": "p", "action": [parent]}).activities
    assert [gap.concept for gap in activity.missing] == ["frailty", "pregnancy"]
    assert len(activity.questions) == 2
    assert [reason.rule for reason in activity.reasons] == ["%pregnancy.not()", "%frailty"]


GOAL = {
    "id": "hba1c.adult",
    "description": {"text": "Below 7"},
    "category": {"coding": [{"code": "dietary"}]},
    "priority": {"coding": [{"code": "high-priority"}]},
    "addresses": [{"coding": [{"system": "http://snomed.info/sct", "code": "44054006"}]}],
    "documentation": [
        {
            "type": "citation",
            "citation": "G",
            "url": "u",
            "extension": [
                {
                    "url": "http://hl7.org/fhir/StructureDefinition/cqf-strengthOfRecommendation",
                    "valueCodeableConcept": {"text": "A"},
                }
            ],
        },
        {"type": "depends-on", "display": "no citation"},
        {"type": "justification", "display": "Shown"},
    ],
}


def targets(*found):
    goal = {**GOAL, "target": list(found)}
    (line,) = plan_of({"id": "p", "goal": [goal], "action": [{"id": "a", "title": "A"}]}).goals
    return line


def test_a_goal_is_carried_with_everything():
    diabetes = fact("type_2_diabetes", date="2019-03-01")
    goal = {
        **GOAL,
        "target": [
            {
                "measure": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
                "detailRange": {"high": {"value": Decimal("7.0"), "code": "%"}},
                "due": {"value": 3, "code": "mo"},
            }
        ],
    }
    action = {"id": "a", "title": "A", "condition": [condition("%type_2_diabetes")], "goalId": ["hba1c.adult"]}
    proposal = plan_of({"id": "p", "goal": [goal], "action": [action]}, facts=[diabetes])
    (line,) = proposal.goals
    assert (line.key, line.description, line.patient_text) == ("p/goal/hba1c", "Below 7", "Below 7")
    assert (line.category, line.priority, line.start) == ("dietary", "high-priority", date(2026, 11, 24))
    assert line.citations == (Citation(label="G", url="u", grade="A"), Citation(label="Shown"))
    assert line.addresses == (diabetes.evidence,)
    assert [(t.measure.code, t.unit, t.low, f"{t.high}", t.due) for t in line.targets] == [
        ("4548-4", "%", None, "7.0", date(2027, 2, 24))
    ]
    assert proposal.addresses == (diabetes.evidence,)
    assert proposal.evidence == (diabetes.evidence,)
    assert proposal.patient == snapshot().patient.evidence


def test_targets_are_read_from_ranges_and_quantities():
    measure = {"coding": [{"code": "x"}]}
    line = targets(
        {
            "measure": measure,
            "detailRange": {"low": {"value": 5, "unit": "u"}, "high": {"value": 7, "code": "%"}},
        },
        {"measure": measure, "detailQuantity": {"value": 7, "comparator": "<=", "code": "%"}},
        {"measure": measure, "detailQuantity": {"value": 7, "comparator": ">", "code": "%"}},
        {"measure": measure, "detailQuantity": {"value": 7, "code": "%"}},
        {"measure": measure, "detailRange": {"low": {"value": 5, "unit": "u"}}},
    )
    assert [(t.unit, t.low, t.high) for t in line.targets] == [
        ("%", 5, 7),
        ("%", None, 7),
        ("%", 7, None),
        ("%", 7, 7),
        ("u", 5, None),
    ]
    assert number(0.1) == Decimal("0.1")


@pytest.mark.parametrize(
    ("amount", "unit", "day"),
    [
        (10, "d", "2026-02-10"),
        (2, "wk", "2026-02-14"),
        (1, "mo", "2026-02-28"),
        (11, "mo", "2026-12-31"),
        (12, "mo", "2027-01-31"),
        (1, "a", "2027-01-31"),
    ],
)
def test_a_due_date_is_so_many_calendar_units_away(amount, unit, day):
    assert after(date(2026, 1, 31), Decimal(amount), unit) == date.fromisoformat(day)


def test_another_unit_than_the_calendars_is_refused():
    with pytest.raises(ValueError, match=r"^'h' is no calendar unit\.$"):
        after(date(2026, 1, 31), Decimal(1), "h")


@pytest.mark.parametrize("text", ["", "26", "0000", "2026-13", "2026-02-30", "yesterday", "2026-1-1"])
def test_what_is_no_date_is_none(text):
    assert days_of(text) is None
    assert instant_of(text) is None


def test_a_time_that_cannot_be_read_has_no_instant():
    assert days_of("2026-01-01T99:00:00Z") == (date(2026, 1, 1), date(2026, 1, 1))
    assert instant_of("2026-01-01T99:00:00Z") is None
    assert instant_of("2026-01-01T10:00:00").isoformat() == "2026-01-01T10:00:00+00:00"
    assert days_of("2026-02") == (date(2026, 2, 1), date(2026, 2, 28))
    assert days_of("2026") == (date(2026, 1, 1), date(2026, 12, 31))


def test_a_time_without_an_offset_counts_in_utc_wherever_the_planner_runs(monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        moments = [instant_of(f"2026-01-01T10:00:00{offset}").isoformat() for offset in ("", "Z", "+02:00")]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert moments == ["2026-01-01T10:00:00+00:00", "2026-01-01T10:00:00+00:00", "2026-01-01T08:00:00+00:00"]


DAILY = {"timingTiming": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}}


def test_the_very_same_activity_of_two_protocols_stands_once_with_both_reasons():
    first = {**uses("a", "urn:x", condition=[condition("%metformin")], goalId=["g"]), "goal": [{"id": "g"}]}
    second = {**uses("b", "urn:x", condition=[condition("%frailty", "ask")], goalId=["h"]), "goal": [{"id": "h"}]}
    proposal = plan_of(first, second, definitions=[definition("urn:x", **CODED)], facts=[fact("metformin")])
    (line,) = proposal.activities
    assert line.key == "a/action/x"
    assert [reason.rule for reason in line.reasons] == ["%metformin", "%frailty"]
    assert line.goals == ("a/goal/g", "b/goal/h")
    assert [gap.concept for gap in line.missing] == ["frailty"]
    assert line.questions == ("Does the patient have frailty? The record does not say.",)
    assert [gap.needed_by for gap in proposal.gaps] == [("a/action/x",)]
    assert [protocol.title for protocol in proposal.protocols] == ["a", "b"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({**CODED}, {**CODED, "title": "Another"}),
        ({**CODED}, {**CODED, **DAILY}),
        ({**CODED}, {"code": {"coding": [{"system": "urn:s", "code": "2"}], "text": "Coded"}}),
        ({**CODED}, {"code": {"coding": [{"system": "urn:t", "code": "1"}], "text": "Coded"}}),
        ({"code": {"text": "Coded"}}, {"code": {"text": "Coded"}}),
        ({"code": {"coding": [{"display": "Shown"}]}}, {"code": {"coding": [{"display": "Shown"}]}}),
        ({**CODED}, {**CODED, "kind": "MedicationRequest"}),
    ],
)
def test_activities_that_differ_stand_both(one, other):
    proposal = plan_of(
        uses("a", "urn:x"),
        uses("b", "urn:y"),
        definitions=[definition("urn:x", **one), definition("urn:y", **other)],
    )
    assert [line.key for line in proposal.activities] == ["a/action/x", "b/action/x"]


def test_one_protocol_may_ask_for_the_same_twice():
    plan = {
        "id": "a",
        "action": [{"id": "x", "definitionCanonical": "urn:x"}, {"id": "y", "definitionCanonical": "urn:x"}],
    }
    assert len(plan_of(plan, definitions=[definition("urn:x", **CODED)]).activities) == 2


def test_a_restriction_names_its_goal_and_the_activity_that_stands_for_it():
    avoid = definition(
        "urn:x", **CODED, extension=[{"url": "urn:careplan-exchange:avoid", "valueString": "Sugar"}]
    )
    first = {**uses("a", "urn:x", goalId=["g"]), "goal": [{"id": "g"}]}
    second = {**uses("b", "urn:x", goalId=["h"]), "goal": [{"id": "h"}]}
    proposal = plan_of(first, second, definitions=[avoid])
    assert [(line.key, line.avoid, line.goal, line.activity) for line in proposal.restrictions] == [
        ("a/avoid/x", "Sugar", "a/goal/g", "a/action/x"),
    ]


def test_what_one_protocol_holds_back_no_other_proposes():
    drug = definition("urn:x", kind="MedicationRequest", productCodeableConcept=CODED["code"])
    held = uses(
        "a", "urn:x", condition=[condition("%angioedema.not()", "ask", "high", description="Not after it")]
    )
    held["action"].append({**held["action"][0], "id": "y"})
    proposal = plan_of(held, uses("b", "urn:x"), definitions=[drug], facts=[fact("angioedema")])
    assert proposal.activities == ()
    line, _ = proposal.withheld
    assert (line.key, line.severity, line.certain, line.title) == ("a/action/x", "high", True, "Coded")
    assert line.detail == "Not after it: angioedema, ever is present (2026-10-02)."
    assert [coding.code for coding in line.codings] == ["1"]
    assert [(found.key, found.reasons) for found in proposal.not_applied] == [("b/action/x", line.reasons)]


def test_a_medicine_named_by_a_display_alone_is_held_back_by_no_other():
    one, other = ({"coding": [{"display": name}]} for name in ("One", "Other"))
    drugs = [
        definition("urn:x", kind="MedicationRequest", productCodeableConcept=one),
        definition("urn:y", kind="MedicationRequest", productCodeableConcept=other),
    ]
    held = uses("a", "urn:x", condition=[condition("%angioedema.not()", "ask", "high")])
    proposal = plan_of(held, uses("b", "urn:y"), definitions=drugs, facts=[fact("angioedema")])
    assert [line.key for line in proposal.activities] == ["b/action/x"]


def test_a_service_that_shares_a_code_with_something_withheld_is_still_proposed():
    held = uses("a", "urn:x", condition=[condition("%angioedema.not()", "ask", "high")])
    services = [definition("urn:x", **CODED), definition("urn:y", **CODED, title="Other")]
    proposal = plan_of(held, uses("b", "urn:y"), definitions=services, facts=[fact("angioedema")])
    assert [line.key for line in proposal.activities] == ["b/action/x"]


def test_the_gravest_of_several_contraindications_counts():
    conditions = [
        condition("%frailty.not()", "ask", "low"),
        condition("%angioedema.not()", "ask", "high"),
        condition("%dementia.not()", "withhold", "moderate"),
    ]
    action = {"id": "x", "title": "X", "condition": conditions}
    both = plan_of({"id": "a", "action": [action]}, facts=[fact("frailty"), fact("angioedema")])
    assert (both.withheld[0].severity, both.withheld[0].certain) == ("high", True)
    assert [reason.rule for reason in both.withheld[0].reasons] == [
        "%frailty.not()",
        "%angioedema.not()",
        "%dementia.not()",
    ]
    mild = plan_of({"id": "a", "action": [action]}, facts=[fact("frailty")])
    assert (mild.withheld[0].severity, mild.withheld[0].certain) == ("moderate", True)
    unmarked = {"id": "x", "title": "X", "condition": [condition("%dementia.not()", "withhold")]}
    held = plan_of({"id": "a", "action": [unmarked]}).withheld[0]
    assert (held.severity, held.certain) == ("moderate", False)


def test_an_activity_addresses_the_conditions_of_its_goals_or_those_that_led_to_it():
    diabetes, pressure = fact("type_2_diabetes"), fact("hypertension")
    plan = {
        "id": "p",
        "goal": [GOAL],
        "action": [
            {"id": "a", "title": "A", "goalId": ["hba1c.adult"], "definitionCanonical": "urn:x"},
            {"id": "b", "title": "B", "condition": [condition("%hypertension and %metformin.not()")]},
            {
                "id": "c",
                "title": "C",
                "extension": [{"url": "urn:careplan-exchange:supports", "valueId": "hba1c"}],
            },
        ],
    }
    proposal = plan_of(plan, definitions=[definition("urn:x", **CODED)], facts=[diabetes, pressure])
    lines = {line.key: line for line in proposal.activities}
    assert lines["p/action/a"].addresses == (diabetes.evidence,)
    assert lines["p/action/b"].addresses == (pressure.evidence,)
    assert lines["p/action/c"].goals == ("p/goal/hba1c",)
    assert lines["p/action/c"].addresses == (diabetes.evidence,)


def test_an_activity_is_carried_with_everything():
    full = definition(
        "urn:x",
        title="Title",
        description="Described",
        priority="asap",
        topic=[{"coding": [{"code": "other"}]}, {"coding": [{"code": "diet"}]}],
        relatedArtifact=[{"type": "citation", "label": "L"}],
        extension=[{"url": "urn:careplan-exchange:patient-text", "valueString": "For you"}],
        **CODED,
        **DAILY,
    )
    (line,) = plan_of(
        {**uses("a", "urn:x"), "url": "urn:a", "version": "3", "title": "T"}, definitions=[full]
    ).activities
    assert (line.kind, line.resource_kind, line.title, line.description) == (
        "diet",
        "ServiceRequest",
        "Title",
        "Described",
    )
    assert (line.priority, line.patient_text, line.timing) == ("asap", "For you", DAILY["timingTiming"])
    assert line.citations == (Citation(label="L"),)
    assert line.protocol.canonical == "urn:a|3"
    assert [reason.text for reason in line.reasons] == ["It is for every patient to whom 'T' applies."]
    over = uses(
        "a",
        "urn:x",
        documentation=[{"type": "citation", "url": "only"}],
        extension=[{"url": "urn:careplan-exchange:patient-text", "valueString": "Just you"}],
    )
    (line,) = plan_of(over, definitions=[full]).activities
    assert (line.citations, line.patient_text) == ((Citation(label="only", url="only"),), "Just you")


def test_what_a_definition_leaves_out_has_a_plain_default():
    drug = definition("urn:x", kind="MedicationRequest", name="Named")
    plan = {**uses("a", "urn:x"), "relatedArtifact": [{"type": "citation", "label": "Plan"}]}
    (line,) = plan_of(plan, definitions=[drug]).activities
    assert (line.kind, line.title, line.description, line.patient_text) == (
        "medication",
        "Named",
        "Named",
        "Named",
    )
    assert (line.priority, line.codings, line.timing, line.citations) == (
        "routine",
        (),
        None,
        (Citation(label="Plan"),),
    )
    (text,) = plan_of({"id": "a", "action": [{"id": "x", "title": "X", "description": "Say it"}]}).activities
    assert (text.kind, text.description, text.patient_text) == ("monitoring", "Say it", "Say it")


@pytest.mark.parametrize("name", ["plan.yaml", "plan.yml", "plan.json"])
def test_a_plan_is_a_file_of_this_name_in_any_folder(name):
    content = encode({"resourceType": "PlanDefinition", "id": "p", "status": "active"})
    documents = [knowledge.parse(path, content) for path in (f"protocols/a/b/{name}", f"protocols/other-{name}")]
    assert [protocol.id for protocol in compile_protocols(documents)] == ["p"]


def test_protocols_are_applied_in_the_order_of_their_ids():
    proposal = plan_of({"id": "b", "action": [{"id": "x"}]}, {"id": "a", "action": [{"id": "x"}]})
    assert [line.key for line in proposal.activities] == ["a/action/x", "b/action/x"]


def test_a_protocol_with_nothing_but_a_withheld_action_applies():
    held = {"id": "a", "title": "A", "condition": [condition("%dementia.not()", "withhold", "high")]}
    proposal = plan_of({"id": "p", "goal": [{"id": "whole"}], "action": [held]})
    assert [protocol.title for protocol in proposal.protocols] == ["p"]
    assert [(line.key, [r.rule for r in line.reasons]) for line in proposal.not_applied] == [
        ("p/goal/whole", ["%dementia.not()"])
    ]


def test_planning_changes_nothing_and_repeats_itself():
    facts = [fact("type_2_diabetes"), fact("hba1c", "8.1"), fact("hypertension")]
    protocols = planner.load_protocols(protocol_documents(), vocabulary())
    found = snapshot(*facts)
    before = msgspec.json.encode(found, order="deterministic")
    first = planner.plan(found, protocols, vocabulary(), planner.Policies())
    assert planner.plan(found, protocols, vocabulary(), planner.Policies()) == first
    assert msgspec.json.encode(found, order="deterministic") == before


def test_a_part_that_cannot_be_evaluated_does_not_stop_the_telling():
    ranges = ["hba1c", "systolic_bp", "diastolic_bp", "egfr", "uacr", "potassium", "creatinine", "bmi"]
    parts = [f"(%{name} > 1 and %{name} < 9 and %{name} != 5)" for name in ranges]
    facts = [fact(name, "0..12") for name in ranges]
    found = reason_of(" and ".join([*parts, "%age > 'x'"]), *facts)
    assert found.result == "unknown"
    assert found.text.endswith("is not 5 kg/m2; age 50 years does not show whether it is above x.")


def test_a_goal_whose_action_is_left_out_gives_that_actions_reason_and_not_its_parents():
    child = {"id": "c", "title": "C", "condition": [condition("%insulin")], "goalId": ["g"]}
    parent = {"id": "a", "title": "A", "condition": [condition("%metformin")], "action": [child]}
    proposal = plan_of({"id": "p", "goal": [{"id": "g"}], "action": [parent]}, facts=[fact("metformin")])
    assert {line.key: [reason.rule for reason in line.reasons] for line in proposal.not_applied} == {
        "p/goal/g": ["%insulin"],
        "p/action/c": ["%insulin"],
    }


def test_evidence_stands_once_in_an_order_of_its_own():
    ordered = (
        Evidence(reference="Condition/a"),
        Evidence(reference="Condition/a", date="2026"),
        Evidence(reference="Condition/a", version_id="1"),
        Evidence(reference="Condition/a", version_id="1", date="2025"),
        Evidence(reference="Condition/b"),
    )
    assert {_once((*found, *found)) for found in permutations(ordered)} == {ordered}


def test_a_dynamic_value_without_an_expression_changes_nothing_and_is_told():
    start = Filled(title="T", description="D", priority="routine", timing=None)
    empty = DynamicValue(path="title", source="", expression=None, problem=None)
    (protocol,) = compiled_of({"id": "p", "action": [{"id": "a", "title": "A"}]})
    filled, (issue,) = fill(start, [empty], protocol.actions[0], Bindings(snapshot(), vocabulary()))
    assert filled == start
    assert issue.detail == "Action 'p/action/a' keeps its own title: it has no expression."


def coded(*concepts):
    """A code of each concept, as a goal addresses it."""
    known = vocabulary()
    codes = [min(known.value_sets[known.concepts[name].value_set].codes) for name in concepts]
    return [{"coding": [{"system": system, "code": code}]} for system, code in codes]


def test_what_is_addressed_is_present_stands_once_and_goes_by_the_name_of_the_concept():
    names = ("type_2_diabetes", "hypertension", "frailty", "dementia", "angioedema")
    facts = [fact(name) for name in names]
    goal = {**GOAL, "addresses": coded(*names, "pregnancy")}
    by_goal = {"id": "a", "title": "A", "goalId": ["hba1c.adult"], "definitionCanonical": "urn:x"}
    by_reason = {"id": "b", "title": "B", "condition": [condition(" and ".join(f"%{name}" for name in names))]}
    plan = {"id": "p", "goal": [goal], "action": [by_goal, by_reason]}
    proposal = plan_of(plan, definitions=[definition("urn:x", **CODED)], facts=[*facts, fact("pregnancy")])
    ordered = tuple(fact(name).evidence for name in sorted(names))
    assert proposal.goals[0].addresses == ordered
    assert [line.addresses for line in proposal.activities] == [ordered, ordered]

    one = facts[0].evidence
    same = [msgspec.structs.replace(fact(name), evidence=one) for name in names]
    (line,) = plan_of({"id": "p", "goal": [goal], "action": [{"id": "a"}]}, facts=same).goals
    assert line.addresses == (one,)

    absent = {"id": "a", "title": "A", "condition": [condition("%hypertension.not()")]}
    (line,) = plan_of({"id": "p", "action": [absent]}, facts=[fact("hypertension", state="absent")]).activities
    assert line.addresses == ()


def test_what_two_ways_lead_to_is_told_once():
    needed = [condition("%frailty", "ask"), condition("%frailty.not()", "ask")]
    goals = [{**GOAL, "id": "g"}, {**GOAL, "id": "h"}]
    twice = {
        "id": "a",
        "title": "A",
        "condition": needed,
        "goalId": ["g", "h"],
        "definitionCanonical": "urn:x",
        "extension": [{"url": "urn:careplan-exchange:supports", "valueId": "g"}],
    }
    again = {"id": "b", "title": "B", "condition": needed, "goalId": ["g"]}
    diabetes = fact("type_2_diabetes")
    proposal = plan_of(
        {"id": "p", "goal": goals, "action": [twice, again]},
        definitions=[definition("urn:x", **CODED)],
        facts=[diabetes],
    )
    (activity,) = proposal.activities
    assert activity.goals == ("p/goal/g", "p/goal/h")
    assert activity.addresses == (diabetes.evidence,)
    assert activity.questions == ("Does the patient have frailty? The record does not say.",)
    assert [reason.rule for reason in proposal.goals[0].reasons] == ["%frailty", "%frailty.not()"]


def test_a_goal_that_is_not_there_takes_nothing_with_it():
    avoid = definition(
        "urn:x", **CODED, extension=[{"url": "urn:careplan-exchange:avoid", "valueString": "Sugar"}]
    )
    proposal = plan_of(uses("p", "urn:x", goalId=["nowhere"]), definitions=[avoid])
    assert [(line.key, line.goals) for line in proposal.activities] == [("p/action/x", ())]
    assert proposal.restrictions == ()
