"""One measure, one goal: the strictest target that is safe, with every source shown.

Among routine goals the strictest target of a measure stands. A goal of category "safety" (frailty, pregnancy,
complex illness) says how strict it may be: the laxest of these stands before any routine one. A safety goal that
has no number ("agreed with the patient") leaves the measure without one.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from careplan_exchange.model.proposal import Conflict, GoalProposal, Reason, Target
from careplan_exchange.planner import phrases
from careplan_exchange.planner.assembly import Lines
from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.matching import ask, protocol_of

from . import joining
from .measures import Measures
from .rules import Choice, Combining, Option


class Picked(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one measure: its target (None: left open), the goals it is from, and why, in words."""

    target: Target | None
    sources: tuple[str, ...]
    why: str
    rule: str


class _Unclear(Exception):  # noqa: N818 - no fault, but a question to a person
    """The targets cannot be compared, or exclude each other."""


def strictest(whole: Lines, policy: Combining, bindings: Bindings, measures: Measures) -> dict[str, str]:
    """Goals of several protocols with one measure become one, under the key of the first protocol. Where the
    targets exclude each other they stay, and a person is asked. Returns the new key of each goal that went."""
    choices = tuple(
        choice
        for choice in policy.choices
        if choice.when is None
        or ask(choice.when, bindings, about=choice.title, question=None, needed_by=()).result == "true"
    )
    names: dict[str, str] = {}
    goals: list[GoalProposal] = []
    for group in _groups(whole.goals, measures):
        if len(group) == 1:
            goals += group
            continue
        try:
            one, conflicts = _one(group, measures, choices)
        except _Unclear as unclear:
            goals += group
            whole.conflicts.append(_asked(group, str(unclear)))
            continue
        goals.append(one)
        whole.conflicts += conflicts
        names |= {goal.key: group[0].key for goal in group[1:]}
    order = {goal.key: place for place, goal in enumerate(whole.goals)}
    whole.goals = sorted(goals, key=lambda goal: order[goal.key])
    joining.rename(whole, names)
    return names


def _groups(goals: Sequence[GoalProposal], measures: Measures) -> list[list[GoalProposal]]:
    """Goals that share a measure, of different protocols; each group in the order of the plan."""
    groups = [([goal], set(measures.goal(goal))) for goal in goals]
    place = 0
    while place < len(groups):
        members, about = groups[place]
        here = protocol_of(members[0].key)
        other = next(
            (
                later
                for later in groups[place + 1 :]
                if not about.isdisjoint(later[1]) and protocol_of(later[0][0].key) != here
            ),
            None,
        )
        if other is None:
            place += 1
            continue
        groups.remove(other)
        members += other[0]
        about |= other[1]
    return [members for members, _ in groups]


def _one(
    group: Sequence[GoalProposal], measures: Measures, choices: Sequence[Choice]
) -> tuple[GoalProposal, list[Conflict]]:
    conflicts: list[Conflict] = []
    picked: dict[str, Picked] = {}
    for measure in dict.fromkeys(measure for goal in group for measure in measures.goal(goal)):
        sides = [(goal, _target(goal, measure, measures)) for goal in group if measure in measures.goal(goal)]
        safety = [side for side in sides if side[0].category == "safety"]
        if safety:
            picked[measure] = _laxest(safety)
            continue
        choice = next((found for found in choices if found.measure == measure), None)
        chosen = _chosen(sides, choice) if choice is not None else None
        if choice is not None and chosen is not None:
            conflicts.append(_chose(choice, sides, measures.title(measure)))
            picked[measure] = msgspec.structs.replace(
                _narrowest(chosen),
                why=f"This site goes by {_option(choice)}.",
                rule=f"combine: choice {choice.id}",
            )
        else:
            picked[measure] = _narrowest(sides)
    return _worded(group, picked, measures), conflicts


def _target(goal: GoalProposal, measure: str, measures: Measures) -> Target | None:
    return next((target for target in goal.targets if measures.of(target.measure) == measure), None)


Side = tuple[GoalProposal, Target | None]


def _laxest(sides: Sequence[Side]) -> Picked:
    why = "A safety goal limits how strict it may be."
    opened = [goal.key for goal, target in sides if target is None]
    if opened:
        return Picked(target=None, sources=tuple(opened), why=why, rule="combine: safety goal")
    found = [(goal, target) for goal, target in sides if target is not None]
    _same_unit([target for _, target in found])
    if all(target.high is not None for _, target in found):
        goal, target = max(found, key=lambda side: side[1].high or Decimal(0))
    elif all(target.high is None and target.low is not None for _, target in found):
        goal, target = min(found, key=lambda side: side[1].low or Decimal(0))
    else:
        raise _Unclear("One safety goal sets a floor, and another a ceiling.")
    return Picked(target=target, sources=(goal.key,), why=why, rule="combine: safety goal")


