"""The shapes of the rules in `mappings/derived/`, one struct a kind. mappings/README.md shows an example."""

from decimal import Decimal
from typing import Literal

import msgspec

from careplan_exchange.mapping.files import Text


class Days(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    days: int
    reason: Text


class AgeFrom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    years: int
    reason: Text


class Use(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the rule holds, in the input's unit. Outside it nothing is derived."""

    low: Decimal
    high: Decimal
    reason: Text


class Tolerance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    amount: Decimal
    reason: Text


class Base(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel", tag_field="kind"
):
    """`source` is the citation, with DOI or URL. `limits` says where the rule must not be relied on."""

    id: Text
    title: Text
    source: Text
    yields: Text
    limits: Text | None = None


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A measurement that an equation takes. `apart` is how far from the first input's date it may lie."""

    concept: Text
    unit: Text
    use: Use | None = None
    apart: Days | None = None


class Factor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One factor of a product: a power of an input, `perYearOfAge` to the power of the age in whole years, or
    `times`. An input is divided, then kept at most or at least at a bound, then raised."""

    of: Text | None = None
    divided_by: Decimal = Decimal(1)
    at_most: Decimal | None = None
    at_least: Decimal | None = None
    power: Decimal | None = None
    per_year_of_age: Decimal | None = None
    times: Decimal | None = None


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    constant: Decimal
    factors: tuple[Factor, ...]
    sex: Literal["female", "male"] | None = None


class Equation(Base, frozen=True, kw_only=True, tag="equation"):
    """A product of factors, once for each value of the first input that is newer than every recorded result."""

    unit: Text
    decimals: int
    inputs: tuple[Input, ...]
    equations: tuple[Variant, ...]
    age_from: AgeFrom | None = None
    not_with: tuple[Text, ...] = ()
    agrees_within: Tolerance | None = None


class Mean(Base, frozen=True, kw_only=True, tag="mean"):
    """The mean of the `last` values within some days of the newest: `atLeast` of them, on `onDays` days."""

    of: Text
    last: int
    at_least: int
    on_days: int
    within: Days
    decimals: int


class Previous(Base, frozen=True, kw_only=True, tag="previous"):
    """The newest value that is at least `apart` older than the latest."""

    of: Text
    apart: Days


class Trend(Base, frozen=True, kw_only=True, tag="trend"):
    """The slope a year of at least `points` values that span `apart`, none older than `within` the newest."""

    of: Text
    points: int
    apart: Days
    within: Days
    decimals: int


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    code: Text
    display: Text
    at_least: Decimal | None = None
    above: Decimal | None = None


class Staging(Base, frozen=True, kw_only=True, tag="stage"):
    """The first stage, from the highest down, that the newest value reaches. The last has no bound."""

    of: Text
    unit: Text
    stages: tuple[Stage, ...]
    decimals: int | None = None
    only_with: tuple[Text, ...] = ()


class Axis(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A measurement, the concept that its stage rule yields, and the stages that are no sign of disease."""

    of: Text
    category: Text
    normal: tuple[Text, ...]


class ChronicStaging(Base, frozen=True, kw_only=True, tag="chronic-stage"):
    """The stages of all axes together, where disease has lasted: an axis outside normal on two days `apart` and
    on every day between, or a recorded diagnosis of `damage`."""

    axes: tuple[Axis, ...]
    apart: Days
    within: Days
    damage: tuple[Text, ...] = ()


class Duration(Base, frozen=True, kw_only=True, tag="duration"):
    """Whole years since the earliest onset of a condition that holds today."""

    of: Text


Rule = Equation | Mean | Previous | Trend | Staging | ChronicStaging | Duration


def reads(rule: Rule) -> tuple[str, ...]:
    """The concepts that a rule works from."""
    match rule:
        case Equation():
            return (*(given.concept for given in rule.inputs), *rule.not_with)
        case Staging():
            return (rule.of, *rule.only_with)
        case ChronicStaging():
            return (*(axis.of for axis in rule.axes), *rule.damage)
        case _:
            return (rule.of,)
