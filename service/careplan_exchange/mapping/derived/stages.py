"""Rules of the kind "stage": where a value stands among thresholds."""

from collections.abc import Iterator
from decimal import Decimal

from careplan_exchange.model.snapshot import Coding, Fact

from .bounds import Bounds, rounded
from .desk import Desk
from .rules import Stage, Staging

STAGE_SYSTEM = "urn:careplan-exchange:stage"


def stage(desk: Desk, rule: Staging) -> Iterator[Fact]:
    """The stage of the newest value, or unknown where that is too vague to tell. Several values of one moment
    must agree. Only what has everything of `onlyWith` is staged: without it the stage would speak of no
    disease."""
    required = [fact for concept in rule.only_with for fact in desk.holds(concept)]
    points = desk.points(rule.of)
    if not points or len({fact.concept for fact in required}) < len(rule.only_with):
        return
    newest = [point for point in points if point.moment == points[-1].moment]
    facts = [*(point.fact for point in newest), *required]
    possible = {one for point in newest for one in stages_of(rule, point.bounds)}
    if len(possible) == 1:
        (found,) = possible
        answer = Coding(system=STAGE_SYSTEM, code=found.code, display=found.display)
        yield desk.fact(rule, newest[0].fact, facts, answer=answer)
        return
    desk.note(
        rule,
        newest[0].fact.evidence,
        "vague",
        f"what is known of '{rule.of}' spans several stages.",
        mend=f"Measure '{rule.of}' exactly, if the result is needed.",
    )
    yield desk.fact(rule, newest[0].fact, facts, state="unknown")


def stages_of(rule: Staging, bounds: Bounds) -> tuple[Stage, ...]:
    """Every stage that a value within the bounds can have. A value is rounded first, as it would be reported; a
    bound that needs no rounding is taken as reported, so that `<60` is below 60."""
    low, high = (end if rule.decimals is None else rounded(end, rule.decimals) for end in bounds[:2])
    highest = _index(rule, high, beyond=False, short=bounds.high_open and high == bounds.high)
    lowest = _index(rule, low, beyond=bounds.low_open and low == bounds.low, short=False)
    return rule.stages[highest : lowest + 1]


def _index(rule: Staging, value: Decimal, *, beyond: bool, short: bool) -> int:
    """The first stage, from the highest down, that the value reaches, or that one just `beyond` or `short` of
    it."""
    bounds = [one.at_least if one.at_least is not None else one.above for one in rule.stages]
    return next(
        index
        for index, bound in enumerate(bounds)
        if bound is None
        or value > bound
        or (value == bound and (beyond or (rule.stages[index].at_least is not None and not short)))
    )
