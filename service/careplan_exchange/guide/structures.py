"""One StructureDefinition a concept (http://hl7.org/fhir/R4/structuredefinition.html), and an example of it."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from careplan_exchange.mapping.tables import CONCEPT_SYSTEM
from careplan_exchange.model.vocabulary import Concept, ValueSet

from .material import Material
from .shapes import UCUM, Shape, shape_of
from .snapshots import STRUCTURES, Element, base_elements, base_of, snapshot

PUBLISHER = "careplan-exchange"


def url_of(concept: Concept) -> str:
    return f"urn:careplan-exchange:StructureDefinition:{hyphened(concept)}"


def hyphened(concept: Concept) -> str:
    """The id as FHIR ids are spelt: no underscores."""
    return concept.id.replace("_", "-")


def shape_for(material: Material, concept: Concept) -> Shape:
    bound = material.bound(concept)
    return shape_of(concept.kind, frozenset(system for system, _ in bound.codes) if bound else frozenset())


def structure(material: Material, concept: Concept) -> dict[str, Any]:
    """The profile, with differential and snapshot."""
    shape = shape_for(material, concept)
    differential = _differential(material, concept, shape)
    name = "".join(part.capitalize() for part in concept.id.split("_"))
    return {
        "resourceType": "StructureDefinition",
        "id": f"careplan-{hyphened(concept)}",
        "url": url_of(concept),
        "version": material.version,
        "name": f"Careplan{name}",
        "title": concept.title,
        "status": "active",
        "experimental": False,
        "date": material.date,
        "publisher": PUBLISHER,
        "description": _description(material, concept),
        "fhirVersion": "4.0.1",
        "kind": "resource",
        "abstract": False,
        "type": shape.resource,
        "baseDefinition": f"{STRUCTURES}{shape.resource}",
        "derivation": "constraint",
        "snapshot": {"element": snapshot(shape.resource, differential)},
        "differential": {"element": differential},
    }


def _description(material: Material, concept: Concept) -> str:
    reasons = material.reasons[concept.id]
    said = [f"The form in which a fact of '{concept.id}' ({concept.kind}) is meant."]
    if concept.max_age_days is not None:
        said.append(f"It counts as current for {concept.max_age_days} days. {reasons.max_age}")
    said.append(f"Nothing recorded means {concept.when_absent}. {reasons.when_absent}")
    return " ".join(said)


def _differential(material: Material, concept: Concept, shape: Shape) -> list[Element]:
    """In the order of the base definition, as a differential must be."""
    rows: dict[str, Element] = {
        shape.resource: {"short": concept.title, "definition": _description(material, concept)}
    }
    for path in (*shape.required, shape.person):
        rows[f"{shape.resource}.{path}"] = {"min": 1, "mustSupport": True}
    rows[f"{shape.resource}.{shape.code}"] = {"min": 1, "mustSupport": True} | _coded(material, concept, shape)
    order = [row["path"] for row in base_elements(shape.resource)]
    if concept.kind == "measurement":
        rows |= dict(_measured(material, concept, f"{shape.resource}.value[x]"))
    placed = sorted(rows, key=lambda path: order.index(_within(path, order)))
    return [{"id": path, "path": path, **rows[path]} for path in placed]


def _within(path: str, order: list[str]) -> str:
    """The element of the resource itself that this path is, or goes into."""
    while path not in order:
        path = path.rpartition(".")[0]
    return path


def _coded(material: Material, concept: Concept, shape: Shape) -> Element:
    bound = material.bound(concept)
    choice = {"type": [{"code": "CodeableConcept"}]} if shape.code.endswith("[x]") else {}
    if bound is None:
        pattern = {"coding": [{"system": CONCEPT_SYSTEM, "code": concept.id}]}
        return {**choice, "patternCodeableConcept": pattern}
    return {**choice, "binding": {"strength": "required", "description": bound.title, "valueSet": bound.url}}


def _measured(material: Material, concept: Concept, value: str) -> Iterator[tuple[str, Element]]:
    low, high = concept.plausible or (None, None)
    bounds: Element = {}
    if low is not None and high is not None:
        reason = material.reasons[concept.id].plausible
        bounds = {"comment": reason, "minValueDecimal": low, "maxValueDecimal": high}
    yield value, {"min": 1, "mustSupport": True, "type": [{"code": "Quantity"}]}
    yield f"{value}.value", {"min": 1, "mustSupport": True, **bounds}
    yield f"{value}.system", {"min": 1, "mustSupport": True, "patternUri": UCUM}
    yield f"{value}.code", {"min": 1, "mustSupport": True, "patternCode": concept.unit}


def example(material: Material, concept: Concept) -> dict[str, Any]:
    """An instance that the profile accepts. Its values show the form and mean nothing."""
    shape = shape_for(material, concept)
    instance: dict[str, Any] = {
        "resourceType": shape.resource,
        "id": f"careplan-example-{hyphened(concept)}",
        "meta": {"profile": [url_of(concept)]},
    }
    instance |= {key: _copied(value) for key, value in shape.example.items()}
    _put(instance, shape, shape.code, _example_code(material, concept, shape))
    _put(instance, shape, shape.person, {"reference": "Patient/careplan-example"})
    if concept.kind == "measurement":
        instance["valueQuantity"] = {
            "value": _example_value(concept),
            "unit": concept.unit,
            "system": UCUM,
            "code": concept.unit,
        }
    return instance


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def _example_code(material: Material, concept: Concept, shape: Shape) -> Any:
    coding = _example_coding(material, concept, shape)
    kind = base_of(shape.resource, shape.code)["type"][0]["code"]
    match kind:
        case "code":
            return coding["code"]
        case "Coding":
            return coding
    return {"coding": [coding]}


def _example_coding(material: Material, concept: Concept, shape: Shape) -> dict[str, str]:
    bound: ValueSet | None = material.bound(concept)
    if bound is None:
        return {"system": CONCEPT_SYSTEM, "code": concept.id, "display": concept.title}
    includes = material.value_sets[bound.url]["compose"]["include"]
    include = next((found for found in includes if found["system"] in shape.systems), includes[0])
    listed = include.get("concept")
    return {"system": include["system"], "code": listed[0]["code"] if listed else include["filter"][0]["value"]}


def _example_value(concept: Concept) -> Decimal:
    """A quarter of the way through the plausible range, in two digits."""
    low, high = concept.plausible or (Decimal(0), Decimal(1))
    value = low + (high - low) / 4
    return Decimal(f"{value:.2g}" if abs(value) < 100 else f"{round(value, -1):.0f}")


def _put(instance: dict[str, Any], shape: Shape, path: str, value: Any) -> None:
    """Set the element at this path, opening what is on the way; a list where the element may repeat."""
    head, _, rest = path.partition(".")
    repeats = base_of(shape.resource, head)["max"] == "*"
    if rest:
        found = instance.setdefault(head, [{}] if repeats else {})
        (found[0] if repeats else found)[rest] = value
    else:
        instance[head.replace("[x]", "CodeableConcept")] = [value] if repeats else value
