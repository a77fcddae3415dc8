"""Medicines of several protocols, and what does not go together."""

import pytest

from careplan_exchange.model.proposal import Withheld
from careplan_exchange.model.snapshot import Coding
from careplan_exchange.planner.combine import Combining, combine
from careplan_exchange.planner.combine.rules import Clash, MedicineClass, Opposite, Stop
from careplan_exchange.planner.matching import Match, Source
from tests.cases.snapshots import fact, vocabulary
from tests.unit.planner.lines import activity, avoid, bindings, goal, grounds, target, whole

SOURCE = Source(label="S", url="https://example.org/s")
RAS = MedicineClass(id="ras", title="RAS blockers", medicines=("arni", "ace_inhibitor", "arb"), source=SOURCE)
LISINOPRIL = Coding(system="http://www.nlm.nih.gov/research/umls/rxnorm", code="29046")


def medicine(key, *names, **more):
    return activity(key, kind="medication", resource_kind="MedicationRequest", medicines=names, **more)


def combined(*lines, facts=(), withheld=(), **policy):
    found = whole(*lines, withheld=list(withheld))
    combine(found, Combining(**policy), bindings(*facts), vocabulary())
    return found


def keys(found):
    return [line.key for line in found.activities]


def test_a_medicine_with_the_same_dose_is_said_once_and_asks_nothing():
    dose = ({"text": "10 mg a day"},)
    found = combined(medicine("a/x", "statin", dosage=dose), medicine("b/y", "statin", dosage=dose, benefit=4))
    (line,) = found.activities
    assert (line.key, line.title, line.questions) == ("a/action/x", "y", ())
    assert line.reasons[-1].text == "Proposed by A too, as 'x': Do x."
    assert found.conflicts == []


def test_three_protocols_with_three_doses_ask_one_question():
    lines = [medicine(f"{name}/x", "statin", dosage=({"text": f"{name} mg"},)) for name in "abc"]
    found = combined(*lines)
    (line,) = found.activities
    assert line.questions == (
        "The protocols propose this medicine in different ways. Which holds? A: x, a mg; B: x, b mg; C: x, c mg",
    )
    (conflict,) = found.conflicts
    assert conflict.lines == ("a/action/x", "b/action/x", "c/action/x")


def test_a_product_without_a_named_medicine_is_known_by_its_code():
    found = combined(
        medicine("a/ace", codings=(LISINOPRIL,), goals=("a/goal/bp",)),
        medicine("b/arb", "arb", benefit=5),
        goal("a/bp"),
        medicines=(RAS,),
    )
    assert keys(found) == ["a/action/ace"]
    assert found.activities[0].medicines == ("ace_inhibitor",)
    assert [line.key for line in found.not_applied] == ["b/action/arb"]


def test_of_one_class_the_preferred_one_stands_and_serves_the_goals_of_both():
    found = combined(
        goal("a/bp"),
        medicine("a/ace", "ace_inhibitor", goals=("a/goal/bp",)),
        medicine("b/arni", "arni"),
        medicines=(RAS,),
    )
    (line,) = found.activities
    assert line.key == "b/action/arni"
    assert line.goals == ("a/goal/bp",)
    assert "S" in [citation.label for citation in line.citations]
    assert found.conflicts[0].text == "'arni' (B) stands; the alternative is 'ace' (A)."


def test_one_protocol_may_choose_among_its_own():
    found = combined(medicine("a/ace", "ace_inhibitor"), medicine("a/arb", "arb"), medicines=(RAS,))
    assert keys(found) == ["a/action/ace", "a/action/arb"]


def test_what_one_protocol_holds_back_by_code_no_other_starts():
    held = Withheld(
        key="a/action/ace", title="ace", severity="high", certain=True, detail="No.", codings=(LISINOPRIL,),
        **grounds("a", "angioedema"),
    )  # fmt: skip
    found = combined(medicine("b/ace", codings=(LISINOPRIL,)), withheld=[held])
    assert keys(found) == []
    assert found.not_applied[0].reasons == held.reasons


def test_what_is_held_back_as_a_medicine_may_still_be_measured_or_talked_of():
    held = Withheld(
        key="a/action/ace", title="ace", severity="high", certain=True, detail="No.", codings=(LISINOPRIL,),
        **grounds("a", "angioedema"),
    )  # fmt: skip
    found = combined(activity("b/talk", kind="education", codings=(LISINOPRIL,)), withheld=[held])
    assert keys(found) == ["b/action/talk"]


def test_two_reviews_of_one_medicine_are_no_two_starts_of_it():
    lines = [activity(f"{name}/review", kind="medication", medicines=("statin",)) for name in ("a", "b")]
    assert len(combined(*lines).activities) == 2


def clash(**more):
    fields = {"id": "c", "title": "C", "first": Match(involves=("fluids-more",)), "text": "T.", "source": SOURCE}
    return Clash(**{**fields, "policy": "second", **more})


