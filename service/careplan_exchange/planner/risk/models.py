"""The shapes of `protocols/risk/*.yaml`. protocols/risk/README.md shows one of each."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

import msgspec

from careplan_exchange.model.proposal import Citation


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """Part of a file; a misspelt element is an error."""


class Source(Row, frozen=True):
    id: str
    citation: str
    url: str

    @property
    def as_citation(self) -> Citation:
        return Citation(label=self.citation, url=self.url)


class Range(Row, frozen=True):
    """Where the equation was made, both ends included. Outside it nothing is worked out, and nothing clamped."""

    low: Decimal
    high: Decimal


class Exclusion(Row, frozen=True):
    """`when` is FHIRPath: true, or unknown where `unknown` is `excludes`, keeps the equation from being used."""

    when: str
    says: str
    unknown: Literal["excludes", "allows"] = "excludes"


class Band(Row, frozen=True):
    """From the highest down; the last has no bound. `only` is FHIRPath that says for whom the band is meant."""

    code: str
    title: str
    source: str
    at_least: Decimal | None = None
    above: Decimal | None = None
    only: str | None = None


class Part(Row, frozen=True):
    """One variable of a term, kept within bounds, then multiplied."""

    of: str
    times: Decimal = Decimal(1)
    at_most: Decimal | None = None
    at_least: Decimal | None = None


class Term(Row, frozen=True):
    """`(sum of parts + plus) / dividedBy`, or 1 and 0 by a FHIRPath `flag`."""

    sum: tuple[Part, ...] = ()
    plus: Decimal = Decimal(0)
    divided_by: Decimal = Decimal(1)
    flag: str | None = None


class Logistic(Row, frozen=True):
    """`1 / (1 + e^-LP)` in percent, LP the sum of coefficient times product of terms. `columns` names the terms
    of each column (`1` is the constant, `a*n` a product); a row of numbers for each sex stands below."""

    terms: Mapping[str, Term]
    columns: str
    female: tuple[Decimal, ...]
    male: tuple[Decimal, ...]


class Power(Row, frozen=True):
    of: str
    power: Decimal


class Product(Row, frozen=True):
    """`constant` times each variable to its power."""

    constant: Decimal
    powers: tuple[Power, ...]


class Point(Row, frozen=True):
    """`points` where `when` (FHIRPath) is true; where it is unknown they may be missing from the sum."""

    points: int
    when: str
    says: str


class Model(Row, frozen=True):
    """One equation. It has exactly one of `logistic`, `product`, `points`.

    `yields` is the concept that its result is a variable of; `about` is FHIRPath for whom it is meant (for others
    it is not listed at all).
    """

    id: str
    yields: str
    title: str
    outcome: str
    source: str
    limits: str
    unit: str
    decimals: int
    about: str
    excluded: tuple[Exclusion, ...] = ()
    ranges: Mapping[str, Range] = {}
    bands: tuple[Band, ...] = ()
    logistic: Logistic | None = None
    product: Product | None = None
    points: tuple[Point, ...] = ()


class File(Row, frozen=True):
    sources: tuple[Source, ...]
    models: tuple[Model, ...]
    shared: Mapping[str, object] = {}  # YAML anchors that several models use


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """A model with its sources by id."""

    model: Model
    sources: Mapping[str, Citation]
