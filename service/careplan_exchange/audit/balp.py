"""AuditEvents: of each create and update that is written, and of whatever else was asked of a server.

R4 after IHE Basic Audit Log Patterns (https://profiles.ihe.net/ITI/BALP): PatientCreate, PatientRead,
PatientUpdate, PatientDelete, PatientQuery, and their forms without a patient. The patterns are profiles of R4;
the R5 form carries the same facts after http://hl7.org/fhir/R5/auditevent.html. No event claims its profile in
`meta.profile`: a validating server without the profile would refuse it, and the plan with it. The patterns are
those of a success; an event of a failure is the same with another `outcome` and what the server said.
"""

import base64
from typing import Literal

import msgspec

from careplan_exchange.model.changes import Json, ResourceChange
from careplan_exchange.model.record import FhirRelease
from careplan_exchange.model.requested import Interaction

from .context import SOFTWARE_SYSTEM, CompanionContext, person, software

BALP = "https://profiles.ihe.net/ITI/BALP"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
EVENT_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
INTERACTION = "http://hl7.org/fhir/restful-interaction"
ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
CUSTODIAN = {
    "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
    "code": "custodian",
    "display": "Custodian",
}
SENDER = {"system": DCM, "code": "110153", "display": "Source Role ID"}
RECEIVER = {"system": DCM, "code": "110152", "display": "Destination Role ID"}
APPLICATION = {"system": DCM, "code": "110150", "display": "Application"}
AUTHOR = {"system": PARTICIPATION, "code": "AUT", "display": "author (originator)"}
RECIPIENT = {"system": PARTICIPATION, "code": "IRCP", "display": "information recipient"}
TOKEN_USER = {"system": f"{BALP}/CodeSystem/UserAgentTypes", "code": "UserOauthAgent"}
REST = {"system": EVENT_TYPE, "code": "rest", "display": "Restful Operation"}
JTI = "urn:ietf:params:oauth:jti:"
URI_NETWORK = "5"
"""Both ends are named by a URI: this software does not know the address it is seen under."""


class _Kind(msgspec.Struct, frozen=True):
    action: Literal["C", "R", "U", "D", "E"]
    client: Json
    server: Json
    user: Json


