"""Red flags: from the rules of `protocols/safety/`, and from actions that carry one."""

from collections.abc import Iterable, Sequence

from careplan_exchange.model.detected import RedFlag
from careplan_exchange.model.grounds import Gap, Reason
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import ActivityProposal
from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.expressions import EvaluationError
from careplan_exchange.planner.reasons import gaps, reason

from .rules import ANY, Flag, Gate

_WITHIN = ("now", "today")

Found = tuple[tuple[RedFlag, ...], tuple[Gap, ...], tuple[Issue, ...]]


def red_flags(activities: Iterable[ActivityProposal], bindings: Bindings, gate: Gate) -> Found:
    """What must be seen first, the most urgent first; the questions that decide others; and what failed.

    A flag is looked at only where the record says something of a concept that it reads: nobody is asked for the
    potassium of every patient. One that cannot be evaluated is raised, as a flag that asks a person to look.
    """
    recorded = {fact.concept for fact in bindings.snapshot.facts}
    places = {place for concept in (*recorded, ANY) for place in gate.by_fact.get(concept, ())}
    raised = [_of_action(activity) for activity in activities if activity.red_flag]
    asked: list[Gap] = []
    issues: list[Issue] = []
    for place in sorted(places):
        flag = gate.flags[place]
        try:
            found, missing = _look(flag, bindings)
        except EvaluationError as error:
            issues.append(_failed(flag, str(error)))
            why = Reason(
                text="This check could not be made, so a person must.",
                rule=flag.condition.source,
                result="unknown",
            )
            found, missing = (_flag(flag, why),), ()
        raised.extend(found)
        asked.extend(missing)
    ordered = _each_once(sorted(raised, key=lambda flag: _WITHIN.index(flag.within)))
    return ordered, tuple(asked), tuple(issues)


def _each_once(ordered: Sequence[RedFlag]) -> tuple[RedFlag, ...]:
    """Without the banner of an action that a rule of the gate raises as well, for the very same condition and at
    least as urgently: two banners of one finding, with two delays, leave open which holds. The action stays."""
    rules = {flag.reasons[0].rule: flag.within for flag in ordered if flag.activity is None}
    return tuple(
        flag
        for flag in ordered
        if flag.activity is None
        or not any(
            why.rule in rules and _WITHIN.index(rules[why.rule]) <= _WITHIN.index(flag.within)
            for why in flag.reasons
        )
    )


def _look(flag: Flag, bindings: Bindings) -> tuple[tuple[RedFlag, ...], tuple[Gap, ...]]:
    """Raises EvaluationError."""
    condition = flag.condition
    if condition.expression is None:
        raise EvaluationError(condition.problem or "it cannot be read")
    truth = bindings.truth(condition.expression)
    if truth == "true":
        return (_flag(flag, reason(condition, condition.expression, truth, bindings)),), ()
    if truth == "unknown" and flag.ask:
        return (), gaps(condition, condition.expression, bindings, f"safety/{flag.id}")
    return (), ()


def _flag(flag: Flag, why: Reason) -> RedFlag:
    return RedFlag(
        key=f"safety/{flag.id}",
        within=flag.within,
        banner=flag.banner,
        action=flag.action,
        holds_routine=flag.holds_routine,
        patient_text=flag.patient_text,
        patient_texts=flag.patient_texts,
        reasons=(why,),
        citations=flag.citations,
    )


def _of_action(activity: ActivityProposal) -> RedFlag:
    """Of priority "stat" it cannot wait for anything else of the plan."""
    return RedFlag(
        key=f"{activity.key}/red-flag",
        within="now" if activity.priority == "stat" else "today",
        banner=activity.red_flag or activity.title,
        action=activity.description,
        holds_routine=activity.priority == "stat",
        patient_text=activity.patient_text,
        patient_texts=activity.patient_texts,
        reasons=activity.reasons,
        citations=activity.citations,
        activity=activity.key,
    )


def _failed(flag: Flag, problem: str) -> Issue:
    return Issue(
        severity="error",
        code="processing",
        key="planner.safety.flag",
        detail=f"Red flag '{flag.id}' cannot be evaluated ({problem}): it is raised for a person to look.",
        expression=flag.condition.source,
        mend="Mend the flag in protocols/safety.",
    )
