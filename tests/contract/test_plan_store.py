"""What every ports.PlanStore does: the memory, SQLite (file and memory) and PostgreSQL."""

import asyncio
import uuid
from decimal import Decimal

import msgspec
import pytest

from careplan_exchange.errors import UsageError
from careplan_exchange.model import codec
from careplan_exchange.model.changes import (
    Base,
    ChangeSet,
    Commit,
    ElementChange,
    Intent,
    ResourceChange,
    WrittenResource,
)
from careplan_exchange.model.deadletter import DeadLetter
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.receipt import Receipt, ReceiptResource
from careplan_exchange.model.review import Pending, ReviewStep
from careplan_exchange.store import open_store

TARGET, PATIENT, AT, LATER = (
    "https://t.example/fhir",
    "Patient/1",
    "2026-01-01T00:00:00Z",
    "2026-01-02T00:00:00Z",
)
GOAL = {"resourceType": "Goal", "target": [{"detailQuantity": {"value": Decimal("7.20"), "unit": "%"}}]}
REQUEST = ExchangeRequest(endpoint="https://s.example/fhir", patient="1", today="2026-01-01")


def a_base(identity: str = "goal-1", version_id: str = "1") -> Base:
    return Base(identity=identity, type="Goal", id="g1", version_id=version_id, ours=GOAL, stored=GOAL)


def a_change_set(note: str = "") -> ChangeSet:
    change = ResourceChange(
        identity="goal-1",
        type="Goal",
        action="update",
        full_url="urn:uuid:1",
        body={**GOAL, "note": note},
        ours=GOAL,
        theirs=GOAL,
        base=a_base(),
        id="g1",
        version_id="1",
        elements=(ElementChange(path="Goal.note", kind="ours", before=None, ours=[note, Decimal("1.50")]),),
    )
    issue = Issue(severity="warning", code="invalid", key="k", detail="d")
    return ChangeSet(patient=PATIENT, changes=(change,), issues=(issue,))


def an_intent(intent_id: str, patient: str = PATIENT) -> Intent:
    return Intent(
        id=intent_id,
        exchange="x1",
        target=TARGET,
        patient=patient,
        changes=a_change_set().changes,
        created_at=AT,
    )


def a_pending(pending_id: str, change_set: ChangeSet | None = None, patient: str = PATIENT) -> Pending:
    return Pending(
        id=pending_id,
        request=REQUEST,
        target=TARGET,
        patient=patient,
        change_set=change_set or a_change_set(),
        why=("A person made this plan active.",),
        created_at=AT,
    )


async def test_bases_come_back_as_they_were_with_every_digit(store):
    await store.plans.save_bases(TARGET, PATIENT, [a_base(), a_base("goal-2")])
    found = await store.plans.bases(TARGET, PATIENT)
    assert found == {"goal-1": a_base(), "goal-2": a_base("goal-2")}
    assert b"7.20" in codec.canonical(found["goal-1"])


async def test_bases_of_another_patient_or_target_are_not_mixed_in(store):
    await store.plans.save_bases(TARGET, PATIENT, [a_base()])
    assert await store.plans.bases(TARGET, "Patient/2") == {}
    assert await store.plans.bases("https://other.example/fhir", PATIENT) == {}


async def test_a_newer_base_takes_the_place_of_the_older_one(store):
    await store.plans.save_bases(TARGET, PATIENT, [a_base(), a_base("goal-2")])
    await store.plans.save_bases(TARGET, PATIENT, [a_base(version_id="2"), a_base(version_id="3")])
    found = await store.plans.bases(TARGET, PATIENT)
    assert {key: base.version_id for key, base in found.items()} == {"goal-1": "3", "goal-2": "1"}


async def test_open_intents_come_oldest_first_and_only_of_this_patient(store):
    for intent in (an_intent("z"), an_intent("other", "Patient/2"), an_intent("a")):
        await store.plans.open_intent(intent)
    assert await store.plans.open_intents(TARGET, PATIENT) == (an_intent("z"), an_intent("a"))


async def test_closing_an_intent_keeps_what_was_written(store):
    await store.plans.open_intent(an_intent("i"))
    await store.plans.commit_intent(an_intent("i"), [a_base(version_id="5")], [], "2026-11-26T00:00:00Z")
    assert await store.plans.open_intents(TARGET, PATIENT) == ()
    assert (await store.plans.bases(TARGET, PATIENT))["goal-1"].version_id == "5"


async def test_an_abandoned_intent_leaves_the_bases_alone(store):
    await store.plans.save_bases(TARGET, PATIENT, [a_base()])
    await store.plans.open_intent(an_intent("i"))
    await store.plans.abandon_intent(an_intent("i"))
    assert await store.plans.open_intents(TARGET, PATIENT) == ()
    assert await store.plans.bases(TARGET, PATIENT) == {"goal-1": a_base()}


async def test_closing_an_intent_twice_changes_nothing_more(store):
    await store.plans.open_intent(an_intent("i"))
    for _ in range(2):
        await store.plans.commit_intent(an_intent("i"), [a_base()], [], "2026-11-26T00:00:00Z")
    assert await store.plans.bases(TARGET, PATIENT) == {"goal-1": a_base()}


