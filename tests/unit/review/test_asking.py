"""What the rules of a policy say of one change: the one that names most, then the strictest, and never too little."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.model.review import ReviewPolicy, ReviewRule
from careplan_exchange.review.asking import STRICTNESS, needed, specificity
from careplan_exchange.review.kinds import Fact

CHANGES = ("new", "changed", "retired", "status", "recheck", "conflict", "deleted")


def fact(change="changed", of="goal", protocol="t2dm", severity="low", **more) -> Fact:
    return Fact(change=change, of=of, protocol=protocol, severity=severity, **more)


def rule(needs, **conditions) -> ReviewRule:
    return ReviewRule(needs=needs, **{name: (word,) for name, word in conditions.items()})


def asked(of: Fact, *rules: ReviewRule) -> str:
    return needed(of, ReviewPolicy(rules=rules))


@pytest.mark.parametrize("change", CHANGES)
def test_without_a_rule_everything_but_a_re_check_needs_a_person(change):
    assert asked(fact(change)) == ("auto" if change == "recheck" else "one")


def test_the_rule_that_names_most_decides_in_either_direction():
    general, special = rule("two", change="changed"), rule("auto", change="changed", of="goal")
    assert asked(fact(), general, special) == "auto"
    assert asked(fact(of="activity"), general, special) == "two"


def test_of_rules_that_name_as_many_the_strictest_decides_wherever_it_stands():
    lax, strict = rule("auto", change="changed"), rule("two", protocol="t2dm")
    assert asked(fact(), lax, strict) == asked(fact(), strict, lax) == "two"


@pytest.mark.parametrize("change", ["conflict", "deleted"])
def test_a_conflict_and_a_deletion_are_decided_by_a_person_whatever_a_rule_says(change):
    assert asked(fact(change), rule("auto", change=change)) == "one"
    assert asked(fact(change), rule("never", change=change)) == "never"


def test_a_rule_about_what_is_not_known_counts_where_it_is_stricter_and_only_there():
    retired = fact("retired", protocol=None)
    assert asked(retired, rule("two", protocol="t2dm")) == "two"
    assert asked(retired, rule("auto", protocol="t2dm")) == "one"
    unrated = fact(severity=None)
    assert asked(unrated, rule("two", severity="high")) == "two"
    assert asked(unrated, rule("auto", severity="low")) == "one"


def test_a_plan_has_no_severity_and_no_protocol_of_its_own():
    plan = Fact(change="changed", of="plan", has_severity=False)
    assert asked(plan, rule("two", severity="high"), rule("two", protocol="t2dm")) == "one"


def test_what_a_person_has_touched_is_told_apart():
    mine = rule("auto", change="changed", origin="software")
    assert asked(fact(origin="software"), mine) == "auto"
    assert asked(fact(origin="person"), mine) == "one"


FACTS = st.builds(
    Fact,
    change=st.sampled_from(CHANGES),
    of=st.sampled_from(("plan", "goal", "activity", "medication", "finding")),
    protocol=st.sampled_from(("t2dm", "ckd", "", None)),
    severity=st.sampled_from(("high", "low", None)),
    origin=st.sampled_from(("software", "person")),
)
RULES = st.builds(
    ReviewRule,
    needs=st.sampled_from(STRICTNESS),
    change=st.lists(st.sampled_from(CHANGES), max_size=2, unique=True).map(tuple),
    of=st.lists(st.sampled_from(("goal", "medication")), max_size=1).map(tuple),
    protocol=st.lists(st.sampled_from(("t2dm", "ckd")), max_size=1).map(tuple),
    severity=st.lists(st.sampled_from(("high", "low")), max_size=1).map(tuple),
)


@given(FACTS, st.lists(RULES, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_the_rules_decides_nothing(of, rules, random):
    shuffled = random.sample(rules, len(rules))
    assert asked(of, *rules) == asked(of, *shuffled)


@given(FACTS, st.lists(RULES, max_size=6))
def test_nothing_is_let_through_but_by_a_rule_that_surely_meets_it(of, rules):
    if asked(of, *rules) == "auto" and of.change != "recheck":
        assert any(
            one.needs == "auto"
            and specificity(one)
            and (not one.change or of.change in one.change)
            and (not one.protocol or of.protocol in one.protocol)
            and (not one.severity or of.severity in one.severity)
            for one in rules
        ) or any(one.needs == "auto" and specificity(one) == 0 for one in rules)
