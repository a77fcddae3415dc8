"""Rules of the kind "equation": a product of powers, with bounds carried through."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal

from careplan_exchange.mapping.dates import span_of
from careplan_exchange.model.snapshot import Fact

from .bounds import ARITHMETIC, Bounds, as_fields
from .desk import Desk, Point
from .rules import Equation, Factor, Variant

Given = Mapping[str, Bounds]


def equation(desk: Desk, rule: Equation) -> Iterator[Fact]:
    """A result for each value of the first input that is of a later day than every recorded result. A recorded
    result that disagrees with its own day's inputs is told."""
    first, *_ = rule.inputs
    recorded = desk.points(rule.yields)
    newest = max((point.day for point in recorded), default=date.min)
    points = desk.points(first.concept)
    later = [point for point in points if point.day > newest]
    if later and (variant := _variant(desk, rule, later[-1])) is not None:
        for point in later:
            if (fact := _result(desk, rule, variant, point)) is not None:
                yield fact
    if rule.agrees_within is not None:
        _compare(desk, rule, recorded, rule.agrees_within.amount)


def value_of(variant: Variant, given: Given, age: tuple[int, int] | None) -> Bounds:
    """The product. Each factor goes one way only with its input, so its bounds are its values at the ends."""
    low = high = variant.constant
    for factor in variant.factors:
        if factor.times is not None:
            least = most = factor.times
        elif factor.per_year_of_age is not None:
            ends = [ARITHMETIC.power(factor.per_year_of_age, Decimal(years)) for years in age or ()]
            least, most = min(ends), max(ends)
        else:
            given_ends = given[factor.of or ""]
            ends = [_raised(factor, end) for end in given_ends[:2]]
            least, most = min(ends), max(ends)
        low, high = ARITHMETIC.multiply(low, least), ARITHMETIC.multiply(high, most)
    return Bounds(low, high)


def uses_age(rule: Equation) -> bool:
    return rule.age_from is not None or any(
        factor.per_year_of_age is not None for variant in rule.equations for factor in variant.factors
    )


def _raised(factor: Factor, value: Decimal) -> Decimal:
    ratio = ARITHMETIC.divide(value, factor.divided_by)
    if factor.at_most is not None:
        ratio = min(ratio, factor.at_most)
    if factor.at_least is not None:
        ratio = max(ratio, factor.at_least)
    power = factor.power or Decimal(1)
    if ratio == 1:
        return ratio
    if ratio == 0 or ratio.is_infinite() or power == power.to_integral_value():
        return ARITHMETIC.power(ratio, power)
    # Decimal takes 60 us for a broken power, binary floating point a hundredth; both are right to 15 digits.
    return ARITHMETIC.create_decimal_from_float(float(ratio) ** float(power))


def _variant(desk: Desk, rule: Equation, newest: Point) -> Variant | None:
    """The equation for this patient's sex, or None with an issue."""
    by_sex: dict[str | None, Variant] = {variant.sex: variant for variant in rule.equations}
    variant = by_sex.get(None) or by_sex.get(desk.patient.gender)
    if variant is None:
        desk.note(
            rule,
            newest.fact.evidence,
            "sex",
            "it differs by sex, and the recorded sex is neither female nor male.",
            severity="warning",
            mend="Enter the sex in the record, or have the laboratory report the result.",
        )
    return variant


def _result(desk: Desk, rule: Equation, variant: Variant, point: Point) -> Fact | None:
    if not _applies(desk, rule, point):
        return None
    used = _inputs(desk, rule, point)
    if used is None:
        return None
    age = desk.age_on(point.day) if uses_age(rule) else None
    found = value_of(variant, {name: one.bounds for name, one in used.items()}, age)
    fields = as_fields(found, rule.decimals)
    if fields is None or not _plausible(desk, rule, found):
        desk.note(
            rule,
            point.fact.evidence,
            "implausible",
            "the result lies outside the plausible range, or says nothing.",
            severity="warning",
            mend="Check the values and their units in the record.",
        )
        return None
    personal = variant.sex is not None or uses_age(rule)
    return desk.fact(rule, point.fact, [one.fact for one in used.values()], patient=personal, **fields)