_WRITE = (SENDER, RECEIVER, AUTHOR)
_READ = _Kind("R", RECEIVER, SENDER, RECIPIENT)
_QUERY = _Kind("E", SENDER, RECEIVER, RECIPIENT)
_KINDS: dict[Interaction, _Kind] = {
    "create": _Kind("C", *_WRITE),
    "update": _Kind("U", *_WRITE),
    "delete": _Kind("D", APPLICATION, CUSTODIAN, AUTHOR),
    "read": _READ,
    "history-instance": _READ,
    "search-type": _QUERY,
    "operation": _QUERY,
}


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One interaction, in no version of FHIR yet. `what` is the reference to the resource as it stands in the
    event; `query` the request as it was sent, where it is a search. `status` None: no answer came. `meta` are the
    tags."""

    interaction: Interaction
    at: str
    server: str
    request_id: str
    version: str
    what: Json | None = None
    query: str | None = None
    patient: Json | None = None
    replaced: str | None = None
    by: str | None = None
    jti: str | None = None
    status: int | None = 200
    error: str | None = None
    said: tuple[str, ...] = ()
    meta: Json = {}

    @property
    def outcome(self) -> Literal["0", "4", "8"]:
        """Success; a refusal, after which everything goes on (minor); or a failure of the server (serious)."""
        if self.error is None:
            return "0"
        return "4" if self.status is not None and self.status < 500 else "8"


def audit_event(change: ResourceChange, context: CompanionContext, release: FhirRelease) -> Json:
    """The event of one create or update. The version that an update makes is not known before it is made: the
    entity names the resource and, in a detail, the version that the update replaces."""
    event = Event(
        interaction="create" if change.action == "create" else "update",
        at=context.instant,
        server=context.target,
        request_id=context.request_id,
        version=context.version,
        what={"reference": change.reference},
        patient={"reference": context.subject},
        replaced=change.version_id if change.action == "update" else None,
        by=context.persons[-1] if context.persons else None,
        meta=context.tags,
    )
    return as_resource(event, release)


def as_resource(event: Event, release: FhirRelease) -> Json:
    """The AuditEvent in this version of FHIR, without an id."""
    return _r5(event) if release == "R5" else _r4(event)


def _r4(event: Event) -> Json:
    kind = _KINDS[event.interaction]
    return {
        "resourceType": "AuditEvent",
        "meta": event.meta,
        **_contained(event),
        "type": REST,
        "subtype": [_coding(INTERACTION, event.interaction, event.interaction)],
        "action": kind.action,
        "recorded": event.at,
        "outcome": event.outcome,
        **({} if event.error is None else {"outcomeDesc": event.error}),
        "agent": [
            _agent(event, kind.client, {"network": {"address": SOFTWARE_SYSTEM, "type": URI_NETWORK}}),
            _server(kind, {"network": {"address": event.server, "type": URI_NETWORK}}),
            *_users(event, kind),
        ],
        "source": {"observer": software(event.version), "type": [_APPLICATION_SERVER]},
        "entity": [_entity_r4(entity) for entity in _entities(event)],
    }


def _r5(event: Event) -> Json:
    kind = _KINDS[event.interaction]
    code, severity = _R5_OUTCOMES[event.outcome]
    outcome: Json = {"code": {"system": "http://hl7.org/fhir/issue-severity", "code": code}}
    if event.error is not None:
        outcome["detail"] = [{"text": event.error}]
    return {
        "resourceType": "AuditEvent",
        "meta": event.meta,
        **_contained(event),
        "category": [{"coding": [REST]}],
        "code": {"coding": [_coding(INTERACTION, event.interaction, event.interaction)]},
        "action": kind.action,
        "severity": severity,
        "recorded": event.at,
        "outcome": outcome,
        **({} if event.patient is None else {"patient": event.patient}),
        "agent": [
            _agent(event, kind.client, {"networkUri": SOFTWARE_SYSTEM}),
            _server(kind, {"networkUri": event.server}),
            *_users(event, kind),
        ],
        "source": {"observer": software(event.version), "type": [{"coding": [_APPLICATION_SERVER]}]},
        "entity": [_entity_r5(entity) for entity in _entities(event)],
    }


def _agent(event: Event, kind: Json, network: Json) -> Json:
    """Our software; it is the one who began, where no person did."""
    return {
        "type": {"coding": [kind]},
        "who": software(event.version),
        "requestor": event.by is None and event.jti is None,
        **network,
    }


def _server(kind: _Kind, network: Json) -> Json:
    return {
        "type": {"coding": [kind.server]},
        "who": {"display": "FHIR server"},
        "requestor": False,
        **network,
    }


def _users(event: Event, kind: _Kind) -> list[Json]:
    """The person for whom it was done, and the bearer of the access token. A backend service has neither."""
    users: list[Json] = []
    if event.by is not None:
        users.append({"type": {"coding": [kind.user]}, "who": person(event.by), "requestor": True})
    if event.jti is not None:
        users.append(
            {
                "type": {"coding": [TOKEN_USER]},
                "who": software(event.version),
                "requestor": True,
                "policy": [f"{JTI}{event.jti}"],
            }
        )
    return users


class _Entity(msgspec.Struct, frozen=True, kw_only=True):
    """`type` is for R4 alone, which tells entities apart by it."""

    type: Json
    role: Json | None = None
    what: Json | None = None
    query: str | None = None
    replaced: str | None = None


def _entities(event: Event) -> list[_Entity]:
    found: list[_Entity] = []
    if event.what is not None:
        found.append(_Entity(type=_OBJECT, role=_DOMAIN_RESOURCE, what=event.what, replaced=event.replaced))
    if event.query is not None:
        found.append(_Entity(type=_OBJECT, role=_QUERY_ROLE, query=event.query))
    if event.patient is not None:
        found.append(_Entity(type=_PERSON_TYPE, role=_PATIENT, what=event.patient))
    found.append(_Entity(type=_REQUEST_ID, role=_JOB, what={"identifier": {"value": event.request_id}}))
    if event.error is not None:
        found.append(_Entity(type=_OUTCOME, what={"reference": "#outcome"}))
    return found


def _entity_r4(entity: _Entity) -> Json:
    body: Json = {"type": entity.type}
    if entity.what is not None:
        body["what"] = entity.what
    if entity.role is not None and entity.role is not _JOB:
        body["role"] = entity.role
    if entity.query is not None:
        body["query"] = _encoded(entity.query)
    if entity.replaced is not None:
        body["detail"] = [{"type": "If-Match", "valueString": f'W/"{entity.replaced}"'}]
    return body


def _entity_r5(entity: _Entity) -> Json:
    body: Json = {}
    if entity.what is not None:
        body["what"] = entity.what
    if entity.role is not None:
        body["role"] = {"coding": [entity.role]}
    if entity.query is not None:
        body["query"] = _encoded(entity.query)
    if entity.replaced is not None:
        body["detail"] = [{"type": {"text": "If-Match"}, "valueString": f'W/"{entity.replaced}"'}]
    return body


def _contained(event: Event) -> Json:
    """What the server said, in its codes: its own words may name a person."""
    if event.error is None:
        return {}
    severity = "error" if event.outcome == "4" else "fatal"
    codes = event.said or ("transient" if event.status is None else "processing",)
    issues = [{"severity": severity, "code": code, "diagnostics": event.error} for code in codes]
    return {"contained": [{"resourceType": "OperationOutcome", "id": "outcome", "issue": issues}]}


def _encoded(query: str) -> str:
    return base64.b64encode(query.encode()).decode()


def _coding(system: str, code: str, display: str) -> Json:
    return {"system": system, "code": code, "display": display}


_R5_OUTCOMES = {"0": ("success", "informational"), "4": ("error", "warning"), "8": ("fatal", "error")}
_APPLICATION_SERVER = _coding(SOURCE_TYPE, "4", "Application Server")
_OBJECT = _coding(ENTITY_TYPE, "2", "System Object")
_PERSON_TYPE = _coding(ENTITY_TYPE, "1", "Person")
_DOMAIN_RESOURCE = _coding(OBJECT_ROLE, "4", "Domain Resource")
_QUERY_ROLE = _coding(OBJECT_ROLE, "24", "Query")
_PATIENT = _coding(OBJECT_ROLE, "1", "Patient")
_JOB = _coding(OBJECT_ROLE, "21", "Job Stream")
_REQUEST_ID = {"system": f"{BALP}/CodeSystem/BasicAuditEntityType", "code": "XrequestId"}
_OUTCOME = {"system": "http://hl7.org/fhir/resource-types", "code": "OperationOutcome"}
