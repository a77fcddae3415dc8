"""Red flags: what is raised, asked, and left alone."""

import msgspec
import pytest

from careplan_exchange import planner
from careplan_exchange.model.target import TargetForm
from careplan_exchange.writer import render
from careplan_exchange.writer.lint import lint
from tests.cases.snapshots import fact, policies, snapshot, vocabulary
from tests.support.gates import activity, goal, through
from tests.support.plans import a_context

POTASSIUM = """
flags:
  - id: potassium
    when: "%potassium >= 6.0"
    unknown: nothing
    within: today
    banner: "Potassium is very high."
    action: "Look at it today."
    holdsRoutine: false
    patientText: "Come today."
    patientTextEs: "Venga hoy."
    source: s
"""
PRESSURE = """
  - id: pressure
    when: "%systolic_bp >= 180 and %chest_pain"
    unknown: ask
    within: now
    banner: "Blood pressure is dangerous."
    action: "Emergency now."
    holdsRoutine: true
    patientText: "Go now."
    patientTextEs: "Vaya ahora."
    source: s
"""


def pressure():
    """With a symptom that profiles/ has, whichever it is."""
    symptom = next(
        name
        for name, one in vocabulary().concepts.items()
        if one.kind == "condition" and one.when_absent == "unknown"
    )
    return symptom, POTASSIUM + PRESSURE.replace("%chest_pain", f"%{symptom}")


def test_a_value_beyond_the_limit_raises_the_flag_with_the_value_and_its_source():
    plan = through(POTASSIUM, snapshot(fact("potassium", "6.0")))
    (flag,) = plan.red_flags
    assert (flag.key, flag.within, flag.holds_routine) == ("safety/potassium", "today", False)
    assert flag.patient_texts == {"es": "Venga hoy."}
    assert [one.reference for used in flag.reasons[0].used for one in used.evidence] == ["Observation/potassium"]
    assert flag.citations
    assert set(flag.reasons[0].used[0].evidence) <= set(plan.evidence)


@pytest.mark.parametrize("value", ["5.9", "4.0..5.0", "<6", "<7"])
def test_a_value_within_the_limit_raises_nothing_and_one_that_may_be_is_asked_for_only_where_the_flag_says_so(
    value,
):
    plan = through(POTASSIUM, snapshot(fact("potassium", value)))
    assert not plan.red_flags
    assert not plan.gaps


def test_nobody_is_asked_for_what_was_never_looked_at():
    _, rules = pressure()
    plan = through(rules, snapshot())
    assert not plan.red_flags
    assert not plan.gaps


def test_what_would_decide_a_flag_is_asked_for_where_the_rest_of_it_is_there():
    symptom, rules = pressure()
    plan = through(rules, snapshot(fact("systolic_bp", 190)))
    assert not plan.red_flags
    assert [(gap.concept, gap.needed_by) for gap in plan.gaps] == [(symptom, ("safety/pressure",))]


def test_the_most_urgent_flag_comes_first():
    symptom, rules = pressure()
    plan = through(rules, snapshot(fact("potassium", "6.5"), fact("systolic_bp", 190), fact(symptom)))
    assert [flag.within for flag in plan.red_flags] == ["now", "today"]


def test_a_flag_that_holds_the_routine_part_leaves_it_in_the_plan_but_behind_it():
    symptom, rules = pressure()
    routine, urgent = (
        activity("walk", involves=("walking",)),
        activity("see", involves=("transport",), priority="stat"),
    )
    plan = through(rules, snapshot(fact("systolic_bp", 190), fact(symptom)), routine, urgent)
    assert plan.activities == (routine, urgent)
    assert plan.at_once == (urgent,)
    assert plan.later == (routine,)


def test_without_such_a_flag_everything_is_done_at_once():
    plan = through(POTASSIUM, snapshot(fact("potassium", "6.5")), activity("walk", involves=("walking",)))
    assert plan.at_once == plan.activities
    assert not plan.later


