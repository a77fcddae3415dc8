"""What the readers around the clinical findings look things up in: questionnaires, genes, consent, origins."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from careplan_exchange.model.snapshot import Origin

from .rows_care import ConsentScope, Questionnaire, TumorVariant

Significant = Literal["actionable", "uncertain", "benign"]

_Key = tuple[str, str]
"""(code system, code), as `tables.Key`."""


class CareTables(msgspec.Struct, frozen=True, kw_only=True):
    """`items` leads from the code of a question to its instruments; `symbols` and `gene_ids` are one table in
    both directions; `tumor_variants` are by HGNC id; `told` are the questions whose being answered is the
    fact."""

    questionnaires: tuple[Questionnaire, ...] = ()
    totals: Mapping[_Key, Questionnaire] = msgspec.field(default_factory=dict)
    items: Mapping[_Key, tuple[Questionnaire, ...]] = msgspec.field(default_factory=dict)
    symbols: Mapping[str, str] = msgspec.field(default_factory=dict)
    gene_ids: Mapping[str, str] = msgspec.field(default_factory=dict)
    phenotype_genes: Mapping[_Key, str] = msgspec.field(default_factory=dict)
    tumor_variants: Mapping[str, tuple[TumorVariant, ...]] = msgspec.field(default_factory=dict)
    significances: Mapping[_Key, Significant] = msgspec.field(default_factory=dict)
    phenotypes: frozenset[_Key] = frozenset()
    consents: Mapping[_Key, ConsentScope] = msgspec.field(default_factory=dict)
    told: Mapping[_Key, str] = msgspec.field(default_factory=dict)
    refusals: Mapping[_Key, str] = msgspec.field(default_factory=dict)
    origin_codes: Mapping[_Key, Origin] = msgspec.field(default_factory=dict)
    origin_texts: Mapping[str, Origin] = msgspec.field(default_factory=dict)
