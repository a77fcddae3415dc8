"""What holds for any set of protocols and any patient: the order is of no account, twice is once, nothing is lost."""

from copy import deepcopy
from itertools import chain

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from careplan_exchange import planner
from careplan_exchange.planner.assembly import Lines, lines
from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.combine import Combining, combine
from tests.cases.combined.reading import chosen, patient_of, read
from tests.cases.snapshots import policies, vocabulary

NAMES = sorted([*read("plans.yaml")["plans"], "t2dm", "hypertension"])
FACTS = [
    *("chronic_kidney_disease", "heart_failure", "gout", "coronary_disease", "hyperlipidemia", "liver_disease"),
    *("asthma", "obesity", "frailty", "hypertension", "type_2_diabetes", "unstable_angina", "pregnancy", "mra"),
    *("mobility_difficulty", "vegetarian_diet", "financial_strain", "treatment_refusal", "no_refrigeration"),
    *("angioedema", "diabetic_retinopathy", "lithium", "insulin"),
    *({"egfr": "24"}, {"egfr": "64"}, {"potassium": "5.6"}, {"hba1c": "8.1"}, {"systolic_bp": "150"}),
]
PLANS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True)
PATIENTS = st.builds(
    lambda facts, birth: {"facts": facts, "patient": {"birth": birth}},
    st.lists(
        st.sampled_from(FACTS), max_size=9, unique_by=lambda one: one if isinstance(one, str) else next(iter(one))
    ),
    st.sampled_from(["1938-01-01", "1970-01-01"]),
)
LIMITS = settings(max_examples=60, deadline=None)


def gathered(names, case):
    """The lines of these protocols before anything is combined, and the bindings that they were made with."""
    bindings = Bindings(patient_of(case), vocabulary())
    whole = Lines()
    for protocol in sorted(chosen(names), key=lambda one: one.id):
        part = lines(protocol, bindings, vocabulary())
        for name in msgspec.structs.fields(Lines):
            getattr(whole, name.name).extend(getattr(part, name.name))
    return whole, bindings


def combined(whole, bindings, policy):
    again = deepcopy(whole)
    combine(again, policy, bindings, vocabulary())
    return again


@LIMITS
@given(PLANS, PATIENTS, st.randoms(use_true_random=False))
def test_the_order_of_protocols_and_facts_is_of_no_account(names, case, random):
    expected = planner.plan(patient_of(case), chosen(names), vocabulary(), policies())
    names, facts = list(names), list(case["facts"])
    random.shuffle(names)
    random.shuffle(facts)
    shuffled = {**case, "facts": facts}
    assert planner.plan(patient_of(shuffled), chosen(names), vocabulary(), policies()) == expected


@LIMITS
@given(PLANS, PATIENTS, st.booleans())
def test_combining_twice_is_combining_once(names, case, with_rules):
    policy = policies().combining if with_rules else Combining()
    whole, bindings = gathered(names, case)
    once = combined(whole, bindings, policy)
    assert combined(once, bindings, policy) == once


@LIMITS
@given(PLANS, PATIENTS)
def test_no_reason_no_citation_and_no_question_is_lost(names, case):
    whole, bindings = gathered(names, case)
    after = combined(whole, bindings, policies().combining)

    def told(found):
        every = (found.goals, found.activities, found.restrictions, found.withheld, found.not_applied)
        return {reason for line in chain(*every) for reason in line.reasons}

    assert told(whole) <= told(after) | _of_held_back(whole, after)
    standing = {line.key for line in after.activities}
    for before in whole.activities:
        if before.key in standing:
            line = next(one for one in after.activities if one.key == before.key)
            assert set(before.citations) <= set(line.citations)
            assert set(before.questions) <= set(line.questions)
            assert set(before.reasons) <= set(line.reasons)


def _of_held_back(whole, after):
    """What another protocol holds back needs no reason of its own to fall."""
    there = {line.key for line in after.not_applied}
    return {reason for line in whole.activities if line.key in there for reason in line.reasons}


@LIMITS
@given(PLANS, PATIENTS)
def test_every_line_that_went_is_told_of(names, case):
    whole, bindings = gathered(names, case)
    after = combined(whole, bindings, policies().combining)
    titles = {line.key: line for line in chain(after.activities, after.not_applied, after.withheld)}
    said = " ".join(
        reason.text
        for line in chain(after.activities, after.not_applied, after.withheld)
        for reason in line.reasons
    )
    for activity in whole.activities:
        same = any(activity.title == line.title for line in after.activities)
        assert activity.key in titles or same or activity.title in said, activity.key


@LIMITS
@given(PLANS, PATIENTS)
def test_no_two_lines_share_a_key_and_no_line_points_at_nothing(names, case):
    proposal = planner.plan(patient_of(case), chosen(names), vocabulary(), policies())
    keys = [line.key for line in (*proposal.goals, *proposal.activities)]
    assert len(keys) == len(set(keys))
    goals = {goal.key for goal in proposal.goals}
    for activity in proposal.activities:
        assert set(activity.goals) <= goals
    for line in proposal.restrictions:
        assert {line.goal} <= goals
        assert line.activity in keys
    falls = {line.key for line in (*proposal.not_applied, *proposal.withheld)}
    assert not {activity.key for activity in proposal.activities} & falls