def test_an_action_may_carry_a_flag_of_its_own():
    see = activity("see", involves=("transport",), priority="asap", red_flag="See somebody today.")
    (flag,) = through(POTASSIUM, snapshot(), see).red_flags
    assert (flag.banner, flag.within, flag.activity) == ("See somebody today.", "today", see.key)
    assert flag.reasons == see.reasons
    assert not flag.holds_routine


def test_the_flag_of_an_activity_that_is_withheld_is_raised_all_the_same():
    rules = """
rules:
  - {id: r, hazard: activity, severity: high, effect: withhold, involves: [transport], when: "%pregnancy",
     unknown: withhold, says: "No.", mitigation: "No.", source: s}
"""
    see = activity("see", involves=("transport",), priority="stat", red_flag="See somebody now.")
    plan = through(rules, snapshot(gender="female"), see)
    assert not plan.activities
    assert [flag.within for flag in plan.red_flags] == ["now"]


@pytest.mark.parametrize("broken", ["%potassium >=", "%no_such_thing", "%potassium + 1"])
def test_a_flag_that_cannot_be_evaluated_is_raised_for_a_person_to_look(broken):
    plan = through(POTASSIUM.replace("%potassium >= 6.0", broken), snapshot(fact("potassium", "4")))
    assert [flag.key for flag in plan.red_flags] == ["safety/potassium"]
    assert [issue.key for issue in plan.issues] == ["planner.safety.flag"]


@pytest.mark.parametrize("release", ["R4", "R5"])
def test_red_flags_stand_first_in_the_text_of_the_plan_and_the_routine_part_behind_them(release):
    symptom, rules = pressure()
    plan = through(
        rules,
        snapshot(fact("systolic_bp", 190), fact(symptom)),
        activity("walk", involves=("walking",)),
        activity("see", involves=("transport",), priority="stat"),
        goals=(goal("weight"),),
    )
    text = render(plan, a_context(), TargetForm(release=release))[-1].body["text"]["div"]
    order = [
        "Draft for review",
        "NOW: Blood pressure is dangerous.",
        "Goals",
        "See",
        "After this has been",
        "Walk",
    ]
    places = [text.index(word) for word in order]
    assert places == sorted(places)


@pytest.mark.parametrize("release", ["R4", "R5"])
def test_what_is_taken_and_unsafe_is_a_detected_issue_that_implicates_the_order(release):
    rules = """
rules:
  - {id: r, hazard: drug-laboratory, severity: high, effect: withhold, medicines: [metformin], when: "%egfr < 30",
     unknown: withhold, says: "Lactic acidosis.", mitigation: "Stop it, after talking.", alternative: "Insulin.", source: s}
"""
    plan = through(rules, snapshot(fact("metformin"), fact("egfr", "20")))
    rendered = render(plan, a_context(), TargetForm(release=release))
    *_, issue, care_plan = rendered
    links = {each.full_url: each.type for each in rendered}
    assert [lint(each.body, release, links) for each in rendered] == [()] * len(rendered)
    assert issue.type == "DetectedIssue"
    body = issue.body
    assert body["code"]["coding"][0]["code"] == "LAB"
    assert body["code"]["text"] == "Taken now: Metformin"
    assert body["implicated"] == [{"reference": "MedicationRequest/metformin"}]
    assert body["evidence"] == [{"detail": [{"reference": "Observation/egfr"}]}]
    assert [one["action"]["text"] for one in body["mitigation"]] == [
        "Stop it, after talking.",
        "Instead: Insulin.",
    ]
    assert {"reference": issue.full_url} in care_plan.body["supportingInfo"]
    assert "Taken now: Metformin" in care_plan.body["text"]["div"]


def test_a_plan_of_every_day_keeps_its_words():
    """The same patient tomorrow: nothing that the gate writes may change overnight."""
    found = snapshot(fact("potassium", "6.5"), fact("metformin"), fact("egfr", "22"))
    later = msgspec.structs.replace(found, as_of=found.as_of.replace(day=found.as_of.day + 1))
    one, two = (planner.plan(each, (), vocabulary(), policies()) for each in (found, later))
    assert one.red_flags == two.red_flags != ()
    assert one.detected == two.detected != ()
