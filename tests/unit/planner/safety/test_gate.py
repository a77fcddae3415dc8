"""What the gate does with each kind of rule, on rules of a few lines."""

import msgspec
import pytest

from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import Gap, Reason, Used, Withheld
from careplan_exchange.model.snapshot import Coding
from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.safety import check
from tests.cases.snapshots import ALL, fact, snapshot, vocabulary
from tests.support.gates import CITATION, PROTOCOL, RXNORM, activity, gate, goal, proposal, restriction, through

METFORMIN = """
rules:
  - id: metformin-egfr
    hazard: drug-laboratory
    severity: high
    effect: withhold
    medicines: [metformin]
    when: "%egfr < 30"
    unknown: withhold
    says: "Lactic acidosis."
    mitigation: "Choose another."
    alternative: "Insulin."
    source: s
"""
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
WEIGHT = """
rules:
  - id: weight-loss-pregnancy
    hazard: pregnancy
    severity: high
    effect: withhold
    involves: [weight-loss]
    when: "%pregnancy"
    unknown: ask
    says: "Weight loss in pregnancy."
    mitigation: "Wait."
    source: s
"""
CHILD = """
rules:
  - id: child
    hazard: age
    severity: high
    effect: withhold
    medicines: [any]
    when: "%age < 18"
    unknown: ask
    says: "For adults."
    mitigation: "Ask a paediatric team."
    source: s
"""
SIMVASTATIN, ATORVASTATIN, LISINOPRIL = "36567", "83367", "29046"


def metformin(**more):
    return activity("metformin", medicines=("metformin",), **more)


def coded(code):
    return Coding(system=RXNORM, code=code)


def keys(lines):
    return [line.key for line in lines]


def test_a_medicine_whose_hazard_is_there_is_withheld_with_the_value_that_says_so():
    plan = through(METFORMIN, snapshot(fact("egfr", "22")), metformin())
    (held,) = plan.withheld
    assert not plan.activities
    assert (held.key, held.severity, held.certain) == ("test/action/metformin", "high", True)
    assert held.detail == "Lactic acidosis. Choose another."
    assert held.alternative == "Insulin."
    (why,) = held.reasons
    assert why.rule == "%egfr < 30"
    assert [one.reference for used in why.used for one in used.evidence] == ["Observation/egfr"]
    (found,) = plan.detected
    assert (found.rule, found.action, found.activities) == ("metformin-egfr", "withheld", (held.key,))
    assert found.reasons == held.reasons
    assert held.citations == found.citations
    assert why.used[0].evidence[0] in plan.evidence


def test_a_medicine_whose_hazard_is_not_there_stands_as_it_was():
    proposed = metformin()
    plan = through(METFORMIN, snapshot(fact("egfr", "80")), proposed)
    assert plan.activities == (proposed,)
    assert not plan.detected
    assert not plan.withheld


def test_a_fact_that_is_missing_withholds_and_is_named():
    plan = through(METFORMIN, snapshot(), metformin())
    (held,) = plan.withheld
    assert not held.certain
    assert [gap.concept for gap in plan.gaps] == ["egfr"]
    assert held.missing[0].needed_by == ("test/action/metformin",)


def test_a_product_is_known_by_its_code_alone():
    plan = through(METFORMIN, snapshot(fact("egfr", "22")), activity("tablet", rxnorm="6809"))
    assert keys(plan.withheld) == ["test/action/tablet"]


def test_what_is_taken_is_reported_and_nothing_is_stopped():
    proposed = activity("other", medicines=("statin",))
    plan = through(METFORMIN, snapshot(fact("metformin"), fact("egfr", "22")), proposed)
    (found,) = plan.detected
    assert (found.action, found.activities, found.key) == ("reported", (), "safety/metformin-egfr/taken")
    assert found.title == "Metformin"
    assert plan.activities == (proposed,)
    assert {one.reference for why in found.reasons for used in why.used for one in used.evidence} == {
        "MedicationRequest/metformin",
        "Observation/egfr",
    }


