"""From the YAML of a rule file to its rows, or to findings that say file, line and mend."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.vocabulary import Vocabulary
from careplan_exchange.spelling import did_you_mean

from .expressions import compiled
from .matching import Match, protocol_of
from .syntax import SyntaxProblemError
from .variables import PATIENT_VARIABLES, concept_of

Row = TypeVar("Row", bound=msgspec.Struct)
Path = tuple[str | int, ...]

_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<index>\d+)\]")
_FIELD = re.compile(r"unknown field `(?P<word>[^`]*)`")


class Placed(msgspec.Struct, frozen=True):
    """A row, and the file and path that it stands at."""

    row: msgspec.Struct
    document: Document
    path: Path

    def finding(self, message: str, mend: str, *inner: str | int) -> Finding:
        return self.document.finding(message, mend, *self.path, *inner)


def read_rows(
    document: Document, name: str, kind: type[Row], findings: list[Finding]
) -> list[tuple[Row, Placed]]:
    """The rows of the list `name`, none where the file has no such list. What has another shape is a finding."""
    content = document.content if isinstance(document.content, dict) else {}
    found = content.get(name, [])
    if not isinstance(found, list):
        findings.append(document.finding(f"'{name}' is no list.", "Write its entries with dashes.", name))
        return []
    rows: list[tuple[Row, Placed]] = []
    for index, element in enumerate(found):
        try:
            row = msgspec.convert(element, kind)
        except msgspec.ValidationError as error:
            findings.append(_finding(document, kind, str(error), (name, index)))
            continue
        rows.append((row, Placed(row, document, (name, index))))
    return rows


def strangers(documents: Iterable[Document], known: Iterable[str]) -> list[Finding]:
    """Lists that nobody reads: a misspelt name would be passed over without a word."""
    names = tuple(known)
    found: list[Finding] = []
    for document in documents:
        if not isinstance(document.content, dict):
            found.append(document.finding("This file is no mapping.", f"Begin with one of {', '.join(names)}."))
            continue
        found += [
            document.finding(f"Nothing reads '{name}'.", f"Mend its name.{did_you_mean(str(name), names)}", name)
            for name in document.content
            if name not in names
        ]
    return found


def expression_findings(source: str, vocabulary: Vocabulary, placed: Placed, *inner: str | int) -> list[Finding]:
    """That it is FHIRPath, and that every variable is a concept."""
    try:
        expression = compiled(source)
    except SyntaxProblemError as problem:
        return [placed.finding(f"It is not FHIRPath: {problem}.", "Mend the expression.", *inner)]
    unknown = [
        name
        for name in expression.variables
        if name not in PATIENT_VARIABLES and concept_of(name, vocabulary) is None
    ]
    return [
        placed.finding(
            f"There is no variable '%{name}'.",
            f"Add the concept.{did_you_mean(name, vocabulary.concepts)}",
            *inner,
        )
        for name in unknown
    ]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule may name. Without any `involves` those codes are not checked. `keys` are those of each
    protocol's actions and goals; a protocol that is not there is one that a site does not have."""

    vocabulary: Vocabulary
    definitions: frozenset[str]
    involves: frozenset[str]
    keys: Mapping[str, frozenset[str]]


def match_findings(match: Match, known: Known, placed: Placed, *inner: str | int) -> list[Finding]:
    """That a match names what there is, and does not take every activity."""
    found: list[Finding] = []
    if match.is_empty:
        found.append(placed.finding("This takes every activity.", "Say which.", *inner))
    medicines = {concept.id for concept in known.vocabulary.concepts.values() if concept.kind == "medication"}
    names: tuple[tuple[str, Sequence[str], frozenset[str] | set[str]], ...] = (
        ("definitions", match.definitions, known.definitions),
        ("involves", match.involves, known.involves or frozenset(match.involves)),
        ("without", match.without, known.involves or frozenset(match.without)),
        ("keys", match.keys, known_keys(match.keys, known)),
        ("medicines", match.medicines, medicines),
        ("requests", match.requests, {"ServiceRequest", "MedicationRequest"}),
    )
    for name, written, there in names:
        found += [
            placed.finding(f"There is no '{word}'.", f"Mend it.{did_you_mean(word, there)}", *inner, name, index)
            for index, word in enumerate(written)
            if word not in there
        ]
    return found


def known_keys(keys: Sequence[str], known: Known) -> frozenset[str]:
    """Those that may stand: of a protocol that is there only its own."""
    return frozenset(key for key in keys if (there := known.keys.get(protocol_of(key))) is None or key in there)


def repeated(rows: Iterable[tuple[str, Placed]]) -> list[Finding]:
    """Ids that stand twice: keys of the plan are made of them."""
    seen: set[str] = set()
    found: list[Finding] = []
    for name, placed in rows:
        if name in seen:
            found.append(placed.finding(f"The id '{name}' stands twice.", "Give it one of its own.", "id"))
        seen.add(name)
    return found


def _finding(document: Document, kind: type[msgspec.Struct], error: str, path: Path) -> Finding:
    match = _WHERE.match(error)
    what, where = (match["what"], match["path"] or "") if match else (error, "")
    inner: Path = tuple(step["key"] or int(step["index"]) for step in _STEP.finditer(where.lstrip("$")))
    mend = "Compare with the example in the folder's README."
    if field := _FIELD.search(what):
        mend += did_you_mean(field["word"], [each.encode_name for each in msgspec.structs.fields(kind)])
        inner = (*inner, field["word"])
    return document.finding(f"{what.rstrip('.')}.", mend, *path, *inner)
