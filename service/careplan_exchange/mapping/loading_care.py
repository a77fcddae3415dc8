"""The rows of `rows_care` to the tables of `tables_care`, and what can be wrong with them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.snapshot import FactKind
from careplan_exchange.model.vocabulary import Vocabulary

from .rows_care import (
    ConsentScope,
    Gene,
    OriginRow,
    Phenotype,
    Questionnaire,
    Refusal,
    Significance,
    Told,
    TumorVariant,
)
from .tables import Key, plain
from .tables_care import CareTables
from .valuesets import Path, code_findings

Found = Mapping[str, list[tuple[Document, Path, Any]]]


def care_tables(found: Found) -> CareTables:
    """The tables of every row that has the right shape."""

    def all_of(key: str) -> list[Any]:
        return [row for _, _, row in found.get(key, [])]

    questionnaires: list[Questionnaire] = all_of("questionnaires")
    genes: list[Gene] = all_of("genes")
    origins: list[OriginRow] = all_of("origins")
    items: dict[Key, tuple[Questionnaire, ...]] = {}
    for questionnaire in questionnaires:
        for item in questionnaire.items:
            items[item.system, item.code] = (*items.get((item.system, item.code), ()), questionnaire)
    tumor_variants: dict[str, tuple[TumorVariant, ...]] = {}
    for row in all_of("tumorVariants"):
        tumor_variants[row.gene] = (*tumor_variants.get(row.gene, ()), row)
    phenotypes: list[Phenotype] = all_of("phenotypes")
    significances: list[Significance] = all_of("significances")
    consents: list[ConsentScope] = all_of("consents")
    told: list[Told] = all_of("told")
    refusals: list[Refusal] = all_of("refusals")
    return CareTables(
        questionnaires=tuple(questionnaires),
        totals={(one.total.system, one.total.code): one for one in questionnaires},
        items=items,
        symbols={gene.id: gene.symbol for gene in genes},
        gene_ids={gene.symbol: gene.id for gene in genes},
        phenotype_genes={
            (gene.phenotype.system, gene.phenotype.code): gene.id for gene in genes if gene.phenotype is not None
        },
        tumor_variants=tumor_variants,
        significances={(one.system, one.code): one.means for one in significances},
        phenotypes=frozenset((one.system, one.code) for one in phenotypes),
        consents={(one.system, one.code): one for one in consents},
        told={(one.question.system, one.question.code): one.concept for one in told},
        refusals={(one.system, one.code): one.concept for one in refusals},
        origin_codes={(code.system, code.code): row.origin for row in origins for code in row.codes},
        origin_texts={plain(text): row.origin for row in origins for text in row.texts},
    )


def care_findings(found: Found, vocabulary: Vocabulary) -> Iterator[Finding]:
    """What is wrong with the rows, beyond their shape."""
    for document, path, row in found.get("questionnaires", []):
        yield from _questionnaire(document, path, row, vocabulary)
    for key, named, kinds in _REFERENCES:
        for document, path, row in found.get(key, []):
            for field, concept in named(row):
                yield from _concept(document, (*path, field), concept, kinds, vocabulary)
    for key, codes in _CODED:
        for document, path, row in found.get(key, []):
            for code in codes(row):
                yield from code_findings(document, path, *code, dict(vocabulary.value_sets))
        yield from _no_two(found.get(key, []), codes)
    yield from _no_two(found.get("genes", []), lambda row: [("", row.id), ("", row.symbol)])
    genes = {row.id for _, _, row in found.get("genes", [])}
    for document, path, row in found.get("tumorVariants", []):
        if row.gene not in genes:
            yield document.finding(
                f"'{row.gene}' is no gene of mappings/genes.", "Add it there with its symbol.", *path, "gene"
            )


def _no_two(rows: list[tuple[Document, Path, Any]], names: Callable[[Any], list[Key]]) -> Iterator[Finding]:
    seen: Counter[Key] = Counter()
    for document, path, row in rows:
        for name in names(row):
            seen[name] += 1
            if seen[name] == 2:
                yield document.finding(f"'{name[1]}' stands twice.", "Remove one.", *path)


def _questionnaire(
    document: Document, path: Path, row: Questionnaire, vocabulary: Vocabulary
) -> Iterator[Finding]:
    for field, concept in [("concept", row.concept)] + [
        ("items", item.concept) for item in row.items if item.concept is not None
    ]:
        yield from _concept(document, (*path, field), concept, {"measurement"}, vocabulary)
    for system, code in (
        (row.total.system, row.total.code),
        *((item.system, item.code) for item in row.items),
        *((score.system, score.code) for score in row.scores),
    ):
        yield from code_findings(document, path, system, code, dict(vocabulary.value_sets))
    for what, codes in (("item", row.items), ("score", row.scores)):
        counted = Counter((one.system, one.code) for one in codes)
        for (_, code), count in sorted(counted.items()):
            if count > 1:
                yield document.finding(f"The {what} '{code}' stands twice.", "Remove one.", *path)


def _concept(
    document: Document, path: Path, concept: str, kinds: set[FactKind], vocabulary: Vocabulary
) -> Iterator[Finding]:
    known = vocabulary.concepts.get(concept)
    if known is None:
        yield document.finding(f"'{concept}' is no concept.", "Use an id of profiles/concepts.", *path)
    elif known.kind not in kinds:
        yield document.finding(
            f"'{concept}' is a {known.kind}, and this mapping yields {' or '.join(sorted(kinds))}.",
            "Name a concept of that kind.",
            *path,
        )


def _consent_concepts(row: ConsentScope) -> list[tuple[str, str]]:
    both = (("denied", row.denied), ("recorded", row.recorded))
    return [(field, concept) for field, concept in both if concept is not None]


_REFERENCES: tuple[tuple[str, Callable[[Any], list[tuple[str, str]]], set[FactKind]], ...] = (
    ("told", lambda row: [("concept", row.concept)], {"circumstance"}),
    ("refusals", lambda row: [("concept", row.concept)], {"circumstance"}),
    ("consents", _consent_concepts, {"circumstance"}),
    ("tumorVariants", lambda row: [("concept", row.concept)], {"circumstance"}),
)
_CODED: tuple[tuple[str, Callable[[Any], list[Key]]], ...] = (
    ("genes", lambda row: [(row.phenotype.system, row.phenotype.code)] if row.phenotype else []),
    ("significances", lambda row: [(row.system, row.code)]),
    ("phenotypes", lambda row: [(row.system, row.code)]),
    ("consents", lambda row: [(row.system, row.code)]),
    ("refusals", lambda row: [(row.system, row.code)]),
    ("told", lambda row: [(row.question.system, row.question.code)]),
    ("origins", lambda row: [(code.system, code.code) for code in row.codes]),
)
