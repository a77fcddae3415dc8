"""The gate: the whole proposal in, the same out with nothing unsafe in it. Read `judging.py` beside it."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from careplan_exchange.model.detected import DetectedIssue, Effect, Hazard, RedFlag
from careplan_exchange.model.grounds import Citation, Reason
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import ActivityProposal, NotApplied, Proposal, Withheld
from careplan_exchange.model.snapshot import Evidence
from careplan_exchange.model.vocabulary import Vocabulary
from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.deciding import merged
from careplan_exchange.planner.phrases import inline
from careplan_exchange.planner.protocol import Severity

from .flags import red_flags
from .judging import Judged, Verdict, by_subject, judge
from .patient import Checked, Subject, subject_of, taken
from .rules import Gate
from .unrecognised import questions, unrecognised

_EFFECTS: Mapping[str, Effect] = {
    "withhold": "withheld",
    "warn": "warned",
    "ask": "asked",
    "report": "reported",
}
_SEVERITIES: tuple[Severity, ...] = ("high", "moderate", "low")
_HAZARDS: Mapping[str, Hazard] = {
    "allergy": "allergy",
    "measurement": "drug-laboratory",
    "medication": "drug-drug",
    "gene-finding": "gene-drug",
}


def guarded(proposal: Proposal, bindings: Bindings, vocabulary: Vocabulary, gate: Gate) -> Proposal:
    """What of the proposal may stand. An activity that a rule holds back moves to `withheld`; everything found is
    in `detected`; red flags, questions and gaps are added. Nothing is raised: a rule that cannot be evaluated
    withholds all that it is about, with an Issue."""
    flags, flag_gaps, flag_issues = red_flags(proposal.activities, bindings, gate)
    judged = _judged(proposal.activities, bindings, gate)
    holds = by_subject(judged.verdicts, "withhold")
    left = [activity for activity in proposal.activities if activity.key not in holds]
    general = _general(bindings)
    activities = tuple(_questioned(activity, judged.verdicts, general, gate) for activity in left)
    held = tuple(
        _withheld(activity, holds[activity.key]) for activity in proposal.activities if activity.key in holds
    )
    detected = (
        *(_of_protocol(line, vocabulary) for line in proposal.withheld),
        *(_detected(verdict, proposal.activities, gate) for verdict in judged.verdicts),
    )
    found = msgspec.structs.replace(
        proposal,
        activities=activities,
        withheld=(*proposal.withheld, *held),
        gaps=merged((*proposal.gaps, *flag_gaps, *(gap for one in judged.verdicts for gap in one.gaps))),
        evidence=_evidence(proposal.evidence, (*_reasons(detected), *_reasons(flags))),
        issues=tuple(dict.fromkeys((*proposal.issues, *bindings.issues, *flag_issues, *judged.issues))),
        detected=detected,
        red_flags=flags,
    )
    return _without_orphans(found, proposal.activities, holds)


def check(activities: Sequence[Checked], bindings: Bindings, gate: Gate) -> tuple[DetectedIssue, ...]:
    """What the rules say of these activities, whoever made them: "withheld" means that it must not stand. Of what
    cannot be evaluated there is a DetectedIssue as well, as it withholds."""
    judged = _judged(activities, bindings, gate)
    return tuple(_detected(verdict, activities, gate) for verdict in judged.verdicts)


def recognised(activity: Checked, gate: Gate) -> bool:
    """Whether the rules know what it is: what is no medicine, and a medicine by its code or class."""
    subject = _subject(activity, gate)
    return not subject.medication or bool(subject.is_)


def _judged(activities: Sequence[Checked], bindings: Bindings, gate: Gate) -> Judged:
    subjects = [_subject(activity, gate) for activity in activities]
    unread = frozenset(unrecognised(bindings.snapshot))
    return judge(subjects, taken(bindings, gate.classes, unread), bindings, gate)


def _subject(activity: Checked, gate: Gate) -> Subject:
    return subject_of(activity, gate.classes)


def _general(bindings: Bindings) -> tuple[str, ...]:
    """The questions that every medicine waits for."""
    return questions(unrecognised(bindings.snapshot), bindings.snapshot)


def _questioned(
    activity: ActivityProposal, verdicts: Iterable[Verdict], general: tuple[str, ...], gate: Gate
) -> ActivityProposal:
    """The activity with what a person must answer, and know, before it is accepted."""
    mine = [verdict for verdict in verdicts if activity.key in verdict.subjects]
    # What the protocol asks already, in its own words, is not asked twice.
    known = {gap.concept for gap in activity.missing if gap.ask in activity.questions}
    open_ = {gap.concept: gap.ask for verdict in mine if verdict.outcome == "ask" for gap in verdict.gaps}
    asked = [ask for concept, ask in open_.items() if concept not in known]
    asked += [_choice(verdict, gate) for verdict in mine if verdict.outcome == "warn" and verdict.choice]
    subject = _subject(activity, gate)
    if subject.medication:
        asked += general
        if not subject.is_:
            asked.append("This medicine is not known to the safety rules: check it by hand.")
    missing = [gap for verdict in mine for gap in verdict.gaps]
    if not asked and not missing:
        return activity
    return msgspec.structs.replace(
        activity,
        questions=tuple(dict.fromkeys((*activity.questions, *asked))),
        missing=merged((*activity.missing, *missing)),
    )


def _choice(verdict: Verdict, gate: Gate) -> str:
    return f"Not every medicine of this class will do: is it another than {gate.classes.named(verdict.choice)}?"


def _withheld(activity: ActivityProposal, verdicts: tuple[Verdict, ...]) -> Withheld:
    """One line for the activity, with every rule that holds it back."""
    alternatives = dict.fromkeys(one.rule.alternative for one in verdicts if one.rule.alternative)
    return Withheld(
        key=activity.key,
        protocol=activity.protocol,
        title=activity.title,
        severity=min((one.rule.severity for one in verdicts), key=_SEVERITIES.index),
        certain=any(one.certain for one in verdicts),
        detail=" ".join(dict.fromkeys(f"{one.rule.says} {one.rule.mitigation}" for one in verdicts)),
        reasons=_every(one.reasons for one in verdicts),
        citations=_cited(one.rule.citations for one in verdicts),
        codings=activity.codings,
        missing=merged(gap for one in verdicts for gap in one.gaps),
        alternative=" ".join(alternatives) or None,
    )


def _detected(verdict: Verdict, activities: Iterable[Checked], gate: Gate) -> DetectedIssue:
    rule = verdict.rule
    titles = [activity.title for activity in activities if activity.key in verdict.subjects]
    about = "; ".join(titles) or gate.classes.named(
        used.variable for reason in verdict.reasons[:1] for used in reason.used
    )
    return DetectedIssue(
        key="/".join(("safety", rule.id, *(verdict.subjects or ("taken",)))),
        rule=rule.id,
        hazard=rule.hazard,
        severity=rule.severity,
        action=_EFFECTS[verdict.outcome],
        certain=verdict.certain,
        title=about,
        detail=rule.says if verdict.certain else f"Not ruled out: {inline(rule.says)}",
        mitigation=rule.mitigation,
        alternative=rule.alternative,
        activities=verdict.subjects,
        reasons=verdict.reasons,
        citations=rule.citations,
        missing=verdict.gaps,
    )


def _of_protocol(line: Withheld, vocabulary: Vocabulary) -> DetectedIssue:
    """What a protocol's own condition held back."""
    used = [used.variable for reason in line.reasons for used in reason.used]
    return DetectedIssue(
        key=line.key,
        rule=line.key,
        hazard=_hazard(used, vocabulary),
        severity=line.severity,
        action="withheld",
        certain=line.certain,
        title=line.title,
        detail=line.detail,
        mitigation="A person decides whether another way is open." if line.certain
        else "Find out what is not known, then plan again.",
        alternative=line.alternative,
        activities=(line.key,),
        reasons=line.reasons,
        citations=line.citations,
        missing=line.missing,
    )  # fmt: skip


