"""Variants and their classes to findings: actionable only if (likely) pathogenic, germline, and undisputed.
What is somatic says something of a tumour alone (`Variants._of_tumor`)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Coding, Evidence, Fact, FactState

from .context import Context
from .genes import Genes
from .references import held
from .tables import Key
from .wire_care import GenomicObservation

GENE, SOURCE, SIGNIFICANCE = "48018-6", "48002-0", "53037-8"
_PROTEIN, _CODING = "48005-3", "48004-6"
_NAMES = ("81252-9", "48004-6", "81290-9")  # what tells one variant from another: its name, c. and g. HGVS
_PRESENT, _ABSENT = "LA9633-4", "LA9634-2"
_GERMLINE, _SOMATIC = "LA6683-2", "LA6684-0"


class Piece(NamedTuple):
    """One genomic Observation, its components by code."""

    resource: Resource
    on: str | None
    keys: tuple[Key, ...]
    value: tuple[Coding, ...]
    parts: Mapping[str, tuple[Coding, ...]]
    derived: tuple[str, ...]

    @classmethod
    def of(cls, context: Context, resource: Resource, seen: GenomicObservation, on: str | None) -> "Piece":
        parts: dict[str, tuple[Coding, ...]] = defaultdict(tuple)
        for component in seen.component:
            value = component.value_codeable_concept
            codings = value.coding if value is not None else ()
            for coding in component.code.coding if component.code is not None else ():
                parts[context.key(coding)[1]] += codings
        return cls(
            resource=resource,
            on=on,
            keys=tuple(context.key(coding) for coding in (seen.code.coding if seen.code is not None else ())),
            value=seen.value_codeable_concept.coding if seen.value_codeable_concept is not None else (),
            parts=parts,
            derived=tuple(reference.reference or "" for reference in seen.derived_from),
        )

    def has(self, code: str) -> bool:
        return any(code == known for _, known in self.keys)

    @property
    def evidence(self) -> Evidence:
        return Evidence(reference=self.resource.reference, version_id=self.resource.version_id, date=self.on)

    def fact(self, context: Context, concept: str, state: FactState) -> Fact:
        coding = next((Coding(system=system, code=code) for system, code in self.keys), None)
        return context.fact(self.resource, context.concepts[concept], coding, self.on, state=state)


class Claim(NamedTuple):
    """One Observation's class of one variant."""

    means: str
    significance: Coding
    piece: Piece
    variant: Piece | None


