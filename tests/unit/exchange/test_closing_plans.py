"""What would become of the plan of a patient who gets none any more, and what is told of it."""

import copy
from typing import Any

import msgspec
import pytest

from careplan_exchange.errors import CareplanError, PatientMergedError, PatientNotEligibleError
from careplan_exchange.exchange import Request
from careplan_exchange.exchange.closing import closed
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.review import Pending, ReviewPolicy, ReviewRule, ReviewStep
from careplan_exchange.model.snapshot import Evidence
from careplan_exchange.review import content_of
from careplan_exchange.store import MemoryPlanStore
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.hospital import TODAY, URL, Hospital, HospitalSource

TOLD = Issue(severity="information", code="value", key="record.told", detail="Words.")
DIED = PatientNotEligibleError("The patient is recorded as deceased.", mend="-", issues=(TOLD,))
MERGED = PatientMergedError("Patient/1 was replaced by another record.", mend="-")


_SYNCED: list[Hospital] = []


async def planned() -> Hospital:
    """After a first run, which is made once: each test changes a copy of what came of it."""
    if not _SYNCED:
        hospital = Hospital()
        await hospital.sync()
        _SYNCED.append(hospital)
    return copy.deepcopy(_SYNCED[0])


async def found_in(hospital: Hospital, error: CareplanError = DIED, accepting: Pending | None = None) -> Any:
    asked = ExchangeRequest(endpoint="hospital", patient=hospital.source.patient)
    request = Request(exchange="x9", asked=asked, today=TODAY, accepting=accepting)
    return await closed(hospital.steps(), request, error)


async def test_a_plan_of_ours_would_be_ended_with_everything_of_it_and_waits() -> None:
    hospital = await planned()
    _, _, ruling = await found_in(hospital)
    assert ruling.decision.waits
    assert ruling.decision.write.to_write == ()
    assert {change.reference for change in ruling.changes.changes} == set(hospital.everything())
    assert ruling.changes.patient == hospital.plan()["subject"]["reference"]
    assert not ruling.expired


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (DIED, "The patient is recorded as deceased. The plan would be ended."),
        (MERGED, f"{MERGED.detail} The plan would be ended here; a run for that record plans anew."),
    ],
)
async def test_it_is_said_why_and_whether_there_is_another_record(error: CareplanError, why: str) -> None:
    _, _, ruling = await found_in(await planned(), error)
    assert {element.why for _, element in ruling.changes.conflicts} == {why}


async def test_nothing_is_read_and_nothing_proposed_and_the_receipt_is_told_why() -> None:
    hospital = await planned()
    record, proposal, _ = await found_in(hospital)
    subject = f"Patient/{hospital.source.patient}"
    assert (record.endpoint, record.identity, record.release) == (URL, "hospital", "R4")
    assert (record.resources, record.categories, record.patient.reference) == ((), frozenset(), subject)
    assert (proposal.patient, proposal.as_of) == (Evidence(reference=subject, version_id=None), TODAY)
    assert (proposal.protocols, proposal.goals, proposal.activities) == ((), (), ())
    told, closing = proposal.issues
    assert told == TOLD
    assert (closing.severity, closing.code, closing.key, closing.detail) == (
        "warning",
        "business-rule",
        DIED.key,
        DIED.detail,
    )
    assert closing.mend is not None


@pytest.mark.parametrize("status", ["completed", "revoked", "entered-in-error"])
async def test_where_no_plan_of_ours_is_in_use_the_error_stays_what_it_is(status: str) -> None:
    hospital = await planned()
    hospital.edit(hospital.plan(), status=status)
    with pytest.raises(PatientNotEligibleError) as caught:
        await found_in(hospital)
    assert caught.value is DIED


async def test_goals_without_a_plan_are_no_plan() -> None:
    hospital = await planned()
    hospital.writer.delete("CarePlan", hospital.plan()["id"])
    with pytest.raises(PatientNotEligibleError):
        await found_in(hospital)


async def test_what_a_person_has_rejected_is_not_asked_again_and_another_patients_rejection_is_not_theirs() -> (
    None
):
    hospital = await planned()
    _, _, ruling = await found_in(hospital)
    pending = Pending(
        id="r1",
        request=ExchangeRequest(endpoint="hospital", patient=hospital.source.patient),
        target=URL,
        patient=f"Patient/{hospital.source.patient}",
        change_set=ruling.changes,
        why=(),
        created_at="2026-11-24T08:00:00Z",
    )
    for state, whose in (("rejected", "Patient/other"), ("superseded", pending.patient)):
        kept = msgspec.structs.replace(pending, id=state, state=state, patient=whose)
        hospital.plans._pendings[state] = kept
        assert (await found_in(hospital))[2].decision.waits
    hospital.plans._pendings["r1"] = msgspec.structs.replace(pending, state="rejected")
    with pytest.raises(PatientNotEligibleError):
        await found_in(hospital)


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_plan_that_the_store_has_lost_is_found_by_the_identity_that_it_must_have(elsewhere: bool) -> None:
    writer = MemoryPlanWriter("https://companion.example.org/fhir" if elsewhere else URL)
    source = HospitalSource("02-older-adult-si-units", written_here=None if elsewhere else writer)
    hospital = Hospital(writer=writer, source=source)
    await hospital.sync()
    hospital.plans = MemoryPlanStore()
    _, _, ruling = await found_in(hospital)
    assert [change.type for change in ruling.changes.changes] == ["CarePlan"]


async def test_a_plan_without_a_subject_is_that_of_whoever_was_asked_for() -> None:
    hospital = await planned()
    body = {name: value for name, value in hospital.plan().items() if name != "subject"}
    hospital.writer.put(body)
    _, _, ruling = await found_in(hospital)
    assert ruling.changes.patient == f"Patient/{hospital.source.patient}"


async def test_an_approval_of_just_that_ends_it_and_one_of_something_else_is_out_of_date() -> None:
    hospital = await planned()
    hospital.policy = ReviewPolicy(rules=(ReviewRule(change=("conflict",), needs="one"),))
    _, _, asked = await found_in(hospital)
    pending = Pending(
        id="r1",
        request=ExchangeRequest(endpoint="hospital", patient=hospital.source.patient),
        target=URL,
        patient=f"Patient/{hospital.source.patient}",
        change_set=asked.decision.wait,
        why=(),
        created_at="2026-11-24T08:00:00Z",
    )
    await hospital.plans.put_pending(pending)
    step = ReviewStep(kind="approve", by="Dr Who", at="2026-11-24T08:00:00Z", content=content_of(pending))
    pending = msgspec.structs.replace(pending, steps=(step,))
    _, _, ruling = await found_in(hospital, accepting=pending)
    statuses = {
        change.body.get("status") for change in ruling.decision.write.to_write if change.type == "CarePlan"
    }
    assert (statuses, ruling.decision.waits) == ({"revoked"}, False)
    other = msgspec.structs.replace(pending, change_set=msgspec.structs.replace(asked.decision.wait, changes=()))
    assert (await found_in(hospital, accepting=other))[2].expired
