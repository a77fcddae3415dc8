"""What mapping looks things up in: the vocabulary and `mappings/`, turned into tables when they are loaded."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import msgspec

from careplan_exchange.model.issue import Severity
from careplan_exchange.model.snapshot import FactKind, FactState

from .derived.rules import Rule
from .rows import Demographic, FamilyHistory, Relative, SettingRow
from .tables_care import CareTables

CONCEPT_SYSTEM = "urn:careplan-exchange:concept"
"""ConceptMap.group.target of a map whose targets are ids of our concepts."""

Key = tuple[str, str]
"""(code system, code), the system by its canonical name."""


class Meaning(NamedTuple):
    """What a code or text says: a concept, for certain or perhaps (it is wider than the concept), now or `ended`
    ("personal history of")."""

    concept: str
    certain: bool
    ended: bool = False


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


SituationMeans = Literal["ended", "suspected", "absent", "family", "no-family"]


class Wording(NamedTuple):
    """Words before or after the name of a disease, and what they make of it."""

    words: str
    is_before: bool
    means: SituationMeans


class NotNeeded(msgspec.Struct, frozen=True, kw_only=True):
    """The codes and texts of one resource type that were judged and are not needed, each with the reason."""

    codes: Mapping[Key, str]
    texts: Mapping[str, str]
    prefixes: Mapping[Key, str] = {}

    def reason(self, key: Key) -> str | None:
        """Why the code is not needed: by itself, or by a shorter one that it is below of."""
        reason = self.codes.get(key)
        if reason is None and self.prefixes:
            code = undotted(key[1])
            for length in range(len(code), 0, -1):
                reason = self.prefixes.get((key[0], code[:length]))
                if reason is not None:
                    break
        return reason


class Mappings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything `map_record` looks up. Built by `load_mappings`, never by hand.

    `codes` and `prefixes` hold the ValueSets and ConceptMaps by kind of fact; `products` the ingredients of
    medicinal products, empty where a product holds none that a ValueSet names; `judged` the codes that were
    looked at and mean no concept, with the reason, and `not_needed` those that no concept asks for, by resource
    type. `wordings` begin with the longest. `memo` remembers what codes and units were found to mean, of every
    record alike. `derived` are the rules, each after those it builds on.
    """

    systems: Mapping[str, str]
    codes: Mapping[FactKind, Mapping[Key, tuple[Meaning, ...]]]
    prefixes: Mapping[FactKind, Mapping[str, Mapping[str, tuple[Meaning, ...]]]]
    judged: Mapping[Key, str]
    products: Mapping[Key, tuple[Key, ...]]
    not_needed: Mapping[str, NotNeeded]
    texts: Mapping[str, Mapping[str, tuple[Meaning, ...]]]
    wordings: tuple[Wording, ...]
    units: Mapping[tuple[str, str], Conversion]
    panels: frozenset[Key]
    questions: Mapping[Key, Question]
    care: CareTables
    denials: Mapping[Key, Denial]
    denial_texts: Mapping[str, Denial]
    refutations: Mapping[Key, frozenset[str]]
    refuted_texts: Mapping[str, frozenset[str]]
    demographics: tuple[Demographic, ...]
    relatives: Mapping[str, Relative]
    family: tuple[FamilyHistory, ...]
    family_codes: Mapping[str, "FamilyCodes"]
    onset_units: Mapping[str, int]
    not_read: Mapping[str, tuple[Severity, str]]
    settings: tuple[SettingRow, ...]
    derived: tuple[Rule, ...]
    memo: dict[Any, Any] = msgspec.field(default_factory=dict)


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
