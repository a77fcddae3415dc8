"""What the sandbox does beyond what every server does; that is in tests/contract/test_fhir_server*.py."""

import httpx
import pytest
from fhir.resources.capabilitystatement import CapabilityStatement as CapabilityStatementR5
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome

from careplan_exchange.sandbox import create_app
from careplan_exchange.sandbox.parameters import types_of

from .conftest import BASE, FHIR

PATIENT = {"resourceType": "Patient"}


async def create(http, body=PATIENT):
    answer = await http.post(f"/{body['resourceType']}", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def goal(subject, **more):
    return {
        "resourceType": "Goal",
        "lifecycleStatus": "proposed",
        "description": {"text": "walk"},
        "subject": {"reference": subject},
        **more,
    }


def transaction(*entries, kind="transaction"):
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def entry(method, url, resource=None, full_url=None, **request):
    found = {"request": {"method": method, "url": url, **request}}
    if resource is not None:
        found["resource"] = resource
    if full_url is not None:
        found["fullUrl"] = full_url
    return found


@pytest.mark.parametrize(
    ("release", "model", "version"),
    [("R4", CapabilityStatement, "4.0.1"), ("R5", CapabilityStatementR5, "5.0.0")],
    indirect=["release"],
)
async def test_the_capability_statement_is_valid_and_names_the_release(http, release, model, version):
    statement = (await http.get("/metadata")).json()
    model.model_validate(statement)
    assert statement["fhirVersion"] == version
    assert {one["type"] for one in statement["rest"][0]["resource"]} == set(types_of(release))


@pytest.mark.parametrize(
    ("release", "name"), [("R4", "DeviceUsage"), ("R5", "DeviceUseStatement")], indirect=["release"]
)
async def test_a_type_of_the_other_release_is_not_there(http, release, name):
    assert (await http.get(f"/{name}")).status_code == 404
    assert (await http.post(f"/{name}", json={"resourceType": name})).status_code == 404


@pytest.mark.parametrize("release", ["R4", "R5"], indirect=True)
async def test_every_search_parameter_of_the_capability_statement_is_answered(http, release):
    statement = (await http.get("/metadata")).json()
    values = {"date": "2026", "token": "x", "reference": "Patient/x", "string": "x", "uri": "urn:x"}
    for resource in statement["rest"][0]["resource"]:
        query = "&".join(f"{one['name']}={values[one['type']]}" for one in resource["searchParam"])
        answer = await http.get(f"/{resource['type']}?{query}")
        assert answer.status_code == 200, (resource["type"], answer.text)


async def test_searches_histories_and_bundles_are_answered_with_valid_bundles(http):
    created = await create(http)
    read = entry("GET", f"Patient/{created['id']}")
    for answer in (
        await http.get("/Patient"),
        await http.get("/Goal"),
        await http.get(f"/Patient/{created['id']}/_history"),
        await http.post("", json=transaction(read)),
        await http.post("", json=transaction(read, kind="batch")),
    ):
        assert answer.status_code == 200
        Bundle.model_validate(answer.json())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/Nothing/1", 404),
        ("GET", "/", 405),
        ("PUT", "/Patient", 405),
        ("DELETE", "/Patient", 405),
        ("PATCH", "/Patient/1", 405),
        ("GET", "/Patient/a_b", 400),
        ("GET", "/../elsewhere", 404),
        ("POST", "/Patient/1", 405),
    ],
)
async def test_every_refusal_is_an_operation_outcome(http, method, path, status):
    answer = await http.request(method, path, json=PATIENT if method in {"PUT", "POST"} else None)
    assert answer.status_code == status
    OperationOutcome.model_validate(answer.json())


async def test_what_is_not_json_is_neither_taken_nor_given(http):
    sent = await http.post("/Patient", content=b"<Patient/>", headers={"Content-Type": "application/fhir+xml"})
    assert sent.status_code == 415
    assert (await http.get("/Patient", headers={"Accept": "application/fhir+xml"})).status_code == 406
    assert (await http.get("/Patient?_format=xml")).status_code == 406
    assert (await http.get("/Patient?_format=json")).status_code == 200


async def test_a_body_beyond_the_limit_is_refused(http, monkeypatch):
    monkeypatch.setattr("careplan_exchange.sandbox.app.LARGEST_BODY", 100)
    assert (await http.post("/Patient", content=b" " * 101)).status_code == 413


async def test_an_if_match_of_another_form_is_refused(http):
    created = await create(http)
    answer = await http.put(f"/Patient/{created['id']}", json=created, headers={"If-Match": "1"})
    assert answer.status_code == 400


async def test_a_deleted_resource_comes_back_by_an_update_as_its_next_version(http):
    created = await create(http)
    path = f"/Patient/{created['id']}"
    assert (await http.delete(path, headers={"If-Match": 'W/"7"'})).status_code == 412
    assert (await http.delete(path)).status_code == 204
    assert (await http.get(f"{path}/_history/2")).status_code == 410
    back = await http.put(path, json=created)
    assert back.status_code == 201
    assert back.json()["meta"]["versionId"] == "3"


async def test_meta_is_the_servers_but_for_what_is_the_clients(http):
    meta = {"versionId": "77", "lastUpdated": "1999-01-01T00:00:00Z", "tag": [{"code": "mine"}]}
    stored = await create(http, {**PATIENT, "id": "wish", "meta": meta})
    assert stored["id"] == "1x"
    assert stored["meta"] == {
        "versionId": "1",
        "lastUpdated": "2026-01-01T00:00:00.000Z",
        "tag": [{"code": "mine"}],
    }


