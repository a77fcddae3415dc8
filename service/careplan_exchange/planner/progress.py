"""How far each goal has come. No standard algorithm exists; this is ours, and docs/apply.md states it.

No value: no status. The latest within the target: achieved; and sustaining where values of at least 90 days
before were within it, and all between. Outside it: improving, worsening or no-change by the change since the
value before, against a threshold of the measure (`protocols/progress/`); in-progress where there is one value
alone; and not-achieved once the due date has passed.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

import msgspec

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.progress import Achievement, Progress, Reading
from careplan_exchange.model.proposal import ActivityProposal, GoalProposal, Proposal, Target
from careplan_exchange.model.snapshot import Coding, Fact
from careplan_exchange.model.vocabulary import Concept, Vocabulary
from careplan_exchange.spelling import did_you_mean

from . import phrases
from .bindings import Bindings
from .dates import after, days_of
from .intervals import Interval
from .spans import hull, span

_SHOWN = 6
_SUSTAINED = timedelta(days=90)
_WORST_FIRST: tuple[Achievement, ...] = (
    "not-achieved",
    "worsening",
    "no-change",
    "in-progress",
    "improving",
    "achieved",
    "sustaining",
)


class Threshold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The smallest change of a measure, in its concept's unit, that is more than noise."""

    measure: str
    change: Decimal
    source: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    thresholds: tuple[Threshold, ...]


def compile_thresholds(documents: Sequence[Document]) -> Mapping[str, Threshold]:
    """By concept."""
    files = [msgspec.convert(document.content, _File) for document in documents]
    return {row.measure: row for file in files for row in file.thresholds}


def lint_thresholds(documents: Sequence[Document], vocabulary: Vocabulary) -> tuple[Finding, ...]:
    """Everything that is wrong with these files."""
    findings: list[Finding] = []
    seen: set[str] = set()
    for document in documents:
        try:
            file = msgspec.convert(document.content, _File)
        except msgspec.ValidationError as error:
            findings.append(document.finding(f"The file has another shape: {error}.", "See protocols/progress."))
            continue
        for index, row in enumerate(file.thresholds):
            concept = vocabulary.concepts.get(row.measure)
            at = ("thresholds", index)
            if concept is None or concept.kind != "measurement":
                mend = f"Name a concept of profiles/.{did_you_mean(row.measure, vocabulary.concepts)}"
                findings.append(document.finding(f"There is no measurement '{row.measure}'.", mend, *at))
            if row.measure in seen:
                findings.append(document.finding(f"'{row.measure}' stands twice.", "Remove one.", *at))
            if row.change <= 0:
                findings.append(document.finding("The change is not above zero.", "Mend it.", *at, "change"))
            seen.add(row.measure)
    return tuple(findings)


def with_progress(
    proposal: Proposal, bindings: Bindings, vocabulary: Vocabulary, thresholds: Mapping[str, Threshold]
) -> Proposal:
    """The proposal with the progress of every goal that has a measured target."""
    goals = []
    measured = {target.measure for goal in proposal.goals for target in goal.targets}
    concepts = {measure: _concept(measure, vocabulary) for measure in measured}
    for goal in proposal.goals:
        trends = tuple(
            _trend(target, concept, _measuring(concept, proposal.activities, vocabulary), bindings, thresholds)
            for target in goal.targets
            if (concept := concepts[target.measure]) is not None
        )
        goals.append(msgspec.structs.replace(goal, progress=trends, achievement=_together(goal, trends)))
    return msgspec.structs.replace(proposal, goals=tuple(goals))


def _concept(measure: Coding, vocabulary: Vocabulary) -> Concept | None:
    found = (
        concept
        for concept in vocabulary.concepts.values()
        if concept.kind == "measurement" and vocabulary.means(concept, measure)
    )
    return min(found, key=lambda concept: concept.id, default=None)


def _together(goal: GoalProposal, trends: Sequence[Progress]) -> Achievement | None:
    """Of several targets the one that is furthest from being reached; none where one has no value."""
    statuses = [trend.status for trend in trends]
    known = [status for status in statuses if status is not None]
    if not known or len(known) < len(goal.targets):
        return None
    return min(known, key=_WORST_FIRST.index)


