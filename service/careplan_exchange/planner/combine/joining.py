"""Two lines that say the same become one, with the grounds of both: nothing that speaks for a line is lost."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from careplan_exchange.model.proposal import ActivityProposal, GoalProposal, Reason, Restriction
from careplan_exchange.planner.assembly import Lines
from careplan_exchange.planner.deciding import merged

T = TypeVar("T")
_PRIORITIES = ("stat", "asap", "urgent", "routine")
_GOAL_PRIORITIES = ("high-priority", "medium-priority", "low-priority")


def activities(
    first: ActivityProposal, second: ActivityProposal, stands: ActivityProposal, *notes: Reason
) -> ActivityProposal:
    """What `stands` says (it is one of the two), under the key of the first, for the reasons of both."""
    banners = tuple(dict.fromkeys(line.red_flag for line in (first, second) if line.red_flag))
    return msgspec.structs.replace(
        stands,
        key=first.key,
        priority=min(first.priority, second.priority, key=_PRIORITIES.index),
        benefit=max((line.benefit for line in (first, second) if line.benefit is not None), default=None),
        red_flag=" ".join(banners) or None,
        reasons=both(both(first.reasons, second.reasons), notes),
        citations=both(first.citations, second.citations),
        goals=both(first.goals, second.goals),
        addresses=both(first.addresses, second.addresses),
        missing=merged((*first.missing, *second.missing)),
        questions=_questions(first, second),
    )


def _questions(first: ActivityProposal, second: ActivityProposal) -> tuple[str, ...]:
    """What both ask about one fact is asked once, in the words of the first."""
    known = {gap.concept for gap in first.missing if gap.ask in first.questions}
    again = {gap.ask for gap in second.missing if gap.concept in known}
    return both(first.questions, tuple(asked for asked in second.questions if asked not in again))


def restrictions(first: Restriction, second: Restriction, stands: Restriction) -> Restriction:
    return msgspec.structs.replace(
        stands,
        key=first.key,
        goal=first.goal,
        activity=first.activity,
        reasons=both(first.reasons, second.reasons),
        citations=both(first.citations, second.citations),
        missing=merged((*first.missing, *second.missing)),
    )


def goals(first: GoalProposal, second: GoalProposal, stands: GoalProposal, *notes: Reason) -> GoalProposal:
    """As `activities`."""
    return msgspec.structs.replace(
        stands,
        key=first.key,
        category="safety" if "safety" in {first.category, second.category} else stands.category,
        priority=min(first.priority, second.priority, key=_rank),
        reasons=both(both(first.reasons, second.reasons), notes),
        citations=both(first.citations, second.citations),
        addresses=both(first.addresses, second.addresses),
        missing=merged((*first.missing, *second.missing)),
    )


def _rank(priority: str) -> int:
    return _GOAL_PRIORITIES.index(priority) if priority in _GOAL_PRIORITIES else len(_GOAL_PRIORITIES)


def rename(whole: Lines, names: Mapping[str, str]) -> None:
    """Every mention of a line that went becomes one of the line that took it in."""
    if not names:
        return
    whole.activities = [
        msgspec.structs.replace(line, goals=renamed(line.goals, names))
        if any(goal in names for goal in line.goals)
        else line
        for line in whole.activities
    ]
    whole.restrictions = [
        msgspec.structs.replace(
            line,
            goal=names.get(line.goal, line.goal),
            activity=names.get(line.activity, line.activity),
        )
        for line in whole.restrictions
    ]


def renamed(keys: Iterable[str], names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names.get(key, key) for key in keys))


def both(first: tuple[T, ...], second: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys((*first, *second)))
