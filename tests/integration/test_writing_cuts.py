"""Without transactions our process may end between any two requests: every such place is tried.

At each, any reader finds plans that have their parts; the next run takes up what stands and sends only the rest.
"""

from collections.abc import Iterator

import pytest

from tests.support.weakened import weakened_sandbox
from tests.support.wire import World

MOST = 60
PHASES = ("create", "approve", "retire")


@pytest.fixture(scope="module")
def without_transactions() -> Iterator[str]:
    with weakened_sandbox() as (url, layer):
        layer.transactions = False
        yield url


async def before(world: World, phase: str) -> dict[str, bool]:
    """Everything up to the phase that is cut; how that one is asked for."""
    if phase != "create":
        await world.sync()
    if phase == "retire":
        await world.sync(approve=True)
        world.source.remove("Condition")
    return {"approve": phase == "approve"}


def statuses(world: World) -> dict[str, str]:
    return {
        identity: body.get("lifecycleStatus") or body["status"] for identity, body in world.everything().items()
    }


async def whole_run(url: str, phase: str) -> list[str]:
    world = World(url)
    await world.sync(**await before(world, phase))
    assert world.plan()["status"] == {"create": "draft", "approve": "active", "retire": "revoked"}[phase]
    return sorted(statuses(world).values())


async def cut_everywhere(url: str, phase: str, *, after: bool, every: int = 1) -> int:
    expected = await whole_run(url, phase)
    for number in range(1, MOST, every):
        world = World(url)
        how = await before(world, phase)
        cut = await world.cut_at(number, after=after, **how)
        world.require_whole()
        if not cut:
            return number - 1
        receipt = await world.sync(**how)
        world.require_whole()
        assert receipt.outcome in {"written", "unchanged"}, (number, receipt)
        assert sorted(statuses(world).values()) == expected, f"cut at write {number}"
        assert (await world.sync(**how)).outcome == "unchanged", f"cut at write {number}"
    raise AssertionError("the writes do not end")


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before the request", "after its commit"])
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(
    "every", [pytest.param(1, marks=pytest.mark.long, id="each"), pytest.param(5, id="every fifth")]
)
async def test_a_kill_between_any_two_requests_leaves_whole_plans_and_is_taken_up(
    without_transactions, phase, after, every
):
    assert await cut_everywhere(without_transactions, phase, after=after, every=every) >= 5


async def test_a_kill_after_the_second_write_is_taken_up(without_transactions):
    """The quick one: the places above are tried where there is time."""
    world = World(without_transactions)
    assert await world.cut_at(2, after=True)
    assert world.of("CarePlan") == []
    assert (await world.sync()).outcome == "written"
    assert len(world.everything()) == len(world.receipt.resources)
    assert len(await world.plans.commits()) == 2


@pytest.mark.medplum
@pytest.mark.slow
@pytest.mark.parametrize("phase", PHASES)
async def test_a_kill_at_a_request_to_medplum_is_taken_up(medplum, phase):
    """Every fifth: the server is slow, and the sandbox is cut at each."""
    assert await cut_everywhere(medplum.url, phase, after=True, every=5) >= 5
