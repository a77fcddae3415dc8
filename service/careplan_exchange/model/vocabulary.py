"""The concepts that mapping fills and protocols speak of, and the ValueSets behind them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

import msgspec

from .snapshot import Coding, FactKind


class Concept(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One internal profile. `id` is also the name of its FHIRPath variable (`%hba1c`).

    `unit` is the canonical UCUM unit of a measurement. `plausible` bounds what a living person can have, in
    that unit: a value outside is an Issue, not a fact. `max_age_days` is how old a value may be to count as
    current. `when_absent` says what it means that a record read whole holds no fact of this concept:
    "unknown", or "absent" (for a diagnosis that triggers a protocol: nobody recorded it, so the protocol does
    not apply). `value_set` is the canonical of the ValueSet whose codes mean this concept; None where only a rule
    of `mappings/derived/`, or `at_home` of another concept, yields it. `at_home` is the concept that a value of
    this one becomes where no staff measured it: a home reading is another thing than a clinic one. `ahead`: its
    facts lie in the future (the next visit), and count only until their day is over.
    """

    id: str
    kind: FactKind
    title: str
    value_set: str | None = None
    when_absent: Literal["unknown", "absent"]
    unit: str | None = None
    plausible: tuple[Decimal, Decimal] | None = None
    max_age_days: int | None = None
    ahead: bool = False
    at_home: str | None = None


class ValueSet(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A ValueSet by enumeration. `codes` are (system, code) pairs; `source` says where they were checked.

    `prefixes` are (system, code) pairs of code systems whose hierarchy is in the spelling (ICD-10-CM): the code
    and every longer code that begins with it, dots aside.
    """

    url: str
    title: str
    codes: frozenset[tuple[str, str]]
    source: str
    prefixes: frozenset[tuple[str, str]] = frozenset()

    def contains(self, coding: Coding) -> bool:
        if (coding.system, coding.code) in self.codes:
            return True
        code = (coding.code or "").replace(".", "")
        return any(
            coding.system == system and code.startswith(prefix.replace(".", ""))
            for system, prefix in self.prefixes
        )


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    concepts: Mapping[str, Concept]
    value_sets: Mapping[str, ValueSet]

    def means(self, concept: Concept, coding: Coding) -> bool:
        """Whether the coding is one of those that mean the concept; of a concept without a ValueSet none is."""
        value_set = self.value_sets.get(concept.value_set or "")
        return value_set is not None and value_set.contains(coding)
