"""The same advice once: what is the very same, and what a rule calls the same."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from careplan_exchange.model.codec import canonical
from careplan_exchange.model.proposal import ActivityProposal, GoalProposal, Reason, Restriction
from careplan_exchange.planner.assembly import Lines
from careplan_exchange.planner.matching import protocol_of

from . import joining
from .frequency import times_a_year
from .rules import Combining, Same
from .together import one_of_all


class _Standing(msgspec.Struct, kw_only=True):
    """One line of the result: what it says now, and the key of the line whose words these are."""

    line: ActivityProposal
    words: str
    rule: Same | None
    same: bytes | None
    parts: tuple[ActivityProposal, ...]


def say_once(whole: Lines, policy: Combining) -> dict[str, str]:
    """Activities that give the same advice stand once, under the key of the first protocol, with the reasons,
    citations, goals and questions of all; the restrictions that hang on them, and those restrictions' goals, too.
    Returns the new key of each line that went. Lines of one protocol are left as it has them."""
    standing: list[_Standing] = []
    alike: dict[bytes | str, list[_Standing]] = {}
    names: dict[str, str] = {}
    for activity in whole.activities:
        rule = _rule_of(activity, policy)
        same = _very_same(activity)
        marks = [mark for mark in (same, rule.id if rule is not None else None) if mark is not None]
        candidates = [each for mark in marks for each in alike.get(mark, ())]
        found = next((other for other in candidates if _is_same(other, activity, rule, same)), None)
        if found is None:
            found = _Standing(line=activity, words=activity.key, rule=rule, same=same, parts=(activity,))
            standing.append(found)
        else:
            names[activity.key] = found.line.key
            _take_in(found, activity, rule, same)
        for mark in marks:
            alike.setdefault(mark, []).append(found)
    whole.activities = [each.line for each in standing]
    _restrictions_once(whole, names, {each.line.key: each.words for each in standing})
    joining.rename(whole, names)
    return names


def _rule_of(activity: ActivityProposal, policy: Combining) -> Same | None:
    """Asked of every activity: plain loops are a third faster here."""
    for same in policy.same:
        for member in same.members:
            if member.holds(activity):
                return same
    return None


def _take_in(found: _Standing, activity: ActivityProposal, rule: Same | None, same: bytes | None) -> None:
    first = found.line
    if rule is not None and rule.keep == "together":
        found.parts = (*found.parts, activity)
        found.line = one_of_all(found.parts, rule)
    elif same is not None and same == found.same:
        found.line = joining.activities(first, activity, first)
    elif rule is not None:
        stands = activity if _goes_before(activity, first, rule) else first
        other = first if stands is activity else activity
        found.line = joining.activities(first, activity, stands, _told(other, stands, rule))
        if stands is activity:
            found.words, found.same = activity.key, same


def _very_same(activity: ActivityProposal) -> bytes | None:
    """Kind of request, title, codes and timing; a code alone ("review of medication") is too general to tell."""
    codes = sorted((coding.system or "", coding.code) for coding in activity.codings if coding.code)
    return canonical((activity.resource_kind, activity.title, codes, activity.timing)) if codes else None


def _is_same(found: _Standing, activity: ActivityProposal, rule: Same | None, same: bytes | None) -> bool:
    if protocol_of(found.line.key) == protocol_of(activity.key):
        return False
    if same is not None and same == found.same:
        return True
    if rule is None or found.rule is None or rule.id != found.rule.id:
        return False
    if rule.keep != "most-frequent":
        return True
    return all(_often(line) is not None and _is_only(line, rule) for line in (activity, found.line))


def _is_only(activity: ActivityProposal, rule: Same) -> bool:
    """Whether it is about nothing beside: a panel does not stand for one of its parts, nor the part for it."""
    codes = {code for match in rule.members for code in match.codes}
    held = {f"{coding.system}|{coding.code}" for coding in activity.codings if coding.code}
    return not codes or held <= codes


def _often(activity: ActivityProposal) -> Decimal | None:
    """Times a year; 0 without a timing. None for what is done once: it serves another end than what recurs."""
    return Decimal(0) if activity.timing is None else times_a_year(activity.timing)


def _goes_before(new: ActivityProposal, first: ActivityProposal, rule: Same) -> bool:
    """Whether the new one stands. Of two that are alike the first does."""
    if rule.keep == "most-frequent":
        return (_often(new) or Decimal(0)) > (_often(first) or Decimal(0))
    return _place(new, rule) < _place(first, rule)


def _place(activity: ActivityProposal, rule: Same) -> int:
    return next(number for number, match in enumerate(rule.members) if match.holds(activity))


def _told(other: ActivityProposal, stands: ActivityProposal, rule: Same) -> Reason:
    """What the other one asked for: its words are not lost."""
    which = "more frequent" if rule.keep == "most-frequent" else "stricter"
    equal = _often(other) == _often(stands) if rule.keep == "most-frequent" else False
    why = "It is the same advice." if equal else f"Here the {which} one stands."
    said = other.description.rstrip(".")
    return Reason(
        text=f"{other.protocol.title} asks for it too ('{other.title}'): {said}. {why}",
        rule=f"combine: same {rule.id}",
        result="true",
    )


def _asked(goal: GoalProposal) -> Reason:
    return Reason(
        text=f"{goal.protocol.title} asks for it too: {goal.description.rstrip('.')}.",
        rule="combine: same restriction",
        result="true",
    )


def _restrictions_once(whole: Lines, names: dict[str, str], words: dict[str, str]) -> None:
    """Of the restrictions on activities that became one, that of the words that stand; its goal likewise."""
    found: dict[str, list[Restriction]] = {}
    for line in whole.restrictions:
        found.setdefault(names.get(line.activity, line.activity), []).append(line)
    kept: list[Restriction] = []
    for activity, lines in found.items():
        first = lines[0]
        stands = next((line for line in lines if line.activity == words.get(activity)), first)
        one = first
        for line in lines[1:]:
            one = joining.restrictions(one, line, stands)
        kept.append(msgspec.structs.replace(one, activity=activity))
        _goals_once(whole, names, lines, stands)
    whole.restrictions = kept


def _goals_once(whole: Lines, names: dict[str, str], lines: Sequence[Restriction], stands: Restriction) -> None:
    """The goals of avoidance of these restrictions become the first's, with the words of the one that stands."""
    goals = {goal.key: goal for goal in whole.goals}
    keys = tuple(dict.fromkeys(line.goal for line in lines if line.goal in goals))
    aimed = [key for key in keys if goals[key].targets]
    if len(keys) < 2 or len(aimed) > 1:
        return  # of several with a target, the measure decides (strictest.py)
    words = goals[aimed[0] if aimed else stands.goal]
    one = goals[keys[0]]
    for key in keys[1:]:
        one = joining.goals(one, goals[key], words)
        names[key] = keys[0]
    others = [goals[key] for key in keys if goals[key].description != one.description]
    one = msgspec.structs.replace(one, reasons=joining.both(one.reasons, tuple(_asked(goal) for goal in others)))
    whole.goals = [one if goal.key == keys[0] else goal for goal in whole.goals if goal.key not in keys[1:]]
