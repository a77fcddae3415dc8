"""Every patient of the golden cases under all protocols and the gate, and what is compared of two of their plans."""

from collections.abc import Iterable, Iterator
from functools import cache

import msgspec

from careplan_exchange import planner
from careplan_exchange.model.proposal import Proposal, Reason
from careplan_exchange.model.snapshot import Fact, Snapshot
from tests.cases.combined.reading import patient_of, read
from tests.cases.snapshots import policies, vocabulary
from tests.cases.test_clinical_cases import CASES, protocols

PATIENTS: dict[str, Snapshot] = {case.name: case.snapshot for case in CASES} | {
    case["case"]: patient_of(case)
    for name in ("diseases", "circumstances")
    for case in read(f"{name}.yaml")["cases"]
}
"""The snapshots of `clinical/` and `combined/` by the name of their case."""

_URGENCY = {"now": 2, "today": 1}
_STRICT = {"withheld": 2, "warned": 1, "asked": 1, "reported": 0}


def whole(snapshot: Snapshot) -> Proposal:
    """All protocols, combined, adapted, and behind the gate: as the product plans."""
    return planner.plan(snapshot, protocols(), vocabulary(), policies())


@cache
def plan_of(name: str) -> Proposal:
    return whole(PATIENTS[name])


def with_facts(snapshot: Snapshot, facts: Iterable[Fact]) -> Snapshot:
    return msgspec.structs.replace(snapshot, facts=tuple(facts))


def without(snapshot: Snapshot, concept: str, categories: frozenset[str]) -> Snapshot:
    """Nothing is said of the concept, and where it would stand was not read whole."""
    left = msgspec.structs.replace(snapshot, categories=snapshot.categories - categories)
    return with_facts(left, (fact for fact in snapshot.facts if fact.concept != concept))


def shape(plan: Proposal) -> object:
    """What a plan comes to, without its words and its evidence: they hold values as the record spells them."""
    return {
        "goals": [(goal.key, goal.targets, goal.achievement) for goal in plan.goals],
        "activities": [(one.key, one.title, one.questions, one.timing, one.goals) for one in plan.activities],
        "restrictions": [(line.key, line.avoid) for line in plan.restrictions],
        "withheld": [(line.key, line.severity, line.certain) for line in plan.withheld],
        "not applied": sorted(line.key for line in plan.not_applied),
        "gaps": plan.gaps,
        "detected": [(line.key, line.action, line.certain) for line in plan.detected],
        "flags": [(flag.key, flag.within) for flag in plan.red_flags],
        "conflicts": [(line.key, line.policy, line.lines) for line in plan.conflicts],
        "barriers": [(line.key, line.outcome, line.by) for line in plan.barriers],
        "start with": plan.start_with,
    }


def rests_on(reasons: Iterable[Reason], concept: str) -> bool:
    """Whether a value of this concept stands among them, or how long ago it was."""
    names = {concept, f"{concept}_days", f"{concept}_ever"}
    return any(used.variable in names for reason in reasons for used in reason.used)


def medicines(plan: Proposal) -> dict[str, tuple[str, ...]]:
    """What each medication that stands in the plan would start."""
    return {one.key: one.medicines for one in plan.activities if one.resource_kind == "MedicationRequest"}


def laxer(before: Proposal, after: Proposal, concept: str, treats: frozenset[str]) -> list[str]:
    """Every way in which `after`, of the same patient with a worse value of `concept`, is laxer than `before`.

    Laxer is: what was held back stands; a medicine that was not proposed is, and does not treat the finding; of
    what stands in both, or is taken, the gate says less because of this value; a red flag of this value is gone,
    or less urgent.
    """
    return [
        *_let_go(before, after),
        *(
            f"new: {key}"
            for key, names in medicines(after).items()
            if key not in medicines(before) and key not in _held(before) and treats.isdisjoint(names)
        ),
        *_said_less(before, after, concept),
        *_less_urgent(before, after, concept),
    ]