def test_what_is_taken_and_needs_a_missing_fact_is_asked_for():
    plan = through(METFORMIN, snapshot(fact("metformin")))
    assert [found.action for found in plan.detected] == ["asked"]
    assert [gap.needed_by for gap in plan.gaps] == [("safety/metformin-egfr",)]


def test_a_rule_may_leave_alone_what_is_taken():
    quiet = METFORMIN.replace("    source: s", "    taken: nothing\n    source: s")
    assert not through(quiet, snapshot(fact("metformin"), fact("egfr", "22"))).detected


def test_a_medicine_that_was_stopped_is_not_taken():
    assert not through(METFORMIN, snapshot(fact("metformin", active=False), fact("egfr", "22"))).detected


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


def test_what_an_activity_involves_is_held_back_with_its_goal_and_restriction():
    slim = activity("slim", involves=("weight-loss",), goals=("test/goal/weight",))
    plan = through(
        WEIGHT,
        snapshot(fact("pregnancy"), gender="female"),
        slim,
        goals=(goal("weight"), goal("other")),
        restrictions=(restriction("sugar", slim, "test/goal/weight"),),
    )
    assert keys(plan.withheld) == ["test/action/slim"]
    assert keys(plan.goals) == ["test/goal/other"]
    assert not plan.restrictions
    assert sorted(keys(plan.not_applied)) == ["test/avoid/sugar", "test/goal/weight"]
    assert all(line.reasons for line in plan.not_applied)


def test_a_goal_of_a_medicine_that_is_withheld_stays_and_a_person_is_told():
    plan = through(
        METFORMIN, snapshot(fact("egfr", "20")), metformin(goals=("test/goal/sugar",)), goals=(goal("sugar"),)
    )
    assert keys(plan.goals) == ["test/goal/sugar"]
    assert [issue.key for issue in plan.issues] == ["planner.safety.goal-unserved"]


def test_an_unknown_that_is_to_be_asked_puts_the_question_on_the_activity():
    plan = through(WEIGHT, snapshot(gender="female"), activity("slim", involves=("weight-loss",)))
    (left,) = plan.activities
    assert left.questions
    assert [gap.concept for gap in left.missing] == ["pregnancy"]
    assert [gap.concept for gap in plan.gaps] == ["pregnancy"]


def test_no_medicine_is_proposed_to_a_child_whatever_it_is():
    plan = through(CHILD, snapshot(birth="2012-05-01"), activity("unknown"), metformin())
    assert keys(plan.withheld) == ["test/action/unknown", "test/action/metformin"]


def test_a_medicine_for_somebody_of_no_known_age_waits_for_the_age():
    (left,) = through(CHILD, snapshot(birth=None), metformin()).activities
    assert left.questions == ("What is the patient's full date of birth?",)


def test_a_warning_leaves_the_activity_and_stands_beside_it():
    plan = through(
        METFORMIN.replace("effect: withhold", "effect: warn"), snapshot(fact("egfr", "20")), metformin()
    )
    assert keys(plan.activities) == ["test/action/metformin"]
    assert [found.action for found in plan.detected] == ["warned"]


def test_a_rule_on_part_of_a_class_warns_of_that_part():
    rules = METFORMIN.replace("[metformin]", "[atenolol]")
    (left,) = through(
        rules, snapshot(fact("egfr", "20")), activity("b", medicines=("beta_blocker_selective",))
    ).activities
    assert left.questions == ("Not every medicine of this class will do: is it another than Atenolol?",)
    plan = through(rules, snapshot(fact("egfr", "20")), activity("a", medicines=("atenolol",)))
    assert plan.withheld


def test_a_rule_on_a_class_holds_for_a_medicine_of_it():
    rules = METFORMIN.replace("[metformin]", "[beta_blocker_selective]")
    assert through(rules, snapshot(fact("egfr", "20")), activity("a", medicines=("atenolol",))).withheld


