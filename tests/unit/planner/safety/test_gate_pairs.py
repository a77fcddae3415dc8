"""What the gate does with two medicines that do not go together, and with two of one class."""

import msgspec
import pytest

from careplan_exchange.model.issue import Issue
from careplan_exchange.model.snapshot import Coding
from tests.cases.snapshots import fact, snapshot
from tests.support.gates import METFORMIN, RXNORM, activity, keys, metformin, through

NITRATE = """
rules:
  - id: nitrate-pde5
    hazard: drug-drug
    severity: high
    effect: withhold
    pair: {first: [nitrate], second: [pde5_inhibitor]}
    says: "Severe fall of blood pressure."
    mitigation: "Do not combine."
    source: s
"""
STATINS = """
rules:
  - id: statin-twice
    hazard: duplicate
    severity: moderate
    effect: withhold
    duplicates: [statin]
    says: "Two of one class."
    mitigation: "Keep one."
    source: s
"""
SIMVASTATIN, ATORVASTATIN, LISINOPRIL = "36567", "83367", "29046"


def coded(code):
    return Coding(system=RXNORM, code=code)


@pytest.mark.parametrize(("proposed", "taken"), [("nitrate", "pde5_inhibitor"), ("pde5_inhibitor", "nitrate")])
def test_a_pair_holds_whichever_of_the_two_is_new(proposed, taken):
    plan = through(NITRATE, snapshot(fact(taken)), activity("new", medicines=(proposed,)))
    (held,) = plan.withheld
    assert held.certain
    used = [(one.variable, one.evidence[0].reference) for why in held.reasons for one in why.used]
    assert used == [(taken, f"MedicationRequest/{taken.replace('_', '-')}")]


def test_a_pair_of_which_one_is_not_there_holds_nothing():
    assert through(NITRATE, snapshot(), activity("new", medicines=("nitrate",))).activities


def test_a_pair_that_is_taken_is_reported():
    plan = through(NITRATE, snapshot(fact("nitrate"), fact("pde5_inhibitor")))
    assert [(found.action, found.key) for found in plan.detected] == [("reported", "safety/nitrate-pde5/taken")]


def test_of_two_proposals_that_clash_the_one_of_lower_benefit_goes():
    low = activity("a", medicines=("nitrate",), benefit=2)
    high = activity("b", medicines=("pde5_inhibitor",), benefit=4)
    plan = through(NITRATE, snapshot(), low, high)
    assert keys(plan.activities) == ["test/action/b"]
    assert keys(plan.withheld) == ["test/action/a"]
    assert "B, A" in plan.withheld[0].reasons[0].text


def test_of_two_proposals_of_equal_benefit_the_later_key_goes():
    plan = through(
        NITRATE, snapshot(), activity("b", medicines=("nitrate",)), activity("a", medicines=("pde5_inhibitor",))
    )
    assert keys(plan.withheld) == ["test/action/b"]


def test_a_proposal_that_is_withheld_already_clashes_with_nothing():
    rules = NITRATE + METFORMIN.removeprefix("\nrules:").replace("metformin", "nitrate")
    first = activity("a", medicines=("nitrate",), benefit=5)
    plan = through(rules, snapshot(fact("egfr", "20")), first, activity("b", medicines=("pde5_inhibitor",)))
    assert keys(plan.activities) == ["test/action/b"]


def test_a_pair_with_a_condition_holds_only_under_it():
    rules = NITRATE.replace("    says", '    when: "%age >= 65"\n    unknown: nothing\n    says')
    new = activity("new", medicines=("nitrate",))
    assert through(rules, snapshot(fact("pde5_inhibitor"), birth="1990-01-01"), new).activities
    assert through(rules, snapshot(fact("pde5_inhibitor"), birth="1940-01-01"), new).withheld


def test_an_order_that_nobody_can_read_leaves_the_pair_to_a_question():
    plan = through(
        NITRATE, snapshot(fact("pde5_inhibitor", state="unknown")), activity("n", medicines=("nitrate",))
    )
    (left,) = plan.activities
    assert left.questions == ("PDE5 inhibitor: does it hold? What is recorded leaves it open.",)
    assert [found.action for found in plan.detected] == ["asked"]


def test_a_second_of_one_class_is_withheld():
    plan = through(STATINS, snapshot(fact("statin")), activity("new", rxnorm=SIMVASTATIN))
    assert keys(plan.withheld) == ["test/action/new"]


def test_two_substances_of_one_class_that_are_taken_are_reported():
    one, two = (fact("statin", id=name, coding=coded(name)) for name in (SIMVASTATIN, ATORVASTATIN))
    assert [found.rule for found in through(STATINS, snapshot(one, two)).detected] == ["statin-twice"]


def test_one_substance_that_two_resources_tell_of_is_one():
    one, two = (fact("statin", id=name, coding=coded(SIMVASTATIN)) for name in ("a", "b"))
    assert not through(STATINS, snapshot(one, two)).detected


def test_three_of_some_classes_are_counted_over_what_is_taken_and_proposed():
    rules = STATINS.replace("[statin]", "[opioid, benzodiazepine, gabapentinoid]\n    atLeast: 3")
    new = activity("new", medicines=("gabapentinoid",))
    assert through(rules, snapshot(fact("opioid")), new).activities
    assert through(rules, snapshot(fact("opioid"), fact("benzodiazepine")), new).withheld
    both = through(rules, snapshot(fact("opioid")), new, activity("two", medicines=("benzodiazepine",)))
    assert keys(both.withheld) == ["test/action/two"]


