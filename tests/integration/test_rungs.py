"""Whatever the rung and the release, what is written is valid: asked of HAPI's validator, which knows US Core 6.1.0.

One request a form: the plan goes as one Bundle, so that references between its resources are followed.
"""

from pathlib import Path
from typing import Any

import pytest

from careplan_exchange import config
from careplan_exchange.errors import UnsupportedServerError
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.target import TargetForm
from careplan_exchange.sandbox import serve_in_background
from careplan_exchange.writer.lint import attached_bundles
from tests.support.patients import synthetic
from tests.support.product import SYNTHETIC_TODAY, Server, product, sync
from tests.support.r5 import to_r5
from tests.support.rungs import FORMS, collected, rich_plan

US_CORE = {
    kind: f"http://hl7.org/fhir/us/core/StructureDefinition/us-core-{kind.lower()}"
    for kind in ("CarePlan", "Goal", "ServiceRequest", "DocumentReference")
}
LOINC_IS_NOT_THERE = (
    "CodeSystem is unknown and can't be validated: http://loinc.org for 'http://loinc.org#18776-5'",
    "Unable to expand ValueSet because CodeSystem could not be found: http://loinc.org",
    "None of the codings provided are in the value set 'US Core DocumentReference Type'",
)
"""What a server without LOINC says of a document's type. The value set is LOINC's own: every code of scale Doc."""
IDS = [f"{release} {rung}" for release, rung in FORMS]


def errors_in(server: Server, body: dict[str, Any]) -> list[str]:
    answer = server.http.post(
        f"{server.url}/{body['resourceType']}/$validate",
        content=encode(body),
        headers={"Content-Type": "application/fhir+json"},
    )
    return [
        f"{issue['diagnostics']} at {issue.get('location')}"
        for issue in decode(answer.content)["issue"]
        if issue["severity"] in {"error", "fatal"} and not issue["diagnostics"].startswith(LOINC_IS_NOT_THERE)
    ]


@pytest.mark.hapi
@pytest.mark.parametrize(("release", "rung"), FORMS, ids=IDS)
async def test_a_rich_plan_has_no_error_by_the_hl7_validator(request, release, rung):
    server = Server(request.getfixturevalue("hapi_r5" if release == "R5" else "hapi_r4").url)
    patient = server.post("Patient", {"resourceType": "Patient", "gender": "female"})
    form = TargetForm(release=release, rung=rung, us_core="6.1.0")
    rendered = await rich_plan(form, subject=f"Patient/{patient['id']}")
    assert errors_in(server, collected(rendered, {} if release == "R5" else US_CORE)) == []
    bundles = [bundle for each in rendered for bundle in attached_bundles(each.body)]
    assert len(bundles) == (rung == "document")
    for bundle in bundles:
        assert errors_in(server, bundle) == []


@pytest.mark.hapi
async def test_the_validator_does_find_what_is_wrong_in_such_a_bundle(hapi_r4):
    """Otherwise the test above could not fail."""
    rendered = await rich_plan(TargetForm(release="R4"))
    bundle = collected(rendered, US_CORE)
    del bundle["entry"][0]["resource"]["lifecycleStatus"]
    del bundle["entry"][-1]["resource"]["category"]
    found = " ".join(errors_in(Server(hapi_r4.url), bundle))
    assert "Goal.lifecycleStatus" in found
    assert "CarePlan.category" in found


TYPES = {
    "references": {"CarePlan", "Goal", "ServiceRequest"},
    "detail": {"CarePlan", "Goal"},
    "document": {"DocumentReference"},
}
AUTHORED = ("CarePlan", "Goal", "ServiceRequest", "MedicationRequest", "DocumentReference")


def standing(server: Server, patient: str) -> dict[str, int]:
    found = {kind: len(server.authored(kind, patient)) for kind in AUTHORED}
    return {kind: count for kind, count in found.items() if count}


def a_person(identifier: str) -> dict[str, Any]:
    """A record whose patient has this identifier."""
    bundle = synthetic("02-older-adult-si-units")
    bundle["entry"][0]["resource"]["identifier"] = [{"system": "urn:test:rungs", "value": identifier}]
    return bundle


