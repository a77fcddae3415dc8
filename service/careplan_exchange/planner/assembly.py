"""Outcomes to the lines of a plan: what one protocol proposes for this patient, each line with its reason."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import (
    ActivityProposal,
    Barrier,
    Citation,
    Conflict,
    Gap,
    GoalProposal,
    NotApplied,
    Reason,
    Restriction,
    Target,
    Withheld,
)
from careplan_exchange.model.snapshot import Coding, Evidence
from careplan_exchange.model.vocabulary import Vocabulary

from .bindings import Bindings
from .dates import after
from .deciding import Outcome, decide, merged
from .dynamic import Filled, fill
from .protocol import Action, ActivityTemplate, GoalTemplate, Protocol, Related
from .timings import at_age


class Lines(msgspec.Struct, kw_only=True):
    """Everything that one protocol, or all of them, come to. `applied` are the protocols that apply."""

    applied: list[Protocol] = msgspec.field(default_factory=list)
    goals: list[GoalProposal] = msgspec.field(default_factory=list)
    activities: list[ActivityProposal] = msgspec.field(default_factory=list)
    restrictions: list[Restriction] = msgspec.field(default_factory=list)
    withheld: list[Withheld] = msgspec.field(default_factory=list)
    not_applied: list[NotApplied] = msgspec.field(default_factory=list)
    gaps: list[Gap] = msgspec.field(default_factory=list)
    issues: list[Issue] = msgspec.field(default_factory=list)
    conflicts: list[Conflict] = msgspec.field(default_factory=list)
    barriers: list[Barrier] = msgspec.field(default_factory=list)


class _Placed(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome with what it inherits: an action stands in the plan for its parents' reasons too."""

    outcome: Outcome
    reasons: tuple[Reason, ...]
    gaps: tuple[Gap, ...]
    questions: tuple[str, ...]


def lines(protocol: Protocol, bindings: Bindings, vocabulary: Vocabulary) -> Lines:
    """Apply one protocol."""
    found = Lines()
    placed = tuple(_flat(decide(protocol.actions, bindings)))
    for place in placed:
        found.gaps.extend(place.outcome.gaps)
        found.issues.extend(place.outcome.issues)
    if all(place.outcome.status == "not-applied" for place in placed):
        nothing = Reason(text="It has no action.", rule="PlanDefinition.action", result="false")
        why = _every(place.reasons for place in placed) or (nothing,)
        found.not_applied.append(NotApplied(key=protocol.id, title=protocol.ref.title, reasons=why))
        return found
    found.applied.append(protocol)
    _goals(protocol, placed, bindings, vocabulary, found)
    _actions(protocol, placed, bindings, vocabulary, found)
    return found


def _flat(
    outcomes: Iterable[Outcome],
    reasons: tuple[Reason, ...] = (),
    gaps: tuple[Gap, ...] = (),
    questions: tuple[str, ...] = (),
) -> Iterator[_Placed]:
    for outcome in outcomes:
        place = _Placed(
            outcome=outcome,
            reasons=tuple(dict.fromkeys(reasons + outcome.reasons))
            if outcome.status == "proposed"
            else outcome.reasons,
            gaps=gaps + outcome.gaps,
            questions=questions + outcome.questions,
        )
        yield place
        yield from _flat(outcome.children, place.reasons, place.gaps, place.questions)


def _goals(
    protocol: Protocol, placed: tuple[_Placed, ...], bindings: Bindings, vocabulary: Vocabulary, found: Lines
) -> None:
    """The candidates that a proposed action selects, and those that no action of the plan names: they belong to
    the plan as a whole. Of several variants of one goal the first in the plan's order stands."""
    named = _ways(protocol.actions)
    by_key = {place.outcome.action.key: place for place in placed}
    whole = next((place for place in placed if place.outcome.status == "proposed"), None)
    taken: set[str] = set()
    for goal in protocol.goals:
        chosen = [p for p in placed if goal.id in p.outcome.action.goals and p.outcome.status == "proposed"]
        if goal.id not in named and whole is not None:
            chosen = [whole]
        if not chosen:
            # The reason is that of the action, or of the one above it that was as far as it came.
            ends = (next(by_key[key] for key in reversed(way) if key in by_key) for way in named.get(goal.id, ()))
            why = _every(place.reasons for place in (tuple(ends) or placed))
            found.not_applied.append(NotApplied(key=goal.id, title=goal.description, reasons=why))
        elif goal.key in taken:
            found.issues.append(_second_variant(goal))
        else:
            taken.add(goal.key)
            found.goals.append(_goal(goal, protocol, chosen, bindings, vocabulary))


