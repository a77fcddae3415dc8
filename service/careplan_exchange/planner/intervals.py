"""Values of which only a range is known (`<7`, 5.6 to 7, born in 1955), and how to ask about all at once."""

from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise

import msgspec


class Interval(msgspec.Struct, frozen=True):
    """The true value lies between `low` and `high`; None is no bound, `open` excludes the bound itself."""

    low: Decimal | None
    high: Decimal | None
    low_open: bool = False
    high_open: bool = False

    def __contains__(self, value: Decimal) -> bool:
        if self.low is not None and (value < self.low or (self.low_open and value == self.low)):
            return False
        return self.high is None or value < self.high or (not self.high_open and value == self.high)

    def points(self, thresholds: Iterable[Decimal]) -> tuple[Decimal, ...]:
        """One value for every answer that comparisons with these thresholds can give inside the interval.

        A comparison with a literal changes its answer at the literal only. So every threshold, every bound and
        one value between each two neighbours stand for all values there are: no answer is missed, and no width
        of an epsilon has to be chosen.
        """
        marks = sorted({*thresholds, *(bound for bound in (self.low, self.high) if bound is not None)}) or [
            Decimal(0)
        ]
        between = [(left + right) / 2 for left, right in pairwise(marks)]
        candidates = (marks[0] - 1, *marks, *between, marks[-1] + 1)
        return tuple(value for value in candidates if value in self)
