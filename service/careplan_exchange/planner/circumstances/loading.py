"""`protocols/circumstances/*.yaml` to rules, and everything that is wrong with them."""

from collections.abc import Sequence
from typing import Any

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.planner.rows import (
    Known,
    Placed,
    expression_findings,
    match_findings,
    read_rows,
    repeated,
    strangers,
)
from careplan_exchange.spelling import did_you_mean

from .rules import About, Circumstance, Circumstances, Language, Template

_KINDS: dict[str, type[Any]] = {
    "about": About,
    "activities": Template,
    "circumstances": Circumstance,
    "language": Language,
}


def compile_circumstances(documents: Sequence[Document]) -> Circumstances:
    """The rules of these files, in their order. What does not have the shape is left out: `lint_circumstances`
    says so, and whoever loads knowledge asks it first."""
    rows, _ = _read(documents)
    return Circumstances(**{name: tuple(row for row, _ in found) for name, found in rows.items()})


def lint_circumstances(documents: Sequence[Document], known: Known) -> tuple[Finding, ...]:
    """Every finding, by file and line."""
    rows, findings = _read(documents)
    findings += strangers(documents, _KINDS)
    for name in ("activities", "circumstances"):
        findings += repeated((row.id, placed) for row, placed in rows[name])
    for name in ("about", "language"):
        findings += [placed.finding(f"'{name}' stands twice.", "Keep one.") for _, placed in rows[name][1:]]
    templates = frozenset(row.id for row, _ in rows["activities"])
    used: set[str] = set()
    if templates and not rows["about"]:
        findings.append(
            rows["activities"][0][1].finding("Nobody proposes it.", "Add `about` in one of the files.")
        )
    for row, placed in rows["circumstances"]:
        findings += _circumstance(row, known, placed, templates, used)
    for row, placed in rows["language"]:
        used.add(row.by)
        findings += _template(row.by, templates, placed, "by")
    for row, placed in rows["activities"]:
        if row.id not in used:
            findings.append(placed.finding("No rule uses this activity.", "Use it, or remove it.", "id"))
        if known.involves:
            findings += [
                placed.finding(
                    f"There is no '{word}'.", f"Mend it.{did_you_mean(word, known.involves)}", "involves"
                )
                for word in row.involves
                if word not in known.involves
            ]
    return tuple(sorted(set(findings), key=lambda found: (found.file, found.line, found.message)))


def _read(documents: Sequence[Document]) -> tuple[dict[str, list[tuple[Any, Placed]]], list[Finding]]:
    findings: list[Finding] = []
    rows = {
        name: [row for document in documents for row in read_rows(document, name, kind, findings)]
        for name, kind in _KINDS.items()
    }
    return rows, findings


def _circumstance(
    row: Circumstance, known: Known, placed: Placed, templates: frozenset[str], used: set[str]
) -> list[Finding]:
    findings = expression_findings(row.when, known.vocabulary, placed, "when")
    if row.unknown == "ask" and row.question is None:
        findings.append(placed.finding("It asks no question.", "Give `question`.", "unknown"))
    for index, change in enumerate(row.changes):
        where = ("changes", index)
        if change.match is not None:
            findings += match_findings(change.match, known, placed, *where, "match")
        if change.by is not None:
            used.add(change.by)
            findings += _template(change.by, templates, placed, *where, "by")
        elif change.outcome != "noted":
            findings.append(
                placed.finding(f"Of '{change.outcome}' nothing is left to do.", "Give `by`.", *where, "outcome")
            )
        if change.match is None and change.outcome in {"replaced", "declined"}:
            findings.append(placed.finding("This would empty the plan.", "Give `match`.", *where))
    return findings


def _template(name: str, templates: frozenset[str], placed: Placed, *inner: str | int) -> list[Finding]:
    if name in templates:
        return []
    mend = f"Add it to `activities`.{did_you_mean(name, templates)}"
    return [placed.finding(f"There is no activity '{name}'.", mend, *inner)]
