"""From what was not understood to files for `mappings/` with blanks to fill, in the form that `loading.py` reads.

A blank is refused by `careplan knowledge check` with its line, so that none is forgotten. Codes come as one file,
units and types as another: a ConceptMap stands alone in its file.
"""

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from careplan_exchange.model.coverage import CodeMet, Coverage
from careplan_exchange.model.vocabulary import Vocabulary

from .systems import PERMITTED_SNOMED, RXNORM, SNOMED, complaint
from .tables import CONCEPT_SYSTEM
from .taking import MEDICATION_TYPES

_PRODUCTS = (*(f"{type_}.medication" for type_ in MEDICATION_TYPES), "Medication.code")
_ANSWERS = "Observation.value"

_Place = tuple[str, str]
"""The source and target of a group."""


class Skeleton(NamedTuple):
    """The text of each file, empty where there is nothing to add."""

    codes: str
    others: str


def skeleton(coverage: Coverage, vocabulary: Vocabulary) -> Skeleton:
    """Every code, unit and type of the report that no mapping knows, most frequent first."""
    return Skeleton(codes=_codes(coverage, vocabulary), others=_others(coverage, vocabulary))


def _codes(coverage: Coverage, vocabulary: Vocabulary) -> str:
    groups: dict[_Place, dict[str, list[CodeMet]]] = {}
    refused: list[tuple[CodeMet, str]] = []
    for met in coverage.codes:
        if met.state != "unmapped" or met.path == _ANSWERS:
            continue
        if met.system is None or met.code is None:
            refused.append((met, "system or code is missing, or does not look like one"))
            continue
        wrong = _refusal(met.system, met.code, vocabulary)
        if wrong is not None:
            refused.append((met, wrong))
            continue
        target = RXNORM if met.path in _PRODUCTS else CONCEPT_SYSTEM
        groups.setdefault((met.system, target), {}).setdefault(met.code, []).append(met)
    if not groups and not refused:
        return ""
    lines = [
        "# Codes that no mapping knows, most frequent first. Written by `careplan coverage --skeleton`.",
        "# Each needs a decision: a concept of profiles/concepts that it means, or that it means none and why.",
        "# For a product: its ingredients, each as a target, or why it holds none that matters.",
        "# Fill each comment, or put a target of the second form in its place; then: careplan knowledge check",
        "resourceType: ConceptMap",
        "url: urn:careplan-exchange:ConceptMap:site",
        "version: 0.1.0",
        "title: Codes of this site",
        "status: draft",
        f"date: {_quoted(coverage.as_of)}",
        f"description: {_quoted(f'Met in the records of {coverage.patients} patients.')}",
        "group:" if groups else "group: []",
        *(line for place, codes in groups.items() for line in _group(place, codes)),
    ]
    if refused:
        lines += ["# Cannot be mapped by code as they are:"]
        lines += [f"#   {_met([met])}, {_plain(met.system or '')} {_named(met)}: {why}" for met, why in refused]
    return "\n".join(lines) + "\n"


def _refusal(system: str, code: str, vocabulary: Vocabulary) -> str | None:
    """Why a knowledge file may not name this code."""
    permitted = vocabulary.value_sets.get(PERMITTED_SNOMED)
    if system == SNOMED and permitted is not None and (system, code) not in permitted.codes:
        return (
            "not among the SNOMED CT codes that may be used without a licence; "
            "map or judge its text (mappings/text, mappings/judged), or lay your own "
            "profiles/valuesets/snomed-permitted.yaml over ours"
        )
    return complaint(system, code)


def _group(place: _Place, codes: dict[str, list[CodeMet]]) -> Iterator[str]:
    source, target = place
    yield f"  - source: {_quoted(source)}"
    yield f"    target: {_quoted(target)}"
    yield "    element:"
    for code, met in codes.items():
        yield f"      - code: {_quoted(code)}"
        display = next((one.display for one in met if one.display), None)
        if display is not None:
            yield f"        display: {_quoted(display)}"
        yield f"        # {_met(met)}"
        yield "        target:"
        yield '          - {equivalence: unmatched, comment: ""}'
        if target == CONCEPT_SYSTEM:
            yield "          # - {code: CONCEPT, equivalence: equivalent}"
        else:
            yield '          # - {code: "RXCUI", display: "INGREDIENT", equivalence: wider}'


def _others(coverage: Coverage, vocabulary: Vocabulary) -> str:
    lines: list[str] = []
    units: dict[str, list[tuple[str, int]]] = {}
    for met in coverage.units:
        if met.state == "unknown" and met.unit is not None:
            units.setdefault(met.concept, []).append((met.unit, met.count))
    if units:
        lines += ["units:", *(line for concept in units for line in _units(concept, units[concept], vocabulary))]
    types = [cause for cause in coverage.causes if cause.key == "mapping.type.not-read" and cause.type.isalpha()]
    if types:
        lines += ["notRead:"]
        for cause in types:
            lines += [f"  # {cause.count} of them", f'  - {{type: {_quoted(cause.type)}, reason: ""}}']
    answers = [met for met in coverage.codes if met.state == "unmapped" and met.path == _ANSWERS]
    if answers:
        lines += ["# Answers that no mapping knows. Add each to the options of its question in mappings/answers:"]
        lines += [f"#   {_met([met])}, {_plain(met.system or '')} {_named(met)}" for met in answers]
    if not lines:
        return ""
    head = [
        "# Units and types that no mapping knows. Written by `careplan coverage --skeleton`.",
        "# Fill each factor with its source, and each reason; then run `careplan knowledge check`.",
    ]
    return "\n".join([*head, *lines]) + "\n"


def _units(concept: str, units: Iterable[tuple[str, int]], vocabulary: Vocabulary) -> Iterator[str]:
    yield f"  - concept: {concept}"
    yield f"    to: {_quoted(vocabulary.concepts[concept].unit or '')}"
    yield "    conversions:"
    for unit, count in units:
        yield f"      # {count} times"
        yield f"      - from: [{_quoted(unit)}]"
        yield "        factor:"
        yield '        source: ""'


def _met(met: Iterable[CodeMet]) -> str:
    places = ", ".join(f"{one.count} times in {one.path}" for one in met)
    units = {unit: None for one in met for unit in one.units}
    return places + (f", in {_plain(', '.join(units))}" if units else "")


def _named(met: CodeMet) -> str:
    if met.code is None:
        return "(codes that are not shown)"
    return f"{met.code} {_plain(met.display)}" if met.display else met.code


def _plain(text: str) -> str:
    """One line without anything that YAML or a terminal could take for more than text."""
    return "".join(character if character.isprintable() else " " for character in text)


def _quoted(text: str) -> str:
    return json.dumps(_plain(text), ensure_ascii=False)
