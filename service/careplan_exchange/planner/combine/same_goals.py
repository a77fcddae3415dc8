"""Goals without a measure that a rule calls the same. Those with one are the business of `strictest.py`."""

import msgspec

from careplan_exchange.model.proposal import GoalProposal, Reason
from careplan_exchange.planner.assembly import Lines
from careplan_exchange.planner.matching import protocol_of

from . import joining
from .rules import Combining, SameGoal


def one_goal(whole: Lines, policy: Combining) -> dict[str, str]:
    """Goals of several protocols that a rule lists become one, under the key of the first protocol, with the
    grounds of all. A safety goal stands first, then the one listed first. Returns the new key of each goal
    that went."""
    names: dict[str, str] = {}
    for rule in policy.goals:
        group = _group(whole, rule)
        if len(group) < 2:
            continue
        stands = min(group, key=lambda goal: (goal.category != "safety", rule.keys.index(goal.key)))
        told = tuple(_told(goal, rule) for goal in group if goal is not stands)
        one = group[0]
        for goal in group[1:]:
            one = joining.goals(one, goal, stands)
        one = msgspec.structs.replace(one, reasons=joining.both(one.reasons, told))
        gone = {goal.key for goal in group[1:]}
        names |= dict.fromkeys(gone, one.key)
        whole.goals = [one if goal.key == one.key else goal for goal in whole.goals if goal.key not in gone]
    joining.rename(whole, names)
    return names


def _group(whole: Lines, rule: SameGoal) -> list[GoalProposal]:
    """One of each protocol, in the order of the plan, none with a number: that would be lost."""
    found: dict[str, GoalProposal] = {}
    for goal in whole.goals:
        if goal.key in rule.keys and not goal.targets:
            found.setdefault(protocol_of(goal.key), goal)
    return list(found.values())


def _told(goal: GoalProposal, rule: SameGoal) -> Reason:
    return Reason(
        text=f"{goal.protocol.title} asks for it too: {goal.description.rstrip('.')}.",
        rule=f"combine: same goal {rule.id}",
        result="true",
    )
