"""The planner's one verb: every protocol that is in force over one snapshot, together as one proposal."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import ActivityProposal, GoalProposal, NotApplied, Proposal, Reason
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.model.risk import RiskAssessment
from careplan_exchange.model.snapshot import Evidence, Snapshot
from careplan_exchange.model.vocabulary import Vocabulary

from .assembly import Lines
from .bindings import Bindings
from .circumstances import adapt
from .combine import combine, ranked
from .dates import days_of
from .deciding import merged
from .expressions import EvaluationError, compiled
from .isolation import fit, isolated
from .policies import Policies
from .progress import with_progress
from .protocol import Protocol
from .raw import RawRecord
from .risk.assessing import assessed
from .risk.models import Compiled
from .safety import guarded

T = TypeVar("T")


def plan(
    snapshot: Snapshot,
    protocols: Sequence[Protocol],
    vocabulary: Vocabulary,
    policies: Policies,
    record: PatientRecord | None = None,
) -> Proposal:
    """What these protocols propose for this patient on `snapshot.as_of`. The same arguments give the same
    proposal, line by line. Nothing is raised: what fails is an Issue of the proposal. The paths of foreign
    protocols walk over `record`."""
    foreign = record is not None and any(protocol.foreign for protocol in protocols)
    raw = RawRecord(record) if record is not None and foreign else None
    bindings = Bindings(snapshot, vocabulary, policies.risks, raw)
    whole = Lines()
    early: list[str] = []
    for protocol in fit(sorted(protocols, key=lambda each: each.id), bindings, whole):
        if not _in_force(protocol, bindings, whole, early):
            continue
        part = isolated(protocol, bindings, vocabulary)
        for name in Lines.__struct_fields__:
            getattr(whole, name).extend(getattr(part, name))
    _tell_early(early, whole)
    combine(whole, policies.combining, bindings, vocabulary)
    adapt(whole, policies.circumstances, bindings)
    proposal = Proposal(
        patient=snapshot.patient.evidence,
        as_of=snapshot.as_of,
        protocols=tuple(protocol.ref for protocol in whole.applied),
        goals=tuple(whole.goals),
        activities=tuple(whole.activities),
        restrictions=tuple(whole.restrictions),
        withheld=tuple(whole.withheld),
        not_applied=tuple(whole.not_applied),
        gaps=merged(whole.gaps),
        addresses=_once((*_addressed(whole.goals), *_addressed(whole.activities))),
        evidence=_once(
            evidence for reason in _reasons(whole) for used in reason.used for evidence in used.evidence
        ),
        risks=_risks(bindings, policies.risks, whole.issues),
        issues=(*whole.issues, *bindings.issues),
        conflicts=tuple(whole.conflicts),
        barriers=tuple(whole.barriers),
        wishes=snapshot.wishes if whole.applied else (),
        language=snapshot.patient.language,
    )
    if policies.safety is not None:
        proposal = guarded(proposal, bindings, vocabulary, policies.safety)
    proposal = with_progress(proposal, bindings, vocabulary, policies.thresholds)
    return ranked(proposal, snapshot, policies.combining)


def _risks(bindings: Bindings, models: Sequence[Compiled], issues: list[Issue]) -> tuple[RiskAssessment, ...]:
    """A line for each equation that is about this patient, also where it cannot be worked out. One that fails is
    an Issue and takes no other with it."""
    found: list[RiskAssessment] = []
    for of in models:
        try:
            if bindings.truth(compiled(of.model.about)) == "true":
                found.append(assessed(of, bindings.worked_out(of), bindings))
        except EvaluationError as error:
            issues.append(
                Issue(
                    severity="error",
                    code="processing",
                    key="planner.risk.model",
                    detail=f"The equation '{of.model.id}' cannot be worked out ({error}).",
                    mend="Mend it in protocols/risk.",
                )
            )
    return tuple(found)


def _in_force(protocol: Protocol, bindings: Bindings, whole: Lines, early: list[str]) -> bool:
    """An expired protocol proposes nothing. One that is not in force yet does, and is added to `early`: a plan
    for a day long past is a replay, and has no other protocol."""
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
        early.append(f"'{protocol.id}' {protocol.ref.version}")
    return True


def _tell_early(early: Sequence[str], whole: Lines) -> None:
    """One word for all of them, before all else: where one is early, most are."""
    if early:
        whole.issues.insert(
            0,
            Issue(
                severity="information",
                code="business-rule",
                key="planner.protocol.early",
                detail=f"Protocols that came into force after that day: {', '.join(early)}.",
                mend="None is needed where the plan is a replay of a day in the past.",
            ),
        )


def _addressed(lines_: Iterable[GoalProposal | ActivityProposal]) -> tuple[Evidence, ...]:
    return tuple(evidence for line in lines_ for evidence in line.addresses)


def _reasons(whole: Lines) -> tuple[Reason, ...]:
    """Of every line that the plan holds, or holds back."""
    return (
        *(reason for goal in whole.goals for reason in goal.reasons),
        *(reason for activity in whole.activities for reason in activity.reasons),
        *(reason for withheld in whole.withheld for reason in withheld.reasons),
        *(reason for conflict in whole.conflicts for reason in conflict.reasons),
        *(reason for barrier in whole.barriers for reason in barrier.reasons),
    )


def _once(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    return tuple(
        sorted(set(evidence), key=lambda found: (found.reference, found.version_id or "", found.date or ""))
    )
