"""`$apply` of a server: asked only of one that offers it, sent as the operation says, answered by a plan or an error."""

import json

import pytest

from careplan_exchange.errors import (
    IncompleteRecordError,
    NotFhirError,
    RefusedError,
    UnsupportedServerError,
    WrongPatientError,
)

from .wire import BASE, Server, client_of, fhir, outcome, statement

PLAN = {"resourceType": "PlanDefinition", "id": "p", "status": "active", "action": []}
CARE_PLAN = {"resourceType": "CarePlan", "id": "c", "subject": {"reference": "Patient/7"}}


def offering(*names):
    found = statement("Patient", "PlanDefinition")
    found["rest"][0]["resource"][1]["operation"] = [{"name": name, "definition": "urn:x"} for name in names]
    return found


def server(answer, *names):
    return Server(lambda request: fhir(offering(*names)) if request.url.path.endswith("/metadata") else answer)


async def applied(stub):
    async with client_of(stub) as client:
        return await client.apply_plan(PLAN, "7")


@pytest.mark.parametrize("name", ["apply", "$apply"])
async def test_the_plan_and_the_patient_are_sent_as_the_operation_says(name):
    stub = server(fhir(CARE_PLAN), "everything", name)
    assert await applied(stub) == CARE_PLAN
    asked = stub.requests[-1]
    assert (asked.method, str(asked.url)) == ("POST", f"{BASE}/PlanDefinition/$apply")
    assert json.loads(asked.content) == {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "planDefinition", "resource": PLAN},
            {"name": "subject", "valueString": "Patient/7"},
        ],
    }


@pytest.mark.parametrize("names", [(), ("everything",)])
async def test_a_server_that_does_not_list_the_operation_is_not_asked(names):
    stub = server(fhir(CARE_PLAN), *names)
    with pytest.raises(UnsupportedServerError, match=r"does not list the operation \$apply"):
        await applied(stub)
    assert [request.method for request in stub.requests] == ["GET"]


async def test_an_answer_in_parameters_is_unpacked():
    wrapped = {"resourceType": "Parameters", "parameter": [{"name": "return", "resource": CARE_PLAN}]}
    assert await applied(server(fhir(wrapped), "apply")) == CARE_PLAN


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (fhir(outcome(diagnostics="no"), 422), RefusedError),
        (fhir({"resourceType": "Patient"}), NotFhirError),
        (fhir([]), NotFhirError),
        (fhir(b"{"), NotFhirError),
        (fhir({"resourceType": "Parameters"}), NotFhirError),
        (fhir(b"<html/>", content_type="text/html"), NotFhirError),
        (fhir(outcome()), IncompleteRecordError),
        (fhir({**CARE_PLAN, "subject": {"reference": "Patient/8"}}), WrongPatientError),
        (
            fhir(
                {
                    "resourceType": "Bundle",
                    "entry": [{"resource": {"resourceType": "Task", "for": {"reference": "Patient/8"}}}],
                }
            ),
            WrongPatientError,
        ),
        (
            fhir({**CARE_PLAN, "contained": [{"resourceType": "Goal", "subject": {"reference": "Patient/8"}}]}),
            WrongPatientError,
        ),
    ],
)
async def test_what_is_no_plan_of_this_patient_is_an_error(answer, error):
    with pytest.raises(error):
        await applied(server(answer, "apply"))


async def test_an_absolute_reference_to_the_patient_is_the_patient():
    answer = {**CARE_PLAN, "subject": {"reference": f"{BASE}/Patient/7/_history/3"}}
    assert await applied(server(fhir(answer), "apply")) == answer