async def test_an_intent_is_not_overwritten_by_another_one_under_its_id(store):
    await store.plans.open_intent(an_intent("i"))
    await store.plans.open_intent(an_intent("i"))
    with pytest.raises(UsageError):
        await store.plans.open_intent(an_intent("i", "Patient/2"))
    assert await store.plans.open_intents(TARGET, PATIENT) == (an_intent("i"),)


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


async def test_what_was_stored_is_there_for_the_next_process(place):
    async with open_store(place.url, password=place.password) as first:
        await first.plans.open_intent(an_intent("i"))
        await first.plans.put_pending(a_pending("p"))
        await first.plans.accept_exchange("x", REQUEST, AT, "key")
    async with open_store(place.url, password=place.password) as second:
        assert await second.plans.open_intents(TARGET, PATIENT) == (an_intent("i"),)
        assert await second.plans.pendings() == (a_pending("p"),)
        assert (await second.plans.exchange("x")).idempotency_key == "key"


async def test_an_intent_that_cannot_be_closed_with_its_bases_stays_open(place):
    unfit = msgspec.structs.replace(a_base("goal-2"), ours={"not": object()})  # no JSON can hold it
    async with open_store(place.url, password=place.password) as store:
        await store.plans.open_intent(an_intent("i"))
        with pytest.raises(TypeError):
            await store.plans.commit_intent(an_intent("i"), [a_base(), unfit], [], "2026-11-26T00:00:00Z")
        assert await store.plans.open_intents(TARGET, PATIENT) == (an_intent("i"),)
        assert await store.plans.bases(TARGET, PATIENT) == {}


async def test_cancelled_writes_leave_neither_half_rows_nor_a_locked_database(place):
    async with open_store(place.url, password=place.password) as store:
        for spins in range(20):
            task = asyncio.create_task(
                store.plans.commit_intent(
                    an_intent("i"), [a_base(), a_base("goal-2")], [], "2026-11-26T00:00:00Z"
                )
            )
            for _ in range(spins * 3):
                await asyncio.sleep(0)
            task.cancel()
            (result,) = await asyncio.gather(task, return_exceptions=True)
            assert result is None or isinstance(result, asyncio.CancelledError)
            assert len(await store.plans.bases(TARGET, PATIENT)) in {0, 2}
        await store.plans.save_bases(TARGET, PATIENT, [a_base(version_id="9")])
        assert (await store.plans.bases(TARGET, PATIENT))["goal-1"].version_id == "9"


# --- commits


def a_written(version_id: str = "2") -> WrittenResource:
    return WrittenResource(
        identity="goal-1", type="Goal", id="g1", version_id=version_id, action="update", stored=GOAL
    )


async def test_what_was_written_is_kept_whole_and_in_order(store):
    for name in ("z", "a"):
        await store.plans.open_intent(an_intent(name))
        await store.plans.commit_intent(an_intent(name), [a_base()], [a_written()], LATER)
    found = await store.plans.commits(exchange="x1")
    assert found == tuple(
        Commit(intent=an_intent(name), written=(a_written(),), committed_at=LATER) for name in ("z", "a")
    )
    assert b"7.20" in codec.canonical(found)


async def test_an_intent_that_is_open_or_was_abandoned_is_no_commit(store):
    await store.plans.open_intent(an_intent("open"))
    await store.plans.open_intent(an_intent("gone"))
    await store.plans.abandon_intent(an_intent("gone"))
    assert await store.plans.commits() == ()


async def test_commits_are_found_by_exchange_and_by_target_and_patient(store):
    others = msgspec.structs.replace(an_intent("other", "Patient/2"), exchange="x2")
    for intent in (an_intent("i"), others):
        await store.plans.open_intent(intent)
        await store.plans.commit_intent(intent, [], [], AT)

    async def ids(**which) -> list[str]:
        return [commit.intent.id for commit in await store.plans.commits(**which)]

    assert await ids() == ["i", "other"]
    assert await ids(exchange="x2") == ["other"]
    assert await ids(of=(TARGET, PATIENT)) == ["i"]
    assert await ids(exchange="x2", of=(TARGET, PATIENT)) == []


async def test_a_commit_is_not_abandoned_afterwards(store):
    await store.plans.open_intent(an_intent("i"))
    await store.plans.commit_intent(an_intent("i"), [a_base()], [a_written()], AT)
    await store.plans.abandon_intent(an_intent("i"))
    assert [commit.intent.id for commit in await store.plans.commits()] == ["i"]


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


def a_letter(letter_id: str, patient: str = PATIENT, error: str = "refused") -> DeadLetter:
    return DeadLetter(
        id=letter_id, request=REQUEST, target=TARGET, patient=patient, error=error, detail="d", mend="m",
        issues=a_change_set().issues, intent=an_intent("i"), created_at=AT,
    )  # fmt: skip


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


# --- who the store is


async def test_a_store_has_a_name_that_stays(store):
    name = await store.plans.installation()
    assert str(uuid.UUID(name)) == name
    assert await store.plans.installation() == name
