"""Shared by the benchmarks: how figures are printed."""

from collections.abc import Sequence
from statistics import median


def line(what: str, values: Sequence[float], unit: str) -> str:
    low, middle, high = min(values), median(values), max(values)
    return f"{what:<44} {low:10.2f} {middle:10.2f} {high:10.2f} {unit} (min, median, max of {len(values)})"


def ratios(what: str, over: Sequence[float], under: Sequence[float]) -> str:
    """The ratio of what was measured in the same round."""
    return line(what, [a / b for a, b in zip(over, under, strict=True)], "x")
