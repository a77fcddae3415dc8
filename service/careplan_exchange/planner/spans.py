"""What facts say of a true value: an exact number, a bound, or the range that several of them span."""

from decimal import Decimal

from careplan_exchange.model.snapshot import Fact
from careplan_exchange.model.vocabulary import Concept

from . import phrases
from .intervals import Interval


def span(fact: Fact, concept: Concept) -> Interval | None:
    """What the fact says of the true value: a comparator leaves it open to the end of what is plausible."""
    if fact.value is None:
        both = fact.low is not None or fact.high is not None
        return Interval(fact.low, fact.high) if both else None
    lowest, highest = concept.plausible or (None, None)
    match fact.comparator:
        case None:
            return Interval(fact.value, fact.value)
        case "<" | "<=":
            return Interval(lowest, fact.value, high_open=fact.comparator == "<")
        case ">" | ">=":
            return Interval(fact.value, highest, low_open=fact.comparator == ">")


def hull(spans: list[Interval]) -> Interval | Decimal:
    """The smallest range that holds all of them, as a plain number where it is one."""
    low = min(spans, key=lambda s: (s.low is not None, s.low or Decimal(0), s.low_open))
    high = max(spans, key=lambda s: (s.high is None, s.high or Decimal(0), not s.high_open))
    if low.low is not None and low.low == high.high:
        return low.low
    return Interval(low.low, high.high, low.low_open, high.high_open)


def as_recorded(facts: list[Fact], value: Interval | Decimal, concept: Concept) -> str:
    unit = concept.unit or ""
    if len(facts) == 1 and facts[0].comparator and facts[0].value is not None:
        return f"{facts[0].comparator}{phrases.quantity(facts[0].value, unit)}"
    return phrases.quantity(value, unit)


def exact_or_range(low: Decimal, high: Decimal) -> Interval | Decimal:
    return low if low == high else Interval(low, high)