def test_a_rule_that_cannot_be_evaluated_withholds_all_that_it_is_about():
    for broken in ("%egfr <", "%no_such_thing", "%egfr + 1"):
        plan = through(
            METFORMIN.replace("%egfr < 30", broken),
            snapshot(fact("egfr", "80")),
            metformin(),
            activity("b", medicines=("statin",)),
        )
        assert keys(plan.withheld) == ["test/action/metformin"], broken
        assert [issue.key for issue in plan.issues] == ["planner.safety.rule"]
        assert plan.issues[0].severity == "error"


def test_what_a_protocol_withheld_has_a_detected_issue_too():
    line = Withheld(
        key="p/action/x",
        protocol=PROTOCOL,
        title="X",
        severity="high",
        certain=True,
        detail="Not safe.",
        reasons=(),
        citations=(CITATION,),
    )
    plan = through(METFORMIN, snapshot(), withheld=(line,))
    assert [(found.key, found.action, found.detail) for found in plan.detected] == [
        ("p/action/x", "withheld", "Not safe.")
    ]


@pytest.mark.parametrize(
    ("key", "reference", "severity"),
    [
        ("mapping.code.no-concept", "AllergyIntolerance/a1", "information"),
        ("mapping.code.text-only", "AllergyIntolerance/a1", "information"),
        ("mapping.medication.unmapped", "MedicationRequest/m1", "warning"),
        ("mapping.resource.unreadable", "MedicationStatement/m2", "error"),
    ],
)
def test_an_entry_that_nobody_recognised_is_named_on_every_medicine(key, reference, severity):
    found = msgspec.structs.replace(
        snapshot(fact("egfr", "80")),
        issues=(Issue(severity=severity, code="x", key=key, detail="d", source=f"{reference}/_history/3"),),
    )
    plan = through(METFORMIN, found, metformin(), activity("walk", involves=("walking",)))
    medicine, walk = plan.activities
    assert len(medicine.questions) == 1
    assert reference in medicine.questions[0]
    assert not walk.questions


@pytest.mark.parametrize(
    ("key", "reference"),
    [
        ("mapping.medication.unmapped", "MedicationRequest/m1"),
        ("mapping.code.no-concept", "MedicationRequest/m1"),
        ("mapping.code.no-concept", "Condition/c1"),
    ],
)
def test_what_is_understood_or_over_is_not_asked_about(key, reference):
    found = msgspec.structs.replace(
        snapshot(fact("egfr", "80")),
        issues=(Issue(severity="information", code="x", key=key, detail="d", source=reference),),
    )
    assert not through(METFORMIN, found, metformin()).activities[0].questions


def test_a_list_that_was_not_read_whole_is_named_on_every_medicine():
    found = snapshot(fact("egfr", "80"), categories=ALL - {"AllergyIntolerance"})
    assert through(METFORMIN, found, metformin()).activities[0].questions == (
        "The allergy list was not read whole: check it by hand.",
    )


def test_a_medicine_that_the_rules_do_not_know_is_to_be_checked_by_hand():
    (left,) = through(METFORMIN, snapshot(), activity("novel", rxnorm="999999999")).activities
    assert left.questions == ("This medicine is not known to the safety rules: check it by hand.",)


def test_an_activity_that_a_person_added_is_checked_alike():
    found = snapshot(fact("egfr", "22"))
    results = check([metformin()], Bindings(found, vocabulary()), gate(METFORMIN))
    assert [(one.rule, one.action) for one in results] == [("metformin-egfr", "withheld")]


