"""Goals with their targets and due dates, what a line addresses, and dates as a record gives them."""

import time
from datetime import date
from decimal import Decimal
from itertools import permutations

import msgspec
import pytest

from careplan_exchange.model.proposal import Citation
from careplan_exchange.model.snapshot import Evidence
from careplan_exchange.planner.dates import after, days_of, instant_of
from careplan_exchange.planner.elements import number
from careplan_exchange.planner.planning import _once
from tests.cases.snapshots import fact, snapshot, vocabulary
from tests.unit.planner.plans import CODED, GOAL, condition, definition, plan_of, uses


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


def test_a_goal_that_is_not_there_takes_nothing_with_it():
    avoid = definition(
        "urn:x", **CODED, extension=[{"url": "urn:careplan-exchange:avoid", "valueString": "Sugar"}]
    )
    proposal = plan_of(uses("p", "urn:x", goalId=["nowhere"]), definitions=[avoid])
    assert [(line.key, line.goals) for line in proposal.activities] == [("p/action/x", ())]
    assert proposal.restrictions == ()
