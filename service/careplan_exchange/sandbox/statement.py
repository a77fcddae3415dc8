"""The CapabilityStatement: what the sandbox does, and nothing that it does not."""

from careplan_exchange.model.record import FhirRelease

from .outcomes import Json
from .parameters import TYPES, parameters

FHIR_VERSION: dict[FhirRelease, str] = {"R4": "4.0.1", "R5": "5.0.0"}
_RESOURCE = ("read", "vread", "update", "delete", "history-instance", "create", "search-type")
_DATE = "2026-01-01"
_DOCUMENTATION = (
    "Unknown search parameters are refused unless the client prefers lenient handling. References are checked "
    "on write and lead to this server. What is referred to cannot be deleted."
)


def capability_statement(release: FhirRelease, base_url: str) -> Json:
    """http://hl7.org/fhir/R4/capabilitystatement.html"""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _DATE,
        "kind": "instance",
        "software": {"name": "careplan-exchange sandbox"},
        "implementation": {"description": "A strict server for synthetic data", "url": base_url},
        "fhirVersion": FHIR_VERSION[release],
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "documentation": _DOCUMENTATION,
                "resource": [_resource(name) for name in TYPES],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }


def _resource(name: str) -> Json:
    return {
        "type": name,
        "interaction": [{"code": code} for code in _RESOURCE],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": False,
        "conditionalCreate": True,
        "conditionalRead": "not-match",
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
        "referencePolicy": ["literal", "local", "enforced"],
        "searchParam": [
            {"name": parameter.name, "type": parameter.kind} for parameter in parameters(name).values()
        ],
    }
