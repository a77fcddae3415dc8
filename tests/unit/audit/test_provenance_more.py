"""Provenance, element by element, and who is taken for a person that FHIR can refer to."""

from datetime import UTC, datetime

import msgspec
import pytest

from careplan_exchange.audit import CompanionContext
from careplan_exchange.audit.context import person
from careplan_exchange.audit.provenance import provenance
from careplan_exchange.model.proposal import Reason, Used
from careplan_exchange.model.review import ReviewStep
from careplan_exchange.model.snapshot import Evidence
from tests.support.plans import T2DM, a_proposal
from tests.support.writing import an_update, as_written, creates

PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
SOFTWARE = {"system": "urn:careplan-exchange:software", "value": "careplan-exchange/0.1.0"}
GOAL = creates()[0]
AT = "2026-03-04T05:00:00Z"
CONTEXT = CompanionContext(
    exchange="e1",
    request_id="r1",
    recorded=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
    subject="Patient/p1",
    target="https://target.example.org/fhir",
    version="0.1.0",
    same_server=True,
    source_endpoint="https://source.example.org/fhir",
)
EMPTY = msgspec.structs.replace(
    a_proposal(), protocols=(), evidence=(), addresses=(), goals=(), activities=(), restrictions=(), withheld=()
)


def test_a_provenance_is_this():
    context = msgspec.structs.replace(
        CONTEXT, approvals=(ReviewStep(kind="approve", by="Practitioner/12", at=AT),)
    )
    proposal = msgspec.structs.replace(
        EMPTY, protocols=(T2DM, T2DM), evidence=(Evidence(reference="Observation/o1", version_id="3"),)
    )
    update = an_update(as_written(GOAL), description={"text": "new"})
    bare = msgspec.structs.replace(update, id="8", version_id=None)
    assert provenance([update, bare], "UPDATE", proposal, context, "R5") == {
        "resourceType": "Provenance",
        "meta": {"tag": [{"system": "urn:careplan-exchange:exchange", "code": "e1"}]},
        "target": [{"reference": "Goal/7"}, {"reference": "Goal/8"}],
        "recorded": "2026-03-04T05:06:07.000Z",
        "policy": [T2DM.canonical, T2DM.canonical],
        "activity": {"coding": [{"system": OPERATION, "code": "UPDATE"}]},
        "agent": [
            {
                "type": {"coding": [{"system": PARTICIPANT, "code": "author"}]},
                "who": {
                    "identifier": SOFTWARE,
                    "display": "careplan-exchange 0.1.0, applying " + ", ".join([f"{T2DM.title} 1.0.0"] * 2),
                },
            },
            {
                "type": {"coding": [{"system": PARTICIPANT, "code": "assembler"}]},
                "who": {"identifier": SOFTWARE, "display": "careplan-exchange 0.1.0"},
            },
            {
                "type": {"coding": [{"system": PARTICIPANT, "code": "verifier"}]},
                "who": {"reference": "Practitioner/12"},
                "onBehalfOf": {"extension": [{"url": ABSENT, "valueCode": "unknown"}]},
            },
        ],
        "entity": [
            {
                "role": "source",
                "what": {"reference": "Observation/o1/_history/3", "display": "Observation, version 3"},
            },
            {"role": "revision", "what": {"reference": "Goal/7/_history/1", "display": "Goal, version 1"}},
        ],
        "patient": {"reference": "Patient/p1"},
    }


def test_without_a_protocol_none_is_named():
    body = provenance([GOAL], "CREATE", EMPTY, CONTEXT, "R4")
    assert not {"policy", "entity", "patient"} & set(body)
    assert {agent["who"]["display"] for agent in body["agent"]} == {"careplan-exchange 0.1.0"}


def because(reference: str) -> tuple[Reason, ...]:
    used = Used(variable="v", value="1", evidence=(Evidence(reference=reference, version_id="1"),))
    return (Reason(text="Words.", rule="true", result="true", used=(used,)),)


def test_the_evidence_of_each_kind_of_line_is_named_once_and_of_each_version():
    full = a_proposal()

    def resting_on(line, reference):
        return (msgspec.structs.replace(line, reasons=because(reference)),)

    proposal = msgspec.structs.replace(
        EMPTY,
        evidence=(Evidence(reference="Observation/1", version_id="1"),),
        addresses=(
            Evidence(reference="Observation/1", version_id="2"),
            Evidence(reference="Observation/1", version_id="1", date="2026-01-01"),
        ),
        goals=resting_on(full.goals[0], "Observation/goal"),
        activities=resting_on(full.activities[0], "Observation/activity"),
        restrictions=resting_on(full.restrictions[0], "Observation/restriction"),
        withheld=resting_on(full.withheld[0], "Observation/withheld"),
    )
    body = provenance([GOAL], "CREATE", proposal, CONTEXT, "R4")
    assert [(entity["role"], entity["what"]["reference"]) for entity in body["entity"]] == [
        ("source", f"Observation/{each}")
        for each in (
            "1/_history/1",
            "1/_history/2",
            "goal/_history/1",
            "activity/_history/1",
            "restriction/_history/1",
            "withheld/_history/1",
        )
    ]


@pytest.mark.parametrize(
    "by",
    ["Practitioner/12", "PractitionerRole/a.b-C", "Patient/1", "RelatedPerson/1", f"Organization/{'9' * 64}"],
)
def test_a_reference_to_whoever_can_act_is_written_as_one(by):
    assert person(by) == {"reference": by}


@pytest.mark.parametrize(
    "by",
    [
        "Dr Who",
        "Device/1",
        "Practitioner/",
        "Practitioner/1 ",
        "Practitioner/1/_history/2",
        f"Patient/{'9' * 65}",
    ],
)
def test_anything_else_is_the_name_of_a_person(by):
    assert person(by) == {"display": by}
