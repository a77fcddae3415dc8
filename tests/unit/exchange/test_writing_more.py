"""What a write is made of: its intent, what goes with it, and what is taken as ours without one."""

from typing import Any

import msgspec
import pytest

from careplan_exchange.audit import Notes
from careplan_exchange.exchange import Request
from careplan_exchange.exchange.writing import write
from careplan_exchange.model.changes import ChangeSet, Commit, ResourceChange, WrittenResource
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.review import Pending, ReviewStep
from careplan_exchange.model.target import TargetForm
from careplan_exchange.reconcile import next_base
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.hospital import TODAY, URL, Hospital
from tests.support.plans import a_proposal
from tests.support.writing import a_record, an_update, as_written, creates

ASKED = ExchangeRequest(endpoint="hospital", patient="p1")
SOURCE = "https://source.example.org/fhir"
GOAL, *_, PLAN = creates()


async def written(
    hospital: Hospital,
    *changes: ResourceChange,
    asked: ExchangeRequest = ASKED,
    accepting: Pending | None = None,
    **steps: Any,
) -> tuple[WrittenResource, ...]:
    own = msgspec.structs.replace(hospital.steps(), **steps)
    notes = Notes(own.ledger, own.clock, exchange="x1", patient="Patient/p1", target=URL)
    return await write(
        own,
        Request(exchange="x1", asked=asked, today=TODAY, accepting=accepting),
        record=a_record(SOURCE, {"resourceType": "Patient", "id": "p1"}),
        proposal=a_proposal(),
        changes=ChangeSet(patient="Patient/77", changes=changes),
        notes=notes,
    )


async def the_commit(hospital: Hospital) -> Commit:
    (commit,) = await hospital.plans.commits()
    return commit


async def test_the_intent_names_the_exchange_the_patient_the_moment_and_only_what_is_written() -> None:
    hospital = Hospital()
    stands = msgspec.structs.replace(an_update(as_written(PLAN)), action="unchanged")
    found = await written(hospital, GOAL, stands)
    assert [one.identity for one in found] == [GOAL.identity]
    intent = (await the_commit(hospital)).intent
    assert (intent.exchange, intent.target, intent.patient) == ("x1", URL, "Patient/p1")
    assert intent.created_at == hospital.clock.now().isoformat()
    assert (intent.changes, intent.review, intent.reverts) == ((GOAL,), None, None)
    assert intent.id == "00000000-0000-0000-0000-000000000001"


async def test_what_is_carried_out_of_a_review_names_it_and_whoever_approved() -> None:
    hospital = Hospital()
    step = ReviewStep(kind="approve", by="Dr Strange", at="2026-11-24T07:00:00Z")
    pending = Pending(
        id="r1",
        request=ASKED,
        target=URL,
        patient="Patient/p1",
        change_set=ChangeSet(patient="Patient/p1", changes=()),
        why=(),
        created_at="2026-11-24T07:00:00Z",
        steps=(step,),
    )
    await written(hospital, GOAL, accepting=pending)
    assert (await the_commit(hospital)).intent.review == "r1"
    (event,) = hospital.writer.resources("AuditEvent")
    assert event["agent"][-1]["who"] == {"display": "Dr Strange"}


async def test_what_goes_with_a_write_says_of_whom_by_what_and_under_which_request() -> None:
    hospital = Hospital()
    await written(hospital, GOAL, version="1.2.3")
    intent = (await the_commit(hospital)).intent
    (event,) = hospital.writer.resources("AuditEvent")
    (provenance,) = hospital.writer.resources("Provenance")
    now = "2026-11-24T08:00:00.000Z"
    assert (event["recorded"], provenance["recorded"]) == (now, now)
    assert event["agent"][1]["network"]["address"] == URL
    assert event["agent"][0]["who"]["display"] == "careplan-exchange 1.2.3"
    assert event["entity"][1]["what"] == {"reference": "Patient/77"}
    assert event["entity"][2]["what"] == {"identifier": {"value": intent.id}}
    assert provenance["meta"]["tag"] == [
        {"system": "urn:careplan-exchange:exchange", "code": "x1"},
        {"system": "urn:careplan-exchange:installation", "code": await hospital.plans.installation()},
    ]
    assert [agent["who"].get("display") for agent in event["agent"]] == [
        "careplan-exchange 1.2.3",
        "FHIR server",
    ], "nobody has approved it"


async def test_evidence_of_another_server_is_named_with_that_server() -> None:
    hospital = Hospital()
    hospital.source.endpoint = SOURCE
    await written(hospital, GOAL)
    (provenance,) = hospital.writer.resources("Provenance")
    assert provenance["entity"][0]["what"]["identifier"]["system"] == SOURCE
    assert (await the_commit(hospital)).intent.patient == "hospital/Patient/p1"


class InPieces(MemoryPlanWriter):
    """Declares no transactions."""

    async def form(self) -> TargetForm:
        return msgspec.structs.replace(await super().form(), atomic=False)


@pytest.mark.parametrize(
    ("writer", "events", "told"),
    [(MemoryPlanWriter, True, 1), (MemoryPlanWriter, False, 0), (InPieces, True, 0), (InPieces, False, 0)],
)
async def test_events_go_with_a_write_only_where_they_are_asked_for_and_share_its_fate(
    writer: type[MemoryPlanWriter], events: bool, told: int
) -> None:
    hospital = Hospital(writer=writer(URL))
    await written(hospital, GOAL, events=events)
    assert len(hospital.writer.resources("AuditEvent")) == told
    assert len(hospital.writer.resources("Provenance")) == 1


async def test_provenance_has_the_form_of_the_targets_release() -> None:
    hospital = Hospital(writer=MemoryPlanWriter(URL, release="R5"))
    await written(hospital, creates("R5")[0])
    (provenance,) = hospital.writer.resources("Provenance")
    assert provenance["patient"] == {"reference": "Patient/77"}


async def test_what_stands_already_as_we_propose_it_is_remembered_and_nothing_is_sent() -> None:
    hospital = Hospital()
    adopted = msgspec.structs.replace(an_update(as_written(GOAL)), action="unchanged", base=None)
    known = msgspec.structs.replace(an_update(as_written(PLAN)), action="unchanged")
    assert await written(hospital, adopted, known) == ()
    held = msgspec.structs.replace(as_written(GOAL), action="unchanged", stored=adopted.body)
    assert await hospital.plans.bases(URL, "Patient/p1") == {GOAL.identity: next_base(adopted, held)}
    assert await hospital.entries() == []
    assert await hospital.plans.commits() == ()
