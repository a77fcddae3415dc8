"""The facts of guide/base/R4.json as a FHIR server derives them: `python -m tests.support.base_definitions URL`.

The server needs `StructureDefinition/$snapshot`. It derives the snapshot of a profile that changes nothing.
"""

import sys
from typing import Any

from careplan_exchange.guide.shapes import SHAPES
from careplan_exchange.model.codec import encode
from tests.support.product import Server

STRUCTURES = "http://hl7.org/fhir/StructureDefinition/"
TYPES = (*sorted({shape.resource for shapes in SHAPES.values() for shape in shapes}), "Quantity")


def derived(server: Server, definition: dict[str, Any]) -> list[dict[str, Any]]:
    """The snapshot that the server makes of this differential. Nothing is left on the server."""
    place = f"StructureDefinition/{definition['id']}"
    server.put(definition).raise_for_status()
    try:
        return server.get(f"{place}/$snapshot")["snapshot"]["element"]
    finally:
        server.http.delete(f"{server.url}/{place}")


def facts(server: Server) -> dict[str, Any]:
    """What base/R4.json should hold."""
    constraints: dict[str, Any] = {}
    elements = {}
    for name in TYPES:
        unchanged = {
            "resourceType": "StructureDefinition",
            "id": f"careplan-base-{name.lower()}",
            "url": f"urn:careplan-exchange:test:base:{name}",
            "name": f"Base{name}",
            "status": "active",
            "fhirVersion": "4.0.1",
            "kind": "complex-type" if name == "Quantity" else "resource",
            "abstract": False,
            "type": name,
            "baseDefinition": f"{STRUCTURES}{name}",
            "derivation": "constraint",
            "differential": {"element": [{"id": name, "path": name}]},
        }
        elements[name] = [_row(element, constraints) for element in derived(server, unchanged)]
    return {"constraints": dict(sorted(constraints.items())), "elements": elements}


def _row(element: dict[str, Any], constraints: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"path": element["path"], "min": element["min"], "max": element["max"]}
    if element["base"]["path"] != element["path"]:
        row["base"] = element["base"]["path"]
    if "type" in element:
        row["type"] = [_type(found) for found in element["type"]]
    if "binding" in element:
        binding = element["binding"]
        row["binding"] = [binding["strength"], *([binding["valueSet"]] if "valueSet" in binding else [])]
    for found in element.get("constraint", ()):
        constraints[found["key"]] = {
            "severity": found["severity"],
            "expression": found["expression"],
            "source": found["source"].removeprefix(STRUCTURES),
        }
    if (keys := [found["key"] for found in element.get("constraint", ())]) != ["ele-1"]:
        row["constraint"] = keys
    row |= {name: True for name in ("isModifier", "isSummary") if element.get(name)}
    return row | {name: element[name] for name in ("contentReference", "condition") if name in element}


def _type(found: dict[str, Any]) -> dict[str, Any]:
    spelt = [
        e["valueUrl"] for e in found.get("extension", ()) if e["url"].endswith("structuredefinition-fhir-type")
    ]
    return {
        "code": found["code"],
        **({"spelt": spelt[0]} if spelt else {}),
        **{
            key: [url.removeprefix(STRUCTURES) for url in found[key]]
            for key in ("profile", "targetProfile")
            if key in found
        },
    }


def printed(found: dict[str, Any]) -> str:
    """The facts as the file has them: a line an element."""
    constraints = ",\n".join(f"  {_json(key)}: {_json(value)}" for key, value in found["constraints"].items())
    elements = ",\n".join(
        f"  {_json(name)}: [\n" + ",\n".join(f"   {_json(row)}" for row in rows) + "\n  ]"
        for name, rows in found["elements"].items()
    )
    return f'{{\n "constraints": {{\n{constraints}\n }},\n "elements": {{\n{elements}\n }}\n}}\n'


def _json(value: Any) -> str:
    return encode(value).decode()


if __name__ == "__main__":
    sys.stdout.write(printed(facts(Server(sys.argv[1]))))
