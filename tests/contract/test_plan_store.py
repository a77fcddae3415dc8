"""What every ports.PlanStore does with bases, intents and commits: the memory, SQLite and PostgreSQL."""

import asyncio
import uuid

import msgspec
import pytest

from careplan_exchange.errors import UsageError
from careplan_exchange.model import codec
from careplan_exchange.model.changes import Commit, WrittenResource
from careplan_exchange.model.outline import Outline
from careplan_exchange.model.review import ReviewStep
from careplan_exchange.store import open_store
from tests.support.stored import (
    AT,
    GOAL,
    LATER,
    PATIENT,
    REQUEST,
    TARGET,
    a_base,
    a_change_set,
    a_pending,
    an_intent,
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


async def test_an_outline_names_bases_and_what_waits_without_their_bodies(store):
    await store.plans.save_bases(TARGET, PATIENT, [a_base("goal-2", "7"), a_base("goal-1", "3")])
    await store.plans.save_bases(TARGET, "Patient/2", [a_base("goal-3")])
    await store.plans.put_pending(a_pending("earlier"))
    await store.plans.put_pending(a_pending("now", a_change_set("otherwise")))
    await store.plans.put_pending(a_pending("another's", patient="Patient/2"))

    outline = await store.plans.outline(TARGET, PATIENT)

    assert [(one.identity, one.type, one.id, one.version_id) for one in outline.bases] == [
        ("goal-1", "Goal", "g1", "3"),
        ("goal-2", "Goal", "g1", "7"),
    ]
    assert [one.id for one in outline.waiting] == ["now"]
    assert not outline.asks_to_revert
    assert await store.plans.outline(TARGET, "Patient/3") == Outline()


async def test_an_outline_says_whether_a_person_has_done_something_with_what_waits(store):
    await store.plans.put_pending(a_pending("now"))
    (before,) = (await store.plans.outline(TARGET, PATIENT)).waiting
    await store.plans.add_step("now", ReviewStep(kind="assign", by="Dr Who", at=AT))
    (after,) = (await store.plans.outline(TARGET, PATIENT)).waiting

    assert (before.touched, after.touched) == (False, True)


async def test_an_outline_says_that_a_person_is_asked_about_a_revert(store):
    request = msgspec.structs.replace(REQUEST, reverts="an exchange")
    await store.plans.put_pending(msgspec.structs.replace(a_pending("now"), request=request))

    assert (await store.plans.outline(TARGET, PATIENT)).asks_to_revert


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


# --- who the store is


async def test_a_store_has_a_name_that_stays(store):
    name = await store.plans.installation()
    assert str(uuid.UUID(name)) == name
    assert await store.plans.installation() == name
