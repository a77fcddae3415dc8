"""The rules of the gate as compiled from `protocols/safety/`. Values only; nothing acts here."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from careplan_exchange.model.detected import Hazard
from careplan_exchange.model.grounds import Citation
from careplan_exchange.planner.expressions import Expression
from careplan_exchange.planner.protocol import Condition, Severity

from .classes import Classes

ANY = "any"
"""In `medicines`: every MedicationRequest that is proposed, whatever its product."""

Unknown = Literal["withhold", "ask", "nothing"]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One hazard. Exactly one of `medicines`/`involves`, `pair` and `duplicates` says what it is about.

    `condition` holds `when`, the FHIRPath that is true where the hazard is there; None means always. Its
    `problem` says why it cannot be evaluated: then everything that the rule is about is withheld. `unknown` is
    what happens where the record does not decide it. `taken`: whether the same is reported of what the patient
    takes. `at_least` is how many substances of `duplicates` are too many. An activity that itself brings one of
    `unless` is not meant by `medicines` and `involves`.
    """

    id: str
    hazard: Hazard
    severity: Severity
    effect: Literal["withhold", "warn"]
    says: str
    mitigation: str
    citations: tuple[Citation, ...]
    alternative: str | None = None
    medicines: frozenset[str] = frozenset()
    involves: frozenset[str] = frozenset()
    unless: frozenset[str] = frozenset()
    pair: tuple[frozenset[str], frozenset[str]] | None = None
    duplicates: frozenset[str] = frozenset()
    at_least: int = 2
    condition: Condition | None = None
    unknown: Unknown = "withhold"
    taken: bool = True

    @property
    def concepts(self) -> frozenset[str]:
        """Every medication concept that it speaks of."""
        return frozenset().union(self.medicines, self.duplicates, *(self.pair or ()))

    @property
    def about(self) -> str:
        """What it is about, as a rule of words: for the reason of a rule without a condition."""
        if self.pair is not None:
            first, second = (" | ".join(sorted(side)) for side in self.pair)
            return f"({first}) and ({second})"
        if self.duplicates:
            return f"{self.at_least} of ({' | '.join(sorted(self.duplicates))})"
        return " | ".join(sorted(self.medicines | self.involves))


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """One red flag. `ask` says whether an answer that is missing is asked for."""

    id: str
    condition: Condition
    within: Literal["now", "today"]
    banner: str
    action: str
    holds_routine: bool
    ask: bool
    patient_text: str
    patient_texts: Mapping[str, str]
    citations: tuple[Citation, ...]


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """All rules with their indexes: which of them (by place) speak of a medicine, of an `involves` code, or of
    every medicine; and which flags read a concept. `variables` are what a flag reads, without suffix."""

    rules: tuple[Rule, ...]
    flags: tuple[Flag, ...]
    classes: Classes
    by_medicine: Mapping[str, tuple[int, ...]]
    by_involves: Mapping[str, tuple[int, ...]]
    by_fact: Mapping[str, tuple[int, ...]]


def assembled(rules: Sequence[Rule], flags: Sequence[Flag], classes: Classes) -> Gate:
    """The gate of these rules."""
    by_medicine: dict[str, list[int]] = {}
    by_involves: dict[str, list[int]] = {}
    by_fact: dict[str, list[int]] = {}
    for place, rule in enumerate(rules):
        for concept in rule.concepts:
            by_medicine.setdefault(concept, []).append(place)
        for code in rule.involves:
            by_involves.setdefault(code, []).append(place)
    for place, flag in enumerate(flags):
        for concept in _read_by(flag.condition.expression, classes):
            by_fact.setdefault(concept, []).append(place)
    return Gate(
        rules=tuple(rules),
        flags=tuple(flags),
        classes=classes,
        by_medicine=_fixed(by_medicine),
        by_involves=_fixed(by_involves),
        by_fact=_fixed(by_fact),
    )


def _read_by(expression: Expression | None, classes: Classes) -> frozenset[str]:
    """The concepts of the expression. One that could not be compiled is looked at for every patient."""
    names = () if expression is None else expression.variables
    found = frozenset(concept for name in names if (concept := classes.concept_of.get(name)))
    return found or frozenset({ANY})


def _fixed(found: dict[str, list[int]]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(places) for name, places in found.items()}
