"""Shared by the benchmarks: how figures are printed."""

from collections.abc import Sequence
from statistics import median


def line(what: str, values: Sequence[float], unit: str) -> str:
    low, middle, high = min(values), median(values), max(values)
    return f"{what:<44} {low:10.2f} {middle:10.2f} {high:10.2f} {unit} (min, median, max of {len(values)})"
