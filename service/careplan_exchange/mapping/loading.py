"""`mappings/` to the tables of `tables.py`, and a finding for everything that does not hold together."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from careplan_exchange.errors import KnowledgeError
from careplan_exchange.knowledge import Document, in_order
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.snapshot import FactKind
from careplan_exchange.model.vocabulary import Vocabulary
from careplan_exchange.spelling import did_you_mean

from . import code_tables, lint_codes, rows, rows_care
from .derived.lint import findings_of, run_order
from .derived.rules import Rule
from .files import METADATA, read_row, read_rows
from .lint import Linter, Places
from .lint_across import across
from .loading_care import care_findings, care_tables
from .profiles import places, read_profiles, unused_value_sets
from .systems import RXNORM
from .tables import (
    CONCEPT_SYSTEM,
    Answer,
    Conversion,
    Denial,
    FamilyCodes,
    Key,
    Mappings,
    Meaning,
    Question,
    plain,
    undotted,
)

Found = list[tuple[Document, tuple[str | int, ...], Any]]

# The kinds of element, each by its key at the top of a file.
_KINDS: dict[str, Any] = {
    "systems": rows.System,
    "panels": rows.Panel,
    "units": rows.UnitsOf,
    "answers": rows.Answers,
    **rows_care.KINDS,
    "texts": rows.Texts,
    "absences": rows.Absence,
    "judged": rows.Judged,
    "situations": rows.Situation,
    "histories": rows.History,
    "refutations": rows.Refutation,
    "demographics": rows.Demographic,
    "relatives": rows.Relative,
    "familyHistory": rows.FamilyHistory,
    "onsetUnits": rows.OnsetUnit,
    "notRead": rows.NotRead,
    "measurementSettings": rows.SettingRow,
    "derived": Rule,
}


def load_mappings(documents: Iterable[Document], vocabulary: Vocabulary) -> Mappings:
    """The mappings of `mappings/`. Raises KnowledgeError with every finding where they do not hold together."""
    mappings, findings, _ = _read_mappings(documents, vocabulary, {})
    if findings:
        raise KnowledgeError(findings)
    return mappings


def lint(mapping_documents: Iterable[Document], profile_documents: Iterable[Document]) -> tuple[Finding, ...]:
    """Every finding in both folders, and the ValueSets that nothing uses: those of `profiles/` first, as the
    others may follow from them; each folder in order of file and line."""
    profile_documents = tuple(profile_documents)
    vocabulary, of_profiles = read_profiles(profile_documents)
    _, of_mappings, used = _read_mappings(mapping_documents, vocabulary, places(profile_documents))
    if not of_profiles and not of_mappings:  # what cannot be read may be what uses one
        of_profiles += unused_value_sets(profile_documents, vocabulary, used)
    ours = {document.path for document in profile_documents}
    return tuple(
        sorted({*of_profiles, *of_mappings}, key=lambda finding: (finding.file not in ours, *in_order(finding)))
    )


def _read_mappings(
    documents: Iterable[Document], vocabulary: Vocabulary, concepts: Places
) -> tuple[Mappings, list[Finding], frozenset[str]]:
    findings: list[Finding] = []
    found: dict[str, Found] = {key: [] for key in (*_KINDS, "ConceptMap")}
    unread: set[str] = set()
    for document in documents:
        content = document.content
        if isinstance(content, dict) and content.get("resourceType") == "ConceptMap":
            row = read_row(document, rows.ConceptMap, findings, beside=METADATA)
            if row is not None:
                found["ConceptMap"].append((document, (), row))
        elif isinstance(content, dict) and content and set(content) <= set(_KINDS):
            for key in content:
                read = read_rows(document, _KINDS[key], findings, key)
                found[key] += [(document, path, row) for path, row in read]
                unread |= _named(content[key]) if len(read) < len(content[key] or ()) else set()
        else:
            findings.append(_no_kind(document))
    findings += across(found, vocabulary)
    linter = Linter(vocabulary, concepts)
    linter.check(found, unread)
    findings += linter.findings
    findings += care_findings(found, vocabulary)
    findings += findings_of(found["derived"], vocabulary.concepts)
    mappings = _tables(found, vocabulary)
    findings += lint_codes.findings(found, vocabulary, mappings)
    used = frozenset(row.conditions for _, _, row in found["familyHistory"])
    return mappings, findings, used


def _named(elements: Any) -> set[str]:
    """Every text in these elements: one of them may be the concept that an unreadable one speaks of."""
    rows = [row for row in elements if isinstance(row, dict)]
    return {value for row in rows for value in row.values() if isinstance(value, str)}


def _no_kind(document: Document) -> Finding:
    content = document.content if isinstance(document.content, dict) else {}
    if "resourceType" in content:
        wrong, suggested = "resourceType", did_you_mean(str(content["resourceType"]), ["ConceptMap"])
    else:
        wrong = next((str(key) for key in content if key not in _KINDS), "")
        suggested = did_you_mean(wrong, [*_KINDS, "resourceType"])
    return document.finding(
        "This is no kind of mapping that is known.",
        f"Begin it with 'resourceType: ConceptMap' or with one of: {', '.join(_KINDS)}.{suggested}",
        wrong,
    )


def _tables(found: dict[str, Found], vocabulary: Vocabulary) -> Mappings:
    def all_of(key: str) -> list[Any]:
        return [row for _, _, row in found[key]]

    codes, prefixes = _meanings(all_of("ConceptMap"), all_of("histories"), vocabulary)
    return Mappings(
        systems={alias: row.canonical for row in all_of("systems") for alias in row.aliases},
        codes=codes,
        prefixes=prefixes,
        judged={
            key: target.comment
            for key, target in _targets(all_of("ConceptMap"))
            if target.equivalence == "unmatched" and target.comment
        },
        products=_products(all_of("ConceptMap")),
        not_needed=code_tables.not_needed(all_of("judged")),
        texts=code_tables.texts(all_of("texts")),
        wordings=code_tables.wordings(all_of("situations")),
        units=_units(all_of("units")),
        panels=frozenset((row.system, row.code) for row in all_of("panels")),
        questions=_questions(all_of("answers")),
        care=care_tables(found),
        denials={(code.system, code.code): _denial(row) for row in all_of("absences") for code in row.codes},
        denial_texts={plain(text): _denial(row) for row in all_of("absences") for text in row.texts},
        refutations=_refutations(all_of("refutations")),
        refuted_texts=code_tables.refuted_texts(all_of("refutations")),
        demographics=tuple(all_of("demographics")),
        relatives={row.code: row for row in all_of("relatives")},
        family=tuple(all_of("familyHistory")),
        family_codes={row.concept: _family_codes(row, vocabulary) for row in all_of("familyHistory")},
        onset_units={unit: row.per_year for row in all_of("onsetUnits") for unit in row.from_},
        not_read={row.type: (row.severity, row.reason) for row in all_of("notRead")},
        settings=tuple(all_of("measurementSettings")),
        derived=run_order(all_of("derived")),
    )


def _meanings(
    maps: list[rows.ConceptMap], histories: list[rows.History], vocabulary: Vocabulary
) -> tuple[
    dict[FactKind, dict[Key, tuple[Meaning, ...]]], dict[FactKind, dict[str, dict[str, tuple[Meaning, ...]]]]
]:
    exact: dict[FactKind, dict[Key, set[Meaning]]] = defaultdict(lambda: defaultdict(set))
    prefixes: dict[FactKind, dict[str, dict[str, set[Meaning]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(set))
    )
    for kind, key, meaning in code_tables.said_by_codes(_targets(maps), histories, vocabulary):
        for spelt in code_tables.spellings(key):
            exact[kind][spelt].add(meaning)
    for concept in vocabulary.concepts.values():
        value_set = vocabulary.value_sets.get(concept.value_set or "")
        for system, prefix in value_set.prefixes if value_set is not None else ():
            prefixes[concept.kind][system][undotted(prefix)].add(Meaning(concept.id, certain=True))
    return (
        {kind: {key: _sorted(found) for key, found in by_key.items()} for kind, by_key in exact.items()},
        {
            kind: {
                system: {prefix: _sorted(found) for prefix, found in by_prefix.items()}
                for system, by_prefix in by_system.items()
            }
            for kind, by_system in prefixes.items()
        },
    )


def _targets(maps: list[rows.ConceptMap]) -> Iterator[tuple[Key, rows.Target]]:
    for row in maps:
        for group in row.group:
            if group.target == CONCEPT_SYSTEM:
                for element in group.element:
                    for target in element.target:
                        yield (group.source, element.code), target


def _sorted(found: set[Meaning]) -> tuple[Meaning, ...]:
    return tuple(sorted(found))


def _products(maps: list[rows.ConceptMap]) -> dict[Key, tuple[Key, ...]]:
    return {
        (group.source, element.code): tuple(
            (group.target, target.code) for target in element.target if target.code is not None
        )
        for row in maps
        for group in row.group
        if group.target == RXNORM
        for element in group.element
    }


def _units(found: list[rows.UnitsOf]) -> dict[tuple[str, str], Conversion]:
    return {
        (units.concept, spelling): Conversion(
            factor=row.factor,
            divisor=row.divisor,
            offset=row.offset,
            decimals=row.decimals,
            assumes=row.assumes,
            except_codes=frozenset((code.system, code.code) for code in row.except_codes),
        )
        for units in found
        for row in units.conversions
        for spelling in row.from_
    }


def _questions(found: list[rows.Answers]) -> dict[Key, Question]:
    def answer(option: rows.Option) -> Answer:
        return Answer(option.means, option.max_age.days if option.max_age else None)

    return {
        (row.question.system, row.question.code): Question(
            concept=row.concept,
            codes={(o.system, o.code): answer(o) for o in row.options if o.system and o.code},
            texts={plain(o.text): answer(o) for o in row.options if o.text},
        )
        for row in found
    }


def _denial(row: rows.Absence) -> Denial:
    return Denial(row.concepts, frozenset(row.denies))


def _refutations(found: list[rows.Refutation]) -> dict[Key, frozenset[str]]:
    refuted: dict[Key, set[str]] = defaultdict(set)
    for row in found:
        for code in row.codes:
            refuted[code.system, code.code].add(row.concept)
    return {key: frozenset(concepts) for key, concepts in refuted.items()}


def _family_codes(row: rows.FamilyHistory, vocabulary: Vocabulary) -> FamilyCodes:
    value_set = vocabulary.value_sets.get(row.conditions)
    return FamilyCodes(
        codes=value_set.codes if value_set else frozenset(),
        prefixes=frozenset((s, undotted(p)) for s, p in value_set.prefixes) if value_set else frozenset(),
        texts=frozenset(plain(text) for text in row.texts),
    )
