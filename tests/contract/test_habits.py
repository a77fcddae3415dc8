"""What every ports.Habits does: each store is one."""

import pytest

from careplan_exchange.store import open_store

TARGET, OTHER = "https://t.example/fhir", "https://o.example/fhir"


@pytest.fixture
def habits(store):
    return store.plans


async def test_a_server_is_trusted_until_it_was_seen_to_ignore_if_match(habits):
    assert not await habits.ignores_if_match(TARGET)
    for _ in range(2):  # as two exchanges that find the same
        await habits.note_if_match(TARGET, ignored=True)
        assert await habits.ignores_if_match(TARGET)
    assert not await habits.ignores_if_match(OTHER)


async def test_what_was_seen_last_counts(habits):
    await habits.note_if_match(TARGET, ignored=False)
    await habits.note_if_match(TARGET, ignored=True)
    await habits.note_if_match(OTHER, ignored=True)
    await habits.note_if_match(TARGET, ignored=False)

    assert not await habits.ignores_if_match(TARGET)
    assert await habits.ignores_if_match(OTHER)


async def test_the_next_process_knows_it(place):
    async with open_store(place.url, password=place.password) as first:
        await first.plans.note_if_match(TARGET, ignored=True)
    async with open_store(place.url, password=place.password) as second:
        assert await second.plans.ignores_if_match(TARGET)
