"""The IHE Basic Audit Log Patterns on a HAPI server, and what its validator says of an AuditEvent."""

from typing import Any

from careplan_exchange.model.codec import decode, encode
from tests.support.product import Server
from tests.support.shared import require_shared

BALP = "https://profiles.ihe.net/ITI/BALP"
PROFILES = f"{BALP}/StructureDefinition/IHE.BasicAudit."
LOADED = (
    *(f"{kind}{name}" for kind in ("", "Patient") for name in ("Create", "Read", "Update", "Delete", "Query")),
    "OAUTHaccessTokenUse.Minimal",
)
FHIR = {"Content-Type": "application/fhir+json"}

_INTERACTION = "http://hl7.org/fhir/restful-interaction"
_VALUE_SETS = {
    "AllReadVS": (_INTERACTION, ("read", "vread")),
    "AllUpdateVS": (_INTERACTION, ("update", "patch")),
    "AllSearchVS": (_INTERACTION, ("search", "search-type", "search-system")),
    "DataSources": ("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", ("AUT", "INF", "CST")),
    "RestObjectRoles": ("http://terminology.hl7.org/CodeSystem/object-role", ("4", "3", "20")),
}
"""Those that the profiles bind, with their codes, which the fixtures do not hold."""


def conformance() -> list[dict[str, Any]]:
    """The profiles and value sets, with ids of their own."""
    profiles = []
    for name in LOADED:
        path = require_shared(f"fixtures/audit-balp/StructureDefinition-IHE.BasicAudit.{name}.json")
        profiles.append({**decode(path.read_bytes()), "id": f"careplan-test-balp-{name.replace('.', '-')}"})
    sets = [
        {
            "resourceType": "ValueSet",
            "id": f"careplan-test-balp-{name}",
            "url": f"{BALP}/ValueSet/{name}",
            "status": "active",
            "compose": {"include": [{"system": system, "concept": [{"code": code} for code in codes]}]},
        }
        for name, (system, codes) in _VALUE_SETS.items()
    ]
    return [*sets, *profiles]


def load(server: Server) -> None:
    for one in conformance():
        assert server.put(one).status_code in {200, 201}


def remove(server: Server) -> None:
    for one in reversed(conformance()):
        server.http.delete(f"{server.url}/{one['resourceType']}/{one['id']}")


def errors(server: Server, event: dict[str, Any], profile: str | None = None) -> list[str]:
    """What the validator objects to, in its own words. `profile` is a URL, or the name of one of BALP's."""
    url = profile if profile is None or "://" in profile else f"{PROFILES}{profile}"
    query = f"?profile={url}" if url else ""
    answer = server.http.post(
        f"{server.url}/{event['resourceType']}/$validate{query}", content=encode(event), headers=FHIR
    )
    return [
        f"{issue['diagnostics']} at {issue.get('location', ['?'])[0]}"
        for issue in decode(answer.content)["issue"]
        if issue["severity"] in {"error", "fatal"}
    ]
