"""What the gate does with a rule on one medicine, on rules of a few lines."""

from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.safety import check
from tests.cases.snapshots import fact, snapshot, vocabulary
from tests.support.gates import METFORMIN, activity, gate, keys, metformin, proposal, through

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


def test_an_activity_that_a_person_added_is_checked_alike():
    found = snapshot(fact("egfr", "22"))
    results = check([metformin()], Bindings(found, vocabulary()), gate(METFORMIN))
    assert [(one.rule, one.action) for one in results] == [("metformin-egfr", "withheld")]


def test_nothing_to_look_at_leaves_the_proposal_as_it_was():
    found = snapshot()
    before = proposal(found, activity("walk", involves=("walking",)))
    assert through(METFORMIN, found, *before.activities) == before


def test_a_fact_whose_lack_is_the_hazard_is_named_as_missing():
    rules = METFORMIN.replace("drug-laboratory", "missing").replace("%egfr < 30", "%egfr.empty()")
    plan = through(rules, snapshot(), metformin())
    assert [(line.certain, [gap.concept for gap in line.missing]) for line in plan.withheld] == [(True, ["egfr"])]
    assert through(rules, snapshot(fact("egfr", "<60")), metformin()).activities


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


def test_only_what_is_taken_now_is_the_evidence():
    found = snapshot(fact("metformin", id="now"), fact("metformin", id="then", active=False), fact("egfr", "20"))
    (reported,) = through(METFORMIN, found).detected
    assert [one.reference for one in reported.reasons[0].used[0].evidence] == ["MedicationRequest/now"]


def test_an_activity_that_speaks_of_a_medicine_and_starts_none_is_left_alone():
    stop = activity("stop", rxnorm="6809", resource_kind="ServiceRequest")
    assert through(METFORMIN, snapshot(fact("egfr", "20")), stop).activities == (stop,)


def test_one_certain_rule_among_several_makes_the_line_certain():
    rules = METFORMIN + CHILD.removeprefix("\nrules:")
    (held,) = through(rules, snapshot(birth="2012-05-01"), metformin()).withheld
    assert held.certain
    assert [gap.concept for gap in held.missing] == ["egfr"]