def loaded(folder: Path, bundle: dict[str, Any]) -> Path:
    """A folder to load a sandbox from: what it takes of nobody is there all the same."""
    (folder / "records").mkdir()
    (folder / "records" / "one.json").write_bytes(encode(bundle))
    return folder / "records"


@pytest.mark.parametrize(
    ("release", "takes"), [("R4B", "references"), ("R4", "detail"), ("R4B", "document"), ("R5", "references")]
)
async def test_a_weaker_target_gets_the_plan_in_its_own_form_once(tmp_path, takes, release):
    with serve_in_background(takes=takes, release=release) as sandbox:
        server = Server(sandbox.url)
        with serve_in_background(release=release) as source:
            bundle = to_r5(a_person("1")) if release == "R5" else a_person("1")
            patient = Server(source.url).load(bundle)
            there = server.load({**bundle, "entry": bundle["entry"][:1]})
            endpoints = {"main": config.Endpoint(url=source.url), "to": config.Endpoint(url=sandbox.url)}
            async with product(tmp_path, source.url, endpoints=endpoints) as services:
                request = ExchangeRequest(endpoint="main", patient=patient, target="to", today=SYNTHETIC_TODAY)
                first = await services.run(request, exchange_id=services.ids.new())
                before = standing(server, there)
                again = await services.run(request, exchange_id=services.ids.new())
        assert (first.outcome, again.outcome) == ("written", "unchanged")
        assert set(before) - {"MedicationRequest"} == TYPES[takes]
        assert before.get("DocumentReference", 1) == 1
        assert before.get("CarePlan", 1) == 1
        assert standing(server, there) == before


@pytest.mark.hapi
async def test_a_document_is_written_to_hapi_valid_replaced_on_approval_and_not_written_twice(hapi_r4, tmp_path):
    """Source and target are one server, which could take more: the writer is told to use documents."""
    server = Server(hapi_r4.url)
    patient = server.load(a_person("2"))
    async with product(tmp_path, hapi_r4.url) as services:
        client = await services.client("main")
        capabilities = await client.capabilities()
        for kind in ("CarePlan", "Goal"):
            capabilities.interactions[kind] -= {"create", "update"}
        first = await sync(services, patient)
        assert (await sync(services, patient)).outcome == "unchanged"
        final = await sync(services, patient, approve=True)
        assert (first.outcome, final.outcome) == ("written", "written")
        assert (await sync(services, patient)).outcome == "unchanged"
    assert standing(server, patient) == {"DocumentReference": 2}
    found = server.authored("DocumentReference", patient)
    assert {(one["status"], one["docStatus"]) for one in found} == {
        ("superseded", "preliminary"),
        ("current", "final"),
    }
    for one in found:
        assert errors_in(server, {**one, "meta": {"profile": [US_CORE["DocumentReference"]]}}) == []


async def test_the_plan_of_a_server_that_takes_nothing_goes_to_its_companion(tmp_path):
    with (
        serve_in_background(loaded(tmp_path, a_person("3")), takes="nothing") as weak,
        serve_in_background() as strong,
    ):
        (patient,) = [one["id"] for one in Server(weak.url).search("Patient")]
        companion = Server(strong.url)
        there = companion.load({**a_person("3"), "entry": a_person("3")["entry"][:1]})
        endpoints = {
            "main": config.Endpoint(url=weak.url, companion="strong"),
            "strong": config.Endpoint(url=strong.url),
        }
        async with product(tmp_path, weak.url, endpoints=endpoints) as services:
            assert (await sync(services, patient)).outcome == "written"
            assert (await sync(services, patient)).outcome == "unchanged"
        assert set(standing(companion, there)) == TYPES["references"]
        assert standing(Server(weak.url), patient) == {}


async def test_without_a_companion_such_a_server_is_refused_with_the_next_step(tmp_path):
    with serve_in_background(loaded(tmp_path, a_person("4")), takes="nothing") as weak:
        (patient,) = [one["id"] for one in Server(weak.url).search("Patient")]
        async with product(tmp_path, weak.url) as services:
            with pytest.raises(UnsupportedServerError) as caught:
                await sync(services, patient)
    assert "companion" in caught.value.mend
