"""The same advice once: which words stand, what goes along, and what is not the same."""

import pytest

from careplan_exchange.model.snapshot import Coding
from careplan_exchange.planner.combine import Combining, combine
from careplan_exchange.planner.combine.frequency import times_a_year
from careplan_exchange.planner.combine.rules import Same, SameGoal
from careplan_exchange.planner.matching import Match
from tests.cases.snapshots import vocabulary
from tests.unit.planner.lines import activity, avoid, bindings, goal, target, whole

EGFR = Coding(system="http://loinc.org", code="62238-1")
OTHER = Coding(system="http://loinc.org", code="2823-3")
OFTEN = Same(
    id="egfr",
    title="eGFR",
    keep="most-frequent",
    members=(Match(codes=("http://loinc.org|62238-1",)),),
    reason="One sample.",
)
LISTED = Same(
    id="salt",
    title="Salt",
    keep="listed",
    members=(Match(keys=("b/action/salt",)), Match(involves=("sodium-less",))),
    reason="The stricter.",
)


def every(number, unit, **more):
    return {"repeat": {"frequency": 1, "period": number, "periodUnit": unit, **more}}


def combined(*lines, same=(OFTEN, LISTED)):
    found = whole(*lines)
    combine(found, Combining(same=same), bindings(), vocabulary())
    return found


def test_the_more_frequent_stands_under_the_first_key_and_tells_of_the_other():
    found = combined(
        activity("a/egfr", codings=(EGFR,), timing=every(1, "a"), benefit=5, priority="urgent"),
        activity("b/egfr", codings=(EGFR,), timing=every(6, "mo"), benefit=2, questions=("Q?",)),
    )
    (line,) = found.activities
    assert line.key == "a/action/egfr"
    assert line.timing == every(6, "mo")
    assert (line.benefit, line.priority, line.questions) == (5, "urgent", ("Q?",))
    assert line.reasons[-1].text == "A asks for it too ('egfr'): Do egfr. Here the more frequent one stands."


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"timing": every(1, "a")}, {"timing": every(1, "wk", count=1)}),
        ({"timing": every(1, "a")}, {"timing": {"event": ["2026-12-01"]}}),
        ({"timing": every(1, "a")}, {"timing": every(6, "mo"), "codings": (EGFR, OTHER)}),
    ],
)
def test_what_is_done_once_and_what_is_a_panel_is_another_thing(first, second):
    lines = (
        activity("a/egfr", **{"codings": (EGFR,), **first}),
        activity("b/egfr", **{"codings": (EGFR,), **second}),
    )
    assert len(combined(*lines).activities) == 2


def test_without_a_timing_the_one_that_has_one_stands():
    (line,) = combined(
        activity("a/egfr", codings=(EGFR,)), activity("b/egfr", codings=(EGFR,), timing=every(1, "a"))
    ).activities
    assert line.timing == every(1, "a")


def test_two_lines_of_one_protocol_stay_two():
    lines = (
        activity("a/x", codings=(EGFR,), timing=every(1, "a")),
        activity("a/y", codings=(EGFR,), timing=every(6, "mo")),
    )
    assert len(combined(*lines).activities) == 2


def test_the_restriction_and_its_goal_say_what_the_line_that_stands_says():
    found = combined(
        goal("a/salt"),
        activity("a/salt", involves=("sodium-less",), goals=("a/goal/salt",)),
        avoid("a/salt", "More than 2300 mg", "salt"),
        goal("b/salt"),
        activity("b/salt", goals=("b/goal/salt",)),
        avoid("b/salt", "More than 2000 mg", "salt"),
    )
    (line,) = found.activities
    assert (line.key, line.description, line.goals) == ("a/action/salt", "Do salt.", ("a/goal/salt",))
    assert line.protocol.title == "B"
    (restriction,) = found.restrictions
    assert (restriction.key, restriction.avoid) == ("a/avoid/salt", "More than 2000 mg")
    assert (restriction.goal, restriction.activity) == ("a/goal/salt", "a/action/salt")
    assert {reason.text for reason in restriction.reasons} == {
        "More than 2300 mg of a.",
        "More than 2000 mg of b.",
    }
    (aim,) = found.goals
    assert (aim.key, aim.description) == ("a/goal/salt", "salt of b")
    assert aim.reasons[-1].text == "A asks for it too: salt of a."


