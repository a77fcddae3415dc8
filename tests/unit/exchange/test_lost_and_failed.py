"""Somebody else at the same time, answers that are lost, and what fails before anything is written."""

from typing import Any

import pytest

from careplan_exchange import logs
from careplan_exchange.errors import (
    CareplanError,
    EndpointOverloadedError,
    IncompleteRecordError,
    OutcomeUnknownError,
    PatientMergedError,
    PatientNotEligibleError,
    RefusedError,
    StoreUnavailableError,
    UnavailableError,
    UnsettledWriteError,
    VersionConflictError,
)
from careplan_exchange.exchange.path import MERGE_ATTEMPTS
from careplan_exchange.model.changes import Settlement
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.record import PatientRecord
from tests.support.hospital import Hospital
from tests.support.interfering import (
    DiedError,
    actions,
    assert_nothing_written,
    open_intents,
    raising,
    with_interference,
)


async def test_after_a_version_conflict_the_plan_is_read_and_merged_again() -> None:
    hospital, writer = with_interference()
    await hospital.sync()
    hospital.source.remove("MedicationRequest")
    pulled, sent = hospital.source.pulls, writer.writes

    def somebody_is_quicker() -> None:
        writer.before_write = lambda: None
        hospital.edit(hospital.plan(), title="By another hand")

    writer.before_write = somebody_is_quicker
    receipt = await hospital.sync()
    assert receipt.outcome == "written"
    assert hospital.plan()["title"] == "By another hand"
    assert (hospital.source.pulls - pulled, writer.writes - sent) == (2, 2)
    assert await open_intents(hospital) == ()
    events = await hospital.events(receipt.exchange)
    assert events.count(logs.WRITE_CONFLICT) == 1
    assert events.count(logs.WRITE_INTENT) == 2


async def test_a_plan_that_keeps_changing_is_given_up_after_a_few_attempts() -> None:
    hospital, writer = with_interference()
    writer.before_write = raising(VersionConflictError("changed", mend="again"))
    with pytest.raises(VersionConflictError) as caught:
        await hospital.sync(exchange_id="e")
    assert writer.writes == MERGE_ATTEMPTS
    assert caught.value.exit_code == 4
    assert_nothing_written(hospital)
    assert await open_intents(hospital) == ()
    assert (await hospital.events("e"))[-1] == logs.EXCHANGE_FAILED


# --- lost answers -----------------------------------------------------------------------------------------------


async def test_an_answer_lost_after_the_commit_is_settled_and_there_is_one_plan() -> None:
    hospital = Hospital()
    hospital.writer.fault = "lose-answer"
    receipt = await hospital.sync()
    assert receipt.outcome == "written"
    assert actions(receipt) == {"create": len(hospital.everything())}
    assert len(hospital.writer.resources("CarePlan")) == 1
    assert (await hospital.sync()).outcome == "unchanged"
    assert logs.WRITE_UNKNOWN in await hospital.events(receipt.exchange)


async def test_a_write_lost_before_the_commit_is_tried_again() -> None:
    hospital = Hospital()
    hospital.writer.fault = "lose-request"
    receipt = await hospital.sync()
    assert receipt.outcome == "written"
    assert len(hospital.writer.resources("CarePlan")) == 1
    assert (await hospital.sync()).outcome == "unchanged"


async def test_a_server_that_fails_every_write_is_unavailable_and_not_somebody_elses_change() -> None:
    hospital, writer = with_interference()
    writer.before_write = raising(OutcomeUnknownError("It says 500.", mend="-"))
    with pytest.raises(UnavailableError) as caught:
        await hospital.sync(exchange_id="e")
    assert caught.value.exit_code == 5
    assert "somebody" not in caught.value.detail
    assert "500" in caught.value.detail
    assert writer.writes == MERGE_ATTEMPTS
    assert_nothing_written(hospital)
    assert len(await open_intents(hospital)) == MERGE_ATTEMPTS, "it may be carried out yet"
    failed = (await hospital.entries("e"))[-1]
    assert (failed.event, failed.data["error"]) == (logs.EXCHANGE_FAILED, caught.value.key)