def test_the_order_of_activities_and_facts_changes_nothing_of_what_is_withheld():
    facts = [fact("egfr", "22"), fact("nitrate"), fact("statin")]
    activities = [metformin(), activity("p", medicines=("pde5_inhibitor",)), activity("s", medicines=("statin",))]
    rules = METFORMIN + NITRATE.removeprefix("\nrules:") + STATINS.removeprefix("\nrules:")
    one = through(rules, snapshot(*facts), *activities)
    two = through(rules, snapshot(*facts[::-1]), *activities[::-1])
    assert sorted(one.withheld, key=lambda line: line.key) == sorted(two.withheld, key=lambda line: line.key)
    assert len(one.withheld) == 3


def test_nothing_to_look_at_leaves_the_proposal_as_it_was():
    found = snapshot()
    before = proposal(found, activity("walk", involves=("walking",)))
    assert through(METFORMIN, found, *before.activities) == before


def test_a_fact_whose_lack_is_the_hazard_is_named_as_missing():
    rules = METFORMIN.replace("drug-laboratory", "missing").replace("%egfr < 30", "%egfr.empty()")
    plan = through(rules, snapshot(), metformin())
    assert [(line.certain, [gap.concept for gap in line.missing]) for line in plan.withheld] == [(True, ["egfr"])]
    assert through(rules, snapshot(fact("egfr", "<60")), metformin()).activities


def test_what_the_protocol_asks_already_is_not_asked_twice():
    asked = Gap(concept="pregnancy", ask="Is she pregnant?", needed_by=("test/action/slim",))
    slim = activity("slim", involves=("weight-loss",), questions=("Is she pregnant?",), missing=(asked,))
    (left,) = through(WEIGHT, snapshot(gender="female"), slim).activities
    assert left.questions == ("Is she pregnant?",)


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


def test_what_is_taken_and_only_to_be_asked_about_before_a_start_is_left_alone():
    rules = METFORMIN.replace("unknown: withhold", "unknown: ask")
    plan = through(rules, snapshot(fact("metformin")))
    assert not plan.detected
    assert not plan.gaps


def test_an_unknown_of_a_rule_that_passes_it_over_changes_nothing():
    rules = METFORMIN.replace("unknown: withhold", "unknown: nothing")
    proposed = metformin()
    assert through(rules, snapshot(), proposed).activities == (proposed,)


def test_an_unknown_of_a_rule_that_only_warns_is_asked():
    rules = METFORMIN.replace("effect: withhold", "effect: warn")
    plan = through(rules, snapshot(), metformin())
    assert [found.action for found in plan.detected] == ["asked"]
    assert plan.activities[0].questions


@pytest.mark.parametrize(
    ("variable", "hazard"),
    [
        ("pregnancy", "pregnancy"),
        ("age", "age"),
        ("egfr", "drug-laboratory"),
        ("statin", "drug-drug"),
        ("metformin_allergy", "allergy"),
        ("hypertension", "drug-disease"),
    ],
)
def test_the_hazard_of_a_protocols_condition_is_told_by_what_it_looked_at(variable, hazard):
    why = Reason(text="t", rule="r", result="false", used=(Used(variable=variable, value="v"),))
    line = Withheld(
        key="p/action/x", protocol=PROTOCOL, title="X", severity="high", certain=False, detail="d",
        reasons=(why,), citations=(CITATION,),
    )  # fmt: skip
    (found,) = through(METFORMIN, snapshot(), withheld=(line,)).detected
    assert found.hazard == hazard
    assert not found.certain


def test_a_goal_that_another_activity_serves_stays_without_a_word():
    slim = activity("slim", involves=("weight-loss",), goals=("test/goal/weight",))
    walk = activity("walk", involves=("walking",), goals=("test/goal/weight",))
    plan = through(WEIGHT, snapshot(fact("pregnancy"), gender="female"), slim, walk, goals=(goal("weight"),))
    assert keys(plan.goals) == ["test/goal/weight"]
    assert not plan.issues


