"""Which gene a component names: HGNC id and symbol must agree, or nobody acts on it."""

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Coding, FactKind

from .context import Context
from .understanding import of_code

HGNC = "http://www.genenames.org"
_SYSTEMS = (
    HGNC,
    "http://www.genenames.org/geneId",
    "https://www.genenames.org",
    "urn:oid:2.16.840.1.113883.6.281",
)


class Genes:
    """Looks genes up in `mappings/genes`, by id or symbol."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def concepts(self, kind: FactKind, gene: str) -> tuple[str, ...]:
        """The concepts of this kind that the HGNC id stands for."""
        return of_code(self._context, kind, HGNC, gene)

    def alone(self, kind: FactKind, gene: str) -> tuple[str, ...]:
        """The concepts of this kind that stand for this gene and for no other of `mappings/genes`: a result that
        denies one gene says nothing of a group."""
        others = {
            concept
            for other in self._context.mappings.care.symbols
            if other != gene
            for concept in self.concepts(kind, other)
        }
        return tuple(concept for concept in self.concepts(kind, gene) if concept not in others)

    def of(
        self, resource: Resource, codings: tuple[Coding, ...], *, several: bool = False
    ) -> tuple[str, ...] | None:
        """The HGNC ids that the codings name, perhaps none. None, with an issue, where an id and its symbol
        disagree or, unless `several` may stand there, where they name different genes."""
        found: dict[str, None] = {}
        for coding in codings:
            named = self._ids(coding)
            if len(named) > 1:
                self.note_mismatch(resource)
                return None
            found.update(dict.fromkeys(named))
        if len(found) > 1 and not several:
            self.note_mismatch(resource)
            return None
        return tuple(found)

    def _ids(self, coding: Coding) -> set[str]:
        """The ids by the code and by the display, one where they agree."""
        if coding.system is not None and coding.system not in _SYSTEMS:
            return set()
        care = self._context.mappings.care
        code = (coding.code or "").strip()
        id_ = code if code.upper().startswith("HGNC:") else f"HGNC:{code}" if code.isdigit() else None
        symbol = (coding.display or "").strip() if id_ is not None else code
        named = {id_.upper()} if id_ is not None else set()
        if id_ is not None and symbol and care.symbols.get(id_.upper()) == symbol:
            return named
        if symbol in care.gene_ids:
            named.add(care.gene_ids[symbol])
        elif id_ is not None and symbol and id_.upper() in care.symbols:
            named.add(f"symbol:{symbol}")  # an id of ours under another name
        return named

    def note_mismatch(self, resource: Resource) -> None:
        """At the result, and at what was said of it."""
        self._context.note(
            resource,
            "gene.mismatch",
            "The id and the symbol of a gene do not belong together: nothing is done about this result.",
            severity="error",
            code="conflict",
            expression="Observation.component",
            mend="Ask the laboratory which gene it is, and correct the result.",
        )
