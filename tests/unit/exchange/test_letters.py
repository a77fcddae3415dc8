"""Dead letters: which failures make one, what it keeps, and what closes it."""

from typing import Any

import pytest

from careplan_exchange import logs
from careplan_exchange.errors import (
    AuthenticationRefusedError,
    CareplanError,
    ConfigurationError,
    DuplicateError,
    EndpointUnreachableError,
    IncompleteRecordError,
    InvalidResourceError,
    OutcomeUnknownError,
    PatientNotEligibleError,
    PlanElsewhereError,
    RefusedError,
    StoreUnavailableError,
    UsageError,
    VersionConflictError,
)
from careplan_exchange.model.changes import Intent, Settlement
from careplan_exchange.model.deadletter import DeadLetter
from careplan_exchange.store import MemoryPlanStore
from tests.support.hospital import URL, Hospital


def failing(error: CareplanError) -> Any:
    async def fail(*_: Any) -> None:
        raise error

    return fail


async def failed(hospital: Hospital, **how: Any) -> CareplanError:
    with pytest.raises(CareplanError) as raised:
        await hospital.sync(**how)
    return raised.value


async def letters(hospital: Hospital) -> tuple[DeadLetter, ...]:
    return await hospital.plans.letters()


@pytest.mark.parametrize(
    "kind", [RefusedError, AuthenticationRefusedError, InvalidResourceError, DuplicateError, VersionConflictError]
)
async def test_a_write_that_was_refused_becomes_a_letter_with_what_was_meant(kind, monkeypatch):
    hospital = Hospital()
    monkeypatch.setattr(hospital.writer, "write", failing(kind("Refused.", mend="Mend it.")))
    error = await failed(hospital, exchange_id="x1")
    (letter,) = await letters(hospital)
    assert (letter.id, letter.error, letter.mend) == ("x1", error.key, error.mend)
    assert (letter.target, letter.patient) == (URL, f"Patient/{hospital.source.patient}")
    assert letter.intent is not None
    assert {change.type for change in letter.intent.changes} >= {"CarePlan", "Goal"}
    assert hospital.everything() == {}
    events = await hospital.events("x1")
    assert events[-2:] == [logs.LETTER_KEPT, logs.EXCHANGE_FAILED]


async def test_a_write_that_came_to_nothing_however_often_becomes_a_letter(monkeypatch):
    hospital = Hospital()
    monkeypatch.setattr(hospital.writer, "write", failing(OutcomeUnknownError("Silence.", mend="m")))
    error = await failed(hospital)
    (letter,) = await letters(hospital)
    assert letter.error == error.key == "unavailable"


async def test_a_write_that_nobody_can_settle_becomes_a_letter(monkeypatch):
    hospital = Hospital()
    hospital.writer.fault = "lose-answer"
    monkeypatch.setattr(hospital.writer, "settle", failing(EndpointUnreachableError("Gone.", mend="m")))
    await failed(hospital)
    assert [letter.error for letter in await letters(hospital)] == ["unavailable.endpoint"]

    async def unclear(*_: Any) -> Settlement:
        return Settlement(outcome="unclear")

    monkeypatch.setattr(hospital.writer, "settle", unclear)
    await failed(hospital)
    (letter,) = await letters(hospital)
    assert (letter.error, letter.failures) == ("decision.unsettled-write", 2)


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (RefusedError("r", mend="m"), True),
        (PlanElsewhereError("r", mend="m"), True),
        (PatientNotEligibleError("r", mend="m"), False),
        (EndpointUnreachableError("r", mend="m"), False),
        (IncompleteRecordError("r", mend="m"), False),
        (UsageError("r", mend="m"), False),
        (ConfigurationError("r", mend="m"), False),
    ],
)
async def test_of_failures_before_anything_is_due_only_those_that_stay_make_a_letter(error, kept, monkeypatch):
    hospital = Hospital()
    monkeypatch.setattr(hospital.source, "pull", failing(error))
    await failed(hospital)
    assert bool(await letters(hospital)) == kept


async def test_a_record_that_cannot_be_read_makes_a_letter_where_a_plan_of_ours_stands(monkeypatch):
    hospital = Hospital()
    await hospital.sync()
    monkeypatch.setattr(hospital.source, "pull", failing(IncompleteRecordError("Not whole.", mend="m")))
    await failed(hospital)
    assert [letter.error for letter in await letters(hospital)] == [IncompleteRecordError.key]


async def test_an_exchange_that_goes_through_resolves_the_letter_and_says_so(monkeypatch):
    hospital = Hospital()
    with monkeypatch.context() as patched:
        patched.setattr(hospital.writer, "write", failing(RefusedError("r", mend="m")))
        for _ in range(3):
            await failed(hospital)
    (letter,) = await letters(hospital)
    assert letter.failures == 3
    await hospital.sync(exchange_id="later")
    assert await letters(hospital) == ()
    assert [each.state for each in await hospital.plans.letters(None)] == ["resolved"]
    resolved = [entry for entry in await hospital.entries("later") if entry.event == logs.LETTER_RESOLVED]
    assert [entry.data["letter"] for entry in resolved] == [letter.id]


async def test_an_exchange_that_waits_for_review_has_gone_through(monkeypatch):
    hospital = Hospital()
    await hospital.sync(approve=True)
    with monkeypatch.context() as patched:
        patched.setattr(hospital.source, "pull", failing(RefusedError("r", mend="m")))
        await failed(hospital)
    hospital.edit(hospital.goals()[0], lifecycleStatus="on-hold")
    assert await letters(hospital)
    await hospital.sync()
    assert await letters(hospital) == ()


async def test_waiting_in_vain_for_another_exchange_of_the_patient_makes_no_letter():
    hospital = Hospital()
    hospital.plans = MemoryPlanStore(lock_seconds=0.05)
    patient = f"Patient/{hospital.source.patient}"
    await hospital.plans.open_intent(
        Intent(
            id="i", exchange="other", target=URL, patient=patient, changes=(), created_at="2026-01-01T00:00:00Z"
        )
    )
    async with hospital.plans.patient_lock(URL, patient):
        assert isinstance(await failed(hospital), StoreUnavailableError)
    assert await letters(hospital) == ()


async def test_a_store_that_cannot_keep_the_letter_does_not_hide_why_the_exchange_failed(monkeypatch):
    hospital = Hospital()
    monkeypatch.setattr(hospital.writer, "write", failing(DuplicateError("Twice.", mend="m")))
    monkeypatch.setattr(hospital.plans, "put_letter", failing(StoreUnavailableError("Full.", mend="m")))
    assert isinstance(await failed(hospital), DuplicateError)
