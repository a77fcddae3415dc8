"""The whole path on a real HAPI server, over third-party patients: written, valid, repeatable, never over a person."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange import bootstrap
from careplan_exchange.errors import VersionConflictError
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.receipt import Receipt
from tests.support.product import FIXTURE_TODAY, Server, identities, product, sync
from tests.support.r5 import to_r5
from tests.support.records import everybody, living

pytestmark = [pytest.mark.hapi, pytest.mark.slow]

US_CORE = {
    "CarePlan": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-careplan",
    "Goal": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-goal",
}
AT_ONCE = 4


def validator_errors(server: Server, resource: dict[str, Any], profile: str | None = None) -> list[str]:
    query = f"?profile={profile}" if profile else ""
    answer = server.http.post(
        f"{server.url}/{resource['resourceType']}/$validate{query}",
        content=encode(resource),
        headers={"Content-Type": "application/fhir+json"},
    )
    return [
        f"{resource['resourceType']}: {issue.get('diagnostics')} at {issue.get('location')}"
        for issue in decode(answer.content).get("issue", ())
        if issue["severity"] in {"error", "fatal"}
    ]


def all_validator_errors(server: Server, resources: list[dict[str, Any]]) -> list[str]:
    """Of each against base FHIR, or against US Core, whose profiles hold all of base, where there is one."""

    def errors(resource: dict[str, Any]) -> list[str]:
        return validator_errors(server, resource, US_CORE.get(resource["resourceType"]))

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return [error for found in threads.map(errors, resources) for error in found]


def written_by(server: Server, receipt: Receipt) -> list[dict[str, Any]]:
    return [server.get(resource.reference) for resource in receipt.resources]


def versions(receipt: Receipt) -> dict[str, str | None]:
    return {resource.reference: resource.version_id for resource in receipt.resources}


async def sync_all(services: bootstrap.Services, patients: list[str]) -> dict[str, Receipt]:
    return {patient: await sync(services, patient, today=FIXTURE_TODAY) for patient in patients}


async def test_plans_of_all_62_fixture_patients_are_written_valid_and_the_second_time_unchanged(
    hapi_r4: Any, tmp_path: Path
) -> None:
    """Nobody plans for a person who has died, and 23 of the 62 are recorded as deceased: the `deceased` element is
    taken out of the copy that is loaded, and nothing else, so that all 62 are planned."""
    server = Server(hapi_r4.url)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        patients = list(threads.map(server.load, everybody()))
    assert len(patients) == 62
    async with product(tmp_path, hapi_r4.url) as services:
        first = await sync_all(services, patients)
        assert {receipt.outcome for receipt in first.values()} <= {"written", "unchanged"}
        written = [patient for patient, receipt in first.items() if receipt.outcome == "written"]
        goals = {patient: server.authored("Goal", patient) for patient in written}
        assert sum(bool(found) for found in goals.values()) >= 40

        resources: list[dict[str, Any]] = []
        for patient in written:
            resources += written_by(server, first[patient])
            plan = next(r.reference for r in first[patient].resources if r.reference.startswith("CarePlan/"))
            for query in (f"Provenance?target={plan}", f"AuditEvent?patient=Patient/{patient}"):
                companions = server.search(f"{query}&_count=100")
                assert companions, f"no {query} came with the write"
                resources += companions
        assert all_validator_errors(server, resources) == []

        second = await sync_all(services, patients)
        assert {receipt.outcome for receipt in second.values()} == {"unchanged"}
        for patient in patients:
            assert versions(second[patient]) == versions(first[patient])
            plans = server.authored("CarePlan", patient)
            names = identities(server.authored("Goal", patient))
            assert len(plans) == (1 if first[patient].outcome == "written" else 0)
            assert len(names) == len(set(names))
        assert (await services.ledger.verify()).problem is None


async def test_a_clinicians_edit_survives_and_a_stale_version_never_overwrites(
    hapi_r4: Any, tmp_path: Path
) -> None:
    server = Server(hapi_r4.url)
    patient = server.load(living(1)[0])
    async with product(tmp_path, hapi_r4.url) as services:
        await sync(services, patient, today=FIXTURE_TODAY)
        (plan,) = server.authored("CarePlan", patient)
        edited = {
            **plan,
            "status": "active",
            "title": "Agreed with the patient",
            "note": [{"text": "Prefers mornings."}],
            "activity": [
                *plan["activity"],
                {"detail": {"status": "scheduled", "description": "Walk with a friend"}},
            ],
        }
        assert server.put(edited, version=plan["meta"]["versionId"]).status_code == 200
        goal = server.authored("Goal", patient)[0]
        assert (
            server.put({**goal, "lifecycleStatus": "active"}, version=goal["meta"]["versionId"]).status_code
            == 200
        )

        receipt = await sync(services, patient, today=FIXTURE_TODAY)
        assert receipt.outcome in {"unchanged", "review"}
        (after,) = server.authored("CarePlan", patient)
        for element in ("status", "title", "note", "activity"):
            assert after[element] == edited[element]
        assert server.get(f"Goal/{goal['id']}")["lifecycleStatus"] == "active"

        # A stale version, sent as the product would send it, is refused and leaves no trace.
        stale = server.put({**plan, "title": "stale"}, version=plan["meta"]["versionId"])
        assert stale.status_code in {409, 412}
        client = await services.client("main")
        with pytest.raises(VersionConflictError):
            await client.update(
                "CarePlan",
                plan["id"],
                {**plan, "title": "stale"},
                version_id=plan["meta"]["versionId"],
                request_id=services.ids.new(),
            )
        (after,) = server.authored("CarePlan", patient)
        assert after["title"] == "Agreed with the patient"


async def test_an_r5_server_gets_r5_resources_and_the_second_sync_is_unchanged(
    hapi_r5: Any, tmp_path: Path
) -> None:
    server = Server(hapi_r5.url)
    patients = [server.load(to_r5(bundle)) for bundle in living(20)]
    async with product(tmp_path, hapi_r5.url) as services:
        first = await sync_all(services, patients)
        assert sum(receipt.outcome == "written" for receipt in first.values()) >= 15
        problems = []
        for patient, receipt in first.items():
            for resource in written_by(server, receipt):
                problems += validator_errors(server, resource)
            if receipt.outcome == "written":
                for companion in server.search(f"AuditEvent?patient=Patient/{patient}&_count=100"):
                    problems += validator_errors(server, companion)
        assert problems == []
        second = await sync_all(services, patients)
        assert {receipt.outcome for receipt in second.values()} == {"unchanged"}
        assert all(versions(second[patient]) == versions(first[patient]) for patient in patients)
