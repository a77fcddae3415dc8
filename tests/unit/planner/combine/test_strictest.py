"""One goal for one measure: what stands, what it says, and what is asked."""

from datetime import date
from decimal import Decimal

import pytest

from careplan_exchange.model.snapshot import Coding
from careplan_exchange.planner.combine import Combining, combine
from careplan_exchange.planner.combine.rules import Choice, Option
from tests.cases.snapshots import fact, vocabulary
from tests.unit.planner.lines import activity, bindings, goal, target, whole

DBP = Coding(system="http://loinc.org", code="8462-4")


def combined(*lines, policy=Combining(), facts=()):  # noqa: B008 - a frozen value
    found = whole(*lines)
    combine(found, policy, bindings(*facts), vocabulary())
    return found


def bounds(line):
    return [(each.low, each.high) for each in line.targets]


def test_of_two_upper_bounds_the_lower_stands_with_the_reasons_and_sources_of_both():
    found = combined(goal("a/bp", target(high=140)), goal("b/bp", target(high=130), priority="high-priority"))
    (line,) = found.goals
    assert line.key == "a/goal/bp"
    assert line.description == "bp of b"
    assert line.protocol.title == "B"
    assert line.priority == "high-priority"
    assert bounds(line) == [(None, 130)]
    assert [each.text for each in line.reasons] == [
        "bp of a.",
        "bp of b.",
        "A asks for: bp of a. The strictest target stands.",
    ]
    assert [each.label for each in line.citations] == ["Source of a", "Source of b"]


def test_of_two_lower_bounds_the_higher_stands():
    (line,) = combined(goal("a/bp", target(low=100)), goal("b/bp", target(low=110))).goals
    assert bounds(line) == [(110, None)]


def test_a_floor_and_a_ceiling_become_a_range_that_says_so():
    soon, late = date(2027, 1, 1), date(2027, 6, 1)
    (line,) = combined(goal("a/bp", target(low=100, due=late)), goal("b/bp", target(high=130, due=soon))).goals
    assert bounds(line) == [(100, 130)]
    assert line.targets[0].due == soon
    assert line.description == "Systolic blood pressure between 100 mmHg and 130 mmHg"


def test_targets_that_exclude_each_other_stay_and_a_person_is_asked():
    found = combined(goal("a/bp", target(low=140)), goal("b/bp", target(high=120)))
    assert [line.key for line in found.goals] == ["a/goal/bp", "b/goal/bp"]
    (conflict,) = found.conflicts
    assert conflict.policy == "ask"
    assert conflict.lines == ("a/goal/bp", "b/goal/bp")
    assert conflict.text.startswith("The targets exclude each other.")


def test_targets_in_different_units_are_not_compared():
    found = combined(goal("a/bp", target(high=140)), goal("b/bp", target(high=18, unit="kPa")))
    assert len(found.goals) == 2
    assert "different units" in found.conflicts[0].text


def test_safety_goals_of_which_one_sets_a_floor_and_one_a_ceiling_are_put_to_a_person():
    found = combined(
        goal("a/bp", target(low=140), category="safety"), goal("b/bp", target(high=120), category="safety")
    )
    assert len(found.goals) == 2
    assert found.conflicts[0].policy == "ask"


@pytest.mark.parametrize(
    ("safety", "expected"),
    [
        ([target(high=150)], (None, Decimal(150))),
        ([target(high=150), target(high=160)], (None, Decimal(160))),
        ([target(low=110), target(low=100)], (Decimal(100), None)),
        ([target(low=110, high=150)], (Decimal(110), Decimal(150))),
    ],
)
def test_the_laxest_safety_goal_stands_before_a_stricter_routine_one(safety, expected):
    lines = [goal(f"{name}/bp", one, category="safety") for name, one in zip("ab", safety, strict=False)]
    (line,) = combined(goal("0/bp", target(high=120)), *lines).goals
    assert bounds(line) == [expected]
    assert line.key == "0/goal/bp"
    assert line.category == "safety"


