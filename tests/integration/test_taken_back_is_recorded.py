"""What a write takes back, or puts back of somebody else's, is recorded like any other write: an AuditEvent of each
request, done or refused, and an entry of the ledger that names every version."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from careplan_exchange import config
from careplan_exchange.audit import kept_events
from careplan_exchange.bootstrap import Services
from careplan_exchange.errors import LossyTargetError
from careplan_exchange.fhir import FhirClient
from careplan_exchange.model.exchange import ExchangeRequest
from tests.support.patients import synthetic
from tests.support.product import SYNTHETIC_TODAY, Server, product, sync
from tests.support.weakened import Weakened, weakened_sandbox

TAKEN_BACK, PUT_BACK = "exchange.write.taken-back", "exchange.write.put-back"
SETTINGS = {
    "transaction": config.Audit(),
    "kept": config.Audit(events="kept"),
    "repository": config.Audit(events="repository", repository="main"),
}


class Ward(NamedTuple):
    server: Server
    layer: Weakened
    patient: str

    def loses_what_a_goal_aims_at(self) -> None:
        def kept(body: dict[str, Any]) -> dict[str, Any]:
            lost = "target" if body["resourceType"] == "Goal" else ""
            return {name: value for name, value in body.items() if name != lost}

        self.layer.stores = kept


@pytest.fixture
def ward() -> Iterator[Ward]:
    with weakened_sandbox() as (url, layer):
        server = Server(url)
        yield Ward(server, layer, server.load(synthetic("02-older-adult-si-units")))


async def told(services: Services, *interactions: str) -> list[dict[str, Any]]:
    """The AuditEvents of these interactions that are kept, oldest first."""
    events = [event async for event in kept_events(services.outbox)]
    return [event for event in events if event["subtype"][0]["code"] in interactions]


def named(event: dict[str, Any]) -> str:
    return str(event["entity"][0]["what"]["identifier"]["value"])


async def entries(services: Services, event: str) -> list[dict[str, Any]]:
    return [link.entry.data for link in await services.ledger.links() if link.entry.event == event]


async def test_each_delete_of_a_take_back_has_its_event_and_the_ledger_names_what_was_made(
    ward: Ward, tmp_path: Path
) -> None:
    ward.layer.transactions = False
    ward.layer.refuses = {"Provenance": 422}  # what a Provenance refers to the sandbox does not delete
    ward.loses_what_a_goal_aims_at()
    async with product(tmp_path, ward.server.url) as services:
        with pytest.raises(LossyTargetError):
            await sync(services, ward.patient)
        deleted = await told(services, "delete")
        (entry,) = await entries(services, TAKEN_BACK)
    made = [one for one in entry["resources"] if one["action"] == "create"]
    gone = [one for one in entry["resources"] if one["action"] == "delete"]
    assert {one["versionId"] for one in made} == {"1"}
    assert {one["of"] for one in gone} == {"1"}
    assert [one["reference"] for one in made] == [one["reference"] for one in gone]
    assert sorted(map(named, deleted)) == sorted(one["reference"] for one in gone) != []
    assert {(event["action"], event["outcome"]) for event in deleted} == {("D", "0")}
    about = {event["entity"][1]["what"]["identifier"]["value"] for event in deleted}
    assert about == {f"Patient/{ward.patient}"}


@pytest.mark.parametrize("events", SETTINGS)
async def test_what_cannot_be_deleted_has_the_refusal_and_the_update_that_marks_it(
    ward: Ward, tmp_path: Path, events: str
) -> None:
    ward.layer.deletes = False
    ward.loses_what_a_goal_aims_at()
    async with product(tmp_path, ward.server.url, audit=SETTINGS[events]) as services:
        with pytest.raises(LossyTargetError):
            await sync(services, ward.patient)
        refused, marked = await told(services, "delete"), await told(services, "update")
        (entry,) = await entries(services, TAKEN_BACK)
        refusals = await entries(services, "exchange.refused")
        if events == "repository":
            sent = await services.teller.send(even_later=True)
            assert (sent.failed, sent.depth.waiting) == (0, 0)
    assert {event["outcome"] for event in refused} == {"4"}
    assert {event["contained"][0]["issue"][0]["code"] for event in refused} == {"not-supported"}
    assert {event["outcome"] for event in marked} == {"0"}
    updates = [one for one in entry["resources"] if one["action"] == "update"]
    assert sorted(map(named, marked)) == sorted(f"{one['reference']}/_history/2" for one in updates) != []
    assert {(one["versionId"], one["of"]) for one in updates} == {("2", "1")}
    assert any(asked.startswith("delete ") for one in refusals for asked in one["asked"])
    on_server = ward.server.search("AuditEvent?_count=500")
    there = [event for event in on_server if event["subtype"][0]["code"] in {"delete", "update"}]
    assert len(there) == (len(refused) + len(marked) if events == "repository" else 0)


async def test_an_update_that_is_taken_back_names_both_versions_and_which_one_stands_again(
    ward: Ward, tmp_path: Path
) -> None:
    async with product(tmp_path, ward.server.url) as services:
        assert (await sync(services, ward.patient)).outcome == "written"
        ward.loses_what_a_goal_aims_at()
        with pytest.raises(LossyTargetError):
            await sync(services, ward.patient, approve=True)
        (entry,) = await entries(services, TAKEN_BACK)
        undone = await told(services, "update")
    goals = [one for one in entry["resources"] if one["reference"].startswith("Goal/")]
    assert {(one["action"], one["versionId"], one.get("of"), one.get("restores")) for one in goals} == {
        ("update", "2", None, None),
        ("update", "3", "2", "1"),
    }
    wanted = {f"{one['reference']}/_history/{one['versionId']}" for one in entry["resources"] if "of" in one}
    assert set(map(named, undone)) == wanted


async def test_what_was_overwritten_and_put_back_has_its_event_and_both_versions_in_the_ledger(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.layer.if_match = False
    async with product(tmp_path, ward.server.url) as services:
        await sync(services, ward.patient)
        goal = ward.server.authored("Goal", ward.patient)[0]
        quick_clinician(monkeypatch, ward.server, goal)
        await sync(services, ward.patient, approve=True)
        reference = f"Goal/{goal['id']}"
        (entry,) = await entries(services, PUT_BACK)
        (restored,) = await told(services, "update")
        versions = [
            one["versionId"]
            for data in await entries(services, "exchange.written")
            for one in data["resources"]
            if one["reference"] == reference
        ]
    assert entry["resources"] == [
        {"reference": reference, "versionId": "3", "action": "update"},
        {"reference": reference, "versionId": "4", "action": "update", "of": "3", "restores": "2"},
    ]
    assert (named(restored), restored["outcome"]) == (f"{reference}/_history/4", "0")
    assert versions == ["1", "5"]


async def test_what_is_put_back_or_taken_back_by_us_is_nobody_elses_edit_in_the_history(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.layer.if_match = False
    async with product(tmp_path, ward.server.url) as services:
        await sync(services, ward.patient)
        goal = ward.server.authored("Goal", ward.patient)[0]
        quick_clinician(monkeypatch, ward.server, goal)
        await sync(services, ward.patient, approve=True)
        found = await services.history("main", ward.patient)
    edited = [each.parts[0].reference for each in found.happenings if each.kind == "edited"]
    assert edited == [f"Goal/{goal['id']}/_history/2"]
    (text,) = [each.text for each in found.happenings if "put back" in each.text]
    assert text == "Our update had replaced what somebody else wrote: it was put back, and read and merged again."


async def test_a_take_back_that_is_refused_altogether_is_an_event_of_failure(ward: Ward, tmp_path: Path) -> None:
    ward.loses_what_a_goal_aims_at()
    async with product(tmp_path, ward.server.url) as services:
        monkey = pytest.MonkeyPatch()
        with monkey.context() as patch:
            after_the_write(patch, lambda: setattr(ward.layer, "read_only", 403))
            receipt = await services.sync(
                ExchangeRequest(endpoint="main", patient=ward.patient, today=SYNTHETIC_TODAY),
                exchange_id=services.ids.new(),
            )
        assert receipt.outcome == "failed"
        tried = await told(services, "delete", "update")
        assert await entries(services, TAKEN_BACK) == []
        (partly,) = await entries(services, "exchange.write.partly")
    assert {event["outcome"] for event in tried} == {"4"}
    assert {one["versionId"] for one in partly["resources"]} == {"1"}


async def test_what_was_taken_back_before_the_plan_fell_a_rung_is_in_the_ledger_too(
    ward: Ward, tmp_path: Path
) -> None:
    ward.layer.transactions = False
    ward.layer.refuses = {"ServiceRequest": 405}
    async with product(tmp_path, ward.server.url) as services:
        receipt = await sync(services, ward.patient)
        (entry,) = await entries(services, TAKEN_BACK)
    assert "write.fell-a-rung" in {issue.key for issue in receipt.issues}
    assert {one["action"] for one in entry["resources"]} == {"create", "delete"}


def quick_clinician(monkeypatch: pytest.MonkeyPatch, server: Server, goal: dict[str, Any]) -> None:
    """Somebody edits this goal right before our next transaction."""
    transaction, waiting = FhirClient.transaction, [goal]

    async def edited(self: FhirClient, bundle: Any, *, request_id: str) -> Any:
        if waiting and bundle["type"] == "transaction":
            assert server.put({**waiting.pop(), "note": [{"text": "a clinician's"}]}).status_code == 200
        return await transaction(self, bundle, request_id=request_id)

    monkeypatch.setattr(FhirClient, "transaction", edited)


def after_the_write(monkeypatch: pytest.MonkeyPatch, then: Any) -> None:
    transaction = FhirClient.transaction

    async def sent(self: FhirClient, bundle: Any, *, request_id: str) -> Any:
        answer = await transaction(self, bundle, request_id=request_id)
        if bundle["type"] == "transaction":
            then()
        return answer

    monkeypatch.setattr(FhirClient, "transaction", sent)
