"""Which actions apply: conditions, then children, then the group's selection. One outcome an action comes out."""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import Gap, Reason, Truth

from .behaviours import together
from .bindings import Bindings
from .expressions import EvaluationError, Expression
from .protocol import Action, Condition, Severity
from .reasons import gaps, reason

Status = Literal["proposed", "withheld", "not-applied"]
_SEVERITIES: tuple[Severity, ...] = ("high", "moderate", "low")


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one action, and of its children where it is proposed itself.

    `reasons` explain the status; `gaps` is what was missing, `questions` what a person must answer first.
    `certain` is false where it is withheld only because something is unknown. `notes` are what its group says of
    it.
    """

    action: Action
    status: Status
    reasons: tuple[Reason, ...]
    gaps: tuple[Gap, ...] = ()
    questions: tuple[str, ...] = ()
    certain: bool = True
    severity: Severity = "moderate"
    detail: str = ""
    children: tuple["Outcome", ...] = ()
    issues: tuple[Issue, ...] = ()
    notes: tuple[Reason, ...] = ()


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    condition: Condition
    result: Truth
    reason: Reason
    gaps: tuple[Gap, ...] = ()
    issue: Issue | None = None


def decide(actions: Sequence[Action], bindings: Bindings) -> tuple[Outcome, ...]:
    """The outcome of each action, in their order."""
    return tuple(_decide(action, bindings) for action in actions)


def _decide(action: Action, bindings: Bindings) -> Outcome:
    answers = [_answer(found, action, bindings) for found in action.conditions if found.kind == "applicability"]
    outcome = _judge(action, answers)
    if outcome.status != "proposed":
        undecided = outcome.status == "not-applied" and all(r.result == "unknown" for r in outcome.reasons)
        left_open = (_required(action),) if action.required and undecided else ()
        return msgspec.structs.replace(outcome, issues=outcome.issues + left_open)
    if action.refused is not None:
        why = Reason(text=action.refused, rule="definition", result="false")
        return Outcome(action=action, status="not-applied", reasons=(why,), issues=action.problems)
    carried = tuple(
        _carried(found, action, bindings) for found in action.conditions if found.kind != "applicability"
    )
    children = decide(action.children, bindings)
    return _select(
        msgspec.structs.replace(
            outcome,
            reasons=outcome.reasons + carried,
            children=children,
            issues=outcome.issues + action.problems,
        )
    )


def _judge(action: Action, answers: list[_Answer]) -> Outcome:
    """All conditions together. A plain "no" goes before a contraindication, that before what is unknown: nobody
    is warned of a drug that nobody would propose."""
    issues = tuple(answer.issue for answer in answers if answer.issue)
    no = [a for a in answers if a.issue or (a.result == "false" and a.condition.safety is None)]
    unsafe = [a for a in answers if a.result == "false" and a.condition.safety is not None]
    unknown = [a for a in answers if a.result == "unknown" and not a.issue]
    left_out = [a for a in unknown if a.condition.unknown == "leave-out"]
    held = [a for a in unknown if a.condition.unknown == "withhold"]
    missing = merged(gap for answer in unknown for gap in answer.gaps)
    if no or (left_out and not unsafe):
        # What else is unknown does not matter here and is not asked for.
        deciding = no or left_out
        return Outcome(
            action=action,
            status="not-applied",
            reasons=tuple(answer.reason for answer in deciding),
            gaps=() if no else merged(gap for answer in left_out for gap in answer.gaps),
            issues=issues,
        )
    if unsafe or held:
        deciding = unsafe + held
        severities = [answer.condition.safety for answer in deciding if answer.condition.safety]
        return Outcome(
            action=action,
            status="withheld",
            reasons=tuple(answer.reason for answer in deciding),
            gaps=missing,
            certain=bool(unsafe),
            severity=min(severities, key=_SEVERITIES.index, default="moderate"),
            detail=" ".join(answer.reason.text for answer in deciding),
        )
    asked = [answer for answer in unknown if answer.condition.unknown == "ask"]
    return Outcome(
        action=action,
        status="proposed",
        reasons=tuple(answer.reason for answer in answers),
        gaps=missing,
        questions=tuple(gap.ask for answer in asked for gap in answer.gaps),
    )


def _answer(condition: Condition, action: Action, bindings: Bindings) -> _Answer:
    """One condition. An error is no answer: it stands as an Issue and the action does not apply."""
    problem = condition.problem
    if condition.expression is not None:
        try:
            result = bindings.truth(condition.expression)
        except EvaluationError as error:
            problem = str(error)
        else:
            why = reason(condition, condition.expression, result, bindings)
            why = msgspec.structs.replace(why, used=why.used + bindings.walked_over(condition.expression))
            return _Answer(
                condition=condition,
                result=result,
                reason=why,
                gaps=_missing(condition, condition.expression, action, bindings) if result == "unknown" else (),
            )
    return _Answer(
        condition=condition,
        result="unknown",
        reason=Reason(
            text=f"The condition '{condition.source}' could not be evaluated.",
            rule=condition.source,
            result="unknown",
        ),
        issue=Issue(
            severity="error",
            code="processing",
            key="planner.apply.condition",
            detail=f"Action '{action.key}' does not apply: a condition cannot be evaluated ({problem}).",
            expression=condition.source,
            mend="Mend the condition in the protocol, or let a server with its language apply the plan.",
        ),
    )


def _missing(condition: Condition, expression: Expression, action: Action, bindings: Bindings) -> tuple[Gap, ...]:
    """What would decide it: the variables that are open, or the condition itself where it walks over a record."""
    open_ = gaps(condition, expression, bindings, action.key)
    if open_ or any(bindings.is_concept(name) for name in expression.variables):
        return open_
    words = condition.description or expression.source
    ask = condition.question or f"Does it hold? The record does not say: {words}"
    return (Gap(concept=expression.source, ask=ask, needed_by=(action.key,)),)


def _carried(condition: Condition, action: Action, bindings: Bindings) -> Reason:
    """A start or stop condition decides nothing today; it is told, with what it comes to now."""
    word = "To be started" if condition.kind == "start" else "To be stopped"
    # Its description is said once, here.
    now = _answer(msgspec.structs.replace(condition, description=None), action, bindings).reason
    return msgspec.structs.replace(
        now, text=f"{word} when {condition.description or condition.source}. Now: {now.text}"
    )


def _select(outcome: Outcome) -> Outcome:
    """The group's selectionBehavior over its children. "any", "all" and "one-or-more" take all that apply."""
    children = outcome.children
    proposed = [child for child in children if child.status == "proposed"]
    behaviour = outcome.action.selection
    issues = outcome.issues
    if children and not proposed and behaviour in {"exactly-one", "one-or-more"}:
        issues += (_empty(outcome.action),)
    if behaviour in {"exactly-one", "at-most-one"} and proposed:
        # In the plan's order, and one that applies for certain before one with an open question.
        chosen = min(proposed, key=lambda child: bool(child.questions))
        children = tuple(
            _not_chosen(child, chosen) if child.status == "proposed" and child is not chosen else child
            for child in children
        )
    if behaviour == "all-or-none" and len(proposed) < len(children):
        missing = next(child for child in children if child.status != "proposed")
        children = tuple(
            _not_whole(child, missing) if child.status == "proposed" else child for child in children
        )
    return msgspec.structs.replace(outcome, children=_grouped(outcome.action, children), issues=issues)


