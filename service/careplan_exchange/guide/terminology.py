"""ValueSets, ConceptMaps and CodeSystems as FHIR R4 JSON, from the files of the knowledge folders."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from careplan_exchange.mapping.systems import LOINC
from careplan_exchange.mapping.tables import CONCEPT_SYSTEM

from .material import Material
from .structures import PUBLISHER

_PUBLISHED = ("http://terminology.hl7.org/", "http://hl7.org/fhir/")
"""Code systems that come with FHIR or with a guide: a server has them. Those under /sid/ are of others."""


def value_sets(material: Material) -> Iterator[dict[str, Any]]:
    for resource in material.value_sets.values():
        yield _with_id(resource)


def concept_maps(material: Material) -> Iterator[dict[str, Any]]:
    for resource in material.concept_maps:
        yield _with_id(resource)


def _with_id(resource: Any) -> dict[str, Any]:
    return {**resource, "id": f"careplan-{resource['url'].rpartition(':')[2]}"}


def concepts(material: Material) -> dict[str, Any]:
    """The CodeSystem of our concepts, the target of the ConceptMaps."""
    return {
        "resourceType": "CodeSystem",
        "id": "careplan-concept",
        "url": CONCEPT_SYSTEM,
        "version": material.version,
        "name": "CareplanConcept",
        "title": "Concepts of careplan-exchange",
        "status": "active",
        "experimental": False,
        "date": material.date,
        "publisher": PUBLISHER,
        "description": "What mapping looks for in a record, and what protocols ask for.",
        "caseSensitive": True,
        "content": "complete",
        "concept": [{"code": concept.id, "display": concept.title} for concept in material.concepts],
    }


def fragments(material: Material) -> Iterator[dict[str, Any]]:
    """Of each code system the codes that our ValueSets name, for a server that does not have the system: without
    it such a server can judge no code. `is-a` needs the hierarchy: there longer codes stand below."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    in_levels: set[str] = set()
    for resource in material.value_sets.values():
        for include in resource["compose"]["include"]:
            for concept in include.get("concept", ()):
                found[include["system"]].setdefault(concept["code"], concept.get("display", concept["code"]))
            for filtered in include.get("filter", ()):
                in_levels.add(include["system"])
                found[include["system"]].setdefault(filtered["value"], filtered["value"])
    for system in sorted(found):
        if system == CONCEPT_SYSTEM or (system.startswith(_PUBLISHED) and "/sid/" not in system):
            continue
        yield {
            "resourceType": "CodeSystem",
            # HAPI finds LOINC by this id alone.
            "id": "loinc" if system == LOINC else f"careplan-{_short(system)}",
            "url": system,
            "name": "".join(part.capitalize() for part in ("careplan", *_short(system).split("-"))),
            "title": f"Codes of {system} that careplan-exchange names",
            "status": "active",
            "experimental": False,
            "date": material.date,
            "publisher": PUBLISHER,
            "description": "A part of the code system: only for a server that does not have the whole.",
            "caseSensitive": True,
            "hierarchyMeaning": "is-a",
            "content": "fragment",
            "concept": _nested(found[system]) if system in in_levels else _flat(found[system]),
        }


def _short(system: str) -> str:
    """The name of a code system in a form that an id may have, the same for the same system."""
    words = re.findall(r"[a-z0-9]+", system.lower().partition("://")[2] or system.lower())
    return "-".join(words)[-40:].strip("-")


def _flat(codes: dict[str, str]) -> list[dict[str, Any]]:
    return [{"code": code, "display": codes[code]} for code in sorted(codes)]


def _nested(codes: dict[str, str]) -> list[dict[str, Any]]:
    """Every code below the longest other one that it begins with."""
    rows: dict[str, dict[str, Any]] = {code: {"code": code, "display": codes[code]} for code in sorted(codes)}
    top = []
    for code, row in rows.items():
        above = [other for other in rows if other != code and code.startswith(other)]
        if above:
            rows[max(above, key=len)].setdefault("concept", []).append(row)
        else:
            top.append(row)
    return top
