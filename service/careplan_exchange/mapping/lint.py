"""What can be wrong with a mapping, beyond its shape. Each finding says what to do about it."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.snapshot import FactKind
from careplan_exchange.model.vocabulary import Vocabulary
from careplan_exchange.spelling import did_you_mean, nearest

from . import rows
from .systems import RXNORM, misspelt
from .tables import CONCEPT_SYSTEM, plain
from .valuesets import Path, code_findings, system_findings

_KIND_OF_RESOURCE: dict[str, set[FactKind]] = {
    "Condition": {"condition", "status", "family-history", "circumstance", "device"},
    "Immunization": {"immunization"},
    "Device": {"device"},
    "Procedure": {"procedure"},
    "MedicationRequest": {"medication"},
    "AllergyIntolerance": {"allergy"},
}


_MISSPELT = 0.8
"""How alike the ids of two concepts are where one is probably the other misspelt."""

Places = Mapping[str, tuple[Document, Path]]
"""Where each concept stands, by its id."""


class Linter:
    """Collects `findings` over all mapping files; `check` is called once."""

    def __init__(self, vocabulary: Vocabulary, concepts: Places) -> None:
        self._vocabulary = vocabulary
        self._places = concepts
        self.findings: list[Finding] = []
        self._units_of: dict[str, set[str]] = defaultdict(set)

    def check(self, found: dict[str, list[tuple[Document, Path, Any]]], unread: Collection[str]) -> None:
        for _, _, row in found["units"]:
            self._units_of[row.concept] |= {unit for conversion in row.conversions for unit in conversion.from_}
        for key, check in (
            ("ConceptMap", self._concept_map),
            ("panels", self._panel),
            ("units", self._units),
            ("answers", self._answers),
            ("texts", self._texts),
            ("absences", self._absence),
            ("refutations", self._refutation),
            ("demographics", self._demographic),
            ("familyHistory", self._family),
            ("measurementSettings", self._setting),
        ):
            for document, path, row in found[key]:
                check(document, path, row)
        self._every_measurement_has_units(unread)

    def _add(self, document: Document, message: str, mend: str, *path: str | int) -> None:
        self.findings.append(document.finding(message, mend, *path))

    def _concept(self, document: Document, concept: str, kinds: set[FactKind] | None, *path: str | int) -> None:
        known = self._vocabulary.concepts.get(concept)
        if known is None:
            suggested = did_you_mean(concept, self._vocabulary.concepts)
            self._add(
                document, f"'{concept}' is no concept.", f"Use an id of profiles/concepts.{suggested}", *path
            )
        elif kinds is not None and known.kind not in kinds:
            self._add(
                document,
                f"'{concept}' is a {known.kind}, and this mapping yields {' or '.join(sorted(kinds))}.",
                "Name a concept of that kind.",
                *path,
            )

    def _code(self, document: Document, system: str, code: str, *path: str | int) -> None:
        self.findings.extend(system_findings(document, path, system))
        self.findings.extend(code_findings(document, path, system, code, self._vocabulary.value_sets))

    def _concept_map(self, document: Document, _: Path, row: rows.ConceptMap) -> None:
        for number, group in enumerate(row.group):
            at: Path = ("group", number)
            if (meant := misspelt(group.source)) is not None:
                self._add(
                    document,
                    f"'{group.source}' is no code system that is known.",
                    f"Did you mean '{meant}'?",
                    *at,
                    "source",
                )
            if group.target not in (CONCEPT_SYSTEM, RXNORM):
                self._add(
                    document,
                    f"Nothing reads a map to {group.target}.",
                    f"Map to {CONCEPT_SYSTEM} or, for products, to {RXNORM}.",
                    *at,
                    "target",
                )
            counted = Counter(element.code for element in group.element)
            for index, element in enumerate(group.element):
                place = (*at, "element", index)
                if counted[element.code] > 1:
                    self._add(document, f"'{element.code}' stands twice.", "Put its targets together.", *place)
                self.findings.extend(
                    code_findings(
                        document, (*place, "code"), group.source, element.code, self._vocabulary.value_sets
                    )
                )
                for position, target in enumerate(element.target):
                    self._target(document, group, target, *place, "target", position)

    def _target(self, document: Document, group: rows.Group, target: rows.Target, *path: str | int) -> None:
        if target.equivalence == "unmatched":
            if target.code is not None or target.comment is None:
                self._add(
                    document,
                    "An unmatched target names a code, or gives no reason.",
                    "Say why, in comment.",
                    *path,
                )
            return
        if target.code is None:
            self._add(document, "The target names no code.", "Add it, or say unmatched and why.", *path)
            return
        if group.target == CONCEPT_SYSTEM:
            self._concept(document, target.code, None, *path, "code")
            if target.equivalence in ("inexact", "narrower") and target.comment is None:
                self._add(
                    document,
                    f"The equivalence '{target.equivalence}' needs a comment.",
                    "Say what differs, or what the code leaves open.",
                    *path,
                )
        else:
            self._code(document, group.target, target.code, *path, "code")

    def _panel(self, document: Document, path: Path, row: rows.Panel) -> None:
        self._code(document, row.system, row.code, *path, "code")

    def _units(self, document: Document, path: Path, row: rows.UnitsOf) -> None:
        self._concept(document, row.concept, {"measurement"}, *path, "concept")
        concept = self._vocabulary.concepts.get(row.concept)
        if (
            concept is not None
            and concept.unit not in (None, row.to)
            and concept.unit in self._units_of[concept.id]
        ):
            self._add(
                document,
                f"'{row.concept}' is kept in {concept.unit}, and this converts to {row.to}.",
                "Make them agree.",
                *path,
                "to",
            )
        for index, conversion in enumerate(row.conversions):
            place = (*path, "conversions", index)
            for spelling, count in sorted(Counter(conversion.from_).items()):
                if count > 1:
                    self._add(document, f"The unit '{spelling}' stands twice.", "Remove one.", *place, "from")
            if conversion.factor <= 0 or conversion.divisor <= 0:
                self._add(document, "A factor or divisor is not above zero.", "Write a positive number.", *place)
            identity = conversion.factor == conversion.divisor and conversion.offset == 0
            if row.to in conversion.from_ and not identity:
                self._add(document, f"{row.to} to itself changes the value.", "Remove the factor.", *place)
            if not identity and conversion.source is None:
                self._add(document, "The factor has no source.", "Cite where it comes from, in source.", *place)
            for position, code in enumerate(conversion.except_codes):
                self._code(document, code.system, code.code, *place, "exceptCodes", position)

    def _every_measurement_has_units(self, unread: Collection[str]) -> None:
        """`unread` are the concepts of conversions that could not be read: those have their finding already."""
        doubtful = {*unread, *(id_ for id_ in self._units_of if id_ not in self._vocabulary.concepts)}
        for concept in self._vocabulary.concepts.values():
            place = self._places.get(concept.id)
            if place is None or concept.unit is None or not concept.value_set:
                continue
            if nearest(concept.id, doubtful, likeness=_MISSPELT):
                continue
            if concept.unit not in self._units_of[concept.id]:
                document, path = place
                self._add(
                    document,
                    f"No conversion takes '{concept.id}' in its own unit {concept.unit}.",
                    "Mend the unit, or add it to 'from' of a conversion in mappings/units.yaml.",
                    *path,
                    "unit",
                )

    def _answers(self, document: Document, path: Path, row: rows.Answers) -> None:
        self._code(document, row.question.system, row.question.code, *path, "question")
        self._concept(document, row.concept, {"status", "circumstance"}, *path, "concept")
        for index, option in enumerate(row.options):
            place = (*path, "options", index)
            if (option.system is None) != (option.code is None) or (option.code is None) == (option.text is None):
                self._add(
                    document, "An answer is a system with a code, or a text.", "Give one of the two.", *place
                )
            elif option.system is not None and option.code is not None:
                self._code(document, option.system, option.code, *place)

    def _texts(self, document: Document, path: Path, row: rows.Texts) -> None:
        self._concept(document, row.concept, _KIND_OF_RESOURCE[row.resource], *path, "concept")
        counted = Counter(plain(text) for text in row.texts)
        for text in sorted(text for text, count in counted.items() if count > 1):
            self._add(document, f"The text '{text}' stands twice.", "Remove one.", *path, "texts")

    def _absence(self, document: Document, path: Path, row: rows.Absence) -> None:
        if not row.codes and not row.texts:
            self._add(document, "Neither a code nor a text makes this statement.", "Give one.", *path)
        for concept in row.concepts:
            self._concept(document, concept, {"allergy"}, *path, "concepts")
        for index, code in enumerate(row.codes):
            self._code(document, code.system, code.code, *path, "codes", index)

    def _refutation(self, document: Document, path: Path, row: rows.Refutation) -> None:
        self._concept(document, row.concept, {"condition", "status", "family-history"}, *path, "concept")
        for index, code in enumerate(row.codes):
            self._code(document, code.system, code.code, *path, "codes", index)

    def _demographic(self, document: Document, path: Path, row: rows.Demographic) -> None:
        self._concept(document, row.concept, {"status", "condition"}, *path, "concept")
        rule = row.excluded_for
        if not rule.genders and rule.ages_below is None and rule.ages_above is None:
            self._add(document, "This excludes nobody.", "Give genders, agesBelow or agesAbove.", *path)
        if rule.ages_below is not None and rule.ages_above is not None and rule.ages_below > rule.ages_above:
            self._add(document, "The ages are reversed: this excludes everybody.", "Swap them.", *path)

    def _family(self, document: Document, path: Path, row: rows.FamilyHistory) -> None:
        self._concept(document, row.concept, {"family-history"}, *path, "concept")
        if row.conditions not in self._vocabulary.value_sets:
            self._add(
                document,
                f"There is no ValueSet {row.conditions}.",
                f"Mend the canonical.{did_you_mean(row.conditions, self._vocabulary.value_sets)}",
                *path,
                "conditions",
            )

    def _setting(self, document: Document, path: Path, row: rows.SettingRow) -> None:
        if not row.codes and not row.texts:
            self._add(document, "Neither a code nor a text says this setting.", "Give one.", *path)
        for index, code in enumerate(row.codes):
            self._code(document, code.system, code.code, *path, "codes", index)
        for index, text in enumerate(row.texts):
            if text != plain(text):
                self._add(document, f"'{text}' never matches.", "Write it in lower case.", *path, "texts", index)