def test_of_two_goals_of_avoidance_the_one_with_a_target_stands():
    found = combined(
        goal("a/salt"),
        activity("a/salt", involves=("sodium-less",)),
        avoid("a/salt", "Salt", "salt"),
        goal("b/salt", target(high=2, measure=OTHER)),
        activity("b/salt"),
        avoid("b/salt", "Salt", "salt"),
    )
    (aim,) = found.goals
    assert aim.targets[0].high == 2


def test_of_two_goals_of_avoidance_with_targets_of_their_own_neither_is_lost():
    found = combined(
        goal("a/salt", target(high=5, measure=EGFR)),
        activity("a/salt", involves=("sodium-less",)),
        avoid("a/salt", "Salt", "salt"),
        goal("b/salt", target(high=2, measure=OTHER)),
        activity("b/salt"),
        avoid("b/salt", "Salt", "salt"),
    )
    assert len(found.goals) == 2
    assert len(found.restrictions) == 1


@pytest.mark.parametrize("priorities", [("urgent", "routine"), ("routine", "urgent")])
def test_the_more_urgent_priority_stands(priorities):
    lines = [
        activity(f"{name}/salt", involves=("sodium-less",), priority=priority)
        for name, priority in zip("ac", priorities, strict=True)
    ]
    (line,) = combined(*lines).activities
    assert line.priority == "urgent"


def test_two_banners_of_one_red_flag_are_both_shown():
    lines = [
        activity(f"{name}/salt", involves=("sodium-less",), red_flag=f"See {name} today.") for name in ("a", "b")
    ]
    (line,) = combined(*lines).activities
    assert line.red_flag == "See a today. See b today."


@pytest.mark.parametrize(
    ("timing", "expected"),
    [
        (None, None),
        ({}, None),
        ({"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}, 730),
        ({"repeat": {"period": 3, "periodUnit": "mo"}}, 4),
        ({"repeat": {"frequency": 1, "period": 1, "periodUnit": "d", "when": ["MORN", "EVE"]}}, 730),
        ({"repeat": {"frequency": 3, "period": 1, "periodUnit": "d", "timeOfDay": ["08:00"]}}, 1095),
        ({"repeat": {"frequency": 1, "period": 0, "periodUnit": "d"}}, None),
        ({"repeat": {"frequency": 1, "period": 1, "periodUnit": "d", "count": 3}}, None),
        ({"repeat": {"frequency": 1, "period": 1}}, None),
        ({"repeat": {"frequency": "often", "period": "x", "periodUnit": "d"}}, None),
        ({"repeat": {"frequency": 1, "period": -2, "periodUnit": "d"}}, None),
        ({"repeat": {"frequency": 1, "period": 1, "periodUnit": ["d"]}}, None),
        ({"repeat": {"period": 1, "periodUnit": "d", "when": "MORN"}}, 365),
        ({"repeat": {"frequency": 10**40, "period": 1, "periodUnit": "d"}}, None),
        ({"repeat": {"frequency": 1, "period": "1e-999999", "periodUnit": "d"}}, None),
        ({"repeat": "daily"}, None),
        ("daily", None),
    ],
)
def test_how_often_a_timing_comes_round(timing, expected):
    assert times_a_year(timing) == expected


MOVE = SameGoal(id="move", keys=("b/goal/move", "a/goal/active", "c/goal/strength"), reason="One.")


def goals_of(*lines):
    found = whole(*lines)
    combine(found, Combining(goals=(MOVE,)), bindings(), vocabulary())
    return found


def test_goals_without_a_measure_that_a_rule_lists_become_one():
    found = goals_of(
        goal("a/active"), goal("b/move"), goal("c/strength"), activity("c/x", goals=("c/goal/strength",))
    )
    (line,) = found.goals
    assert (line.key, line.description) == ("a/goal/active", "move of b")
    assert [reason.text for reason in line.reasons][-2:] == [
        "A asks for it too: active of a.",
        "C asks for it too: strength of c.",
    ]
    assert len(line.citations) == 3
    assert found.activities[0].goals == ("a/goal/active",)


def test_a_safety_goal_stands_before_the_one_that_is_listed_first():
    (line,) = goals_of(goal("a/active"), goal("b/move"), goal("c/strength", category="safety")).goals
    assert (line.description, line.category) == ("strength of c", "safety")


def test_a_goal_with_a_number_is_not_put_into_one_without():
    assert len(goals_of(goal("a/active", target(high=5)), goal("b/move")).goals) == 2
