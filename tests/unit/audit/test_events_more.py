"""Whole AuditEvents and Provenance, element by element: what an auditor reads is exactly this."""

import base64
from datetime import UTC, datetime

import msgspec
import pytest

from careplan_exchange.audit import CompanionContext, companions, companions_of_undo, events_of
from careplan_exchange.audit.balp import Event, as_resource, audit_event
from careplan_exchange.model.requested import Act
from careplan_exchange.model.review import ReviewStep
from tests.support.parcels import SERVER as HEARD
from tests.support.parcels import a_parcel, a_request
from tests.support.plans import a_proposal
from tests.support.writing import an_update, as_written, creates

SERVER = "https://ehr.example.org/fhir"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
SENDER = {"system": DCM, "code": "110153", "display": "Source Role ID"}
RECEIVER = {"system": DCM, "code": "110152", "display": "Destination Role ID"}
AUTHOR = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
    "code": "AUT",
    "display": "author (originator)",
}
TOKEN = {"system": "https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes", "code": "UserOauthAgent"}
REST = {
    "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
    "code": "rest",
    "display": "Restful Operation",
}
UPDATE = {"system": "http://hl7.org/fhir/restful-interaction", "code": "update", "display": "update"}
SOFTWARE = {
    "identifier": {"system": "urn:careplan-exchange:software", "value": "careplan-exchange/0.1.0"},
    "display": "careplan-exchange 0.1.0",
}
APPLICATION_SERVER = {
    "system": "http://terminology.hl7.org/CodeSystem/security-source-type",
    "code": "4",
    "display": "Application Server",
}
TAGS = {"tag": [{"system": "urn:t", "code": "x1"}]}
ENTITY = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
OBJECT = {"system": ENTITY, "code": "2", "display": "System Object"}
PERSON = {"system": ENTITY, "code": "1", "display": "Person"}
REQUEST = {"system": "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "code": "XrequestId"}
OUTCOME = {"system": "http://hl7.org/fhir/resource-types", "code": "OperationOutcome"}
DOMAIN = {"system": ROLE, "code": "4", "display": "Domain Resource"}
PATIENT = {"system": ROLE, "code": "1", "display": "Patient"}
JOB = {"system": ROLE, "code": "21", "display": "Job Stream"}

EVENT = Event(
    interaction="update",
    at="2026-03-04T05:06:07.000Z",
    server=SERVER,
    request_id="r1",
    version="0.1.0",
    what={"reference": "Goal/7"},
    patient={"reference": "Patient/p1"},
    replaced="3",
    by="Dr Who",
    jti="token-1",
    status=500,
    error="refused",
    said=("exception", "timeout"),
    meta=TAGS,
)
ISSUES = [
    {"severity": "fatal", "code": "exception", "diagnostics": "refused"},
    {"severity": "fatal", "code": "timeout", "diagnostics": "refused"},
]


def test_an_event_of_r4_is_this():
    assert as_resource(EVENT, "R4") == {
        "resourceType": "AuditEvent",
        "meta": TAGS,
        "contained": [{"resourceType": "OperationOutcome", "id": "outcome", "issue": ISSUES}],
        "type": REST,
        "subtype": [UPDATE],
        "action": "U",
        "recorded": "2026-03-04T05:06:07.000Z",
        "outcome": "8",
        "outcomeDesc": "refused",
        "agent": [
            {
                "type": {"coding": [SENDER]},
                "who": SOFTWARE,
                "requestor": False,
                "network": {"address": "urn:careplan-exchange:software", "type": "5"},
            },
            {
                "type": {"coding": [RECEIVER]},
                "who": {"display": "FHIR server"},
                "requestor": False,
                "network": {"address": SERVER, "type": "5"},
            },
            {"type": {"coding": [AUTHOR]}, "who": {"display": "Dr Who"}, "requestor": True},
            {
                "type": {"coding": [TOKEN]},
                "who": SOFTWARE,
                "requestor": True,
                "policy": ["urn:ietf:params:oauth:jti:token-1"],
            },
        ],
        "source": {"observer": SOFTWARE, "type": [APPLICATION_SERVER]},
        "entity": [
            {
                "type": OBJECT,
                "what": {"reference": "Goal/7"},
                "role": DOMAIN,
                "detail": [{"type": "If-Match", "valueString": 'W/"3"'}],
            },
            {"type": PERSON, "what": {"reference": "Patient/p1"}, "role": PATIENT},
            {"type": REQUEST, "what": {"identifier": {"value": "r1"}}},
            {"type": OUTCOME, "what": {"reference": "#outcome"}},
        ],
    }


def test_an_event_of_r5_is_this():
    assert as_resource(EVENT, "R5") == {
        "resourceType": "AuditEvent",
        "meta": TAGS,
        "contained": [{"resourceType": "OperationOutcome", "id": "outcome", "issue": ISSUES}],
        "category": [{"coding": [REST]}],
        "code": {"coding": [UPDATE]},
        "action": "U",
        "severity": "error",
        "recorded": "2026-03-04T05:06:07.000Z",
        "outcome": {
            "code": {"system": "http://hl7.org/fhir/issue-severity", "code": "fatal"},
            "detail": [{"text": "refused"}],
        },
        "patient": {"reference": "Patient/p1"},
        "agent": [
            {
                "type": {"coding": [SENDER]},
                "who": SOFTWARE,
                "requestor": False,
                "networkUri": "urn:careplan-exchange:software",
            },
            {
                "type": {"coding": [RECEIVER]},
                "who": {"display": "FHIR server"},
                "requestor": False,
                "networkUri": SERVER,
            },
            {"type": {"coding": [AUTHOR]}, "who": {"display": "Dr Who"}, "requestor": True},
            {
                "type": {"coding": [TOKEN]},
                "who": SOFTWARE,
                "requestor": True,
                "policy": ["urn:ietf:params:oauth:jti:token-1"],
            },
        ],
        "source": {"observer": SOFTWARE, "type": [{"coding": [APPLICATION_SERVER]}]},
        "entity": [
            {
                "what": {"reference": "Goal/7"},
                "role": {"coding": [DOMAIN]},
                "detail": [{"type": {"text": "If-Match"}, "valueString": 'W/"3"'}],
            },
            {"what": {"reference": "Patient/p1"}, "role": {"coding": [PATIENT]}},
            {"what": {"identifier": {"value": "r1"}}, "role": {"coding": [JOB]}},
            {"what": {"reference": "#outcome"}},
        ],
    }


BARE = msgspec.structs.replace(
    EVENT,
    interaction="search-type",
    what=None,
    query="GET x",
    patient=None,
    replaced=None,
    by=None,
    jti=None,
    status=200,
    error=None,
    said=(),
)
QUERY = {"system": ROLE, "code": "24", "display": "Query"}


def test_a_query_that_was_answered_holds_nothing_that_there_is_not():
    r4, r5 = as_resource(BARE, "R4"), as_resource(BARE, "R5")
    assert r4["entity"] == [
        {"type": OBJECT, "role": QUERY, "query": "R0VUIHg="},
        {"type": REQUEST, "what": {"identifier": {"value": "r1"}}},
    ]
    assert r5["entity"] == [
        {"role": {"coding": [QUERY]}, "query": "R0VUIHg="},
        {"what": {"identifier": {"value": "r1"}}, "role": {"coding": [JOB]}},
    ]
    assert (r4["outcome"], r5["outcome"]["code"]["code"], r5["severity"]) == ("0", "success", "informational")
    for body in (r4, r5):
        assert not {"contained", "outcomeDesc", "patient"} & set(body)
        assert [agent["requestor"] for agent in body["agent"]] == [True, False]
    assert "detail" not in r5["outcome"]


@pytest.mark.parametrize(
    ("status", "outcome", "severity", "code"),
    [(499, "4", "error", "processing"), (500, "8", "fatal", "processing"), (None, "8", "fatal", "transient")],
)
def test_a_failure_of_which_the_server_said_nothing_has_a_code_of_ours(status, outcome, severity, code):
    event = as_resource(msgspec.structs.replace(BARE, status=status, error="refused"), "R4")
    assert event["outcome"] == outcome
    assert event["contained"][0]["issue"] == [{"severity": severity, "code": code, "diagnostics": "refused"}]


def test_either_a_person_or_a_token_has_begun_and_then_the_software_has_not():
    for who in ({"by": "Dr Who"}, {"jti": "token-1"}):
        agents = as_resource(msgspec.structs.replace(BARE, **who), "R4")["agent"]
        assert [agent["requestor"] for agent in agents] == [False, False, True]


CONTEXT = CompanionContext(
    exchange="e1",
    request_id="r1",
    recorded=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
    subject="Patient/p1",
    target=SERVER,
    version="0.1.0",
    same_server=True,
    source_endpoint=SERVER,
    approvals=(
        ReviewStep(kind="approve", by="Dr First", at="2026-03-04T05:00:00Z"),
        ReviewStep(kind="approve", by="Dr Last", at="2026-03-04T05:01:00Z"),
    ),
    installation="i1",
)
GOAL = creates()[0]
CHANGE = an_update(msgspec.structs.replace(as_written(GOAL), version_id="3"), description={"text": "new"})


def test_the_event_that_goes_with_a_write_is_that_of_its_change():
    meta = CONTEXT.tags
    common = {"at": "2026-03-04T05:06:07.000Z", "server": SERVER, "request_id": "r1", "version": "0.1.0"}
    of_update = Event(
        interaction="update",
        what={"reference": "Goal/7"},
        patient={"reference": "Patient/p1"},
        replaced="3",
        by="Dr Last",
        meta=meta,
        **common,
    )
    assert audit_event(CHANGE, CONTEXT, "R4") == as_resource(of_update, "R4")
    nobody = msgspec.structs.replace(CONTEXT, approvals=())
    of_create = Event(
        interaction="create",
        what={"reference": GOAL.full_url},
        patient={"reference": "Patient/p1"},
        meta=meta,
        **common,
    )
    versioned = msgspec.structs.replace(GOAL, version_id="9")
    assert audit_event(versioned, nobody, "R5") == as_resource(of_create, "R5")


def test_what_was_taken_back_is_told_by_a_provenance_that_is_this():
    context = msgspec.structs.replace(
        CONTEXT, approvals=(ReviewStep(kind="revert", by="Practitioner/12", at="2026-03-04T05:00:00Z"),)
    )
    untouched = msgspec.structs.replace(GOAL, action="unchanged")
    body, event = companions_of_undo([CHANGE, untouched], context, "R5")
    participant = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
    assert body == {
        "resourceType": "Provenance",
        "meta": context.tags,
        "target": [{"reference": "Goal/7"}],
        "recorded": "2026-03-04T05:06:07.000Z",
        "activity": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-DataOperation", "code": "UPDATE"}]
        },
        "agent": [
            {
                "type": {"coding": [{"system": participant, "code": "author"}]},
                "who": {"reference": "Practitioner/12"},
            },
            {"type": {"coding": [{"system": participant, "code": "assembler"}]}, "who": SOFTWARE},
        ],
        "entity": [
            {"role": "revision", "what": {"reference": "Goal/7/_history/3", "display": "Goal, version 3"}}
        ],
        "patient": {"reference": "Patient/p1"},
    }
    assert event == audit_event(CHANGE, context, "R5")


