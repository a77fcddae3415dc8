"""The shapes of the files in `mappings/` about questionnaires, genes, consent and the origin of a value."""

from typing import Literal

import msgspec

from careplan_exchange.model.snapshot import Origin

from .files import Text
from .rows import Code


class Score(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one coded answer adds to the total."""

    system: Text
    code: Text
    value: int
    display: str | None = None


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question, by the code that stands in the linkId. `concept` is filled by its own score."""

    system: Text
    code: Text
    display: str | None = None
    concept: Text | None = None


class Questionnaire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An instrument: its total, and how the total is made of the items where it is not given."""

    title: Text
    concept: Text
    total: Code
    items: tuple[Item, ...]
    scores: tuple[Score, ...]
    source: Text


class Gene(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A gene by its HGNC id and symbol: the two must agree in a record. ValueSets say which concept it is of.
    `phenotype` is the code of the Observation that tells how its enzyme works."""

    id: Text
    symbol: Text
    phenotype: Code | None = None


class TumorVariant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of a tumour's genes and the concept that it stands for. `changes` are what follows the reference
    sequence in HGVS ("p.Gly12Cys"), any of them; none: every variant of the gene that counts. Germline variants
    are never read by it, as somatic ones are never germline findings."""

    concept: Text
    gene: Text
    source: Text
    changes: tuple[Text, ...] = ()


class Significance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a coded clinical significance of a variant allows: only `actionable` ever counts as a finding."""

    system: Text
    code: Text
    means: Literal["actionable", "uncertain", "benign"]
    display: str | None = None


class Phenotype(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A coded pharmacogenomic phenotype that may stand as the answer of a `stage` concept."""

    system: Text
    code: Text
    display: str | None = None


class ConsentScope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What a Consent of this scope or category says: `denied` is present where it denies and absent where it
    permits; `recorded` is present whenever such a consent is active."""

    system: Text
    code: Text
    source: Text
    denied: Text | None = None
    recorded: Text | None = None
    display: str | None = None


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question whose answer is free text or any code: that it was answered is the fact."""

    question: Code
    concept: Text
    source: Text


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reason for which something was not done, and the circumstance that it stands for."""

    system: Text
    code: Text
    concept: Text
    source: Text
    display: str | None = None


class OriginRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a value is from, by a code or a whole text of meta.tag, meta.security, category, method or code."""

    origin: Origin
    source: Text
    codes: tuple[Code, ...] = ()
    texts: tuple[Text, ...] = ()


KINDS: dict[str, type[msgspec.Struct]] = {
    "questionnaires": Questionnaire,
    "genes": Gene,
    "tumorVariants": TumorVariant,
    "significances": Significance,
    "phenotypes": Phenotype,
    "consents": ConsentScope,
    "told": Told,
    "refusals": Refusal,
    "origins": OriginRow,
}
"""The kinds of element, each by its key at the top of a file."""