def _trend(
    target: Target,
    concept: Concept,
    activities: Sequence[ActivityProposal],
    bindings: Bindings,
    thresholds: Mapping[str, Threshold],
) -> Progress:
    values = _by_day(bindings.facts(concept.id), concept)
    readings = tuple(
        Reading(
            on=day,
            shown=phrases.quantity(value, concept.unit or ""),
            met=_met(value, target),
            evidence=tuple(dict.fromkeys(fact.evidence for fact in facts)),
        )
        for day, value, facts in values
    )
    latest = values[-1][1] if values else None
    return Progress(
        measure=concept.title,
        readings=readings[-_SHOWN:],
        status=_status(values, readings, target, thresholds.get(concept.id), bindings.snapshot.as_of),
        value=latest if isinstance(latest, Decimal) else None,
        due=min((day for one in activities if (day := _again(one, readings))), default=None),
    )


_Value = tuple[date, Decimal | Interval, list[Fact]]


def _by_day(facts: Sequence[Fact], concept: Concept) -> list[_Value]:
    """The values whose day is known, one a day: several of one day count as the range that they span."""
    found: dict[date, list[Fact]] = {}
    for fact in facts:
        days = days_of(fact.effective or "")
        if (
            fact.state == "present"
            and days is not None
            and days[0] == days[1]
            and span(fact, concept) is not None
        ):
            found.setdefault(days[0], []).append(fact)
    return [
        (day, hull([each for fact in on if (each := span(fact, concept)) is not None]), on)
        for day, on in sorted(found.items())
    ]


def _met(value: Decimal | Interval, target: Target) -> bool | None:
    wanted = Interval(target.low, target.high)
    if isinstance(value, Decimal):
        return value in wanted
    ends = [end for end in (value.low, value.high) if end is not None]
    if len(ends) == 2 and all(end in wanted for end in ends):
        return True
    above = target.high is not None and value.low is not None and value.low > target.high
    below = target.low is not None and value.high is not None and value.high < target.low
    return False if above or below else None


def _status(
    values: Sequence[_Value],
    readings: Sequence[Reading],
    target: Target,
    threshold: Threshold | None,
    today: date,
) -> Achievement | None:
    if not readings or readings[-1].met is None:
        return None
    if readings[-1].met:
        return _how_long(readings)
    if target.due is not None and target.due < today:
        return "not-achieved"
    exact = [value for _, value, _ in values[-2:] if isinstance(value, Decimal)]
    if len(exact) < 2 or threshold is None:
        return "in-progress"
    change = _distance(exact[1], target) - _distance(exact[0], target)
    if abs(change) < threshold.change:
        return "no-change"
    return "improving" if change < 0 else "worsening"


def _how_long(readings: Sequence[Reading]) -> Achievement:
    since = readings[-1].on
    for reading in reversed(readings):
        if not reading.met:
            break
        since = reading.on
    return "sustaining" if readings[-1].on - since >= _SUSTAINED else "achieved"


def _distance(value: Decimal, target: Target) -> Decimal:
    """How far outside the target; 0 inside."""
    over = value - target.high if target.high is not None else Decimal(0)
    under = target.low - value if target.low is not None else Decimal(0)
    return max(over, under, Decimal(0))


def _measuring(
    concept: Concept, activities: Sequence[ActivityProposal], vocabulary: Vocabulary
) -> list[ActivityProposal]:
    """The activities of the plan that order this measurement."""
    return [one for one in activities if any(vocabulary.means(concept, coding) for coding in one.codings)]


def _again(activity: ActivityProposal, readings: Sequence[Reading]) -> date | None:
    """The day by which its rhythm wants the measure again."""
    repeat = (activity.timing or {}).get("repeat") or {}
    period, unit = repeat.get("period"), repeat.get("periodUnit")
    if not readings or period is None or unit not in {"d", "wk", "mo", "a"}:
        return None
    return after(readings[-1].on, Decimal(str(period)), unit)
