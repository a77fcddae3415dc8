"""What is known of a value that is not below zero: the smallest and the largest it can be. Sound, never
guessed."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from decimal import Context as Arithmetic
from typing import Any, NamedTuple

from careplan_exchange.model.snapshot import Fact

ARITHMETIC = Arithmetic(prec=16, rounding=ROUND_HALF_UP, traps=[])
"""Without traps: a number too large to work with comes out as no number, which no plausible range holds."""

ZERO, INFINITY = Decimal(0), Decimal("Infinity")


class Bounds(NamedTuple):
    """`low` to `high`, which may be infinite. `open` means that the bound itself is excluded."""

    low: Decimal
    high: Decimal
    low_open: bool = False
    high_open: bool = False

    @property
    def exact(self) -> bool:
        return self.low == self.high


def bounds_of(fact: Fact) -> Bounds | None:
    """What a measured fact says of the true value; None where it holds no number."""
    if fact.value is None:
        if fact.low is None and fact.high is None:
            return None
        return Bounds(ZERO if fact.low is None else fact.low, INFINITY if fact.high is None else fact.high)
    match fact.comparator:
        case None:
            return Bounds(fact.value, fact.value)
        case "<" | "<=":
            return Bounds(ZERO, fact.value, high_open=fact.comparator == "<")
        case _:
            return Bounds(fact.value, INFINITY, low_open=fact.comparator == ">")


def hull(found: Iterable[Bounds]) -> Bounds:
    """The smallest bounds that hold all of these."""
    every = list(found)
    low, low_open = min((one.low, one.low_open) for one in every)
    high, closed = max((one.high, not one.high_open) for one in every)
    return Bounds(low, high, low_open, not closed)


def mean_of(found: list[Bounds]) -> Bounds:
    count = Decimal(len(found))
    lows, highs = (sum((one[end] for one in found), ZERO) for end in (0, 1))
    return Bounds(ARITHMETIC.divide(lows, count), ARITHMETIC.divide(highs, count))


def rounded(value: Decimal, decimals: int) -> Decimal:
    """Half up, as laboratories round."""
    return value if value.is_infinite() else ARITHMETIC.quantize(value, Decimal(1).scaleb(-decimals))


def as_fields(bounds: Bounds, decimals: int) -> dict[str, Any] | None:
    """`value`, `comparator`, `low` and `high` of the fact that says this; None where it would say nothing.
    Rounding keeps the order of any two numbers, so the rounded result lies within the rounded bounds."""
    low, high = (rounded(end, decimals) for end in bounds[:2])
    if low.is_nan() or high.is_nan():
        return None
    if low == high:
        return None if low.is_infinite() else {"value": low}
    if high.is_infinite():
        return {"value": low, "comparator": ">="} if low > 0 else None
    return {"low": low, "high": high} if low > 0 else {"value": high, "comparator": "<="}
