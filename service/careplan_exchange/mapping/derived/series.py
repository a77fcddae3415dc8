"""Rules over the values of one measurement in time: the mean of the last, the one before the latest, the
slope."""

from collections.abc import Iterator
from decimal import Decimal

from careplan_exchange.model.snapshot import Fact

from .bounds import ARITHMETIC, as_fields, hull, mean_of, rounded
from .desk import Desk, Point
from .rules import Mean, Previous, Trend

_DAYS_OF_A_YEAR = Decimal("365.25")  # UCUM's unit a, the mean Julian year


def mean(desk: Desk, rule: Mean) -> Iterator[Fact]:
    """The mean of the last values, bounds included; nothing of too few values, or of too few days."""
    points = desk.points(rule.of)
    if not points:
        return
    newest = points[-1]
    last = [point for point in points if (newest.day - point.day).days <= rule.within.days][-rule.last :]
    if len(last) < rule.at_least or len({point.day for point in last}) < rule.on_days:
        return
    fields = as_fields(mean_of([point.bounds for point in last]), rule.decimals)
    if fields is None:
        _note_vague(desk, rule, newest)
        return
    yield desk.fact(rule, newest.fact, [point.fact for point in last], **fields)


def previous(desk: Desk, rule: Previous) -> Iterator[Fact]:
    """The newest value that is `apart` older than the latest. Several of one moment are the range they span."""
    points = desk.points(rule.of)
    earlier = [point for point in points if (points[-1].day - point.day).days >= rule.apart.days]
    if not earlier:
        return
    found = [point for point in earlier if point.moment == earlier[-1].moment]
    first = found[0].fact
    if len(found) == 1:
        yield desk.fact(
            rule, first, [first], value=first.value, low=first.low, high=first.high, comparator=first.comparator
        )
        return
    fields = as_fields(hull(point.bounds for point in found), _decimals(found))
    if fields is None:
        _note_vague(desk, rule, found[0])
        return
    yield desk.fact(rule, first, [point.fact for point in found], **fields)


def trend(desk: Desk, rule: Trend) -> Iterator[Fact]:
    """The slope a year by least squares. Its points and their span are its inputs; a point that is only a bound
    ends it, because leaving it out would bend the line."""
    points = desk.points(rule.of)
    if not points:
        return
    newest = points[-1]
    last = [point for point in points if (newest.day - point.day).days <= rule.within.days]
    if len(last) < rule.points or (newest.day - last[0].day).days < rule.apart.days:
        return
    if not all(point.bounds.exact for point in last):
        _note_vague(desk, rule, newest)
        return
    slope = rounded(slope_of(last), rule.decimals)
    low, high = desk.concepts[rule.yields].plausible or (slope, slope)
    if not low <= slope <= high:
        desk.note(
            rule,
            newest.fact.evidence,
            "implausible",
            "the result lies outside the plausible range.",
            severity="warning",
            mend="Check the values and their units in the record.",
        )
        return
    yield desk.fact(rule, newest.fact, [point.fact for point in last], value=slope)


def slope_of(points: list[Point]) -> Decimal:
    """Change a year, of points of at least two days."""
    years = [Decimal((point.day - points[0].day).days) / _DAYS_OF_A_YEAR for point in points]
    values = [point.bounds.low for point in points]
    count = Decimal(len(points))
    middle, level = sum(years) / count, sum(values) / count
    across = sum((year - middle) * (value - level) for year, value in zip(years, values, strict=True))
    return ARITHMETIC.divide(Decimal(across), Decimal(sum((year - middle) ** 2 for year in years)))


def _decimals(points: list[Point]) -> int:
    """The most digits after the point that any of the values was sent with."""
    ends = [end for point in points for end in point.bounds[:2] if end.is_finite()]
    return max(0, *(-int(end.as_tuple().exponent) for end in ends))


def _note_vague(desk: Desk, rule: Mean | Previous | Trend, newest: Point) -> None:
    desk.note(
        rule,
        newest.fact.evidence,
        "vague",
        f"a value of '{rule.of}' is known only as a bound or a range.",
        mend=f"Measure '{rule.of}' exactly, if the result is needed.",
    )
