"""What every ports.PlanStore does with what waits for a person: changes, decisions, steps, dead letters."""

import asyncio
from decimal import Decimal

import msgspec
import pytest

from careplan_exchange.errors import UsageError
from careplan_exchange.model import codec
from careplan_exchange.model.review import ReviewStep
from tests.support.stored import AT, LATER, PATIENT, TARGET, a_change_set, a_letter, a_pending


async def test_a_waiting_change_supersedes_the_one_before(store):
    await store.plans.put_pending(a_pending("p1"))
    await store.plans.put_pending(a_pending("other", patient="Patient/2"))
    newer = a_pending("p2", a_change_set("another"))
    assert await store.plans.put_pending(newer) == newer
    assert [p.id for p in await store.plans.pendings()] == ["other", "p2"]
    assert (await store.plans.pending("p1")).state == "superseded"
    assert [p.id for p in await store.plans.pendings(None)] == ["p1", "other", "p2"]


async def test_what_waits_is_found_by_target_and_patient(store):
    await store.plans.put_pending(a_pending("p1"))
    await store.plans.put_pending(a_pending("other", patient="Patient/2"))
    assert [p.id for p in await store.plans.pendings(of=(TARGET, "Patient/2"))] == ["other"]
    assert await store.plans.pendings(of=("https://other.example/fhir", "Patient/2")) == ()
    await store.plans.decide_pending("other", "rejected", "dr-1", AT)
    assert await store.plans.pendings(of=(TARGET, "Patient/2")) == ()
    assert [p.id for p in await store.plans.pendings("rejected", of=(TARGET, "Patient/2"))] == ["other"]


async def test_of_many_changes_put_at_once_one_waits(store):
    many = [a_pending(f"p{number}", a_change_set(str(number))) for number in range(12)]
    assert await asyncio.gather(*(store.plans.put_pending(pending) for pending in many)) == many
    states = [pending.state for pending in await store.plans.pendings(None)]
    assert (states.count("pending"), states.count("superseded")) == (1, 11)


async def test_the_same_change_waits_once(store):
    first = await store.plans.put_pending(a_pending("p1"))
    assert await store.plans.put_pending(a_pending("p2")) == first
    assert [p.id for p in await store.plans.pendings(None)] == ["p1"]


async def test_a_waiting_change_comes_back_whole(store):
    await store.plans.put_pending(a_pending("p1"))
    found = await store.plans.pending("p1")
    assert found == a_pending("p1")
    assert b"1.50" in codec.canonical(found)
    assert await store.plans.pending("none") is None


async def test_a_decision_names_who_and_when(store):
    await store.plans.put_pending(a_pending("p1"))
    await store.plans.decide_pending("p1", "approved", "dr-1", LATER)
    found = await store.plans.pending("p1")
    assert (found.state, found.decided_by, found.decided_at) == ("approved", "dr-1", LATER)
    assert await store.plans.pendings() == ()
    assert await store.plans.pendings("approved") == (found,)


async def test_a_decision_is_not_reversed(store):
    await store.plans.put_pending(a_pending("p1"))
    await store.plans.decide_pending("p1", "rejected", "dr-1", AT)
    await store.plans.decide_pending("p1", "rejected", "dr-2", LATER)
    with pytest.raises(UsageError):
        await store.plans.decide_pending("p1", "approved", "dr-2", LATER)
    assert (await store.plans.pending("p1")).decided_by == "dr-1"


async def test_deciding_what_is_not_there_is_a_usage_error(store):
    with pytest.raises(UsageError):
        await store.plans.decide_pending("none", "approved", "dr-1", AT)


async def test_the_same_change_waits_again_after_it_was_rejected(store):
    await store.plans.put_pending(a_pending("p1"))
    await store.plans.decide_pending("p1", "rejected", "dr-1", AT)
    await store.plans.put_pending(a_pending("p2"))
    assert [p.id for p in await store.plans.pendings()] == ["p2"]


async def test_a_decided_change_is_not_overwritten_under_its_id(store):
    await store.plans.put_pending(a_pending("p1"))
    await store.plans.decide_pending("p1", "approved", "dr-1", AT)
    with pytest.raises(UsageError):
        await store.plans.put_pending(a_pending("p1", a_change_set("another")))
    assert (await store.plans.pending("p1")).state == "approved"


async def test_an_exchange_taken_up_again_replaces_its_own_waiting_change(store):
    await store.plans.put_pending(a_pending("p1"))
    again = a_pending("p1", a_change_set("another"))
    assert await store.plans.put_pending(again) == again
    assert await store.plans.pendings(None) == (again,)