def _hazard(variables: Iterable[str], vocabulary: Vocabulary) -> Hazard:
    """The kind of hazard that these variables speak of; a disease where they say no other."""
    found: list[Hazard] = []
    for name in variables:
        if name in {"pregnancy", "age"}:
            found.append("pregnancy" if name == "pregnancy" else "age")
        elif name in vocabulary.concepts and vocabulary.concepts[name].kind in _HAZARDS:
            found.append(_HAZARDS[vocabulary.concepts[name].kind])
    return next(iter(found), "drug-disease")


def _without_orphans(
    proposal: Proposal, before: Iterable[ActivityProposal], holds: Mapping[str, tuple[Verdict, ...]]
) -> Proposal:
    """Goals and restrictions that only a withheld activity served.

    A restriction needs its counselling. A goal whose activity is itself the hazard (weight loss in pregnancy)
    goes with it; a goal that a medicine served stays, as another way may be found, and a person is told.
    """
    if not holds:
        return proposal
    served = {goal for activity in proposal.activities for goal in activity.goals}
    gone: dict[str, tuple[Reason, ...]] = {}
    for restriction in proposal.restrictions:
        if restriction.activity in holds:
            why = _every(one.reasons for one in holds[restriction.activity])
            gone[restriction.key] = why
            if restriction.goal not in served:
                gone[restriction.goal] = why
    issues: list[Issue] = []
    for goal in proposal.goals:
        verdicts = [
            one for activity in before if goal.key in activity.goals for one in holds.get(activity.key, ())
        ]
        if goal.key in served or not verdicts:
            continue
        if any(one.rule.involves for one in verdicts):
            gone.setdefault(goal.key, _every(one.reasons for one in verdicts))
        elif goal.key not in gone:
            issues.append(_unserved(goal.key))
    titles = {goal.key: goal.description for goal in proposal.goals}
    titles |= {restriction.key: restriction.avoid for restriction in proposal.restrictions}
    return msgspec.structs.replace(
        proposal,
        goals=tuple(goal for goal in proposal.goals if goal.key not in gone),
        restrictions=tuple(one for one in proposal.restrictions if one.key not in gone),
        not_applied=(
            *proposal.not_applied,
            *(NotApplied(key=key, title=titles[key], reasons=why) for key, why in gone.items()),
        ),
        issues=(*proposal.issues, *issues),
    )


def _unserved(goal: str) -> Issue:
    return Issue(
        severity="information",
        code="business-rule",
        key="planner.safety.goal-unserved",
        detail=f"Goal '{goal}' stands, and what the protocol would do for it is withheld.",
        mend="A person chooses another way to it, or sets it aside.",
    )


def _reasons(lines: Iterable[DetectedIssue | RedFlag]) -> tuple[Reason, ...]:
    return tuple(reason for line in lines for reason in line.reasons)


def _evidence(known: Iterable[Evidence], reasons: Iterable[Reason]) -> tuple[Evidence, ...]:
    """With what the gate looked at, each once, in the order in which a proposal holds them."""
    found = {*known, *(one for reason in reasons for used in reason.used for one in used.evidence)}
    return tuple(sorted(found, key=lambda one: (one.reference, one.version_id or "", one.date or "")))


def _every(reasons: Iterable[tuple[Reason, ...]]) -> tuple[Reason, ...]:
    return tuple(dict.fromkeys(one for several in reasons for one in several))


def _cited(citations: Iterable[tuple[Citation, ...]]) -> tuple[Citation, ...]:
    return tuple(dict.fromkeys(one for several in citations for one in several))
