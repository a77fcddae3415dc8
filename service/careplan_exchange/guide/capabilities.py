"""What we need of a server, as a CapabilityStatement of kind requirements
(http://hl7.org/fhir/R4/capabilitystatement.html)."""

from typing import Any

from .material import Material
from .structures import PUBLISHER, shape_for, url_of

_EXPECTATION = "http://hl7.org/fhir/StructureDefinition/capabilitystatement-expectation"
_ORDINARY = {"_id": "token", "patient": "reference", "beneficiary": "reference", "actor": "reference"}


def requirements(material: Material) -> dict[str, Any]:
    """Every type that is asked for, whether nothing is planned without it, and the profiles of facts on it."""
    profiles: dict[str, list[str]] = {}
    for concept in material.concepts:
        profiles.setdefault(shape_for(material, concept).resource, []).append(url_of(concept))
    return {
        "resourceType": "CapabilityStatement",
        "id": "careplan-server",
        "url": "urn:careplan-exchange:CapabilityStatement:server",
        "version": material.version,
        "name": "CareplanServer",
        "title": "What careplan-exchange needs of a FHIR server that it reads",
        "status": "active",
        "experimental": False,
        "date": material.date,
        "publisher": PUBLISHER,
        "description": "SHALL: without it nothing is planned. SHOULD: without it the gap is named.",
        "kind": "requirements",
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "interaction": [{"code": "batch", **_expected(required=False)}],
                "resource": [
                    {
                        "type": need.type,
                        **({"supportedProfile": profiles[need.type]} if need.type in profiles else {}),
                        "interaction": [{"code": "search-type", **_expected(required=need.required)}],
                        "searchParam": [
                            {"name": name, "type": _ORDINARY.get(name, "token")} for name in need.parameters
                        ],
                        **_expected(required=need.required),
                    }
                    for need in material.needs
                ],
            }
        ],
    }


def _expected(*, required: bool) -> dict[str, Any]:
    return {"extension": [{"url": _EXPECTATION, "valueCode": "SHALL" if required else "SHOULD"}]}
