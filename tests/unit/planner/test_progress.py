"""How far a goal has come: every status, by values that count, and when the measure is due again."""

from datetime import date

import pytest

from careplan_exchange import knowledge, planner
from careplan_exchange.planner.progress import lint_thresholds
from tests.cases.snapshots import fact, policies, snapshot, vocabulary
from tests.unit.planner.plans import compiled_of, definition

LDL = {"coding": [{"system": "http://loinc.org", "code": "13457-7"}]}


def quantity(value):
    return {"value": value, "unit": "mg/dL", "code": "mg/dL", "system": "http://unitsofmeasure.org"}


def goal_of(*facts, high=100, low=None, due=None, timing=None):
    bounds = {"high": quantity(high), **({"low": quantity(low)} if low is not None else {})}
    target = {"measure": LDL, "detailRange": bounds, **({"due": due} if due else {})}
    plan = {
        "id": "p",
        "goal": [{"id": "g", "description": {"text": "LDL"}, "target": [target]}],
        "action": [{"id": "x", "definitionCanonical": "urn:d"}],
    }
    measuring = definition(
        "urn:d", title="Measure", code=LDL, **({"timingTiming": {"repeat": timing}} if timing else {})
    )
    protocols = compiled_of(plan, definitions=[measuring])
    proposal = planner.plan(snapshot(*facts), protocols, vocabulary(), policies())
    return proposal.goals[0]


def ldl(value, on, **more):
    return fact(
        "ldl_cholesterol", value, date=on, id=f"ldl-{on}-{value}".replace("<", "lt").replace(">", "gt"), **more
    )


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ([], None),
        ([("90", "2026-10-01")], "achieved"),
        ([("100", "2026-10-01")], "achieved"),
        ([("101", "2026-10-01")], "in-progress"),
        ([("150", "2026-08-01"), ("90", "2026-10-01")], "achieved"),
        ([("95", "2026-07-03"), ("90", "2026-10-01")], "sustaining"),
        ([("95", "2026-07-04"), ("90", "2026-10-01")], "achieved"),
        ([("95", "2026-05-01"), ("120", "2026-08-01"), ("90", "2026-10-01")], "achieved"),
        ([("150", "2026-08-01"), ("130", "2026-10-01")], "improving"),
        ([("130", "2026-08-01"), ("150", "2026-10-01")], "worsening"),
        ([("130", "2026-08-01"), ("135", "2026-10-01")], "no-change"),
        ([("90", "2026-08-01"), ("150", "2026-10-01")], "worsening"),
        ([("150", "2026-08-01"), ("<70", "2026-10-01")], "achieved"),
        ([("150", "2026-08-01"), (">130", "2026-10-01")], "in-progress"),
        ([("150", "2026-08-01"), (">90", "2026-10-01")], None),
        ([("150", "2026-08"), ("90", "2026-10-01")], "achieved"),
    ],
)
def test_the_status_follows_the_values(values, status):
    assert goal_of(*(ldl(value, on) for value, on in values)).achievement == status


def test_below_a_range_it_is_outside_too():
    assert goal_of(ldl("30", "2026-08-01"), ldl("45", "2026-10-01"), low=50).achievement == "improving"


def test_two_values_of_one_day_that_differ_are_a_range():
    goal = goal_of(ldl("90", "2026-10-01"), ldl("110", "2026-10-01"))
    assert goal.achievement is None
    assert goal.progress[0].readings[0].shown == "90 to 110 mg/dL"


def test_the_trend_has_dates_values_and_sources_oldest_first():
    goal = goal_of(*(ldl(str(200 - month), f"2026-0{month}-01") for month in range(1, 9)))
    (trend,) = goal.progress
    assert [reading.on.month for reading in trend.readings] == [3, 4, 5, 6, 7, 8]
    assert trend.readings[-1].shown == "192 mg/dL"
    assert trend.readings[-1].evidence[0].reference.startswith("Observation/ldl-")


def test_the_next_measurement_is_due_by_the_rhythm_of_the_plans_own_activity():
    goal = goal_of(ldl("90", "2026-10-31"), timing={"frequency": 1, "period": 4, "periodUnit": "mo"})
    assert goal.progress[0].due == date(2027, 2, 28)
    assert goal_of(ldl("90", "2026-10-31")).progress[0].due is None


def test_values_of_the_future_do_not_count():
    assert goal_of(ldl("90", "2027-03-01")).achievement is None


def test_a_goal_without_a_measured_target_has_no_status():
    plan = {"id": "p", "goal": [{"id": "g", "description": {"text": "Walk"}}], "action": [{"id": "x"}]}
    proposal = planner.plan(snapshot(), compiled_of(plan), vocabulary(), policies())
    assert (proposal.goals[0].achievement, proposal.goals[0].progress) == (None, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("thresholds: [{measure: ldl, change: 1, source: x}]", "no measurement 'ldl'"),
        ("thresholds: [{measure: hypertension, change: 1, source: x}]", "no measurement"),
        ("thresholds: [{measure: hba1c, change: 0, source: x}]", "not above zero"),
        ("thresholds: [{measure: hba1c, change: 1}]", "another shape"),
        ("thresholds: [{measure: hba1c, change: 1, source: x}, {measure: hba1c, change: 2, source: x}]", "twice"),
    ],
)
def test_a_wrong_threshold_is_found(text, said):
    found = lint_thresholds([knowledge.parse("protocols/progress/x.yaml", text.encode())], vocabulary())
    assert any(said in one.message for one in found), found