MORE, LESS = activity("a/more", involves=("fluids-more",)), activity("b/less", involves=("fluids-less",))
PAIR = {"second": Match(involves=("fluids-less",))}


@pytest.mark.parametrize(
    ("policy", "stands"),
    [
        ("second", ["b/action/less"]),
        ("first", ["a/action/more"]),
        ("neither", []),
        ("ask", ["a/action/more", "b/action/less"]),
    ],
)
def test_a_policy_says_which_of_two_stands(policy, stands):
    found = combined(MORE, LESS, conflicts=(clash(policy=policy, ask="Which?", **PAIR),))
    assert keys(found) == stands
    (conflict,) = found.conflicts
    assert (conflict.policy, conflict.lines) == (policy, ("a/action/more", "b/action/less"))
    for line in found.not_applied:
        assert line.reasons[0].text == "T."
    for line in found.activities:
        assert line.questions == (("Which?",) if policy == "ask" else ())


def test_two_activities_that_need_each_other_to_clash_do_not_clash_alone():
    assert combined(MORE, conflicts=(clash(**PAIR),)).conflicts == []


def test_a_condition_that_is_unknown_leaves_the_line_and_asks():
    rule = clash(when="%frailty", ask="Is the patient frail?")
    found = combined(MORE, conflicts=(rule,))
    assert found.activities[0].questions == ("Is the patient frail?",)
    assert [gap.concept for gap in found.gaps] == ["frailty"]
    assert found.gaps[0].needed_by == ("a/action/more",)
    assert found.conflicts == []
    found = combined(MORE, conflicts=(clash(when="%frailty", unknown="go-on"),))
    assert found.activities[0].questions == ()


def test_a_condition_that_holds_withholds_with_its_severity_and_evidence():
    frail = fact("frailty")
    found = combined(MORE, conflicts=(clash(when="%frailty", severity="high"),), facts=[frail])
    (line,) = found.withheld
    assert (line.key, line.severity, line.certain, line.detail) == ("a/action/more", "high", True, "T.")
    assert line.reasons[0].used[0].evidence == (frail.evidence,)
    assert line.citations == MORE.citations


def test_a_condition_that_does_not_hold_changes_nothing():
    found = combined(MORE, conflicts=(clash(when="%frailty"),), facts=[fact("frailty", state="absent")])
    assert (keys(found), found.conflicts) == (["a/action/more"], [])


def test_a_red_flag_never_falls():
    flagged = activity("a/more", involves=("fluids-more",), red_flag="See somebody today.")
    found = combined(flagged, conflicts=(clash(when="%frailty"),), facts=[fact("frailty")])
    assert keys(found) == ["a/action/more"]


def test_routine_goals_of_a_measure_fall_with_the_advice_and_safety_goals_stay():
    rule = clash(when="%frailty", goals=("systolic_bp",))
    lines = (goal("a/bp", target(high=120)), activity("a/more", involves=("fluids-more",), goals=("a/goal/bp",)))
    found = combined(*lines, conflicts=(rule,), facts=[fact("frailty")])
    assert found.goals == []
    assert {line.key for line in found.not_applied} == {"a/action/more", "a/goal/bp"}
    safe = goal("a/bp", target(high=150), category="safety")
    found = combined(safe, MORE, conflicts=(rule,), facts=[fact("frailty")])
    assert [line.key for line in found.goals] == ["a/goal/bp"]


def test_a_goal_of_avoidance_that_another_activity_serves_stays_when_the_restriction_falls():
    lines = [
        goal("a/more"),
        activity("a/more", involves=("fluids-more",), goals=("a/goal/more",)),
        avoid("a/more", "Thirst", "more"),
    ]
    rule = clash(when="%frailty")
    found = combined(*lines, conflicts=(rule,), facts=[fact("frailty")])
    assert (found.restrictions, found.goals) == ([], [])
    found = combined(*lines, activity("a/x", goals=("a/goal/more",)), conflicts=(rule,), facts=[fact("frailty")])
    assert (found.restrictions, [line.key for line in found.goals]) == ([], ["a/goal/more"])


def test_opposites_that_no_rule_settles_go_to_a_person():
    found = combined(MORE, LESS, opposites=(Opposite(first="fluids-more", second="fluids-less"),))
    assert keys(found) == ["a/action/more", "b/action/less"]
    (conflict,) = found.conflicts
    assert conflict.policy == "ask"
    assert all(line.questions == (conflict.text,) for line in found.activities)


def test_what_one_protocol_stops_and_another_starts_goes_to_a_person():
    stop = Stop(match=Match(keys=("a/action/stop",)), medicines=("metformin",))
    found = combined(activity("a/stop"), medicine("b/start", "metformin"), stops=(stop,))
    (conflict,) = found.conflicts
    assert (conflict.key, conflict.policy) == ("combine/stop/metformin", "ask")
    found = combined(activity("a/stop"), medicine("a/start", "metformin"), stops=(stop,))
    assert found.conflicts == []