async def test_clearing_supersedes_what_waits_and_nothing_else(store):
    await store.plans.put_pending(a_pending("p0"))
    await store.plans.decide_pending("p0", "rejected", "dr-1", AT)
    await store.plans.put_pending(a_pending("p1"))
    await store.plans.put_pending(a_pending("p2", patient="Patient/2"))
    await store.plans.clear_pending(TARGET, PATIENT, LATER)
    assert {p.id: p.state for p in await store.plans.pendings(None)} == {
        "p0": "rejected",
        "p1": "superseded",
        "p2": "pending",
    }
    assert (await store.plans.pending("p1")).decided_at == LATER


# --- steps of reviews


def a_step(kind: str = "assign", by: str = "dr-1") -> ReviewStep:
    return ReviewStep(kind=kind, by=by, at=AT, reason="because", edits={"Goal/1  note": Decimal("1.50")})


async def test_what_persons_did_with_a_waiting_change_is_kept_in_order(store):
    await store.plans.put_pending(a_pending("p1"))
    first, second = a_step(), a_step("approve", "dr-2")
    assert (await store.plans.add_step("p1", first)).steps == (first,)
    after = await store.plans.add_step("p1", second)
    assert after.steps == (first, second)
    assert await store.plans.pending("p1") == after
    assert await store.plans.pendings() == (after,)
    assert b"1.50" in codec.canonical(after)


async def test_steps_of_many_at_once_are_all_kept(store):
    await store.plans.put_pending(a_pending("p1"))
    await asyncio.gather(*(store.plans.add_step("p1", a_step(by=f"dr-{n}")) for n in range(8)))
    assert {step.by for step in (await store.plans.pending("p1")).steps} == {f"dr-{n}" for n in range(8)}


async def test_nothing_is_added_to_a_change_that_does_not_wait(store):
    await store.plans.put_pending(a_pending("p1"))
    await store.plans.decide_pending("p1", "approved", "dr-1", AT)
    for which in ("p1", "none"):
        with pytest.raises(UsageError):
            await store.plans.add_step(which, a_step())
    assert (await store.plans.pending("p1")).steps == ()


# --- dead letters


async def test_a_letter_comes_back_whole(store):
    assert await store.plans.put_letter(a_letter("l1")) == a_letter("l1")
    assert await store.plans.letter("l1") == a_letter("l1")
    assert await store.plans.letter("none") is None


async def test_one_letter_waits_for_a_patient_and_counts_its_failures(store):
    await store.plans.put_letter(a_letter("l1"))
    await store.plans.put_letter(a_letter("other", "Patient/2"))
    again = msgspec.structs.replace(a_letter("l2", error="refused.duplicate"), created_at=LATER)
    kept = await store.plans.put_letter(again)
    assert (kept.id, kept.failures, kept.created_at, kept.error) == ("l1", 2, AT, "refused.duplicate")
    assert await store.plans.letters(of=(TARGET, PATIENT)) == (kept,)
    assert await store.plans.letter("l2") is None
    assert {letter.id for letter in await store.plans.letters()} == {"l1", "other"}


async def test_of_many_letters_put_at_once_one_waits_with_every_failure_counted(store):
    await asyncio.gather(*(store.plans.put_letter(a_letter(f"l{n}")) for n in range(10)))
    (kept,) = await store.plans.letters(None)
    assert kept.failures == 10


async def test_a_closed_letter_says_who_closed_it_and_a_new_one_may_wait(store):
    await store.plans.put_letter(a_letter("l1"))
    await store.plans.close_letter("l1", "dropped", LATER, by="dr-1", reason="moved away")
    closed = await store.plans.letter("l1")
    assert (closed.state, closed.closed_by, closed.closed_at) == ("dropped", "dr-1", LATER)
    assert closed.reason == "moved away"
    assert await store.plans.letters() == ()
    await store.plans.put_letter(a_letter("l2"))
    assert [letter.id for letter in await store.plans.letters()] == ["l2"]
    assert await store.plans.letters("dropped") == (closed,)


@pytest.mark.parametrize("state", ["dropped", "replayed", "resolved"])
async def test_a_dropped_letter_is_not_closed_again(store, state):
    await store.plans.put_letter(a_letter("l1"))
    await store.plans.close_letter("l1", "dropped", AT, by="dr-1", reason="r")
    for which in ("l1", "none"):
        with pytest.raises(UsageError):
            await store.plans.close_letter(which, state, LATER)
    assert (await store.plans.letter("l1")).closed_by == "dr-1"


async def test_a_letter_that_a_replay_resolved_can_be_said_to_have_been_replayed(store):
    await store.plans.put_letter(a_letter("l1"))
    await store.plans.close_letter("l1", "resolved", AT)
    with pytest.raises(UsageError):
        await store.plans.close_letter("l1", "dropped", LATER, by="dr-1", reason="r")
    await store.plans.close_letter("l1", "replayed", LATER, by="dr-1")
    assert (await store.plans.letter("l1")).closed_by == "dr-1"