def _goal(
    goal: GoalTemplate, protocol: Protocol, chosen: list[_Placed], bindings: Bindings, vocabulary: Vocabulary
) -> GoalProposal:
    today = bindings.snapshot.as_of
    return GoalProposal(
        key=goal.key,
        protocol=protocol.ref,
        description=goal.description,
        patient_text=goal.patient_text,
        patient_texts=goal.patient_texts,
        category=goal.category,
        priority=goal.priority,
        start=today,
        reasons=_every(place.reasons for place in chosen) or (_everyone(protocol),),
        citations=goal.citations or protocol.citations,
        targets=tuple(
            Target(
                measure=target.measure,
                unit=target.unit,
                low=target.low,
                high=target.high,
                due=after(today, *target.due) if target.due else None,
            )
            for target in goal.targets
        ),
        addresses=_addressed(goal.addresses, bindings, vocabulary),
        missing=merged(gap for place in chosen for gap in place.gaps),
    )


def _actions(
    protocol: Protocol, placed: tuple[_Placed, ...], bindings: Bindings, vocabulary: Vocabulary, found: Lines
) -> None:
    there = {goal.key for goal in found.goals}
    keys = {goal.id: goal.key for goal in protocol.goals}
    addresses = {goal.key: goal.addresses for goal in found.goals}
    titles = {p.outcome.action.key: p.outcome.action.title for p in placed if p.outcome.status == "proposed"}
    for place in placed:
        outcome, action = place.outcome, place.outcome.action
        if outcome.status == "not-applied":
            found.not_applied.append(NotApplied(key=action.key, title=action.title, reasons=outcome.reasons))
        elif outcome.status == "withheld":
            found.withheld.append(_withheld(place, protocol))
        elif action.definition is not None or not (action.children or action.goals):
            selected = tuple(keys[goal] for goal in action.goals if goal in keys)
            goals = tuple(dict.fromkeys((*selected, *(goal for goal in action.supports if goal in there))))
            activity, issues = _activity(place, protocol, goals, titles, bindings)
            triggers = _triggers(place.reasons, bindings, vocabulary)
            aims = tuple(dict.fromkeys(found_ for goal in goals for found_ in addresses[goal]))
            activity = msgspec.structs.replace(activity, addresses=aims or triggers)
            found.activities.append(activity)
            found.issues.extend(issues)
            if action.definition is not None and action.definition.avoid and goals:
                found.restrictions.append(_restriction(action.definition.avoid, activity, goals[0]))


def _activity(
    place: _Placed, protocol: Protocol, goals: tuple[str, ...], titles: dict[str, str], bindings: Bindings
) -> tuple[ActivityProposal, tuple[Issue, ...]]:
    """The definition, the action over it; the definition's dynamicValues, then the action's over them."""
    action = place.outcome.action
    template = action.definition or _plain(action)
    start = Filled(
        title=template.title,
        description=template.description,
        priority=template.priority,
        timing=template.timing,
        codings=template.codings,
        dosage=template.dosage,
    )
    filled, first = fill(start, template.dynamic_values, action, bindings)
    timing, by_age = _timing(action, filled, bindings)
    over = Filled(
        title=action.title if action.title_given else filled.title,
        description=action.description or filled.description,
        priority=action.priority or filled.priority,
        timing=timing,
        codings=action.codings or filled.codings,
        dosage=filled.dosage,
    )
    filled, second = fill(over, action.dynamic_values, action, bindings)
    over_by = {note.rule for note in action.notes}  # whom the action names goes over whom its definition does
    notes = (*(note for note in template.notes if note.rule not in over_by), *action.notes)
    told = tuple(Reason(text=note.text, rule=note.rule, result="true") for note in notes)
    related = tuple(_related(other, titles[other.key]) for other in action.related if other.key in titles)
    activity = ActivityProposal(
        key=action.key,
        protocol=protocol.ref,
        definition=template.url,
        kind=template.kind,
        resource_kind=template.resource_kind,
        title=filled.title,
        description=filled.description,
        patient_text=action.patient_text or template.patient_text,
        patient_texts=action.patient_texts if action.patient_text else template.patient_texts,
        priority=filled.priority,
        reasons=(place.reasons or (_everyone(protocol),)) + told + place.outcome.notes + related,
        citations=_cited(action, protocol),
        codings=filled.codings,
        timing=filled.timing,
        dosage=filled.dosage,
        medicines=template.medicines,
        involves=template.involves,
        benefit=action.benefit,
        red_flag=action.red_flag,
        goals=goals,
        missing=merged(place.gaps),
        questions=tuple(dict.fromkeys(place.questions)),
    )
    return activity, first + by_age + second


