"""Genomic Observations to gene findings: what a person may act on, and why the rest is not acted on.

Genomics Reporting STU3 (http://hl7.org/fhir/uv/genomics-reporting/STU3/): a variant (LOINC 69548-6) names gene
and source, a diagnostic implication (or 53037-8, on the variant or by itself) its significance; a therapeutic
implication or an Observation of the gene's phenotype tells how an enzyme works. The pieces come as resources of
their own, in any order, so that all are collected before any is judged.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Coding, Fact

from .conditions import note_entered_in_error
from .context import Context
from .dates import latest
from .genes import Genes
from .systems import LOINC
from .understanding import note_not_used
from .variants import Piece, Variants
from .wire_care import GenomicObservation

_DECODER = msgspec.json.Decoder(GenomicObservation)
_FINAL = {"final", "amended", "corrected"}
_OPEN = {"registered", "preliminary", "cancelled", "unknown"}

VARIANT, SIGNIFICANCE, OVERALL = "69548-6", "53037-8", "51968-6"
_GENOTYPES = {"84413-4", "84414-2"}
_DIAGNOSTIC, _THERAPEUTIC = "diagnostic-implication", "therapeutic-implication"
_OTHER_IMPLICATIONS = {"molecular-consequence", "sequence-phase-relationship"}

_CODES = {VARIANT, SIGNIFICANCE, OVERALL, *_GENOTYPES}
_LOCAL_CODES = {_DIAGNOSTIC, _THERAPEUTIC, *_OTHER_IMPLICATIONS}
_REPORTING = "http://hl7.org/fhir/uv/genomics-reporting/"
_NEGATIVE = "LA6577-6"


def is_genomic(context: Context, coding: Coding) -> bool:
    """Whether an Observation with this code is one of this module's."""
    system, code = context.key(coding)
    return (
        (system == LOINC and code in _CODES)
        or (code in _LOCAL_CODES and system.startswith(_REPORTING))
        or (system, code) in context.mappings.care.phenotype_genes
    )


class _Phenotype(NamedTuple):
    concept: str
    answer: Coding
    piece: Piece


