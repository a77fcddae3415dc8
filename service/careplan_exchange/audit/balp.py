"""AuditEvents of what was written, one per resource.

R4 after IHE Basic Audit Log Patterns, PatientCreate and PatientUpdate
(https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PatientCreate). The patterns are profiles of
R4 only; the R5 form carries the same facts after http://hl7.org/fhir/R5/auditevent.html. No event claims its
profile in `meta.profile`: a validating server without the profile would refuse it, and the plan with it.
"""

from careplan_exchange.model.changes import Json, ResourceChange
from careplan_exchange.model.record import FhirRelease

from .context import SOFTWARE_SYSTEM, CompanionContext

BALP = "https://profiles.ihe.net/ITI/BALP"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
EVENT_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
INTERACTION = "http://hl7.org/fhir/restful-interaction"
ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"

SENDER = {"system": DCM, "code": "110153", "display": "Source Role ID"}
RECEIVER = {"system": DCM, "code": "110152", "display": "Destination Role ID"}
REST = {"system": EVENT_TYPE, "code": "rest", "display": "Restful Operation"}
URI_NETWORK = "5"
"""Both ends are named by a URI: this software does not know the address it is seen under."""


def audit_event(change: ResourceChange, context: CompanionContext, release: FhirRelease) -> Json:
    """The event of one create or update. The version that an update makes is not known before it is made: the
    entity names the resource and, in a detail, the version that the update replaces."""
    return _r4(change, context) if release == "R4" else _r5(change, context)


def _r4(change: ResourceChange, context: CompanionContext) -> Json:
    return {
        "resourceType": "AuditEvent",
        "type": REST,
        "subtype": [_interaction(change)],
        "action": _action(change),
        "recorded": context.instant,
        "outcome": "0",
        "agent": [
            {
                "type": {"coding": [SENDER]},
                "who": context.software,
                "requestor": True,
                "network": {"address": SOFTWARE_SYSTEM, "type": URI_NETWORK},
            },
            {
                "type": {"coding": [RECEIVER]},
                "who": {"display": "FHIR server"},
                "requestor": False,
                "network": {"address": context.target, "type": URI_NETWORK},
            },
        ],
        "source": {
            "observer": context.software,
            "type": [{"system": SOURCE_TYPE, "code": "4", "display": "Application Server"}],
        },
        "entity": [
            {
                "what": {"reference": change.reference},
                "type": {"system": ENTITY_TYPE, "code": "2", "display": "System Object"},
                "role": _role("4", "Domain Resource"),
                **_replaced(change, {}),
            },
            {
                "what": {"reference": context.subject},
                "type": {"system": ENTITY_TYPE, "code": "1", "display": "Person"},
                "role": _role("1", "Patient"),
            },
            {
                "what": {"identifier": {"value": context.request_id}},
                "type": {"system": f"{BALP}/CodeSystem/BasicAuditEntityType", "code": "XrequestId"},
            },
        ],
    }


def _r5(change: ResourceChange, context: CompanionContext) -> Json:
    return {
        "resourceType": "AuditEvent",
        "category": [{"coding": [REST]}],
        "code": {"coding": [_interaction(change)]},
        "action": _action(change),
        "severity": "informational",
        "recorded": context.instant,
        "outcome": {"code": {"system": "http://hl7.org/fhir/issue-severity", "code": "success"}},
        "patient": {"reference": context.subject},
        "agent": [
            {
                "type": {"coding": [SENDER]},
                "who": context.software,
                "requestor": True,
                "networkUri": SOFTWARE_SYSTEM,
            },
            {
                "type": {"coding": [RECEIVER]},
                "who": {"display": "FHIR server"},
                "requestor": False,
                "networkUri": context.target,
            },
        ],
        "source": {
            "observer": context.software,
            "type": [{"coding": [{"system": SOURCE_TYPE, "code": "4", "display": "Application Server"}]}],
        },
        "entity": [
            {
                "what": {"reference": change.reference},
                "role": {"coding": [_role("4", "Domain Resource")]},
                **_replaced(change, {"text": "If-Match"}),
            },
            {
                "what": {"reference": context.subject},
                "role": {"coding": [_role("1", "Patient")]},
            },
            {
                "what": {"identifier": {"value": context.request_id}},
                "role": {"coding": [_role("21", "Job Stream")]},
            },
        ],
    }


def _interaction(change: ResourceChange) -> Json:
    return {"system": INTERACTION, "code": change.action, "display": change.action}


def _action(change: ResourceChange) -> str:
    return "C" if change.action == "create" else "U"


def _role(code: str, display: str) -> Json:
    return {"system": OBJECT_ROLE, "code": code, "display": display}


def _replaced(change: ResourceChange, kind: Json) -> Json:
    """`entity.detail` with the version that an update is made over; its type is text in R4, a concept in R5."""
    if change.action == "create" or change.version_id is None:
        return {}
    return {"detail": [{"type": kind or "If-Match", "valueString": f'W/"{change.version_id}"'}]}
