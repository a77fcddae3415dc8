"""What every ports.PlanStore does with exchanges, each accepted once, and with the lock of a patient."""

import asyncio

import msgspec
import pytest

from careplan_exchange.errors import UsageError
from careplan_exchange.model.receipt import Receipt, ReceiptResource
from tests.support.stored import AT, LATER, PATIENT, REQUEST, TARGET


async def test_an_exchange_is_accepted_once_for_a_key(store):
    first = await store.plans.accept_exchange("x1", REQUEST, AT, "key")
    assert (first.id, first.state, first.request) == ("x1", "accepted", REQUEST)
    assert await store.plans.accept_exchange("x2", REQUEST, LATER, "key") == first
    assert await store.plans.exchange("x2") is None


async def test_a_key_is_not_taken_for_another_request(store):
    await store.plans.accept_exchange("x1", REQUEST, AT, "key")
    with pytest.raises(UsageError):
        await store.plans.accept_exchange("x2", msgspec.structs.replace(REQUEST, approve=True), AT, "key")
    assert await store.plans.exchange("x2") is None


async def test_exchanges_without_a_key_are_each_their_own(store):
    await store.plans.accept_exchange("x1", REQUEST, AT, None)
    await store.plans.accept_exchange("x2", REQUEST, AT, None)
    assert [row.id for row in await store.plans.unfinished_exchanges()] == ["x1", "x2"]


async def test_the_same_exchange_accepted_again_is_the_same_row(store):
    first = await store.plans.accept_exchange("x1", REQUEST, AT, None)
    assert await store.plans.accept_exchange("x1", REQUEST, LATER, None) == first
    with pytest.raises(UsageError):
        await store.plans.accept_exchange("x1", msgspec.structs.replace(REQUEST, patient="2"), AT, None)


async def test_an_id_and_a_key_of_two_exchanges_do_not_make_a_third(store):
    await store.plans.accept_exchange("x1", REQUEST, AT, "key-1")
    await store.plans.accept_exchange("x2", REQUEST, AT, "key-2")
    with pytest.raises(UsageError):
        await store.plans.accept_exchange("x1", REQUEST, AT, "key-2")


async def test_of_many_requests_with_one_key_at_once_one_exchange_comes(store):
    rows = await asyncio.gather(*(store.plans.accept_exchange(f"x{n}", REQUEST, AT, "key") for n in range(20)))
    assert len({row.id for row in rows}) == 1
    assert len(await store.plans.unfinished_exchanges()) == 1


async def test_a_receipt_stays_when_the_state_changes_later(store):
    resource = ReceiptResource(reference="Goal/g1", version_id="2", action="update")
    receipt = Receipt(outcome="written", resources=(resource,), issues=(), exchange="x1")
    await store.plans.accept_exchange("x1", REQUEST, AT, None)
    await store.plans.update_exchange("x1", "running", LATER)
    assert (await store.plans.exchange("x1")).receipt is None
    await store.plans.update_exchange("x1", "done", LATER, receipt)
    await store.plans.update_exchange("x1", "done", LATER)
    found = await store.plans.exchange("x1")
    assert (found.state, found.updated_at, found.created_at, found.receipt) == ("done", LATER, AT, receipt)


async def test_only_what_is_not_done_is_unfinished(store):
    for name in ("c", "a", "b"):
        await store.plans.accept_exchange(name, REQUEST, AT, None)
    await store.plans.update_exchange("c", "running", LATER)
    await store.plans.update_exchange("a", "done", LATER)
    assert [row.id for row in await store.plans.unfinished_exchanges()] == ["c", "b"]


async def test_updating_an_exchange_that_is_not_there_is_a_usage_error(store):
    with pytest.raises(UsageError):
        await store.plans.update_exchange("none", "done", AT)


async def test_one_patient_is_held_by_one_task_at_a_time(store):
    inside, most = 0, 0

    async def work() -> None:
        nonlocal inside, most
        async with store.plans.patient_lock(TARGET, PATIENT):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(8)))
    assert most == 1


async def test_two_patients_and_two_targets_do_not_wait_for_each_other(store):
    async with (
        store.plans.patient_lock(TARGET, "Patient/1"),
        store.plans.patient_lock(TARGET, "Patient/2"),
        store.plans.patient_lock("https://other.example/fhir", "Patient/1"),
    ):
        pass


async def test_a_lock_is_free_again_after_an_error_and_after_a_cancellation(store):
    with pytest.raises(ValueError, match="inside"):
        async with store.plans.patient_lock(TARGET, PATIENT):
            raise ValueError("inside")

    held = asyncio.Event()

    async def hold() -> None:
        async with store.plans.patient_lock(TARGET, PATIENT):
            held.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await held.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with store.plans.patient_lock(TARGET, PATIENT):
        pass


async def test_a_cancelled_waiter_leaves_the_lock_to_the_others(store):
    async def wait() -> None:
        async with store.plans.patient_lock(TARGET, PATIENT):
            pass

    async with store.plans.patient_lock(TARGET, PATIENT):
        waiters = [asyncio.create_task(wait()) for _ in range(3)]
        await asyncio.sleep(0.02)
        waiters[0].cancel()
    done = await asyncio.gather(*waiters, return_exceptions=True)
    assert isinstance(done[0], asyncio.CancelledError)
    assert done[1:] == [None, None]
