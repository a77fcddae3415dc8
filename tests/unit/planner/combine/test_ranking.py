"""What a plan takes, and what of it comes first."""

from decimal import Decimal

import pytest

from careplan_exchange.model.burden import Burden, Count, in_words
from careplan_exchange.model.proposal import Barrier, Conflict, Proposal
from careplan_exchange.planner.combine import Combining, ranked
from careplan_exchange.planner.combine.rules import Weight
from careplan_exchange.planner.matching import Match
from tests.cases.snapshots import fact, snapshot
from tests.unit.planner.lines import activity, ref

WEEKLY = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "wk"}}
YEARLY = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "a"}}


def weight(counts, least=1, **match):
    return Weight(id=counts, match=Match(**match), counts=counts, without_timing=Decimal(least), reason="R.")


POLICY = Combining(
    burden=(
        weight("doses", 365, requests=("MedicationRequest",)),
        weight("laboratory", kinds=("monitoring",)),
        weight("visits", kinds=("referral",)),
        weight("tasks", 52, kinds=("lifestyle",)),
    )
)


def plan(*activities, facts=(), policy=POLICY, **more):
    found = snapshot(*facts)
    proposal = Proposal(
        patient=found.patient.evidence,
        as_of=found.as_of,
        protocols=(ref("a"),),
        goals=(),
        activities=activities,
        restrictions=(),
        withheld=(),
        not_applied=(),
        gaps=(),
        **more,
    )
    return ranked(proposal, found, policy)


def keys(proposal):
    return [line.key.removeprefix("a/action/") for line in proposal.activities]


def test_red_flag_then_benefit_then_urgency_then_least_asked_then_key():
    lines = [
        activity("a/daily", benefit=3, timing=WEEKLY),
        activity("a/b-yearly", benefit=3, timing=YEARLY),
        activity("a/a-yearly", benefit=3, timing=YEARLY),
        activity("a/urgent", benefit=3, timing=WEEKLY, priority="urgent"),
        activity("a/best", benefit=5),
        activity("a/unrated"),
        activity("a/flag", red_flag="See somebody today."),
    ]
    expected = ["flag", "best", "urgent", "a-yearly", "b-yearly", "daily", "unrated"]
    assert keys(plan(*lines)) == expected
    assert keys(plan(*lines[::-1])) == expected


def test_without_weights_the_plan_stays_as_it_is():
    proposal = plan(activity("a/y"), activity("a/x", benefit=5), policy=Combining())
    assert keys(proposal) == ["y", "x"]
    assert (proposal.burden, proposal.start_with) == (None, ())


def test_three_that_can_be_begun_now_come_first():
    conflict = Conflict(key="c", title="C", text="T", policy="ask", lines=("a/action/asked",), citations=())
    decided = Conflict(key="d", title="D", text="T", policy="second", lines=("a/action/four",), citations=())
    barrier = Barrier(
        key="b",
        title="B",
        text="T",
        outcome="referral",
        lines=("a/action/barred",),
        reasons=(),
        citations=(),
        by="x",
    )
    lines = [
        activity("a/question", benefit=5, questions=("Q?",)),
        activity("a/asked", benefit=5),
        activity("a/barred", benefit=5),
        activity("a/lesson", benefit=5, kind="education"),
        *(
            activity(f"a/{name}", benefit=4 - number)
            for number, name in enumerate(["one", "two", "three", "four"])
        ),
    ]
    proposal = plan(*lines, conflicts=(conflict, decided), barriers=(barrier,))
    assert proposal.start_with == ("a/action/one", "a/action/two", "a/action/three")


def test_visits_doses_and_tasks_are_counted_from_their_timing():
    twice = {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}
    proposal = plan(
        activity("a/visit", kind="referral", timing={"repeat": {"period": 3, "periodUnit": "mo"}}),
        activity("a/pill", kind="medication", resource_kind="MedicationRequest", dosage=({"timing": twice},)),
        activity("a/walk", timing={"repeat": {"frequency": 5, "period": 1, "periodUnit": "wk"}}),
    )
    assert proposal.burden == Burden(
        visits_a_year=Count(amount=Decimal(4)),
        doses_a_day=Count(amount=Decimal(2)),
        tasks_a_week=Count(amount=Decimal(5)),
        medicines_now=0,
    )


def test_samples_share_their_visits():
    proposal = plan(
        activity("a/egfr", kind="monitoring", timing=YEARLY),
        activity("a/hba1c", kind="monitoring", timing={"repeat": {"period": 3, "periodUnit": "mo"}}),
        activity("a/eye", kind="referral", timing=YEARLY),
    )
    assert proposal.burden.visits_a_year == Count(amount=Decimal(5))


@pytest.mark.parametrize(
    "dosage",
    [
        (),
        ({"text": "one in the morning"},),
        ({"asNeeded": True, "timing": WEEKLY},),
        ({"asNeededFor": [{"text": "pain"}], "timing": WEEKLY},),
        ({"timing": WEEKLY}, {"text": "and one at night"}),
    ],
)
def test_what_cannot_be_counted_makes_it_at_least(dosage):
    line = activity("a/pill", kind="medication", resource_kind="MedicationRequest", dosage=dosage)
    assert plan(line).burden.doses_a_day == Count(amount=Decimal(1), at_least=True)


def test_medicines_taken_already_are_told_once_each():
    facts = [
        fact("metformin"),
        fact("atenolol", id="1"),
        fact("beta_blocker_selective", id="1"),
        fact("insulin", active=False),
        fact("statin", state="unknown"),
    ]
    assert plan(activity("a/x"), facts=facts).burden.medicines_now == 2


def test_the_burden_is_told_in_one_sentence():
    one = Burden(
        visits_a_year=Count(amount=Decimal(1)),
        doses_a_day=Count(amount=Decimal(0)),
        tasks_a_week=Count(amount=Decimal(7), at_least=True),
        medicines_now=0,
    )
    assert (
        in_words(one)
        == "This plan takes 1 visit a year, 0 doses a day of new medicines, at least 7 tasks a week."
    )
    more = Burden(
        visits_a_year=Count(amount=Decimal(2)),
        doses_a_day=Count(amount=Decimal(1)),
        tasks_a_week=Count(amount=Decimal(1)),
        medicines_now=3,
    )
    assert in_words(more) == (
        "This plan takes 2 visits a year, 1 dose a day of new medicines, 1 task a week. "
        "On top of that the patient takes 3 medicines already."
    )