class Variants:
    """The variants of one record and their classes. `add` and `classify` take them in, `findings` judges."""

    def __init__(self, context: Context, genes: Genes, pieces: Mapping[str, Piece]) -> None:
        """`pieces` are all genomic Observations, by reference."""
        self._context = context
        self._genes = genes
        self._pieces = pieces
        self._claims: dict[tuple[str, str], list[Claim]] = defaultdict(list)
        self._variants: list[Piece] = []
        self._classified: set[str] = set()

    def add(self, piece: Piece) -> None:
        """A variant; one that tells its own significance is classified by it."""
        self._variants.append(piece)
        if piece.parts.get(SIGNIFICANCE):
            self._claim(piece, piece)

    def classify(self, piece: Piece) -> None:
        """An implication: of each variant that it is derived from, else by the gene that it names itself."""
        variants = [found for reference in piece.derived if (found := self._held(reference)) is not None]
        if len(variants) < len(piece.derived):
            self._note(
                piece,
                "gene.variant-missing",
                "A significance is told of a variant that the record does not hold: nothing is done about it.",
                warning=True,
            )
            return
        for variant in variants:
            self._claim(piece, variant)
        if not variants:
            self._claim(piece, None)

    def gene_of(self, piece: Piece) -> str | None:
        """The one gene of an implication: its own, or that of all it is derived from."""
        sources = [found for reference in piece.derived if (found := self._held(reference)) is not None]
        named = {
            gene
            for one in (piece, *sources)
            for gene in self._genes.of(one.resource, one.parts.get(GENE, ())) or ()
        }
        if len(named) == 1:
            return named.pop()
        self._note(
            piece, "gene.missing", "An implication does not lead to one gene, so it was not used.", warning=True
        )
        return None

    def findings(self) -> Iterator[Fact]:
        """The facts of every variant with a class, and an issue for every one that is not acted on."""
        for variant in self._variants:
            if variant.resource.reference not in self._classified:
                self._note(
                    variant, "gene.unclassified", "A variant has no coded significance, so it was not used."
                )
        for (gene, _), claims in sorted(self._claims.items(), key=lambda one: one[0]):
            yield from self._judge(gene, claims)

    def _claim(self, piece: Piece, variant: Piece | None) -> None:
        if variant is not None:
            self._classified.add(variant.resource.reference)
        told = piece.parts.get(SIGNIFICANCE) or (piece.value if piece.has(SIGNIFICANCE) else ())
        table = self._context.mappings.care.significances
        found = {table[key]: coding for coding in told if (key := self._context.key(coding)) in table}
        if len(found) != 1:
            self._note_both(
                piece,
                variant,
                "gene.significance",
                "A significance is told in no code that is known, or in several "
                "that disagree: nothing is done about it.",
                warning=True,
            )
            return
        about = variant or piece
        codings = (*about.parts.get(GENE, ()), *piece.parts.get(GENE, ()))
        genes = self._genes.of(about.resource, codings)
        if genes is None:
            self._genes.note_mismatch(piece.resource)
            return
        if not genes:
            detail = "A variant names no gene by HGNC id or symbol, so it was not used."
            self._note_both(piece, variant, "gene.missing", detail, warning=True)
            return
        ((means, coding),) = found.items()
        self._claims[genes[0], self._identity(about)].append(Claim(means, coding, piece, variant))

    def _judge(self, gene: str, claims: list[Claim]) -> Iterator[Fact]:
        means = {claim.means for claim in claims}
        concepts = self._genes.concepts("gene-finding", gene)
        for claim in claims:
            about = claim.variant or claim.piece
            if claim.means != "actionable" and "actionable" not in means:
                self._note_both(
                    claim.piece,
                    claim.variant,
                    f"gene.{claim.means}",
                    "A variant is of uncertain significance or benign: it is never acted on.",
                )
                continue
            source = {coding.code for coding in about.parts.get(SOURCE, ())}
            if _SOMATIC in source:
                yield from self._of_tumor(gene, claim, means, source)
                continue
            if not concepts:
                self._note_both(
                    claim.piece,
                    claim.variant,
                    "gene.unknown",
                    "A gene is of no concept of profiles/, so its variant was not used.",
                )
                continue
            presence = (
                {coding.code for coding in claim.variant.value} if claim.variant is not None else {_PRESENT}
            )
            if _ABSENT in presence:
                self._note_both(
                    claim.piece,
                    claim.variant,
                    "gene.not-found",
                    "A variant was looked for and not found: that rules out no other.",
                )
                continue
            state: FactState = "present"
            if len(means) > 1:
                state = "unknown"
                self._note_both(
                    claim.piece,
                    claim.variant,
                    "gene.conflict",
                    "Observations disagree on the significance of one variant: "
                    "it counts as unknown, and nothing is done about it.",
                    warning=True,
                )
            elif source != {_GERMLINE} or _PRESENT not in presence:
                state = "unknown"
                self._note_both(
                    claim.piece,
                    claim.variant,
                    "gene.source-missing",
                    "A pathogenic variant is not said to be present and germline: it counts as unknown.",
                    warning=True,
                )
            for concept in concepts:
                fact = claim.piece.fact(self._context, concept, state)
                inputs = (claim.variant.evidence,) if claim.variant not in (None, claim.piece) else ()
                yield msgspec.structs.replace(fact, answer=claim.significance, inputs=inputs)

    def _of_tumor(self, gene: str, claim: Claim, means: set[str], source: set[str | None]) -> Iterator[Fact]:
        """What a somatic variant says of the tumour, never of the patient's germline: a marker of
        `tumorVariants` if it is said to be present, somatic alone, and pathogenic without dispute."""
        about = claim.variant or claim.piece
        told = {
            (coding.code or "").rpartition(":")[2]
            for part in (_PROTEIN, _CODING)
            for coding in about.parts.get(part, ())
        }
        rows = [
            row
            for row in self._context.mappings.care.tumor_variants.get(gene, ())
            if not row.changes or told & set(row.changes)
        ]
        presence = {coding.code for coding in claim.variant.value} if claim.variant is not None else {_PRESENT}
        if not rows or source != {_SOMATIC} or means != {"actionable"} or presence != {_PRESENT}:
            self._note_both(
                claim.piece,
                claim.variant,
                "gene.somatic",
                "A somatic variant is no germline finding, and of no marker of a tumour that is known, or not "
                "said to be present, somatic alone and undisputed: it was not used.",
            )
            return
        for row in rows:
            fact = claim.piece.fact(self._context, row.concept, "present")
            inputs = (claim.variant.evidence,) if claim.variant not in (None, claim.piece) else ()
            yield msgspec.structs.replace(fact, answer=claim.significance, inputs=inputs)

    def _note_both(
        self, piece: Piece, variant: Piece | None, key: str, detail: str, *, warning: bool = False
    ) -> None:
        """At the Observation that tells the class, and at the variant it is told of."""
        for one in {found.resource.reference: found for found in (piece, variant) if found is not None}.values():
            self._note(one, key, detail, warning=warning)

    def _identity(self, variant: Piece) -> str:
        """What tells this variant from another of the gene: its names, else the resource."""
        for code in _NAMES:
            for coding in variant.parts.get(code, ()):
                if coding.code:
                    return f"{code}|{coding.system or ''}|{coding.code}"
        return variant.resource.reference

    def _held(self, reference: str) -> Piece | None:
        known = held(reference, "Observation", self._pieces)
        return self._pieces[known] if known is not None else None

    def _note(self, piece: Piece, key: str, detail: str, *, warning: bool = False) -> None:
        self._context.note(
            piece.resource,
            key,
            detail,
            severity="warning" if warning else "information",
            code="incomplete" if warning else "informational",
            expression="Observation.component",
            mend="Ask the laboratory for the coded result." if warning else None,
        )
