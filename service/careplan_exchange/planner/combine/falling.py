"""Lines that fall, and where they are told of afterwards: no line leaves a plan without a word."""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from careplan_exchange.model.proposal import ActivityProposal, NotApplied, Reason, Withheld
from careplan_exchange.planner.assembly import Lines
from careplan_exchange.planner.protocol import Action


def hold_back(whole: Lines) -> None:
    """What one protocol holds back, no other proposes: a contraindication found once holds for the plan. The same
    is: a code of the product, or a medicine that both would start."""
    starts = dict(_starts(action for protocol in whole.applied for action in protocol.actions))
    for activity in list(whole.activities):
        held = [
            line
            for line in whole.withheld
            if _shares_a_code(line, activity) or not starts.get(line.key, set()).isdisjoint(activity.medicines)
        ]
        if activity.resource_kind == "MedicationRequest" and held:
            why = tuple(dict.fromkeys(reason for line in held for reason in line.reasons))
            drop(whole, [activity.key], why, own=False)


def _starts(actions: Iterable[Action]) -> Iterator[tuple[str, set[str]]]:
    """The medicines that each action would start."""
    for action in actions:
        if action.definition is not None and action.definition.medicines:
            yield action.key, set(action.definition.medicines)
        yield from _starts(action.children)


def _shares_a_code(line: Withheld, activity: ActivityProposal) -> bool:
    """A display alone is no code: two of them are not the same thing."""
    first, second = (
        {(coding.system or "", coding.code) for coding in each.codings if coding.code}
        for each in (line, activity)
    )
    return not first.isdisjoint(second)


def drop(
    whole: Lines,
    keys: Iterable[str],
    why: tuple[Reason, ...],
    *,
    severity: Literal["high", "moderate", "low"] | None = None,
    detail: str = "",
    own: bool = True,
) -> None:
    """Take these activities out, and the restrictions that hang on them with the goals that only they serve. With
    a `severity` each becomes a withheld line, without one a line that does not apply. `own`: its
    reasons stand behind."""
    gone = set(keys)
    for activity in [line for line in whole.activities if line.key in gone]:
        reasons = (*why, *activity.reasons) if own else why
        if severity is None:
            whole.not_applied.append(NotApplied(key=activity.key, title=activity.title, reasons=reasons))
        else:
            whole.withheld.append(
                Withheld(
                    key=activity.key,
                    protocol=activity.protocol,
                    title=activity.title,
                    severity=severity,
                    certain=True,
                    detail=detail,
                    reasons=reasons,
                    citations=activity.citations,
                    codings=activity.codings,
                    missing=activity.missing,
                )
            )
    whole.activities = [line for line in whole.activities if line.key not in gone]
    orphans = {line.goal for line in whole.restrictions if line.activity in gone}
    whole.restrictions = [line for line in whole.restrictions if line.activity not in gone]
    served = {goal for line in whole.activities for goal in line.goals} | {r.goal for r in whole.restrictions}
    drop_goals(whole, orphans - served, why)


def drop_goals(whole: Lines, keys: Iterable[str], why: tuple[Reason, ...]) -> None:
    """Take these goals out, and every mention of them."""
    gone = set(keys)
    for goal in [line for line in whole.goals if line.key in gone]:
        whole.not_applied.append(NotApplied(key=goal.key, title=goal.description, reasons=(*why, *goal.reasons)))
    whole.goals = [line for line in whole.goals if line.key not in gone]
    whole.activities = [
        msgspec.structs.replace(line, goals=tuple(goal for goal in line.goals if goal not in gone))
        for line in whole.activities
    ]