async def test_a_client_may_wish_for_an_operation_outcome(http):
    answer = await http.post("/Patient", json=PATIENT, headers={"Prefer": "return=OperationOutcome"})
    assert answer.status_code == 201
    OperationOutcome.model_validate(answer.json())


async def test_a_condition_without_criteria_is_refused(http):
    answer = await http.post("/Patient", json=PATIENT, headers={"If-None-Exist": "_count=1"})
    assert answer.status_code == 400


async def test_a_reference_behind_our_own_address_is_kept_relative(http):
    created = await create(http)
    stored = await create(http, goal(f"{BASE}/Patient/{created['id']}"))
    assert stored["subject"]["reference"] == f"Patient/{created['id']}"


async def test_references_to_contained_resources_and_versions_must_lead_somewhere(http):
    created = await create(http)
    subject = f"Patient/{created['id']}"
    inner = {"resourceType": "Organization", "id": "o", "name": "n"}
    patient = {**PATIENT, "contained": [inner], "managingOrganization": {"reference": "#o"}}
    assert (await http.post("/Patient", json=patient)).status_code == 201
    patient["managingOrganization"] = {"reference": "#other"}
    assert (await http.post("/Patient", json=patient)).status_code == 422
    assert (await http.post("/Goal", json=goal(f"{subject}/_history/1"))).status_code == 201
    assert (await http.post("/Goal", json=goal(f"{subject}/_history/2"))).status_code == 422


async def test_a_transaction_deletes_creates_updates_and_reads_in_that_order(http):
    old = await create(http)
    kept = await create(http)
    mine = await create(http, goal(f"Patient/{old['id']}"))
    moved = {**mine, "subject": {"reference": f"Patient/{kept['id']}"}}
    answer = await http.post(
        "",
        json=transaction(
            entry("GET", "Goal?_summary=count"),
            entry("PUT", f"Goal/{mine['id']}", moved),
            entry("POST", "Goal", goal(f"Patient/{kept['id']}")),
            entry("DELETE", f"Patient/{old['id']}"),
        ),
    )
    assert answer.status_code == 200
    entries = answer.json()["entry"]
    assert [one["response"]["status"][:3] for one in entries] == ["200", "200", "201", "204"]
    assert entries[0]["resource"]["total"] == 2
    assert "resource" not in entries[1]


async def test_a_transaction_that_deletes_what_stays_referred_to_is_refused(http):
    subject = await create(http)
    await create(http, goal(f"Patient/{subject['id']}"))
    answer = await http.post("", json=transaction(entry("DELETE", f"Patient/{subject['id']}")))
    assert answer.status_code == 409
    assert (await http.get(f"/Patient/{subject['id']}")).status_code == 200


async def test_entries_may_refer_to_each_other_in_a_circle(http):
    url, other = "urn:uuid:1", "urn:uuid:2"
    answer = await http.post(
        "",
        json=transaction(
            entry(
                "POST", "Patient", {**PATIENT, "link": [{"other": {"reference": other}, "type": "seealso"}]}, url
            ),
            entry(
                "POST", "Patient", {**PATIENT, "link": [{"other": {"reference": url}, "type": "seealso"}]}, other
            ),
        ),
    )
    assert answer.status_code == 200
    first = (await http.get("/Patient/1x")).json()
    assert first["link"][0]["other"]["reference"] == "Patient/2x"


@pytest.mark.parametrize(
    "bundle",
    [
        {"resourceType": "Bundle", "type": "collection"},
        {"resourceType": "Patient"},
        transaction({}),
        transaction({"request": {"method": "POST", "url": "Patient"}}),
        transaction(entry("PATCH", "Patient/1", PATIENT)),
        transaction(entry("DELETE", "Patient/1", PATIENT)),
        transaction(entry("PUT", "Patient?identifier=1", PATIENT)),
        transaction(entry("POST", "Patient", PATIENT, ifModifiedSince="x")),
        transaction(entry("POST", "Patient", PATIENT, "urn:a"), entry("POST", "Patient", PATIENT, "urn:a")),
        transaction(entry("POST", "Goal", PATIENT)),
        {"resourceType": "Bundle", "type": "transaction", "entry": {}},
    ],
)
async def test_a_bundle_that_is_not_understood_is_refused_whole(http, bundle):
    answer = await http.post("", json=bundle)
    assert answer.status_code == 400
    OperationOutcome.model_validate(answer.json())
    assert (await http.get("/Patient?_summary=count")).json()["total"] == 0


async def test_a_refusal_names_the_entry(http):
    answer = await http.post("", json=transaction(entry("POST", "Patient", {**PATIENT, "gender": "x"})))
    assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[0].Patient.gender"]


@pytest.mark.parametrize(
    ("guard", "right", "scheme"),
    [
        ({"bearer": "t0ken"}, {"Authorization": "Bearer t0ken"}, "Bearer"),
        ({"basic": ("ann", "s3cret")}, {"Authorization": "Basic YW5uOnMzY3JldA=="}, "Basic"),
    ],
)
async def test_credentials_are_asked_for_everything_but_the_capability_statement(guard, right, scheme):
    app = create_app(**guard)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE, headers=FHIR) as http:
        assert (await http.get("/metadata")).status_code == 200
        for wrong in ({}, {"Authorization": f"{scheme} d3adbeef"}, {"Authorization": "Digest x"}):
            answer = await http.get("/Patient", headers=wrong)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith(scheme)
        assert (await http.get("/Patient", headers=right)).status_code == 200
    app.state.server.close()
