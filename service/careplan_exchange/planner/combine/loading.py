"""`protocols/combine/*.yaml` to rules, and everything that is wrong with them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.planner.rows import (
    Known,
    Placed,
    expression_findings,
    known_keys,
    match_findings,
    read_rows,
    repeated,
    strangers,
)

from .rules import Choice, Clash, Combining, MedicineClass, Opposite, Same, SameGoal, Stop, Weight

_KINDS: dict[str, type[Any]] = {
    "same": Same,
    "goals": SameGoal,
    "choices": Choice,
    "conflicts": Clash,
    "opposites": Opposite,
    "stops": Stop,
    "medicines": MedicineClass,
    "burden": Weight,
}


def compile_combining(documents: Sequence[Document]) -> Combining:
    """The rules of these files, in their order. What does not have the shape is left out: `lint_combining` says
    so, and whoever loads knowledge asks it first."""
    rows, _ = _read(documents)
    return Combining(**{name: tuple(row for row, _ in found) for name, found in rows.items()})


def lint_combining(documents: Sequence[Document], known: Known) -> tuple[Finding, ...]:
    """Every finding, by file and line."""
    rows, findings = _read(documents)
    findings += strangers(documents, _KINDS)
    for name in ("same", "goals", "choices", "conflicts", "medicines", "burden"):
        findings += repeated((row.id, placed) for row, placed in rows[name])
    for row, placed in rows["same"]:
        for index, match in enumerate(row.members):
            findings += match_findings(match, known, placed, "members", index)
    for row, placed in rows["choices"]:
        findings += _choice(row, known, placed)
    for row, placed in rows["conflicts"]:
        findings += _clash(row, known, placed)
    findings += _plain(rows, known)
    for row, placed in rows["burden"]:
        findings += match_findings(row.match, known, placed, "match")
    return tuple(sorted(set(findings), key=lambda found: (found.file, found.line, found.message)))


def _plain(rows: Mapping[str, list[tuple[Any, Placed]]], known: Known) -> list[Finding]:
    """Of the lists that only name things."""
    findings: list[Finding] = []
    for row, placed in rows["goals"]:
        findings += _names(row.keys, known_keys(row.keys, known), placed, "keys")
    for row, placed in rows["opposites"]:
        if known.involves:
            findings += _names((row.first, row.second), known.involves, placed)
    for row, placed in rows["stops"]:
        findings += match_findings(row.match, known, placed, "match")
        findings += _names(row.medicines, _concepts(known, "medication"), placed, "medicines")
    for row, placed in rows["medicines"]:
        findings += _names(row.medicines, _concepts(known, "medication"), placed, "medicines")
    return findings


def _read(documents: Sequence[Document]) -> tuple[dict[str, list[tuple[Any, Placed]]], list[Finding]]:
    findings: list[Finding] = []
    rows = {
        name: [row for document in documents for row in read_rows(document, name, kind, findings)]
        for name, kind in _KINDS.items()
    }
    return rows, findings


def _concepts(known: Known, kind: str) -> frozenset[str]:
    return frozenset(concept.id for concept in known.vocabulary.concepts.values() if concept.kind == kind)


def _names(words: Iterable[str], there: frozenset[str], placed: Placed, *inner: str) -> list[Finding]:
    return [
        placed.finding(f"There is no '{word}'.", "Mend the name, or add what it names.", *inner)
        for word in words
        if word not in there
    ]


def _choice(row: Choice, known: Known, placed: Placed) -> list[Finding]:
    findings = _names((row.measure,), _concepts(known, "measurement"), placed, "measure")
    if row.chosen not in {option.id for option in row.options}:
        findings.append(placed.finding(f"'{row.chosen}' is no option.", "Choose one of them.", "chosen"))
    if row.when is not None:
        findings += expression_findings(row.when, known.vocabulary, placed, "when")
    return findings


def _clash(row: Clash, known: Known, placed: Placed) -> list[Finding]:
    findings = match_findings(row.first, known, placed, "first")
    findings += _names(row.goals, _concepts(known, "measurement"), placed, "goals")
    if row.second is not None:
        findings += match_findings(row.second, known, placed, "second")
    if row.when is not None:
        findings += expression_findings(row.when, known.vocabulary, placed, "when")
    if row.second is None and row.when is None:
        findings.append(placed.finding("It clashes with nothing.", "Give `second`, `when`, or both."))
    if row.second is None and row.policy == "first":
        findings.append(placed.finding("Nothing falls by it.", "Give `second`, or another policy.", "policy"))
    if row.policy == "ask" and row.ask is None:
        findings.append(placed.finding("It asks no question.", "Give `ask`.", "policy"))
    return findings
