"""Two proposals for one patient, line by line: what stands in one only, and what stands in both and differs."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from careplan_exchange.model.proposal import (
    ActivityProposal,
    GoalProposal,
    Proposal,
    Reason,
    Restriction,
    Target,
    Withheld,
)

from .protocol import TargetTemplate

Line = GoalProposal | ActivityProposal | Restriction | Withheld
Section = Literal["goal", "activity", "restriction", "withheld", "question"]


class Difference(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One line that changes. `before` and `after` are what it says, None where it is not there; `why` the reasons
    that are new."""

    section: Section
    key: str
    change: Literal["added", "removed", "changed"]
    before: str | None
    after: str | None
    why: tuple[str, ...]


def differences(before: Proposal, after: Proposal) -> tuple[Difference, ...]:
    """In the order of the plan: goals, activities, restrictions, what is withheld, what is asked."""
    found: list[Difference] = []
    sections: tuple[tuple[Section, Sequence[Line], Sequence[Line]], ...] = (
        ("goal", before.goals, after.goals),
        ("activity", before.activities, after.activities),
        ("restriction", before.restrictions, after.restrictions),
        ("withheld", before.withheld, after.withheld),
    )
    for section, old, new in sections:
        found += _section(section, {line.key: line for line in old}, {line.key: line for line in new})
    old_gaps = {gap.concept: gap.ask for gap in before.gaps}
    new_gaps = {gap.concept: gap.ask for gap in after.gaps}
    for concept in sorted(old_gaps.keys() | new_gaps.keys()):
        was, now = old_gaps.get(concept), new_gaps.get(concept)
        if was != now:
            found.append(_difference("question", concept, was, now, ()))
    return tuple(found)


def _section(section: Section, old: Mapping[str, Line], new: Mapping[str, Line]) -> list[Difference]:
    found: list[Difference] = []
    for key in dict.fromkeys((*old, *new)):
        was, now = old.get(key), new.get(key)
        shown_before, shown_after = _shown(was), _shown(now)
        if shown_before != shown_after:
            known = {reason.text for reason in (was.reasons if was else ())}
            reasons: tuple[Reason, ...] = now.reasons if now else ()
            why = tuple(reason.text for reason in reasons if reason.text not in known)
            found.append(_difference(section, key, shown_before, shown_after, why))
    return found


def _difference(
    section: Section, key: str, before: str | None, after: str | None, why: tuple[str, ...]
) -> Difference:
    change: Literal["added", "removed", "changed"] = (
        "added" if before is None else "removed" if after is None else "changed"
    )
    return Difference(section=section, key=key, change=change, before=before, after=after, why=why)


def _shown(line: Line | None) -> str | None:
    """What a person would see of it: two lines that read alike are alike."""
    match line:
        case None:
            return None
        case GoalProposal():
            return "; ".join([line.description, *(target_text(target) for target in line.targets)])
        case ActivityProposal():
            urgency = [] if line.priority == "routine" else [line.priority]
            return "; ".join([line.title, *urgency, *(f"? {question}" for question in line.questions)])
        case Restriction():
            return line.avoid
        case Withheld():
            certainty = "certain" if line.certain else "not known"
            return f"{line.title} ({line.severity}, {certainty})"


def target_text(target: Target | TargetTemplate) -> str:
    """`≤ 7.0 %`, without its due date; of a protocol's target, before there is a patient, the same."""
    if target.low is not None and target.high is not None:
        return f"{target.low:f} to {target.high:f} {target.unit}"
    if target.high is not None:
        return f"≤ {target.high:f} {target.unit}"
    return f"≥ {target.low:f} {target.unit}" if target.low is not None else ""
