"""`profiles/` to a Vocabulary: the concepts that mapping fills and protocols speak of."""

import re
from collections.abc import Collection, Iterable
from decimal import Decimal
from itertools import combinations
from typing import Literal

import msgspec

from careplan_exchange.errors import KnowledgeError
from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.snapshot import FactKind
from careplan_exchange.model.vocabulary import Concept, ValueSet, Vocabulary
from careplan_exchange.spelling import did_you_mean

from .files import Text, element, read_rows
from .standins import concept_for
from .systems import PERMITTED_SNOMED
from .valuesets import Path, read_value_sets

_ID = re.compile(r"[a-z][a-z0-9_]*")


class _Plausible(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    low: Decimal
    high: Decimal
    reason: Text


class _MaxAge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    days: int
    reason: Text


class _WhenAbsent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    means: Literal["unknown", "absent"]
    reason: Text


class _Concept(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    id: Text
    kind: FactKind
    title: Text
    when_absent: _WhenAbsent
    value_set: Text | None = None
    unit: Text | None = None
    plausible: _Plausible | None = None
    max_age: _MaxAge | None = None
    ahead: bool = False
    at_home: Text | None = None
    contradicts: tuple[str, ...] = ()


def load_vocabulary(documents: Iterable[Document]) -> Vocabulary:
    """The vocabulary of `profiles/`. Raises KnowledgeError with every finding where it does not hold together."""
    vocabulary, findings = read_profiles(documents)
    if findings:
        raise KnowledgeError(findings)
    return vocabulary


def read_profiles(documents: Iterable[Document]) -> tuple[Vocabulary, list[Finding]]:
    """The vocabulary as far as it can be told, and everything that is wrong with it. What cannot be read has a
    stand-in, so that a linter can go on to what speaks of it."""
    findings: list[Finding] = []
    value_set_files, concept_files = [], []
    for document in documents:
        content = document.content
        if isinstance(content, dict) and content.get("resourceType") == "ValueSet":
            value_set_files.append(document)
        elif isinstance(content, dict) and set(content) == {"concepts"}:
            concept_files.append(document)
        else:
            findings.append(_neither(document))
    value_sets = read_value_sets(value_set_files, findings)
    concepts: dict[str, tuple[Document, Path, _Concept]] = {}
    meant: dict[str, Concept] = {}
    for document in concept_files:
        rows = read_rows(document, _Concept, findings, "concepts")
        meant |= _stand_ins(document, {path for path, _ in rows})
        for path, row in rows:
            findings.extend(_concept_findings(document, path, row, value_sets))
            if row.id in concepts:
                findings.append(
                    document.finding(f"The concept '{row.id}' stands twice.", "Remove one.", *path, "id")
                )
            concepts[row.id] = (document, path, row)
    findings.extend(_contradictions(concepts, meant, value_sets))
    findings.extend(_homes(concepts, meant))
    read = {id_: _concept(row) for id_, (_, _, row) in concepts.items()}
    return Vocabulary(concepts=meant | read, value_sets=value_sets), findings


def places(documents: Iterable[Document]) -> dict[str, tuple[Document, Path]]:
    """Where each concept stands, by its id."""
    return {
        row["id"]: (document, ("concepts", index))
        for document in documents
        if isinstance(document.content, dict) and isinstance(document.content.get("concepts"), list)
        for index, row in enumerate(document.content["concepts"])
        if isinstance(row, dict) and isinstance(row.get("id"), str)
    }


def _neither(document: Document) -> Finding:
    content = document.content if isinstance(document.content, dict) else {}
    wrong = next((str(key) for key in content if key not in ("resourceType", "concepts")), "")
    if "resourceType" in content:
        path, suggested = ("resourceType",), did_you_mean(str(content["resourceType"]), ["ValueSet"])
    else:
        path, suggested = (wrong,), did_you_mean(wrong, ["concepts", "resourceType"])
    return document.finding(
        "This is neither a ValueSet nor a list of concepts.",
        f"Begin it with 'resourceType: ValueSet' or with 'concepts:' (see profiles/README.md).{suggested}",
        *path,
    )


def _stand_ins(document: Document, read: set[Path]) -> dict[str, Concept]:
    rows = element(document, "concepts")
    unread = (
        (row for index, row in enumerate(rows) if ("concepts", index) not in read)
        if isinstance(rows, list)
        else ()
    )
    return {concept.id: concept for row in unread if (concept := concept_for(row)) is not None}


def unused_value_sets(
    documents: Iterable[Document], vocabulary: Vocabulary, used_by_mappings: frozenset[str]
) -> list[Finding]:
    """A finding for each ValueSet that no concept and no mapping refers to."""
    used = {concept.value_set for concept in vocabulary.concepts.values()}
    used |= used_by_mappings | {PERMITTED_SNOMED}
    return [
        document.finding(
            f"No concept and no mapping uses the ValueSet {document.content['url']}.",
            "Refer to it from a concept, or remove the file.",
            "url",
        )
        for document in documents
        if isinstance(document.content, dict)
        and document.content.get("resourceType") == "ValueSet"
        and document.content.get("url") in vocabulary.value_sets
        and document.content["url"] not in used
    ]


def _concept(row: _Concept) -> Concept:
    return Concept(
        id=row.id,
        kind=row.kind,
        title=row.title,
        value_set=row.value_set,
        when_absent=row.when_absent.means,
        unit=row.unit,
        plausible=(row.plausible.low, row.plausible.high) if row.plausible else None,
        max_age_days=row.max_age.days if row.max_age else None,
        ahead=row.ahead,
        at_home=row.at_home,
    )


def _concept_findings(
    document: Document, path: Path, row: _Concept, value_sets: dict[str, ValueSet]
) -> Iterable[Finding]:
    if not _ID.fullmatch(row.id):
        yield document.finding(
            f"'{row.id}' cannot be the name of a FHIRPath variable.",
            "Use a-z, 0-9 and underscores, a letter first.",
            *path,
            "id",
        )
    if row.value_set and row.value_set not in value_sets:
        suggested = did_you_mean(row.value_set, value_sets)
        yield document.finding(
            f"There is no ValueSet {row.value_set}.",
            f"Add the file in profiles/valuesets, or mend the canonical.{suggested}",
            *path,
            "valueSet",
        )
    if row.kind == "measurement":
        for key, value in (("unit", row.unit), ("plausible", row.plausible), ("maxAge", row.max_age)):
            if value is None:
                yield document.finding(
                    f"The measurement '{row.id}' has no {key}.", f"Add {key}, with its reason.", *path, key
                )
    elif row.unit is not None or row.plausible is not None:
        yield document.finding(
            f"'{row.id}' is no measurement, so unit and plausible mean nothing.", "Remove them.", *path
        )
    if row.ahead and (row.kind != "visit" or row.max_age is not None):
        yield document.finding(
            "Only a visit lies ahead, and what lies ahead has no age.", "Remove ahead or maxAge.", *path, "ahead"
        )
    if row.plausible is not None and row.plausible.low >= row.plausible.high:
        yield document.finding(
            "The plausible range is reversed or empty.", "Put the lower bound in low.", *path, "plausible"
        )
    if row.max_age is not None and row.max_age.days < 1:
        yield document.finding("maxAge is less than a day.", "Give whole days, 1 or more.", *path, "maxAge")


def _homes(concepts: dict[str, tuple[Document, Path, _Concept]], meant: Collection[str]) -> Iterable[Finding]:
    """`atHome` leads to a measurement in the same unit, which has no `atHome` of its own. `meant` could not be
    read, and have their finding."""
    for document, path, row in concepts.values():
        if row.at_home is None or row.at_home in meant:
            continue
        _, _, home = concepts.get(row.at_home, (None, None, None))
        if home is None:
            yield document.finding(f"'{row.at_home}' is no concept.", "Mend the name.", *path, "atHome")
        elif home.unit != row.unit or home.kind != "measurement" or home.at_home is not None:
            yield document.finding(
                f"'{row.at_home}' cannot hold what is measured at home for '{row.id}'.",
                "Name a measurement in the same unit, without atHome of its own.",
                *path,
                "atHome",
            )


def _contradictions(
    concepts: dict[str, tuple[Document, Path, _Concept]],
    meant: Collection[str],
    value_sets: dict[str, ValueSet],
) -> Iterable[Finding]:
    for document, path, row in concepts.values():
        for other in row.contradicts:
            if other == row.id:
                yield document.finding(
                    f"'{other}' contradicts itself.", "Name the other concept.", *path, "contradicts"
                )
            elif other not in concepts and other not in meant:
                suggested = did_you_mean(other, concepts)
                yield document.finding(
                    f"'{other}' is no concept.", f"Mend the name or remove it.{suggested}", *path, "contradicts"
                )
    for (document, path, row), (_, _, other_row) in combinations(concepts.values(), 2):
        if other_row.id not in row.contradicts and row.id not in other_row.contradicts:
            continue
        ours, theirs = value_sets.get(row.value_set or ""), value_sets.get(other_row.value_set or "")
        if ours is None or theirs is None:
            continue
        for _, code in sorted(_overlap(ours, theirs)):
            yield document.finding(
                f"'{code}' means both '{row.id}' and '{other_row.id}', which contradict each other.",
                "Remove it from one of the two ValueSets.",
                *path,
                "contradicts",
            )


def _overlap(one: ValueSet, other: ValueSet) -> set[tuple[str, str]]:
    return {
        (system, code)
        for ours, theirs in ((one, other), (other, one))
        for system, code in ours.codes | ours.prefixes
        if (system, code) in theirs.codes
        or any(system == theirs_system and _below(code, prefix) for theirs_system, prefix in theirs.prefixes)
    }


def _below(code: str, prefix: str) -> bool:
    return code.replace(".", "").startswith(prefix.replace(".", ""))
