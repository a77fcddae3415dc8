"""What a plan costs the patient, and what of it comes first. The last step: it counts what is left."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import msgspec

from careplan_exchange.model.burden import Burden, Count
from careplan_exchange.model.proposal import ActivityProposal, Proposal
from careplan_exchange.model.snapshot import Snapshot

from .frequency import times_a_year
from .rules import Combining, Weight

_PRIORITIES = ("stat", "asap", "urgent", "routine")
_WEEKS = Decimal(365) / Decimal(7)
_DAYS = Decimal(365)
_ONE = Decimal(1)
FIRST = 3
"""How many activities a patient is asked to start with."""


class _Cost:
    """How often a year the activity asks something of the patient, by kind; `sure` where its timing says so."""

    def __init__(self, activity: ActivityProposal, weights: Sequence[Weight]) -> None:
        weight = next((found for found in weights if found.match.holds(activity)), None)
        self.counts = weight.counts if weight is not None else "nothing"
        often = _often(activity)
        self.sure = often is not None
        self.a_year = often if often is not None else weight.without_timing if weight is not None else Decimal(0)


def _often(activity: ActivityProposal) -> Decimal | None:
    """By its timing, else by the dosages, added up."""
    if activity.timing is not None:
        return times_a_year(activity.timing)
    found = [_doses(dosage) for dosage in activity.dosage]
    known = [each for each in found if each is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(found) else None


def _doses(dosage: Any) -> Decimal | None:
    if not isinstance(dosage, Mapping) or dosage.get("asNeeded") or dosage.get("asNeededFor"):
        return None
    return times_a_year(dosage.get("timing"))


def burden(activities: Sequence[ActivityProposal], snapshot: Snapshot, policy: Combining) -> Burden:
    """What all of it takes together, with what the patient takes already as a number of medicines."""
    costs = [_Cost(activity, policy.burden) for activity in activities]
    taken = {
        fact.evidence.reference
        for fact in snapshot.facts
        if fact.kind == "medication" and fact.state == "present" and fact.active
    }
    return Burden(
        visits_a_year=_count(costs, "visits", _ONE),
        doses_a_day=_count(costs, "doses", _DAYS),
        tasks_a_week=_count(costs, "tasks", _WEEKS),
        medicines_now=len(taken),
    )


def _count(costs: Sequence[_Cost], what: str, divided_by: Decimal) -> Count:
    found = [cost for cost in costs if cost.counts == what]
    amount = sum((cost.a_year for cost in found), Decimal(0))
    if what == "visits":
        # Blood and urine are taken together: of all of that the one that comes round most often.
        laboratory = [cost for cost in costs if cost.counts == "laboratory"]
        amount += max((cost.a_year for cost in laboratory), default=Decimal(0))
        found += laboratory
    return Count(
        amount=(amount / divided_by).quantize(_ONE, rounding=ROUND_HALF_UP),
        at_least=any(not cost.sure for cost in found),
    )


def ranked(proposal: Proposal, snapshot: Snapshot, policy: Combining) -> Proposal:
    """The same plan with its activities in the order of red flag, benefit, urgency, and least asked of the
    patient; with the first of them that can be begun now (no teaching, no open question, no barrier, no conflict
    that waits for a person, no red flag that comes first); and with what all of it takes. A policy that does not
    weigh anything leaves the plan as it is."""
    if not policy.burden:
        return proposal

    def place(activity: ActivityProposal) -> tuple[bool, int, int, Decimal, str]:
        return (
            activity.red_flag is None,
            -(activity.benefit or 0),
            _PRIORITIES.index(activity.priority),
            _Cost(activity, policy.burden).a_year,
            activity.key,
        )

    waiting = {key for conflict in proposal.conflicts if conflict.policy == "ask" for key in conflict.lines}
    waiting |= {key for barrier in proposal.barriers if barrier.by is None for key in barrier.lines}
    waiting |= {key for barrier in proposal.barriers if barrier.outcome == "referral" for key in barrier.lines}
    activities = tuple(sorted(proposal.activities, key=place))
    at_once = {line.key for line in proposal.at_once}
    ready = [
        line.key
        for line in activities
        if line.key in at_once and line.kind != "education" and not line.questions and line.key not in waiting
    ]
    return msgspec.structs.replace(
        proposal,
        activities=activities,
        start_with=tuple(ready[:FIRST]),
        burden=burden(activities, snapshot, policy) if proposal.protocols else None,
    )
