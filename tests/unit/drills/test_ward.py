"""Whoever looks on while an exchange writes: counts a plan without its goals, and is gone when the exchange is."""

import asyncio
import gc
from types import SimpleNamespace

import pytest

from careplan_exchange.drills.ward import Ward


class Always:
    """Chance that always lets somebody look, at once."""

    def random(self):
        return 0.0

    def uniform(self, low, high):
        return low


class Wards:
    """One plan that names two goals; `there` are those that stand. `after` is the version at a second look."""

    def __init__(self, *there, after="1", fails=None):
        self.there, self.after, self.fails = there, after, fails

    async def search(self, query):
        if self.fails:
            raise self.fails
        goals = [{"reference": "Goal/a"}, {"reference": "http://h/fhir/Goal/b"}, {"display": "c"}]
        return [SimpleNamespace(reference="CarePlan/p", version="1", body={"goal": goals})]

    async def read(self, reference):
        if reference == "CarePlan/p":
            return SimpleNamespace(version=self.after)
        return SimpleNamespace(version="1") if reference in self.there else None


async def seen(outside, block=None):
    ward = Ward(outside, Always())
    async with ward.watching(["1"]):
        if block:
            await block
    return ward.half_written


@pytest.mark.parametrize(
    ("outside", "count"),
    [
        (Wards("Goal/a", "Goal/b"), 0),
        (Wards("Goal/a"), 1),
        (Wards("Goal/a", after="2"), 0),
    ],
)
async def test_a_plan_without_a_goal_counts_unless_it_has_changed_meanwhile(outside, count):
    assert await seen(outside) == count


async def test_what_the_look_fails_with_ends_the_run():
    with pytest.raises(RuntimeError, match="gone"):
        await seen(Wards(fails=RuntimeError("gone")))


async def test_nobody_is_left_behind_by_an_exchange_that_ends_with_an_error():
    left = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: left.append(context["message"]))

    async def ends():
        await asyncio.sleep(0.01)
        raise ValueError("the exchange")

    with pytest.raises(ValueError, match="the exchange"):
        await seen(Wards(fails=RuntimeError("gone")), ends())
    gc.collect()
    await asyncio.sleep(0)
    assert left == []
    assert asyncio.all_tasks() == {asyncio.current_task()}