def test_the_order_of_activities_and_facts_changes_nothing_of_what_is_withheld():
    facts = [fact("egfr", "22"), fact("nitrate"), fact("statin")]
    activities = [metformin(), activity("p", medicines=("pde5_inhibitor",)), activity("s", medicines=("statin",))]
    rules = METFORMIN + NITRATE.removeprefix("\nrules:") + STATINS.removeprefix("\nrules:")
    one = through(rules, snapshot(*facts), *activities)
    two = through(rules, snapshot(*facts[::-1]), *activities[::-1])
    assert sorted(one.withheld, key=lambda line: line.key) == sorted(two.withheld, key=lambda line: line.key)
    assert len(one.withheld) == 3


def test_a_third_proposal_does_not_clash_with_one_that_has_gone():
    best = activity("a", medicines=("nitrate",), benefit=5)
    gone = activity("b", medicines=("pde5_inhibitor",), benefit=3)
    beside = activity("c", medicines=("nitrate",), benefit=1)
    plan = through(NITRATE, snapshot(), best, gone, beside)
    assert keys(plan.withheld) == ["test/action/b"]
    assert keys(plan.activities) == ["test/action/a", "test/action/c"]


def test_a_clash_that_only_warns_names_both():
    rules = NITRATE.replace("effect: withhold", "effect: warn")
    both = activity("a", medicines=("nitrate",)), activity("b", medicines=("pde5_inhibitor",))
    plan = through(rules, snapshot(), *both)
    assert plan.activities == both
    assert [found.activities for found in plan.detected] == [("test/action/a", "test/action/b")]


def test_a_rule_speaks_once_of_one_activity_however_often_it_is_met():
    """A pair of which one is taken and, by another product, proposed as well."""
    rules = NITRATE.replace("effect: withhold", "effect: warn").replace(
        "[pde5_inhibitor]", "[pde5_inhibitor, statin]"
    )
    facts = (fact("pde5_inhibitor"), fact("statin"))
    plan = through(rules, snapshot(*facts), activity("a", medicines=("nitrate",)))
    assert [found.activities for found in plan.detected] == [("test/action/a",)]
    both = through(
        rules.replace("[nitrate]", "[nitrate, arb]"), snapshot(fact("nitrate"), fact("statin")),
        activity("a", medicines=("arb", "pde5_inhibitor")),
    )  # fmt: skip
    said = [found for found in both.detected if found.activities]
    assert len(said) == 1
    assert [used.variable for why in said[0].reasons for used in why.used] == ["statin", "nitrate"]


def test_a_class_that_may_be_taken_leaves_the_second_to_a_question():
    plan = through(STATINS, snapshot(fact("statin", state="unknown")), activity("new", rxnorm=SIMVASTATIN))
    assert [found.action for found in plan.detected] == ["asked"]
    assert plan.activities[0].questions


def test_one_product_that_is_both_of_a_pair_is_no_pair():
    rules = NITRATE.replace("[nitrate]", "[ssri]").replace("[pde5_inhibitor]", "[qt_prolonging]")
    one = [fact(name, id="citalopram", coding=coded("2556")) for name in ("ssri", "qt_prolonging")]
    assert not through(rules, snapshot(*one)).detected
    two = [fact(name, id=name, coding=coded(code)) for name, code in (("ssri", "2556"), ("qt_prolonging", "703"))]
    assert through(rules, snapshot(*two)).detected


def test_a_pair_whose_condition_does_not_hold_asks_nothing():
    rules = NITRATE.replace("    says", '    when: "%age >= 65"\n    unknown: nothing\n    says')
    found = snapshot(fact("pde5_inhibitor", state="unknown"), birth="1990-01-01")
    assert not through(rules, found, activity("n", medicines=("nitrate",))).detected
    rules = STATINS.replace("    says", '    when: "%age >= 65"\n    unknown: nothing\n    says')
    found = snapshot(fact("statin", state="unknown"), birth="1990-01-01")
    assert not through(rules, found, activity("n", medicines=("statin",))).detected


def test_of_two_findings_of_one_rule_on_one_activity_the_stricter_holds():
    rules = NITRATE.replace("[pde5_inhibitor]", "[atenolol]")
    both = activity("a", medicines=("nitrate", "beta_blocker_selective"))
    plan = through(rules, snapshot(fact("nitrate"), fact("atenolol")), both)
    assert [found.action for found in plan.detected if found.activities] == ["withheld"]
    assert len(plan.withheld[0].reasons) == 2


def test_a_product_that_nobody_recognised_is_asked_about_once_and_not_for_each_class():
    unread = Issue(
        severity="warning", code="x", key="mapping.medication.unmapped", detail="d",
        source="MedicationRequest/m1/_history/1",
    )  # fmt: skip
    facts = [fact(name, id="m1", state="unknown") for name in ("pde5_inhibitor", "statin")]
    found = msgspec.structs.replace(snapshot(*facts), issues=(unread,))
    (left,) = through(NITRATE, found, activity("n", medicines=("nitrate",))).activities
    assert len(left.questions) == 1
    assert "MedicationRequest/m1" in left.questions[0]
