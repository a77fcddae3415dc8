"""What mapping looks things up in: the vocabulary and `mappings/`, turned into tables when they are loaded."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from careplan_exchange.model.issue import Severity
from careplan_exchange.model.snapshot import FactKind, FactState

from .rows import Demographic, FamilyHistory

CONCEPT_SYSTEM = "urn:careplan-exchange:concept"
"""ConceptMap.group.target of a map whose targets are ids of our concepts."""

Key = tuple[str, str]
"""(code system, code), the system by its canonical name."""


class Meaning(NamedTuple):
    """What a code says: a concept, for certain or perhaps (the code is wider than the concept)."""

    concept: str
    certain: bool


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """sent * factor / divisor + offset, rounded to `decimals` where published pairs are."""

    factor: Decimal = Decimal(1)
    divisor: Decimal = Decimal(1)
    offset: Decimal = Decimal(0)
    decimals: int | None = None
    assumes: str | None = None
    except_codes: frozenset[Key] = frozenset()

    @property
    def is_identity(self) -> bool:
        return self.factor == self.divisor and self.offset == 0


class Answer(NamedTuple):
    means: FactState
    max_age_days: int | None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    concept: str
    codes: Mapping[Key, Answer]
    texts: Mapping[str, Answer]


class Denial(NamedTuple):
    """A statement that nothing of some categories is known."""

    concepts: tuple[str, ...]
    denies: frozenset[str]


class Mappings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything `map_record` looks up. Built by `load_mappings`, never by hand.

    `codes` and `prefixes` hold the ValueSets and ConceptMaps by kind of fact; `products` the ingredients of
    medicinal products, empty where a product holds none that a ValueSet names; `judged` the codes that were
    looked at and mean no concept, with the reason.
    """

    systems: Mapping[str, str]
    codes: Mapping[FactKind, Mapping[Key, tuple[Meaning, ...]]]
    prefixes: Mapping[FactKind, Mapping[str, Mapping[str, tuple[Meaning, ...]]]]
    judged: Mapping[Key, str]
    products: Mapping[Key, tuple[Key, ...]]
    texts: Mapping[str, Mapping[str, tuple[str, ...]]]
    units: Mapping[tuple[str, str], Conversion]
    panels: frozenset[Key]
    questions: Mapping[Key, Question]
    denials: Mapping[Key, Denial]
    denial_texts: Mapping[str, Denial]
    refutations: Mapping[Key, frozenset[str]]
    demographics: tuple[Demographic, ...]
    relatives: Mapping[str, str | None]
    family: tuple[FamilyHistory, ...]
    family_codes: Mapping[str, "FamilyCodes"]
    onset_units: Mapping[str, int]
    not_read: Mapping[str, tuple[Severity, str]]


class FamilyCodes(msgspec.Struct, frozen=True, kw_only=True):
    codes: frozenset[Key]
    prefixes: frozenset[Key]
    texts: frozenset[str]


_TAG = re.compile(r"\s*\((?:disorder|finding|situation|procedure|regime/therapy|substance|product)\)$")


def plain(text: str) -> str:
    """A text as it is compared: lower case, single spaces, without SNOMED CT's closing "(disorder)"."""
    return _TAG.sub("", " ".join(text.split()).casefold())


def undotted(code: str) -> str:
    """An ICD-10-CM code as it is compared: E11.9 is also sent as E119."""
    return code.replace(".", "")