def test_goals_of_one_protocol_are_left_as_it_has_them():
    found = combined(goal("a/one", target(high=140)), goal("a/two", target(high=130)))
    assert len(found.goals) == 2


def test_each_measure_has_the_strictest_target_and_the_words_say_all_of_them():
    (line,) = combined(
        goal("a/bp", target(high=120)), goal("b/bp", target(high=130), target(high=80, measure=DBP))
    ).goals
    assert bounds(line) == [(None, 120), (None, 80)]
    assert (
        line.description == "Systolic blood pressure at most 120 mmHg; Diastolic blood pressure at most 80 mmHg"
    )


def test_two_groups_that_one_goal_joins_become_one():
    found = combined(
        goal("a/one", target(high=120)),
        goal("b/two", target(high=80, measure=DBP)),
        goal("c/both", target(high=110), target(high=70, measure=DBP)),
    )
    (line,) = found.goals
    assert bounds(line) == [(None, 110), (None, 70)]


def test_a_measure_that_no_concept_has_is_told_apart_by_its_code():
    own = Coding(system="urn:own", code="x")
    other = Coding(system="urn:own", code="y")
    lines = (goal("a/x", target(high=5, measure=own)), goal("b/y", target(high=4, measure=other)))
    assert len(combined(*lines).goals) == 2
    lines = (goal("a/x", target(high=5, measure=own)), goal("b/x", target(high=4, measure=own)))
    assert len(combined(*lines).goals) == 1


def test_activities_follow_the_goal_that_took_theirs_in():
    walk = activity("b/walk", goals=("b/goal/bp",))
    found = combined(goal("a/bp", target(high=120)), goal("b/bp", target(high=130)), walk)
    assert found.activities[0].goals == ("a/goal/bp",)


CHOICE = Choice(
    id="which",
    title="Which",
    measure="systolic_bp",
    options=(
        Option(id="a", title="The one of A", cites="https://example.org/a", high=Decimal(120)),
        Option(id="b", title="The one of B", cites="https://example.org/b", high=Decimal(130)),
    ),
    chosen="b",
    why="So it is here.",
    when="%chronic_kidney_disease",
)


def test_a_site_chooses_between_guidelines_where_its_condition_holds():
    lines = (goal("a/bp", target(high=120)), goal("b/bp", target(high=130)))
    policy = Combining(choices=(CHOICE,))
    (line,) = combined(*lines, policy=policy).goals
    assert bounds(line) == [(None, 120)]
    found = combined(*lines, policy=policy, facts=[fact("chronic_kidney_disease")])
    (line,) = found.goals
    assert bounds(line) == [(None, 130)]
    assert line.reasons[-1].text == "A asks for: bp of a. This site goes by The one of B."
    (conflict,) = found.conflicts
    assert (conflict.key, conflict.policy) == ("combine/choice/which", "choice")
    assert "A: bp of a; B: bp of b" in conflict.text


def test_a_choice_without_the_chosen_side_takes_nothing_away():
    lines = (goal("a/bp", target(high=120)), goal("c/bp", target(high=125)))
    policy = Combining(choices=(CHOICE,))
    found = combined(*lines, policy=policy, facts=[fact("chronic_kidney_disease")])
    assert bounds(found.goals[0]) == [(None, 120)]
    assert found.conflicts == []


def test_a_goal_that_cites_both_sides_is_on_the_side_of_its_number():
    both = goal("a/bp", target(high=120))
    both = type(both)(
        **{
            **{f: getattr(both, f) for f in both.__struct_fields__},
            "citations": (*both.citations, *goal("b/bp").citations),
        }
    )
    found = combined(
        both, goal("b/bp", target(high=130)), policy=Combining(choices=(CHOICE,)),
        facts=[fact("chronic_kidney_disease")],
    )  # fmt: skip
    assert bounds(found.goals[0]) == [(None, 130)]