class Genomics:
    """The genomic Observations of one record. `read` is called for each, `settle` once after the last."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._genes = Genes(context)
        self._pieces: list[Piece] = []

    def read(self, resource: Resource) -> tuple[Fact, ...]:
        """Takes one Observation in; only a final one about the patient counts. Facts come from `settle`."""
        self._take(resource)
        return ()

    def _take(self, resource: Resource) -> None:
        context = self._context
        seen = context.decode(resource, _DECODER)
        if seen is None or not context.is_about_patient(resource, seen.subject):
            return
        if seen.status == "entered-in-error":
            note_entered_in_error(context, resource)
            return
        if seen.status not in _FINAL:
            note_not_used(context, resource, seen.status, _OPEN)
            return
        if seen.focus:
            self._note(
                resource,
                "subject.focus",
                "An Observation is about something other than the patient (a relative), so it was not used.",
                "focus",
            )
            return
        on, future = context.dated(
            resource, "effective", seen.effective_date_time, *latest(seen.effective_period)
        )
        if not future:
            self._pieces.append(Piece.of(context, resource, seen, on))

    def settle(self) -> Iterator[Fact]:
        """The findings of all that was read, the same in whichever order it came."""
        pieces = sorted(self._pieces, key=lambda piece: piece.resource.reference)
        variants = Variants(self._context, self._genes, {piece.resource.reference: piece for piece in pieces})
        phenotypes: list[_Phenotype] = []
        negatives: list[Fact] = []
        for piece in pieces:
            if piece.has(_DIAGNOSTIC) or piece.has(SIGNIFICANCE):
                variants.classify(piece)
            elif piece.has(VARIANT):
                variants.add(piece)
            elif piece.has(_THERAPEUTIC):
                phenotypes += self._implied(variants, piece)
            elif piece.has(OVERALL):
                negatives += self._negative(piece)
            elif gene := self._phenotype_gene(piece):
                phenotypes += self._phenotype(piece, gene, piece.value)
            else:
                self._note(
                    piece.resource,
                    "gene.not-used",
                    "A genotype, haplotype or consequence of a variant is no finding by itself.",
                    "code",
                )
        findings = list(variants.findings())
        self._note_disputed(pieces, findings, negatives)
        yield from (*findings, *negatives)
        yield from self._phenotypes(phenotypes)

    def _note_disputed(self, pieces: list[Piece], findings: list[Fact], negatives: list[Fact]) -> None:
        """A finding and a negative result of one gene: the finding stands, and both are told."""
        both = {fact.concept for fact in findings} & {fact.concept for fact in negatives}
        about = {fact.evidence.reference for fact in (*findings, *negatives) if fact.concept in both}
        for piece in pieces:
            if piece.resource.reference in about:
                self._note(
                    piece.resource,
                    "gene.conflict",
                    "One result tells a pathogenic variant of a gene and another tells none: the finding stands.",
                    "value",
                    severity="warning",
                )

    def _phenotype_gene(self, piece: Piece) -> str | None:
        genes = self._context.mappings.care.phenotype_genes
        return next((genes[key] for key in piece.keys if key in genes), None)

    def _implied(self, variants: Variants, piece: Piece) -> Iterator[_Phenotype]:
        answer = piece.parts.get(_THERAPEUTIC, ())
        if not any(self._context.key(coding) in self._context.mappings.care.phenotypes for coding in answer):
            self._note(
                piece.resource,
                "gene.implication",
                "A therapeutic implication tells no metaboliser phenotype or function, so it was not used.",
                "component",
            )
            return
        gene = variants.gene_of(piece)
        if gene is not None:
            yield from self._phenotype(piece, gene, answer)

    def _phenotype(self, piece: Piece, gene: str, answers: tuple[Coding, ...]) -> Iterator[_Phenotype]:
        known = [
            coding for coding in answers if self._context.key(coding) in self._context.mappings.care.phenotypes
        ]
        concepts = self._genes.concepts("stage", gene)
        if len({self._context.key(coding) for coding in known}) != 1 or not concepts:
            self._note(
                piece.resource,
                "gene.phenotype",
                "How an enzyme works is told in no code that is known, or its gene is of no concept: it is "
                "unknown, not normal.",
                "value",
                severity="warning",
            )
            return
        for concept in concepts:
            yield _Phenotype(concept, known[0], piece)

    def _phenotypes(self, found: list[_Phenotype]) -> Iterator[Fact]:
        """A phenotype is for life: two that disagree make it unknown, whichever is newer."""
        for concept in sorted({one.concept for one in found}):
            told = [one for one in found if one.concept == concept]
            agree = len({self._context.key(one.answer) for one in told}) == 1
            for one in told:
                if not agree:
                    self._note(
                        one.piece.resource,
                        "gene.phenotype-conflict",
                        f"Two Observations disagree on '{concept}': it counts as unknown.",
                        "value",
                        severity="warning",
                    )
                fact = one.piece.fact(self._context, concept, "present" if agree else "unknown")
                yield msgspec.structs.replace(fact, answer=one.answer if agree else None)

    def _negative(self, piece: Piece) -> Iterator[Fact]:
        """An overall negative is an absence for the genes it names; a positive names no class: it is nothing."""
        genes = self._genes.of(piece.resource, piece.parts.get("48018-6", ()), several=True)
        if any(coding.code == _NEGATIVE for coding in piece.value) and genes:
            for gene in genes:
                for concept in self._genes.alone("gene-finding", gene):
                    yield piece.fact(self._context, concept, "absent")
            return
        self._note(
            piece.resource,
            "gene.overall",
            "An overall interpretation is not negative, or names no gene: what counts is the class of a variant.",
            "value",
        )

    def _note(
        self, resource: Resource, key: str, detail: str, element: str, *, severity: str = "information"
    ) -> None:
        self._context.note(
            resource,
            key,
            detail,
            severity="warning" if severity == "warning" else "information",
            code="incomplete" if severity == "warning" else "informational",
            expression=f"Observation.{element}",
            mend="Ask the laboratory for the coded result." if severity == "warning" else None,
        )