def bolder(before: Proposal, after: Proposal, concept: str) -> list[str]:
    """Every way in which `after`, of the same patient with nothing known of `concept`, is bolder than `before`.

    Bolder is, as long as nothing is asked of the line: what was held back stands; a medicine that was not spoken
    of is proposed; a warning of the gate is gone. And a red flag that is gone, unless it rested on this concept or
    on one that is now asked for, or another as urgent rests on the same values. A safety rule that says `unknown:
    nothing` asks nothing by its own decision: what it said of advice may go, what it said of a medicine may not.
    """
    asked = {one.key for one in after.activities if one.questions}
    silent = {key for key in _silenced(before) if key not in medicines(after)}
    open_ = asked | silent
    found = [said for said in _let_go(before, after) if said.partition(": ")[2] not in open_]
    spoken = {name for names in medicines(before).values() for name in names}
    found += [
        f"new: {key}"
        for key, names in medicines(after).items()
        if spoken.isdisjoint(names) and key not in _held(before) and key not in asked
    ]
    standing = {one.key for one in after.activities} - open_ - _lighter(before, after)
    found += [
        f"unwarned: {key}"
        for line in before.detected
        if line.action in {"warned", "asked"}
        for key in line.activities
        if key in standing and key not in _pointed_at(after)
    ]
    return found + list(_flags_gone(before, after, concept))


def _silenced(plan: Proposal) -> Iterator[str]:
    """The activities of which every rule that speaks is one that asks nothing where it does not know."""
    quiet = {rule.id for rule in policies().safety.rules if rule.unknown == "nothing"}
    for key in _pointed_at(plan):
        if all(line.rule in quiet for line in plan.detected if key in line.activities):
            yield key


def _lighter(before: Proposal, after: Proposal) -> set[str]:
    """The activities that bring less than they did: the other advice said in the same line is gone."""
    brought = {one.key: {*one.involves, *one.medicines} for one in before.activities}
    return {one.key for one in after.activities if brought.get(one.key, set()) - {*one.involves, *one.medicines}}


def _flags_gone(before: Proposal, after: Proposal, concept: str) -> Iterator[str]:
    flags = {flag.key for flag in after.red_flags}
    open_ = {concept, *(gap.concept for gap in after.gaps)}
    for flag in before.red_flags:
        used = {used.variable for reason in flag.reasons for used in reason.used}
        as_urgent = (one for one in after.red_flags if _URGENCY[one.within] >= _URGENCY[flag.within])
        instead = any(rests_on(one.reasons, name) for one in as_urgent for name in used)
        if flag.key not in flags and used.isdisjoint(open_) and not instead:
            yield f"flag gone: {flag.key}"


def _held(plan: Proposal) -> set[str]:
    return {line.key for line in plan.withheld}


def _let_go(before: Proposal, after: Proposal) -> Iterator[str]:
    yield from (f"held back before: {one.key}" for one in after.activities if one.key in _held(before))


def _pointed_at(plan: Proposal) -> set[str]:
    return {key for line in plan.detected for key in line.activities}


def _said_less(before: Proposal, after: Proposal, concept: str) -> Iterator[str]:
    old, new = _said(before, concept), _said(after, concept)
    there = {one.key for one in after.activities} - _lighter(before, after)
    for about, strict in old.items():
        if (about in there or about.startswith("taken ")) and new.get(about, -1) < strict:
            yield f"said less of: {about}"


def _said(plan: Proposal, concept: str) -> dict[str, int]:
    """The strictest word that the gate has because of this value, on each activity and each medicine taken."""
    found: dict[str, int] = {}
    for line in plan.detected:
        if not rests_on(line.reasons, concept):
            continue
        taken = {
            f"taken {evidence.reference}"
            for reason in line.reasons
            for used in reason.used
            for evidence in used.evidence
            if evidence.reference.startswith("Medication")
        }
        for about in line.activities or taken:
            found[about] = max(found.get(about, 0), _STRICT[line.action])
    return found


def _less_urgent(before: Proposal, after: Proposal, concept: str) -> Iterator[str]:
    flags = {flag.key for flag in after.red_flags}
    urgent = max((_URGENCY[f.within] for f in after.red_flags if rests_on(f.reasons, concept)), default=0)
    for flag in before.red_flags:
        if flag.key not in flags and not (rests_on(flag.reasons, concept) and urgent >= _URGENCY[flag.within]):
            yield f"flag gone: {flag.key}"
