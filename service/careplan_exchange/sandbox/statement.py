"""The CapabilityStatement: what the sandbox does, and nothing that it does not."""

from careplan_exchange.model.record import FhirRelease

from .everything import DEFINITION
from .outcomes import Json
from .parameters import parameters, types_of
from .taking import Takes, interactions

FHIR_VERSION: dict[FhirRelease, str] = {"R4": "4.0.1", "R4B": "4.3.0", "R5": "5.0.0"}
_RESOURCE = ("read", "vread", "update", "delete", "history-instance", "create", "search-type")
OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_DATE = "2026-01-01"
_DOCUMENTATION = (
    "Unknown search parameters are refused unless the client prefers lenient handling. References are checked "
    "on write and lead to this server. What is referred to cannot be deleted."
)


def capability_statement(
    release: FhirRelease,
    software: str,
    base_url: str,
    token_url: str | None = None,
    takes: Takes = "references",
) -> Json:
    """http://hl7.org/fhir/R4/capabilitystatement.html"""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _DATE,
        "kind": "instance",
        "software": {"name": software},
        "implementation": {"description": "A strict server for synthetic data", "url": base_url},
        "fhirVersion": FHIR_VERSION[release],
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "documentation": _DOCUMENTATION,
                **({"security": _security(token_url)} if token_url is not None else {}),
                "resource": [_resource(name, takes) for name in types_of(release)],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }


def _security(token_url: str) -> Json:
    """How servers said where tokens are asked for before there was a .well-known address."""
    return {
        "extension": [{"url": OAUTH_URIS, "extension": [{"url": "token", "valueUri": token_url}]}],
        "service": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                        "code": "SMART-on-FHIR",
                    }
                ]
            }
        ],
    }


def _resource(name: str, takes: Takes) -> Json:
    includes = [one.name for one in parameters(name).values() if one.kind == "reference"]
    return {
        "type": name,
        "interaction": [{"code": code} for code in interactions(name, _RESOURCE, takes)],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": False,
        "conditionalCreate": True,
        "conditionalRead": "not-match",
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
        "referencePolicy": ["literal", "local", "enforced"],
        **({"searchInclude": [f"{name}:*", *(f"{name}:{one}" for one in includes)]} if includes else {}),
        "searchParam": [
            {"name": parameter.name, "type": parameter.kind} for parameter in parameters(name).values()
        ],
        **({"operation": [{"name": "everything", "definition": DEFINITION}]} if name == "Patient" else {}),
    }