@pytest.mark.parametrize("committed", [True, False])
async def test_a_process_that_died_over_a_write_is_settled_before_anything_else(committed: bool) -> None:
    hospital, writer = with_interference()
    setattr(writer, "after_write" if committed else "before_write", raising(DiedError()))
    with pytest.raises(DiedError):
        await hospital.sync()
    (intent,) = await open_intents(hospital)
    writer.after_write = writer.before_write = lambda: None

    opened: list[int] = []

    async def look() -> None:
        opened.append(len(await open_intents(hospital)))

    pull = hospital.source.pull

    async def pull_and_look(patient: str) -> PatientRecord:
        await look()
        return await pull(patient)

    hospital.source.pull = pull_and_look
    receipt = await hospital.sync()
    assert opened == [0 if committed else 1], "it was settled before the record was read"
    assert receipt.outcome == ("unchanged" if committed else "written")
    assert len(hospital.writer.resources("CarePlan")) == 1
    settled = next(e for e in await hospital.entries(receipt.exchange) if e.event == logs.EXCHANGE_SETTLED)
    assert settled.data["state"] == ("committed" if committed else "absent")
    assert settled.data["intent"] == intent.id
    assert settled.data["of"] == intent.exchange
    assert (await hospital.sync()).outcome == "unchanged"


async def test_a_write_that_cannot_be_told_apart_needs_a_person_and_nothing_is_sent() -> None:
    hospital, writer = with_interference()
    writer.before_write = raising(DiedError())
    with pytest.raises(DiedError):
        await hospital.sync()
    writer.before_write = lambda: None
    issue = Issue(severity="error", code="conflict", key="write.settle.foreign", detail="Not ours.")
    writer.settled = Settlement(outcome="unclear", issues=(issue,))
    sent = writer.writes
    for _ in range(2):
        with pytest.raises(UnsettledWriteError) as caught:
            await hospital.sync()
        assert caught.value.exit_code == 6
        assert caught.value.issues == (issue,)
    assert writer.writes == sent
    assert hospital.source.pulls == 1
    assert_nothing_written(hospital)
    assert len(await open_intents(hospital)) == 1


async def test_while_the_server_cannot_be_asked_the_intent_stays_open() -> None:
    hospital, writer = with_interference()
    writer.fault = "lose-answer"

    async def busy(*_: Any) -> Settlement:
        raise EndpointOverloadedError("busy", mend="later")

    settle, writer.settle = writer.settle, busy
    with pytest.raises(EndpointOverloadedError):
        await hospital.sync()
    assert len(await open_intents(hospital)) == 1
    writer.settle = settle
    assert (await hospital.sync()).outcome == "unchanged"
    assert len(hospital.writer.resources("CarePlan")) == 1


async def test_a_database_that_fails_after_the_write_leaves_it_to_be_settled() -> None:
    hospital = Hospital()
    close = hospital.plans.commit_intent

    async def full(*_: Any) -> None:
        raise StoreUnavailableError("The disk is full.", mend="Make room.")

    hospital.plans.commit_intent = full
    with pytest.raises(StoreUnavailableError):
        await hospital.sync()
    hospital.plans.commit_intent = close
    assert (await hospital.sync()).outcome == "unchanged"
    assert len(hospital.writer.resources("CarePlan")) == 1


async def test_a_write_that_the_server_refuses_leaves_no_intent() -> None:
    hospital, writer = with_interference()
    writer.before_write = raising(RefusedError("no", mend="-"))
    with pytest.raises(RefusedError):
        await hospital.sync()
    assert writer.writes == 1
    assert await open_intents(hospital) == ()


# --- nothing is written when something before fails -------------------------------------------------------------


@pytest.mark.parametrize("error", [IncompleteRecordError, PatientMergedError])
async def test_half_a_record_plans_and_writes_nothing(error: type[CareplanError]) -> None:
    hospital = Hospital()
    hospital.source.before_pull = raising(error("Half of it.", mend="Again."))
    with pytest.raises(error):
        await hospital.sync(exchange_id="e")
    assert_nothing_written(hospital)
    assert await hospital.events("e") == [logs.EXCHANGE_STARTED, logs.EXCHANGE_FAILED]


async def test_half_a_record_leaves_a_plan_that_stands_as_it_is() -> None:
    hospital = Hospital()
    await hospital.sync()
    before = hospital.everything()
    hospital.source.before_pull = raising(IncompleteRecordError("Half of it.", mend="Again."))
    with pytest.raises(IncompleteRecordError):
        await hospital.sync()
    assert hospital.everything() == before


async def test_a_deceased_patient_gets_no_plan() -> None:
    hospital = Hospital()
    hospital.source.resources("Patient")[0]["deceasedBoolean"] = True
    with pytest.raises(PatientNotEligibleError):
        await hospital.sync()
    assert_nothing_written(hospital)


async def test_without_a_ledger_nothing_is_written() -> None:
    hospital = Hospital()

    async def locked(_: Any) -> Any:
        raise StoreUnavailableError("The database is locked.", mend="Wait.")

    hospital.ledger.append = locked
    with pytest.raises(StoreUnavailableError):
        await hospital.sync()
    assert_nothing_written(hospital)
    assert await open_intents(hospital) == ()
