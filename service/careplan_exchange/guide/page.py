"""docs/profiles.md: what each concept is, where it comes from and who asks for it."""

from collections.abc import Iterator
from typing import get_args

from careplan_exchange.model.snapshot import FactKind
from careplan_exchange.model.vocabulary import Concept, ValueSet

from .material import Material
from .structures import hyphened, shape_for, url_of

_TITLES: dict[FactKind, str] = {
    "measurement": "Measurements",
    "stage": "Stages",
    "condition": "Conditions",
    "status": "States of the person",
    "medication": "Medicines",
    "allergy": "Allergies and intolerances",
    "procedure": "Procedures",
    "immunization": "Immunizations",
    "device": "Devices",
    "family-history": "Family history",
    "gene-finding": "Gene findings",
    "order": "Orders",
    "visit": "Visits",
    "circumstance": "Circumstances",
}
_SYSTEMS = {
    "http://snomed.info/sct": "SNOMED CT",
    "http://loinc.org": "LOINC",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10-CM",
    "http://hl7.org/fhir/sid/icd-9-cm": "ICD-9-CM",
    "http://hl7.org/fhir/sid/cvx": "CVX",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://www.genenames.org": "HGNC",
}
_HEAD = """\
# Internal profiles

Made by `careplan knowledge describe > docs/profiles.md` from `profiles/`, `mappings/` and `protocols/`: edit
those, not this page. `careplan knowledge export --to DIR` writes the same as FHIR R4: a StructureDefinition with
differential and snapshot for each concept, an example of it, the ValueSets and ConceptMaps, and the
CapabilityStatement of what is asked of a server. `load.json` in that folder is a transaction that loads them into
a FHIR server. Includes SNOMED CT content of the Global Patient Set, (c) SNOMED International, CC BY 4.0, and
LOINC content, (c) Regenstrief Institute.
"""


def page(material: Material) -> str:
    """The page in Markdown: a table of all concepts, then each with its codes, and what is asked of a server."""
    return "\n".join([_HEAD, *_lines(material), *_needs(material)]) + "\n"


def _lines(material: Material) -> Iterator[str]:
    for kind in sorted(get_args(FactKind), key=list(_TITLES).index):
        found = [concept for concept in material.concepts if concept.kind == kind]
        if not found:
            continue
        yield f"## {_TITLES[kind]}\n"
        yield "| variable | what | unit | counts for | silence means | asked for by |"
        yield "|---|---|---|---|---|---|"
        for concept in found:
            yield _row(material, concept)
        yield ""
        for concept in found:
            yield from _concept(material, concept)


def _row(material: Material, concept: Concept) -> str:
    days = "" if concept.max_age_days is None else f"{concept.max_age_days} days"
    cells = (
        f"[`%{concept.id}`](#{hyphened(concept)})",
        concept.title,
        f"`{concept.unit}`" if concept.unit else "",
        days,
        concept.when_absent,
        ", ".join(material.protocols.get(concept.id, ())),
    )
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _concept(material: Material, concept: Concept) -> Iterator[str]:
    reasons = material.reasons[concept.id]
    shape = shape_for(material, concept)
    yield f'### <a id="{hyphened(concept)}"></a>{concept.title}\n'
    yield f"- Variable `%{concept.id}`; profile `{url_of(concept)}` on {shape.resource}, code in `{shape.code}`"
    if concept.plausible is not None:
        low, high = concept.plausible
        yield f"- Plausible from {low} to {high} {concept.unit}. {reasons.plausible}"
    if concept.max_age_days is not None:
        yield f"- Counts as current for {concept.max_age_days} days. {reasons.max_age}"
    yield f"- Nothing recorded means {concept.when_absent}. {reasons.when_absent}"
    bound = material.bound(concept)
    if bound is None:
        yield "- No code means it."
    else:
        yield from _codes(material, bound)
    for label, values in (
        ("Derived by", material.derived.get(concept.id, ())),
        ("Also from", tuple(f"`{file}`" for file in material.mapped.get(concept.id, ()))),
        ("Asked for by", material.protocols.get(concept.id, ())),
    ):
        if values:
            yield f"- {label}: {', '.join(values)}"
    yield ""


def _codes(material: Material, bound: ValueSet) -> Iterator[str]:
    yield f"- ValueSet `{bound.url}`"
    for include in material.value_sets[bound.url]["compose"]["include"]:
        codes = [f"{row['code']} {row.get('display', '')}".strip() for row in include.get("concept", ())]
        codes += [f"{row['value']} and below" for row in include.get("filter", ())]
        yield f"  - {_SYSTEMS.get(include['system'], include['system'])}: {'; '.join(codes)}"


def _needs(material: Material) -> Iterator[str]:
    yield "## What is asked of a server\n"
    yield "`urn:careplan-exchange:CapabilityStatement:server`. Without what is needed nothing is planned.\n"
    yield "| resource type | search parameters | |"
    yield "|---|---|---|"
    for need in material.needs:
        yield f"| {need.type} | {', '.join(need.parameters)} | {'needed' if need.required else ''} |"