def _timing(
    action: Action, filled: Filled, bindings: Bindings
) -> tuple[Mapping[str, Any] | None, tuple[Issue, ...]]:
    """The action's timing, else its definition's: an age becomes the day on which the patient is so old."""
    age = action.at_age or (None if filled.timing or action.definition is None else action.definition.at_age)
    if action.timing is not None or age is None:
        return action.timing or filled.timing, ()
    timing = at_age(age, bindings.snapshot.patient.birth_date)
    if not isinstance(timing, str):
        return timing, ()
    issue = Issue(
        severity="warning",
        code="processing",
        key="planner.apply.timing",
        detail=f"Action '{action.key}' has no timing: {timing}.",
        mend="Set the date by hand.",
    )
    return filled.timing, (issue,)


def _plain(action: Action) -> ActivityTemplate:
    """An action without a definition is its own text."""
    return ActivityTemplate(
        title=action.title,
        description=action.title,
        patient_text=action.description or action.title,
        patient_texts={},
        kind="monitoring",
        resource_kind="ServiceRequest",
        priority="routine",
        codings=(),
        timing=None,
        dosage=(),
        dynamic_values=(),
        citations=(),
        avoid=None,
        medicines=(),
        involves=(),
    )


def _withheld(place: _Placed, protocol: Protocol) -> Withheld:
    outcome = place.outcome
    template = outcome.action.definition
    return Withheld(
        key=outcome.action.key,
        protocol=protocol.ref,
        title=outcome.action.title,
        severity=outcome.severity,
        certain=outcome.certain,
        detail=outcome.detail,
        reasons=outcome.reasons,
        citations=_cited(outcome.action, protocol),
        codings=outcome.action.codings or (template.codings if template else ()),
        missing=merged(outcome.gaps),
    )


def _restriction(avoid: str, activity: ActivityProposal, goal: str) -> Restriction:
    return Restriction(
        key=activity.key.replace("/action/", "/avoid/"),
        protocol=activity.protocol,
        avoid=avoid,
        patient_text=activity.patient_text,
        patient_texts=activity.patient_texts,
        goal=goal,
        activity=activity.key,
        reasons=activity.reasons,
        citations=activity.citations,
        missing=activity.missing,
    )


def _addressed(codings: tuple[Coding, ...], bindings: Bindings, vocabulary: Vocabulary) -> tuple[Evidence, ...]:
    """The patient's active conditions that these codes stand for."""
    if (known := bindings.addressed.get(codings)) is not None:
        return known
    concepts = sorted(
        concept.id
        for name in bindings.conditions
        if (concept := vocabulary.concepts.get(name)) is not None
        and any(vocabulary.means(concept, coding) for coding in codings)
    )
    found = bindings.addressed[codings] = _conditions(concepts, bindings)
    return found


def _triggers(reasons: Iterable[Reason], bindings: Bindings, vocabulary: Vocabulary) -> tuple[Evidence, ...]:
    """The conditions that the reasons rest on."""
    used = {used.variable for found in reasons for used in found.used}
    concepts = sorted(
        name for name in used if name in vocabulary.concepts and vocabulary.concepts[name].kind == "condition"
    )
    return _conditions(concepts, bindings)


def _conditions(concepts: Iterable[str], bindings: Bindings) -> tuple[Evidence, ...]:
    bound = (bindings.binding(concept) for concept in concepts)
    return tuple(dict.fromkeys(found for binding in bound if binding.value is True for found in binding.evidence))


def _cited(action: Action, protocol: Protocol) -> tuple[Citation, ...]:
    """The action's own citations, else its definition's, else the plan's."""
    return action.citations or (action.definition.citations if action.definition else ()) or protocol.citations


def _everyone(protocol: Protocol) -> Reason:
    return Reason(
        text=f"It is for every patient to whom '{protocol.ref.title}' applies.", rule="true", result="true"
    )


def _every(reasons: Iterable[tuple[Reason, ...]]) -> tuple[Reason, ...]:
    return tuple(dict.fromkeys(one for several in reasons for one in several))


def _ways(actions: Iterable[Action], above: tuple[str, ...] = ()) -> dict[str, list[tuple[str, ...]]]:
    """For each goal the ways to the actions that name it: the keys from the top down."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for action in actions:
        way = (*above, action.key)
        for goal in action.goals:
            found.setdefault(goal, []).append(way)
        for goal, ways in _ways(action.children, way).items():
            found.setdefault(goal, []).extend(ways)
    return found


def _related(other: Related, title: str) -> Reason:
    """`before-start` as words."""
    words = other.relationship.replace("-", " ").capitalize()
    by = f", by {other.offset}" if other.offset else ""
    rule = f"relatedAction {other.relationship} {other.key}"
    return Reason(text=f"{words} '{title}'{by}.", rule=rule, result="true")


def _second_variant(goal: GoalTemplate) -> Issue:
    return Issue(
        severity="warning",
        code="business-rule",
        key="planner.goal.variants",
        detail=f"Goal variant '{goal.id}' is selected too, and the one before it in the protocol was taken.",
        mend="Make the conditions of the variants exclude each other, or group them under at-most-one.",
    )
