"""The files of `protocols/safety/` to a gate. Nothing is checked here beyond what compiling needs.

A rule that cannot be compiled keeps its problem and withholds: only the linter refuses it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from careplan_exchange.knowledge import Document
from careplan_exchange.model.grounds import Citation
from careplan_exchange.model.vocabulary import Vocabulary
from careplan_exchange.planner.expressions import compiled
from careplan_exchange.planner.protocol import Condition
from careplan_exchange.planner.syntax import SyntaxProblemError

from .classes import classes_of
from .rules import Flag, Gate, Rule, assembled


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a file, and where it stands."""

    document: Document
    path: tuple[str | int, ...]
    entry: Any


def placed(documents: Iterable[Document], section: str) -> tuple[Placed, ...]:
    """The entries of this section in every file that has it."""
    return tuple(
        Placed(document=document, path=(section, index), entry=entry)
        for document in documents
        if isinstance(document.content, dict) and isinstance(document.content.get(section), list)
        for index, entry in enumerate(document.content[section])
    )


def compile_gate(documents: Sequence[Document], vocabulary: Vocabulary) -> Gate:
    """Every rule and flag of these files, which the linter has passed."""
    sources = {one.entry["id"]: one.entry for one in placed(documents, "sources")}
    return assembled(
        [_rule(one.entry, sources) for one in placed(documents, "rules")],
        [_flag(one.entry, sources) for one in placed(documents, "flags")],
        classes_of(vocabulary),
    )


def condition_of(when: str, description: str | None = None) -> Condition:
    """`when` compiled, or with the problem that keeps it from it."""
    expression, problem = None, None
    try:
        expression = compiled(when)
    except SyntaxProblemError as error:
        problem = f"it is not FHIRPath: {error}"
    return Condition(
        kind="applicability",
        source=when,
        expression=expression,
        problem=problem,
        unknown="ask",
        safety=None,
        question=None,
        description=description,
    )


def source_ids(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """`source` is one id or a list of them."""
    said = entry.get("source")
    return tuple(said) if isinstance(said, list) else (said,) if said is not None else ()


def _rule(entry: Mapping[str, Any], sources: Mapping[str, Mapping[str, Any]]) -> Rule:
    pair = entry.get("pair")
    when = entry.get("when")
    return Rule(
        id=entry["id"],
        hazard=entry["hazard"],
        severity=entry["severity"],
        effect=entry["effect"],
        says=_line(entry["says"]),
        mitigation=_line(entry["mitigation"]),
        alternative=_line(entry["alternative"]) if "alternative" in entry else None,
        citations=_citations(entry, sources),
        medicines=frozenset(entry.get("medicines", ())),
        involves=frozenset(entry.get("involves", ())),
        unless=frozenset(entry.get("unless", ())),
        pair=(frozenset(pair["first"]), frozenset(pair["second"])) if pair else None,
        duplicates=frozenset(entry.get("duplicates", ())),
        at_least=entry.get("atLeast", 2),
        condition=condition_of(when) if when is not None else None,
        unknown=entry.get("unknown", "withhold"),
        taken=entry.get("taken", "report") == "report",
    )


def _flag(entry: Mapping[str, Any], sources: Mapping[str, Mapping[str, Any]]) -> Flag:
    spanish = entry.get("patientTextEs")
    return Flag(
        id=entry["id"],
        condition=condition_of(entry["when"]),
        within=entry["within"],
        banner=_line(entry["banner"]),
        action=_line(entry["action"]),
        holds_routine=entry["holdsRoutine"],
        ask=entry.get("unknown") == "ask",
        patient_text=_line(entry["patientText"]),
        patient_texts={"es": _line(spanish)} if spanish else {},
        citations=_citations(entry, sources),
    )


def _citations(entry: Mapping[str, Any], sources: Mapping[str, Mapping[str, Any]]) -> tuple[Citation, ...]:
    found = (sources[name] for name in source_ids(entry))
    return tuple(Citation(label=one["citation"], url=one.get("url"), grade=entry.get("grade")) for one in found)


def _line(text: str) -> str:
    """A text that may be written over several lines."""
    return " ".join(text.split())
