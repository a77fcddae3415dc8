"""Taking up dead letters: a fresh run, never a resend; put away with a reason; every step in the ledger."""

from typing import Any

import msgspec
import pytest

from careplan_exchange import logs
from careplan_exchange.errors import RefusedError, UnavailableError, UsageError
from careplan_exchange.model import codec
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.operations import DeadLetters
from tests.support.exchanges import FakeExchanges, written
from tests.support.stored import TARGET, a_letter


class World:
    """The operations over the memory, with a data path that a test scripts."""

    def __init__(self) -> None:
        self.fake = FakeExchanges()
        self.plans, self.ledger = self.fake.plans, self.fake.ledger
        self.runs: list[tuple[str, ExchangeRequest]] = []
        self.behave: Any = written
        self.letters = DeadLetters(
            plans=self.plans, ledger=self.ledger, clock=self.fake.clock, ids=self.fake.ids, run=self.run
        )

    async def run(self, request: ExchangeRequest, *, exchange_id: str, accepting: Any = None) -> Receipt:
        assert accepting is None
        self.runs.append((exchange_id, request))
        receipt = self.behave(exchange_id)
        # The data path resolves what waited for the patient.
        for letter in await self.plans.letters(of=(TARGET, f"Patient/{request.patient}")):
            await self.plans.close_letter(letter.id, "resolved", "2026-01-03T00:00:00Z")
        return receipt

    async def put(self, name: str, patient: str = "1", **changes: Any) -> None:
        letter = msgspec.structs.replace(
            a_letter(name, f"Patient/{patient}"),
            request=ExchangeRequest(endpoint="e", patient=patient, **changes),
        )
        await self.plans.put_letter(letter)

    async def events(self, exchange: str) -> list[str]:
        return [link.entry.event for link in await self.ledger.links(exchange=exchange)]


@pytest.fixture
def world() -> World:
    return World()


def refused(_: str) -> Receipt:
    raise RefusedError("no", mend="m")


async def test_a_replay_runs_the_request_anew_under_a_new_id_and_closes_the_letter(world):
    await world.put("l1")
    receipt = await world.letters.replay("l1", by="dr-1")
    assert [(exchange, request.patient) for exchange, request in world.runs] == [(receipt.exchange, "1")]
    assert receipt.exchange != "l1"
    letter = await world.letters.letter("l1")
    assert (letter.state, letter.closed_by) == ("replayed", "dr-1")
    (link,) = await world.ledger.links(exchange="l1")
    assert link.entry.event == logs.LETTER_REPLAYED
    assert link.entry.data == {"by": "dr-1", "replayedAs": receipt.exchange}


async def test_a_replay_does_not_repeat_an_approval(world):
    """The person who approved saw another plan."""
    await world.put("l1", approve=True)
    await world.letters.replay("l1", by="dr-1")
    assert [request.approve for _, request in world.runs] == [False]


async def test_a_replay_that_fails_leaves_the_letter_waiting(world):
    await world.put("l1")
    world.behave = refused
    with pytest.raises(RefusedError):
        await world.letters.replay("l1", by="dr-1")
    assert [line.id for line in await world.letters.lines()] == ["l1"]
    assert await world.events("l1") == []


async def test_replaying_all_goes_on_past_one_that_fails_and_says_how_far_it_is(world):
    for number in range(3):
        await world.put(f"l{number}", str(number))

    def behave(exchange: str) -> Receipt:
        if len(world.runs) == 2:
            raise UnavailableError("gone", mend="m")
        return written(exchange)

    world.behave = behave
    told: list[tuple[int, int]] = []
    results = await world.letters.replay_all(by="dr-1", progress=lambda *at: told.append(at))
    assert [(result.letter, result.error, result.exit_code) for result in results] == [
        ("l0", None, 0),
        ("l1", "unavailable", 5),
        ("l2", None, 0),
    ]
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert [line.id for line in await world.letters.lines()] == ["l1"]


async def test_dropping_needs_a_reason_and_names_the_person(world):
    await world.put("l1")
    with pytest.raises(UsageError):
        await world.letters.drop("l1", by="dr-1", reason="  ")
    await world.letters.drop("l1", by="dr-1", reason="Moved away.")
    letter = await world.letters.letter("l1")
    assert (letter.state, letter.closed_by, letter.reason) == ("dropped", "dr-1", "Moved away.")
    (link,) = await world.ledger.links(exchange="l1")
    assert link.entry.event == logs.LETTER_DROPPED
    assert "Moved" not in str(link.entry.data), "a person's own words may hold anything"
    assert world.runs == []


@pytest.mark.parametrize("name", ["l1", "none"])
async def test_only_what_waits_is_taken_up(world, name):
    await world.put("l1")
    await world.letters.drop("l1", by="dr-1", reason="r")
    with pytest.raises(UsageError):
        await world.letters.replay(name, by="dr-1")
    with pytest.raises(UsageError):
        await world.letters.drop(name, by="dr-1", reason="r")
    assert world.runs == []


async def test_a_listing_holds_nothing_clinical_and_nothing_that_a_server_wrote(world):
    await world.put("l1")
    (line,) = await world.letters.lines()
    assert set(codec.decode(codec.encode(line))) == {
        "id", "patient", "target", "error", "failures", "since", "state",
    }  # fmt: skip
    assert b"7.20" not in codec.encode(line)
    assert b"7.20" in codec.encode(await world.letters.letter("l1"))