def _narrowest(sides: Sequence[Side]) -> Picked:
    """A goal without a number gives way to one with."""
    found = [(goal, target) for goal, target in sides if target is not None]
    if not found:
        return Picked(
            target=None, sources=(sides[0][0].key,), why="It is the same goal.", rule="combine: same goal"
        )
    _same_unit([target for _, target in found])
    lows = [(target.low, goal.key) for goal, target in found if target.low is not None]
    highs = [(target.high, goal.key) for goal, target in found if target.high is not None]
    low = max(lows, key=lambda bound: bound[0], default=None)
    high = min(highs, key=lambda bound: bound[0], default=None)
    if low is not None and high is not None and low[0] > high[0]:
        raise _Unclear("The targets exclude each other.")
    sources = tuple(dict.fromkeys(bound[1] for bound in (high, low) if bound is not None))
    setting = [target for goal, target in found if goal.key in sources] or [found[0][1]]
    due = min((target.due for target in setting if target.due is not None), default=None)
    return Picked(
        target=msgspec.structs.replace(
            setting[0], low=low[0] if low else None, high=high[0] if high else None, due=due
        ),
        sources=sources or (found[0][0].key,),
        why="The strictest target stands.",
        rule="combine: strictest target",
    )


def _same_unit(targets: Sequence[Target]) -> None:
    if len({target.unit for target in targets}) > 1:
        raise _Unclear("The targets are in different units.")


def _chosen(sides: Sequence[Side], choice: Choice) -> list[Side] | None:
    """The sides but for those of the options that the site did not choose; None where not both are there."""
    options = {option.id: [side for side in sides if _takes(side, option)] for option in choice.options}
    others = [side for name, found in options.items() if name != choice.chosen for side in found]
    if not options[choice.chosen] or not others:
        return None
    return [side for side in sides if side not in others or side in options[choice.chosen]]


def _takes(side: Side, option: Option) -> bool:
    goal, target = side
    cited = any(citation.url == option.cites for citation in goal.citations)
    return cited and target is not None and target.high == option.high


def _option(choice: Choice) -> str:
    return next(option.title for option in choice.options if option.id == choice.chosen)


def _chose(choice: Choice, sides: Sequence[Side], title: str) -> Conflict:
    said = "; ".join(f"{goal.protocol.title}: {goal.description}" for goal, _ in sides)
    return Conflict(
        key=f"combine/choice/{choice.id}",
        title=choice.title,
        text=f"{title}: the guidelines disagree ({said}). This site goes by {_option(choice)}. {choice.why}",
        policy="choice",
        lines=tuple(goal.key for goal, _ in sides),
        citations=tuple(dict.fromkeys(citation for goal, _ in sides for citation in goal.citations)),
    )


def _asked(group: Sequence[GoalProposal], why: str) -> Conflict:
    said = "; ".join(f"{goal.protocol.title}: {goal.description}" for goal in group)
    return Conflict(
        key=f"combine/targets/{group[0].key}",
        title="Goals that do not go together",
        text=f"{why} {said}. A person decides which holds.",
        policy="ask",
        lines=tuple(goal.key for goal in group),
        citations=tuple(dict.fromkeys(citation for goal in group for citation in goal.citations)),
    )


def _worded(group: Sequence[GoalProposal], picked: Mapping[str, Picked], measures: Measures) -> GoalProposal:
    """The words of the goal that sets the first measure, where it sets them all; else made of the targets."""
    lead_key = next(iter(picked.values())).sources[0]
    lead = next(goal for goal in group if goal.key == lead_key)
    targets = tuple(found.target for found in picked.values() if found.target is not None)
    alone = all(found.sources == (lead.key,) for found in picked.values()) and targets == lead.targets
    stands = lead
    if not alone:
        parts = [_shown(found, measure, group, measures) for measure, found in picked.items()]
        stands = msgspec.structs.replace(lead, targets=targets, description="; ".join(dict.fromkeys(parts)))
    one = group[0]
    for goal in group[1:]:
        one = joining.goals(one, goal, stands)
    return msgspec.structs.replace(one, reasons=joining.both(one.reasons, _told(group, lead, picked, measures)))


def _shown(found: Picked, measure: str, group: Sequence[GoalProposal], measures: Measures) -> str:
    target = found.target
    if target is None:
        return next(goal.description for goal in group if goal.key == found.sources[0])
    low, high = (
        None if bound is None else phrases.quantity(bound, target.unit) for bound in (target.low, target.high)
    )
    if low and high:
        bounds = f"between {low} and {high}"
    else:
        bounds = f"at most {high}" if high else f"at least {low}" if low else "as agreed"
    return f"{measures.title(measure)} {bounds}"


def _told(
    group: Sequence[GoalProposal], lead: GoalProposal, picked: Mapping[str, Picked], measures: Measures
) -> tuple[Reason, ...]:
    """A reason for each goal that was taken in: what it asked for, by whom, and why it does not stand."""
    found: list[Reason] = []
    for goal in group:
        if goal is lead:
            continue
        about = [picked[measure] for measure in measures.goal(goal)]
        which = next((each for each in about if goal.key not in each.sources), about[0])
        found.append(
            Reason(
                text=f"{goal.protocol.title} asks for: {goal.description.rstrip('.')}. {which.why}",
                rule=which.rule,
                result="true",
            )
        )
    return tuple(found)
