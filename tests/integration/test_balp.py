"""Every kind of AuditEvent that we make, against the IHE profiles on a real server: 0 errors, and a broken one has."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange.audit import CompanionContext, companions, events_of, kept_events
from careplan_exchange.errors import LossyTargetError
from careplan_exchange.fhir import FhirClient
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.requested import Act
from careplan_exchange.model.review import ReviewStep
from tests.support.balp import errors, load, remove
from tests.support.parcels import ACTS, SERVER, a_parcel, a_request
from tests.support.patients import synthetic
from tests.support.plans import a_proposal
from tests.support.product import Server, product, sync
from tests.support.writing import an_intent, companions_of, creates

pytestmark = [pytest.mark.hapi, pytest.mark.slow]

US_CORE_PROVENANCE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-provenance"
PROFILE = {
    "create": "Create",
    "read": "Read",
    "update": "Update",
    "delete": "Delete",
    "search-type": "Query",
}
"""By interaction; BALP has none for a history and an operation: those are valid AuditEvents and no more."""


@pytest.fixture(scope="module")
def server(hapi_r4: Any) -> Iterator[Server]:
    server = Server(hapi_r4.url)
    load(server)
    yield server
    remove(server)


def told(act: Act, release: Any = "R4", here: str | None = SERVER, **fields: Any) -> dict[str, Any]:
    about = {name: fields.pop(name) for name in ("subject", "by", "installation") if name in fields}
    (event,) = events_of(a_parcel(1, a_request(act, **fields), **about), release, here=here)
    return event


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.interaction)
@pytest.mark.parametrize(
    "fields",
    [{}, {"by": "Dr Who"}, {"by": "Practitioner/12", "jti": "token-1"}, {"here": None}],
    ids=["by itself", "for a person", "with a token", "kept elsewhere"],
)
def test_an_event_of_every_kind_is_valid(server: Server, act: Act, fields: dict[str, Any]) -> None:
    event = told(act, **fields)
    name = PROFILE.get(act.interaction)
    assert errors(server, event, f"Patient{name}" if name else None) == []
    if name:
        assert errors(server, told(act, **{**fields, "subject": None}), name) == []
    if "jti" in fields:
        assert errors(server, event, "OAUTHaccessTokenUse.Minimal") == []


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.interaction)
@pytest.mark.parametrize(
    "failure",
    [
        {"status": 403, "error": "refused.authentication", "said": ("forbidden",)},
        {"status": 500, "error": "unavailable.overloaded"},
        {"status": None, "error": "unavailable.outcome-unknown"},
    ],
    ids=["refused", "failed", "unanswered"],
)
def test_an_event_of_a_failure_is_valid_and_differs_from_the_pattern_of_a_success_in_its_outcome_alone(
    server: Server, act: Act, failure: dict[str, Any]
) -> None:
    event = told(act, **failure)
    assert event["outcome"] == ("4" if failure["status"] == 403 else "8")
    assert errors(server, event) == []
    if act.interaction in PROFILE:
        found = errors(server, event, f"Patient{PROFILE[act.interaction]}")
        assert found
        assert all("outcome" in error for error in found)


def test_what_goes_with_a_write_is_valid(server: Server) -> None:
    bodies = companions_of(an_intent(creates()))
    events = [body for body in bodies if body["resourceType"] == "AuditEvent"]
    assert events
    assert [error for event in events for error in errors(server, event, "PatientCreate")] == []


def _no_server(event: dict[str, Any]) -> None:
    del event["agent"][1]


def _no_network(event: dict[str, Any]) -> None:
    del event["agent"][0]["network"]


def _no_patient(event: dict[str, Any]) -> None:
    event["entity"] = [one for one in event["entity"] if one["type"]["code"] != "1"]


def _other_action(event: dict[str, Any]) -> None:
    event["action"] = "E" if event["action"] != "E" else "R"


def _other_interaction(event: dict[str, Any]) -> None:
    event["subtype"][0]["code"] = "patch" if event["subtype"][0]["code"] != "update" else "read"


def _user_with_network(event: dict[str, Any]) -> None:
    event["agent"][2]["network"] = event["agent"][0]["network"]


def _no_outcome(event: dict[str, Any]) -> None:
    del event["outcome"]


@pytest.mark.parametrize(
    "spoil",
    [_no_server, _no_network, _no_patient, _other_action, _other_interaction, _user_with_network, _no_outcome],
)
@pytest.mark.parametrize(
    "act", [act for act in ACTS if act.interaction in PROFILE], ids=lambda act: act.interaction
)
def test_a_broken_event_has_errors(server: Server, act: Act, spoil: Callable[[dict[str, Any]], None]) -> None:
    event = told(act, by="Dr Who")
    spoil(event)
    assert errors(server, event, f"Patient{PROFILE[act.interaction]}")


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.interaction)
@pytest.mark.parametrize(
    "fields",
    [
        {"by": "Dr Who", "jti": "token-1", "here": None},
        {"status": 403, "error": "refused.authentication", "said": ("forbidden",)},
    ],
    ids=["for a person, kept elsewhere", "refused"],
)
def test_the_r5_form_is_valid(hapi_r5: Any, act: Act, fields: dict[str, Any]) -> None:
    assert errors(Server(hapi_r5.url), told(act, "R5", **fields)) == []


def test_provenance_with_who_approved_is_valid_by_us_core(server: Server) -> None:
    steps = tuple(
        ReviewStep(kind=kind, by=by, at="2026-03-04T05:06:07Z")
        for kind, by in (("modify", "Dr Who"), ("approve", "Practitioner/12"))
    )
    context = CompanionContext(
        exchange="x1",
        request_id="r1",
        recorded=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
        subject="Patient/p1",
        target=SERVER,
        version="0.1.0",
        same_server=True,
        source_endpoint=SERVER,
        approvals=steps,
        installation="i1",
    )
    body, *events = companions(creates(), a_proposal(), context, "R4")
    assert errors(server, body, US_CORE_PROVENANCE) == []
    assert [error for event in events for error in errors(server, event, "PatientCreate")] == []
    assert errors(server, {**body, "agent": []}, US_CORE_PROVENANCE)


async def test_what_a_write_takes_back_on_a_real_server_has_valid_events(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HAPI does not delete what something refers to: of each there is a refusal, then an update."""
    patient = server.load(synthetic("02-older-adult-si-units"))
    transaction = FhirClient.transaction

    async def lossy(self: FhirClient, bundle: Any, *, request_id: str) -> Any:
        sent = encode(bundle)
        if bundle["type"] == "transaction":
            sent = sent.replace(b'"lifecycleStatus":"proposed"', b'"lifecycleStatus":"active"')
        return await transaction(self, decode(sent), request_id=request_id)

    monkeypatch.setattr(FhirClient, "transaction", lossy)
    async with product(tmp_path, server.url) as services:
        with pytest.raises(LossyTargetError, match="taken back"):
            await sync(services, patient)
        kept = [event async for event in kept_events(services.outbox)]
        links = await services.ledger.links()
    by_kind: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in kept:
        by_kind.setdefault((event["subtype"][0]["code"], event["outcome"]), []).append(event)
    (marked, refused) = (by_kind["update", "0"], by_kind["delete", "4"])
    (entry,) = [link.entry.data for link in links if link.entry.event == "exchange.write.taken-back"]
    done = [one for one in entry["resources"] if "of" in one]
    deletes = by_kind.get(("delete", "0"), [])
    assert len(marked) + len(deletes) == len(done) > 40
    for event in marked[:5]:
        assert errors(server, event, "PatientUpdate") == []
    for event in deletes[:5]:
        assert errors(server, event, "PatientDelete") == []
    for event in refused[:5]:
        assert all("outcome" in error for error in errors(server, event, "PatientDelete"))
        assert errors(server, event) == []
    for one in done:
        if one["action"] == "update":
            there = server.get(f"{one['reference']}/_history/{one['versionId']}")
            assert "entered-in-error" in {there.get("status"), there.get("lifecycleStatus")}
