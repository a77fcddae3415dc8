"""Why each line of a plan is proposed, and whether that is still the reason for which it stood before.

The digest of a reason holds what a clinician would call the reason: the protocol with its version, the rules and
what each came to, and what is proposed by them (targets; code, timing, dose and urgency of an activity). It does
not hold which resources in which versions were read, what they measured, or any wording: another laboratory value
under the same rules with the same results is no new reason to offer again what a person took out.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from careplan_exchange.model.changes import Ground
from careplan_exchange.model.codec import canonical
from careplan_exchange.model.detected import DetectedIssue
from careplan_exchange.model.grounds import Reason
from careplan_exchange.model.proposal import ActivityProposal, GoalProposal, Proposal, ProtocolRef, Target
from careplan_exchange.model.snapshot import Coding

_LENGTH = 20
"""Hexadecimal digits of a digest: it tells the reasons of one line apart, and proves nothing."""


def grounds_of(proposal: Proposal) -> dict[str, Ground]:
    """The reason of each goal, activity and detected issue, by its key."""
    grounds = {goal.key: _of_line(goal, [_target(each) for each in goal.targets]) for goal in proposal.goals}
    grounds |= {activity.key: _of_line(activity, _asked(activity)) for activity in proposal.activities}
    return grounds | {issue.key: _of_issue(issue) for issue in proposal.detected}


def ground_of_plan(grounds: Mapping[str, Ground], proposal: Proposal) -> Ground:
    """The reason of the plan as a whole: that of each of its goals and activities, in whatever order."""
    keys = [*(goal.key for goal in proposal.goals), *(activity.key for activity in proposal.activities)]
    lines = [grounds[key].digest for key in keys]
    because = tuple(f"{protocol.title}, version {protocol.version}." for protocol in proposal.protocols)
    return Ground(digest=_digest(sorted(lines)), because=because)


def _of_line(line: GoalProposal | ActivityProposal, proposed: Sequence[Any]) -> Ground:
    return Ground(
        digest=_digest([line.protocol.canonical, _rules(line.reasons), *proposed]),
        because=(*_sentences(line.reasons), _named(line.protocol)),
    )


def _of_issue(issue: DetectedIssue) -> Ground:
    return Ground(
        digest=_digest([issue.rule, issue.hazard, issue.severity, issue.action, _rules(issue.reasons)]),
        because=_sentences(issue.reasons),
    )


def _rules(reasons: Iterable[Reason]) -> list[tuple[str, str]]:
    return sorted((reason.rule, reason.result) for reason in reasons)


def _sentences(reasons: Sequence[Reason]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reason.text for reason in reasons if reason.result != "false"))


def _named(protocol: ProtocolRef) -> str:
    return f"{protocol.title}, version {protocol.version}."


def _asked(activity: ActivityProposal) -> list[Any]:
    return [
        activity.kind,
        activity.priority,
        [_coding(each) for each in activity.codings],
        dict(activity.timing) if activity.timing is not None else None,
        [dict(each) for each in activity.dosage],
    ]


def _target(target: Target) -> list[Any]:
    return [_coding(target.measure), target.unit, _number(target.low), _number(target.high)]


def _coding(coding: Coding) -> str:
    return f"{coding.system}|{coding.code}"


def _number(value: Decimal | None) -> str | None:
    """7.0 and 7 are one bound."""
    return None if value is None else f"{value.normalize():f}"


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()[:_LENGTH]