def _grouped(group: Action, children: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """Each part that is proposed is told what its group says of those that stand together."""
    standing = [child.action for child in children if child.status == "proposed"]
    return tuple(
        msgspec.structs.replace(child, notes=together(group, standing, child.action))
        if child.status == "proposed"
        else child
        for child in children
    )


def _not_chosen(child: Outcome, chosen: Outcome) -> Outcome:
    why = Reason(
        text=f"It applies too; of this group one is proposed: {chosen.action.title}.",
        rule=f"selectionBehavior: {chosen.action.key}",
        result="false",
    )
    return _put_aside(child, why)


def _not_whole(child: Outcome, missing: Outcome) -> Outcome:
    why = Reason(
        text=f"This group is proposed whole or not at all, and one part is not: {missing.action.title}.",
        rule="selectionBehavior: all-or-none",
        result="false",
    )
    return _put_aside(child, why)


def _put_aside(child: Outcome, why: Reason) -> Outcome:
    return Outcome(action=child.action, status="not-applied", reasons=(why, *child.reasons))


def _empty(action: Action) -> Issue:
    return Issue(
        severity="warning",
        code="business-rule",
        key="planner.apply.selection-empty",
        detail=f"Group '{action.key}' wants at least one of its actions, and none applies.",
        mend="Choose one by hand, or add the case to the protocol.",
    )


def _required(action: Action) -> Issue:
    return Issue(
        severity="warning",
        code="incomplete",
        key="planner.apply.required-undecided",
        detail=f"The plan requires action '{action.key}' where it applies; the record does not say if it does.",
        mend="Find out what is missing, or decide by hand.",
    )


def merged(gaps: Iterable[Gap]) -> tuple[Gap, ...]:
    """One gap a concept, with everything that needs it, in a stable order."""
    found: dict[str, Gap] = {}
    for gap in gaps:
        if gap.concept not in found and len(gap.needed_by) == 1:
            found[gap.concept] = gap
            continue
        there = found.get(gap.concept)
        needed_by = tuple(sorted({*(there.needed_by if there else ()), *gap.needed_by}))
        found[gap.concept] = Gap(concept=gap.concept, ask=there.ask if there else gap.ask, needed_by=needed_by)
    return tuple(found[concept] for concept in sorted(found))