def _applies(desk: Desk, rule: Equation, point: Point) -> bool:
    evidence = point.fact.evidence
    if uses_age(rule):
        age = desk.age_on(point.day)
        if age is None:
            desk.note(
                rule,
                evidence,
                "age",
                "it needs the age, and the date of birth is not known.",
                severity="warning",
                mend="Enter the date of birth in the record.",
            )
            return False
        if rule.age_from is not None and age[0] < rule.age_from.years:
            desk.note(rule, evidence, "age-limit", f"it holds from {rule.age_from.years} years of age.")
            return False
    for concept in rule.not_with:
        if any(_held(desk, fact, point.day) for fact in desk.facts(concept)):
            desk.note(rule, evidence, "excluded", f"it does not hold with '{concept}', which is recorded.")
            return False
    return True


def _held(desk: Desk, fact: Fact, day: date) -> bool:
    """Whether a state that excludes the rule was there on that day. One with a limit held for that long at
    most."""
    if fact.state != "present":
        return False
    limit = desk.concepts[fact.concept].max_age_days
    span = span_of(fact.effective[:10]) if fact.effective is not None else None
    if limit is not None:
        return span is None or ((day - span[1]).days <= limit and (span[0] - day).days <= limit)
    return fact.active and (span is None or span[0] <= day)


def _inputs(desk: Desk, rule: Equation, point: Point) -> dict[str, Point] | None:
    used = {}
    for number, wanted in enumerate(rule.inputs):
        found = point if number == 0 else _nearest(desk, wanted.concept, point)
        limit = wanted.apart.days if wanted.apart is not None else 0
        if found is None or abs((found.day - point.day).days) > limit:
            desk.note(
                rule,
                point.fact.evidence,
                "missing",
                f"it needs '{wanted.concept}' of within {limit} days.",
                mend=f"Measure '{wanted.concept}', if the result is needed.",
            )
            return None
        if (
            wanted.use is not None
            and not wanted.use.low <= found.bounds.low <= found.bounds.high <= wanted.use.high
        ):
            clipped = _clipped(found, wanted.use.low, wanted.use.high)
            if clipped is None:
                desk.note(
                    rule,
                    point.fact.evidence,
                    "range",
                    f"'{wanted.concept}' lies outside {wanted.use.low} to {wanted.use.high} {wanted.unit}.",
                    severity="warning",
                    mend="Have the laboratory report the result.",
                )
                return None
            found = clipped
        used[wanted.concept] = found
    return used


def _clipped(point: Point, low: Decimal, high: Decimal) -> Point | None:
    """A bound such as `<0.5` reaches out of the rule's range without saying that the value does: its known end
    counts, the other stays open. A value, or a known end, outside ends it."""
    known = [end for end in point.bounds[:2] if end != 0 and not end.is_infinite()]
    return point if not point.bounds.exact and known and all(low <= end <= high for end in known) else None


def _nearest(desk: Desk, concept: str, near: Point) -> Point | None:
    """The value nearest in time; of two as near, the earlier."""
    points = desk.points(concept)
    after = bisect_left(points, near.moment, key=lambda point: point.moment)
    around = points[max(after - 1, 0) : after + 1]
    return min(around, key=lambda one: (abs(one.moment - near.moment), one.moment), default=None)


def _plausible(desk: Desk, rule: Equation, found: Bounds) -> bool:
    low, high = desk.concepts[rule.yields].plausible or found[:2]
    return found.high >= low and found.low <= high


def _compare(desk: Desk, rule: Equation, recorded: tuple[Point, ...], tolerance: Decimal) -> None:
    """Tell of recorded results that the inputs of the same day contradict."""
    names = [wanted.concept for wanted in rule.inputs]
    by_day = [{point.day: point.bounds for point in desk.points(name)} for name in names]
    by_sex: dict[str | None, Variant] = {variant.sex: variant for variant in rule.equations}
    variant = by_sex.get(None) or by_sex.get(desk.patient.gender)
    for point in recorded:
        given = {name: days[point.day] for name, days in zip(names, by_day, strict=True) if point.day in days}
        age = desk.age_on(point.day) if uses_age(rule) else None
        young = rule.age_from is not None and (age is None or age[0] < rule.age_from.years)
        if len(given) < len(names) or variant is None or young or (uses_age(rule) and age is None):
            continue
        ours = value_of(variant, given, age)
        if point.bounds.low > ours.high + tolerance or point.bounds.high < ours.low - tolerance:
            shown = " and ".join(f"'{name}'" for name in names)
            desk.context.note(
                desk.resource(point.fact.evidence),
                "derived.disagrees",
                f"A recorded '{rule.yields}' differs by more than {tolerance} {rule.unit} from what {shown} of "
                "the same day give. It was used.",
                code="conflict",
                mend="Check the values and their units in the record.",
            )