def test_a_rule_is_not_about_an_activity_that_brings_what_makes_it_safe():
    alone = """
rules:
  - {id: laba-alone, hazard: drug-disease, severity: high, effect: withhold, medicines: [laba],
     unless: [inhaled_corticosteroid], when: "%asthma", unknown: nothing, says: Deaths., mitigation: Add., source: s}
"""
    both = activity("both", medicines=("inhaled_corticosteroid", "laba"))
    one = activity("one", medicines=("laba",))
    plan = through(alone, snapshot(fact("asthma")), both, one)
    assert [line.key for line in plan.activities] == [both.key]
    assert [line.key for line in plan.withheld] == [one.key]


def test_an_unknown_about_a_part_of_a_class_is_asked_and_does_not_withhold_the_class():
    rules = METFORMIN.replace("[metformin]", "[atenolol]")
    plan = through(rules, snapshot(), activity("b", medicines=("beta_blocker_selective",)))
    assert [found.action for found in plan.detected] == ["asked"]
    assert plan.activities


def test_what_is_taken_without_the_hazard_is_not_mentioned():
    assert not through(METFORMIN, snapshot(fact("metformin"), fact("egfr", "80"))).detected


def test_a_rule_that_breaks_says_nothing_of_what_is_taken_but_that_it_is_broken():
    plan = through(METFORMIN.replace("%egfr < 30", "%egfr <"), snapshot(fact("metformin")))
    assert not plan.detected
    assert [issue.key for issue in plan.issues] == ["planner.safety.rule"]


def test_a_rule_that_breaks_withholds_even_where_it_would_only_warn_or_pass_over():
    rules = METFORMIN.replace("%egfr < 30", "%egfr <").replace("effect: withhold", "effect: warn")
    rules = rules.replace("unknown: withhold", "unknown: nothing")
    assert through(rules, snapshot(), metformin()).withheld


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


def test_only_what_is_taken_now_is_the_evidence():
    found = snapshot(fact("metformin", id="now"), fact("metformin", id="then", active=False), fact("egfr", "20"))
    (reported,) = through(METFORMIN, found).detected
    assert [one.reference for one in reported.reasons[0].used[0].evidence] == ["MedicationRequest/now"]


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


def test_an_activity_that_speaks_of_a_medicine_and_starts_none_is_left_alone():
    stop = activity("stop", rxnorm="6809", resource_kind="ServiceRequest")
    assert through(METFORMIN, snapshot(fact("egfr", "20")), stop).activities == (stop,)


def test_a_goal_of_an_activity_that_is_the_hazard_goes_and_nobody_is_told_to_find_another_way():
    slim = activity("slim", involves=("weight-loss",), goals=("test/goal/weight",))
    plan = through(WEIGHT, snapshot(fact("pregnancy"), gender="female"), slim, goals=(goal("weight"),))
    assert not plan.goals
    assert keys(plan.not_applied) == ["test/goal/weight"]
    assert not plan.issues


def test_a_restriction_goes_with_its_counselling_and_its_goal_stays_where_another_serves_it():
    counsel = metformin(goals=("test/goal/sugar",))
    other = activity("other", involves=("walking",), goals=("test/goal/sugar",))
    more = {"goals": (goal("sugar"),), "restrictions": (restriction("sugar", counsel, "test/goal/sugar"),)}
    alone = through(METFORMIN, snapshot(fact("egfr", "20")), counsel, **more)
    assert sorted(keys(alone.not_applied)) == ["test/avoid/sugar", "test/goal/sugar"]
    assert not alone.issues
    served = through(METFORMIN, snapshot(fact("egfr", "20")), counsel, other, **more)
    assert keys(served.not_applied) == ["test/avoid/sugar"]
    assert keys(served.goals) == ["test/goal/sugar"]


def test_one_certain_rule_among_several_makes_the_line_certain():
    rules = METFORMIN + CHILD.removeprefix("\nrules:")
    (held,) = through(rules, snapshot(birth="2012-05-01"), metformin()).withheld
    assert held.certain
    assert [gap.concept for gap in held.missing] == ["egfr"]