def test_of_what_was_taken_back_no_event_goes_where_they_are_told_later_and_r4_names_no_patient():
    (body,) = companions_of_undo([CHANGE], msgspec.structs.replace(CONTEXT, events=False), "R4")
    assert "patient" not in body


def heard(act: Act, **request: object):
    (event,) = events_of(a_parcel(1, a_request(act, **request)), "R4", here=HEARD)
    return event["entity"][0]


def test_what_was_heard_of_an_update_names_the_version_that_it_replaced():
    act = Act(interaction="update", type="Goal", reference="Goal/8/_history/4", replaced="3")
    assert heard(act, method="PUT")["detail"] == [{"type": "If-Match", "valueString": 'W/"3"'}]


@pytest.mark.parametrize(
    ("interaction", "query", "method", "line"),
    [
        ("search-type", "Goal?patient=p1", "POST", f"GET {HEARD}/Goal?patient=p1"),
        ("search-type", "https://pages.example.org/2", "GET", "GET https://pages.example.org/2"),
        ("operation", "Patient/p1/$everything", "POST", f"POST {HEARD}/Patient/p1/$everything"),
        ("operation", "Patient/p1/$everything", "GET", f"GET {HEARD}/Patient/p1/$everything"),
    ],
)
def test_a_query_is_the_request_as_it_was_sent_and_of_a_batch_the_entry(interaction, query, method, line):
    entity = heard(Act(interaction=interaction, type="Patient", query=query), method=method)
    assert base64.b64decode(entity["query"]).decode() == f"{line}\nX-Request-Id: r1"


def test_a_provenance_names_the_patient_in_r5_alone():
    (r5,) = companions([GOAL], a_proposal(), msgspec.structs.replace(CONTEXT, events=False), "R5")
    assert r5["patient"] == {"reference": "Patient/p1"}
    (r4,) = companions([GOAL], a_proposal(), msgspec.structs.replace(CONTEXT, events=False), "R4")
    assert "patient" not in r4


def test_evidence_without_a_version_is_named_without_one():
    proposal = a_proposal()
    bare = msgspec.structs.replace(proposal.evidence[0], version_id=None)
    here = msgspec.structs.replace(CONTEXT, events=False)
    (body,) = companions([GOAL], msgspec.structs.replace(proposal, evidence=(bare,)), here, "R4")
    assert {"reference": bare.reference, "display": bare.reference.partition("/")[0]} in [
        entity["what"] for entity in body["entity"]
    ]
