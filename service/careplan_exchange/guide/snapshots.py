"""From a differential to the snapshot: every element of the type, with what the profile changes.

What the base definition says of each element is data (base/R4.json). Its texts are not repeated: a definition
points to the page of the specification (http://hl7.org/fhir/R4/profiling.html#snapshot).
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from careplan_exchange.model.codec import decode

Element = dict[str, Any]

STRUCTURES = "http://hl7.org/fhir/StructureDefinition/"
_REFERRING = ("profile", "targetProfile")
_MODIFIES = "What it says changes how the rest of the resource is to be read."


@cache
def _facts() -> Any:
    return decode((Path(__file__).parent / "base" / "R4.json").read_bytes())


def base_elements(resource: str) -> list[Element]:
    """The rows of base/R4.json for this type. Raises KeyError for a type that is not there."""
    rows: list[Element] = _facts()["elements"][resource]
    return rows


def base_of(resource: str, path: str) -> Element:
    """The row of one element, by its path below the type."""
    return next(row for row in base_elements(resource) if row["path"] == f"{resource}.{path}")


def snapshot(resource: str, differential: Sequence[Element]) -> list[Element]:
    """Every element of the type in its order, the children of a data type that the differential goes into too."""
    changes = {element["path"]: element for element in differential}
    return [_changed(element, changes.get(element["path"], {})) for element in _opened(resource, changes)]


def _opened(resource: str, changes: Mapping[str, Element]) -> Iterator[Element]:
    for row in base_elements(resource):
        yield _element(row, row["path"])
        inside = any(path.startswith(f"{row['path']}.") for path in changes)
        types = changes.get(row["path"], row).get("type", ())
        if inside and len(types) == 1 and types[0]["code"] in _facts()["elements"]:
            kind = types[0]["code"]
            for inner in base_elements(kind)[1:]:
                yield _element(inner, row["path"] + inner["path"].removeprefix(kind))


def _element(row: Element, path: str) -> Element:
    """One ElementDefinition from its row of facts."""
    page = f"http://hl7.org/fhir/R4/{row['path'].partition('.')[0].lower()}-definitions.html#{row['path']}"
    element: Element = {
        "id": path,
        "path": path,
        "short": row["path"],
        "definition": f"As FHIR R4 defines it: {page}",
        "min": row["min"],
        "max": row["max"],
        "base": {"path": row.get("base", row["path"]), "min": row["min"], "max": row["max"]},
    }
    if "contentReference" in row:
        element["contentReference"] = row["contentReference"]
    if "type" in row:
        element["type"] = [_type(found) for found in row["type"]]
    if "condition" in row:
        element["condition"] = row["condition"]
    if constraints := [_constraint(key) for key in row.get("constraint", ("ele-1",))]:
        element["constraint"] = constraints
    element["isModifier"] = bool(row.get("isModifier"))
    if row.get("isModifier"):
        element["isModifierReason"] = _MODIFIES
    element["isSummary"] = bool(row.get("isSummary"))
    if "binding" in row:
        strength, *value_set = row["binding"]
        element["binding"] = {"strength": strength, **({"valueSet": value_set[0]} if value_set else {})}
    return element


def _type(found: Element) -> Element:
    element: Element = {key: [f"{STRUCTURES}{name}" for name in found[key]] for key in _REFERRING if key in found}
    if "spelt" in found:  # an id or the like is a string of FHIRPath; how it is spelt is said in an extension
        element["extension"] = [{"url": f"{STRUCTURES}structuredefinition-fhir-type", "valueUrl": found["spelt"]}]
    return {**element, "code": found["code"]}


def _constraint(key: str) -> Element:
    fact = _facts()["constraints"][key]
    return {
        "key": key,
        "severity": fact["severity"],
        "human": f"Invariant {key} of FHIR R4.",
        "expression": fact["expression"],
        "source": f"{STRUCTURES}{fact['source']}",
    }


def _changed(element: Element, change: Element) -> Element:
    return element | {key: value for key, value in change.items() if key not in {"id", "path"}}
