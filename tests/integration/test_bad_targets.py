"""Targets that lie, refuse, rewrite or forget: a clear error, what to do next, and nothing lost.

As test_writing_faults.py, over real sockets; what is weak about the target is said in each test.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from careplan_exchange.errors import (
    AuthenticationRefusedError,
    OtherInstallationError,
    RefusedError,
    UnavailableError,
    UnsupportedServerError,
)
from careplan_exchange.sandbox.faults import Fault
from tests.support.weakened import Weakened
from tests.support.wire import World, weak_world

NAMES = ("Jane Doe", "1970")


@pytest.fixture
def weak() -> Iterator[tuple[World, Weakened]]:
    with weak_world() as both:
        yield both


def say_nothing_private(error) -> None:
    said = " ".join((error.detail, error.mend, *(f"{one.detail} {one.mend}" for one in error.issues)))
    assert not [name for name in NAMES if name in said]


async def refused(world: World, kind: type[RefusedError] = RefusedError) -> RefusedError:
    """The error of a run that must leave nothing behind."""
    with pytest.raises(kind) as caught:
        await world.sync()
    assert caught.value.mend
    say_nothing_private(caught.value)
    assert world.everything() == {}
    assert await world.plans.commits() == ()
    return caught.value


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize("path", ["", "Goal", "CarePlan"], ids=["transaction", "first type", "last type"])
async def test_a_target_that_declares_what_it_does_not_take(weak, path, status):
    world, layer = weak
    layer.transactions = path == ""
    layer.refuses = {path: status}
    error = await refused(world)
    assert str(status) in error.detail
    layer.refuses = {}
    assert (await world.sync()).outcome == "written"


@pytest.mark.parametrize("path", ["", "Goal", "CarePlan"], ids=["transaction", "first type", "last type"])
async def test_a_target_that_says_200_with_the_outcome_of_an_error(weak, path):
    world, layer = weak
    layer.transactions = path == ""
    layer.says_ok_to = {path}
    with pytest.raises(UnavailableError, match=r"OperationOutcome|one entry for each") as caught:
        await world.sync()
    say_nothing_private(caught.value)
    assert world.of("CarePlan") == []
    layer.says_ok_to = set()
    assert (await world.sync()).outcome == "written"
    world.require_whole()
    assert len(world.everything()) == len(world.receipt.resources)


@pytest.mark.parametrize("transactions", [True, False], ids=["transaction", "one by one"])
async def test_a_target_that_ignores_prefer_and_sends_no_location_and_no_etag(weak, transactions):
    world, layer = weak
    layer.transactions = transactions
    layer.prefers = False
    assert (await world.sync()).outcome == "written"
    assert (await world.sync(approve=True)).outcome == "written"
    assert (await world.sync(approve=True)).outcome == "unchanged"
    world.require_whole()
    assert world.plan()["status"] == "active"


async def test_a_target_that_puts_lists_into_another_order(weak):
    world, layer = weak
    layer.stores = lambda body: {
        name: value[::-1] if isinstance(value, list) and name != "identifier" else value
        for name, value in body.items()
    }
    receipt = await world.sync()
    assert receipt.outcome == "written"
    lost = {(issue.severity, issue.detail) for issue in receipt.issues if issue.key == "write.lost"}
    assert lost == {("warning", "The server has put the items of this list in another order.")}
    assert (await world.sync()).outcome == "unchanged"


async def test_a_target_that_gives_dates_another_precision(weak):
    world, layer = weak
    layer.stores = lambda body: {
        name: f"{value}T00:00:00Z" if name == "created" else value for name, value in body.items()
    }
    receipt = await world.sync()
    changed = {issue.expression for issue in receipt.issues if issue.key == "write.lost"}
    assert changed == {"CarePlan.created"}
    assert (await world.sync()).outcome == "unchanged"


@pytest.mark.parametrize("status", [403, 405])
async def test_a_target_that_can_only_be_read(weak, status):
    world, layer = weak
    layer.read_only = status
    await refused(world, AuthenticationRefusedError if status == 403 else UnsupportedServerError)


@pytest.mark.parametrize("transactions", [True, False], ids=["transaction", "one by one"])
async def test_a_target_that_takes_only_small_bodies(weak, transactions):
    world, layer = weak
    layer.transactions = transactions
    layer.takes = 3_000
    error = await refused(world)
    assert "413" in error.detail
    assert "size" in error.mend


async def test_a_refusal_of_one_entry_of_a_transaction_names_the_resource_and_the_element(weak):
    world, layer = weak
    layer.stores = lambda body: {**body, "intent": "banana"} if body["resourceType"] == "CarePlan" else body
    error = await refused(world)
    assert "It is about CarePlan.intent of urn:uuid:" in error.detail
    assert [issue.expression for issue in error.issues] == ["CarePlan.intent"]
    assert "banana" not in error.detail


@pytest.mark.parametrize("transactions", [True, False], ids=["transaction", "one by one"])
async def test_a_target_without_history_on_which_a_clinician_was_quicker_than_our_second_look(weak, transactions):
    """What our update was made over is gone from history: nobody can say any more what became of it."""
    world, layer = weak
    layer.transactions = transactions
    layer.history = False
    await world.sync()
    goal = world.of("Goal")[0]
    kind, path = ("POST", "^$") if transactions else ("PUT", f"^Goal/{goal['id']}$")
    world.wire.after_write = lambda: world.edit(f"Goal/{goal['id']}", note=[{"text": "a clinician's"}])
    layer.faults.arm(Fault(kind="cut_body", method=kind, path=path, skip=1 if transactions else 0))
    try:
        await world.sync(approve=True)
    except (UnavailableError, RefusedError):
        await world.sync(approve=True)
    after = world.server.get(f"Goal/{goal['id']}")
    assert after["note"] == [{"text": "a clinician's"}]
    world.require_whole()
    assert len(world.everything()) == len(world.receipt.resources)


async def test_two_installations_that_write_to_one_target_do_not_undo_each_other(weak):
    first, _ = weak
    await first.sync()
    second = World(first.url, like=first)
    assert (await first.sync(approve=True)).outcome == "written"
    before = first.everything()
    with pytest.raises(OtherInstallationError):
        await second.sync()
    assert first.everything() == before
    assert first.plan()["status"] == "active"
    assert (await first.sync(approve=True)).outcome == "unchanged"


@pytest.mark.parametrize("hours", [-9, 9])
async def test_our_clock_jumps_between_two_runs(weak, hours):
    world, _ = weak
    await world.sync()
    honest = world.clock.now
    world.clock.now = lambda: honest() + timedelta(hours=hours)
    assert (await world.sync()).outcome == "unchanged"
    assert (await world.sync(approve=True)).outcome == "written"
    assert len(world.everything()) == len(world.receipt.resources)
