"""The planner's one verb: every protocol that is in force over one snapshot, together as one proposal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from careplan_exchange.model.codec import canonical
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import ActivityProposal, Gap, GoalProposal, NotApplied, Proposal, Reason
from careplan_exchange.model.snapshot import Coding, Evidence, Snapshot
from careplan_exchange.model.vocabulary import Vocabulary

from .assembly import Lines, lines
from .bindings import Bindings
from .dates import days_of
from .deciding import merged
from .protocol import Protocol

T = TypeVar("T")


def plan(snapshot: Snapshot, protocols: Sequence[Protocol], vocabulary: Vocabulary) -> Proposal:
    """What these protocols propose for this patient on `snapshot.as_of`. The same arguments give the same
    proposal, line by line. Nothing is raised: what fails is an Issue of the proposal."""
    bindings = Bindings(snapshot, vocabulary)
    whole = Lines()
    for protocol in protocols:
        if not _in_force(protocol, bindings, whole):
            continue
        part = lines(protocol, bindings, vocabulary)
        for name in msgspec.structs.fields(Lines):
            getattr(whole, name.name).extend(getattr(part, name.name))
    renamed = _merge(whole)
    _hold_back(whole)
    gaps = merged(msgspec.structs.replace(gap, needed_by=_renamed(gap, renamed)) for gap in whole.gaps)
    return Proposal(
        patient=snapshot.patient.evidence,
        as_of=snapshot.as_of,
        protocols=tuple(protocol.ref for protocol in whole.applied),
        goals=tuple(whole.goals),
        activities=tuple(whole.activities),
        restrictions=tuple(whole.restrictions),
        withheld=tuple(whole.withheld),
        not_applied=tuple(whole.not_applied),
        gaps=gaps,
        addresses=_once((*_addressed(whole.goals), *_addressed(whole.activities))),
        evidence=_once(
            evidence for reason in _reasons(whole) for used in reason.used for evidence in used.evidence
        ),
        issues=(*whole.issues, *bindings.issues),
    )


def _in_force(protocol: Protocol, bindings: Bindings, whole: Lines) -> bool:
    """An expired protocol proposes nothing. One that is not in force yet does, with a word: a plan for a day
    long past is a replay, and has no other protocol."""
    today = bindings.snapshot.as_of
    start = days_of(protocol.valid_from or "")
    end = days_of(protocol.valid_to or "")
    if end is not None and today > end[1]:
        detail = f"Protocol '{protocol.id}' version {protocol.ref.version} is past its effectivePeriod."
        why = Reason(text=detail, rule=f"effectivePeriod.end: {protocol.valid_to}", result="false")
        whole.not_applied.append(NotApplied(key=protocol.id, title=protocol.ref.title, reasons=(why,)))
        mend = "Review the protocol against its sources, then move its review date and effectivePeriod."
        whole.issues.append(
            Issue(severity="warning", code="expired", key="planner.protocol.expired", detail=detail, mend=mend)
        )
        return False
    if start is not None and today < start[0]:
        whole.issues.append(
            Issue(
                severity="information",
                code="business-rule",
                key="planner.protocol.early",
                detail=f"Protocol '{protocol.id}' version {protocol.ref.version} came into force after that day.",
                mend="None is needed where the plan is a replay of a day in the past.",
            )
        )
    return True


def _merge(whole: Lines) -> Mapping[str, str]:
    """The very same activity from two protocols stands once, under the first key, with the reasons, citations,
    goals and questions of both. The same is: kind of request, title, codes and timing; a code alone ("review of
    medication") is too general to tell. Returns the new key of each that went."""
    kept: dict[bytes, int] = {}
    activities: list[ActivityProposal] = []
    renamed: dict[str, str] = {}
    for activity in whole.activities:
        codes = sorted(_codes(activity.codings))
        same = canonical((activity.resource_kind, activity.title, codes, activity.timing))
        if codes and same in kept and activities[kept[same]].protocol != activity.protocol:
            first = activities[kept[same]]
            renamed[activity.key] = first.key
            activities[kept[same]] = _joined(first, activity)
        else:
            kept.setdefault(same, len(activities))
            activities.append(activity)
    whole.activities = activities
    whole.restrictions = [
        msgspec.structs.replace(line, activity=renamed.get(line.activity, line.activity))
        for line in whole.restrictions
    ]
    return renamed


def _joined(first: ActivityProposal, second: ActivityProposal) -> ActivityProposal:
    return msgspec.structs.replace(
        first,
        reasons=_both(first.reasons, second.reasons),
        citations=_both(first.citations, second.citations),
        goals=_both(first.goals, second.goals),
        addresses=_both(first.addresses, second.addresses),
        missing=merged((*first.missing, *second.missing)),
        questions=_both(first.questions, second.questions),
    )


def _hold_back(whole: Lines) -> None:
    """What one protocol holds back, no other proposes: a contraindication found once holds for the plan."""
    activities: list[ActivityProposal] = []
    for activity in whole.activities:
        held = [line for line in whole.withheld if _codes(line.codings) & _codes(activity.codings)]
        if activity.resource_kind == "MedicationRequest" and held:
            why = tuple(dict.fromkeys(reason for line in held for reason in line.reasons))
            whole.not_applied.append(NotApplied(key=activity.key, title=activity.title, reasons=why))
        else:
            activities.append(activity)
    whole.activities = activities


def _addressed(lines_: Iterable[GoalProposal | ActivityProposal]) -> tuple[Evidence, ...]:
    return tuple(evidence for line in lines_ for evidence in line.addresses)


def _reasons(whole: Lines) -> tuple[Reason, ...]:
    """Of every line that the plan holds, or holds back."""
    return (
        *(reason for goal in whole.goals for reason in goal.reasons),
        *(reason for activity in whole.activities for reason in activity.reasons),
        *(reason for withheld in whole.withheld for reason in withheld.reasons),
    )


def _codes(codings: Iterable[Coding]) -> set[tuple[str, str]]:
    """Without those that are a display alone: two of them are not the same thing."""
    return {(coding.system or "", coding.code) for coding in codings if coding.code}


def _renamed(gap: Gap, renamed: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(renamed.get(key, key) for key in gap.needed_by)


def _both(first: tuple[T, ...], second: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _once(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    return tuple(
        sorted(set(evidence), key=lambda found: (found.reference, found.version_id or "", found.date or ""))
    )
