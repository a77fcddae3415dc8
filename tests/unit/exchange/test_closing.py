"""A process that is killed once an approved change is written: its review is closed by whatever comes next."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange import logs
from careplan_exchange.errors import UsageError
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.hospital import URL, Hospital
from tests.support.persons import TWO, reviews, take_back
from tests.support.stores import STORES, hospital_with

PLACES = (
    "commit_intent, before", "commit_intent, after", "append, before", "append, after", "decide_pending, before",
    "decide_pending, after",
)  # fmt: skip
OPEN = PLACES[0]


class Killed(BaseException):
    """Nothing in the product catches this: whatever would have come next does not."""


def kill(hospital: Hospital, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """From now on the process dies right before or after this call of the store or the ledger."""
    name, _, when = place.partition(", ")
    port: Any = hospital.ledger if name == "append" else hospital.plans
    call = getattr(port, name)

    async def killed(*given: Any) -> Any:
        concerns = name != "append" or any(entry.event == logs.REVIEW_DECIDED for entry in given[0])
        if concerns and when == "before":
            raise Killed
        answer = await call(*given)
        if concerns:
            raise Killed
        return answer

    monkeypatch.setattr(port, name, killed)


async def decided(hospital: Hospital, review: str) -> list[dict[str, Any]]:
    return [entry.data for entry in await hospital.entries(review) if entry.event == logs.REVIEW_DECIDED]


async def how(hospital: Hospital, review: str) -> tuple[str, str | None]:
    stored = await hospital.plans.pending(review)
    assert stored is not None
    return stored.state, stored.decided_by


@pytest.fixture(params=STORES)
async def hospital(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Hospital]:
    async with hospital_with(request.param, tmp_path, policy=TWO) as found:
        yield found


async def approved_and_killed(hospital: Hospital, monkeypatch: pytest.MonkeyPatch, place: str) -> str:
    """Two people approve, and the process dies there: the plan is active on the server."""
    review = str((await hospital.sync()).review)
    await reviews(hospital).approve(review, by="Dr Who")
    with monkeypatch.context() as planted:
        kill(hospital, planted, place)
        with pytest.raises(Killed):
            await reviews(hospital).approve(review, by="Dr Strange")
    assert hospital.plan()["status"] == "active"
    return review


@pytest.mark.parametrize("place", PLACES)
async def test_the_next_sync_closes_it_as_approved_by_whom_and_says_so_once(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    review = await approved_and_killed(hospital, monkeypatch, place)
    stands = hospital.everything()
    for _ in range(2):
        receipt = await hospital.sync()
        assert (receipt.outcome, receipt.review) == ("unchanged", None)
        assert await how(hospital, review) == ("approved", "Dr Who, Dr Strange")
        assert await decided(hospital, review) == [{"state": "approved", "by": "Dr Who, Dr Strange"}]
    assert hospital.everything() == stands


@pytest.mark.parametrize("place", PLACES)
async def test_the_same_approval_again_finds_it_carried_out_and_writes_nothing(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    review = await approved_and_killed(hospital, monkeypatch, place)
    stands = hospital.everything()
    if place == OPEN:  # only the server knows what became of it
        again = await reviews(hospital).approve(review, by="Dr Strange")
        assert (again.state, again.approved_by) == ("approved", ("Dr Who", "Dr Strange"))
    else:
        with pytest.raises(UsageError, match="approved already"):
            await reviews(hospital).approve(review, by="Dr Strange")
    assert await how(hospital, review) == ("approved", "Dr Who, Dr Strange")
    assert await decided(hospital, review) == [{"state": "approved", "by": "Dr Who, Dr Strange"}]
    assert hospital.everything() == stands


@pytest.mark.parametrize("place", PLACES)
async def test_what_is_carried_out_cannot_be_rejected_or_modified_any_more(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    review = await approved_and_killed(hospital, monkeypatch, place)
    stands = hospital.everything()
    says = "not known yet" if place == OPEN else "approved already"
    with pytest.raises(UsageError, match=says):
        await reviews(hospital).reject(review, by="Dr House", reason="No")
    edits = {f"Goal/{hospital.goals()[0]['id']} description.text": "Otherwise"}
    with pytest.raises(UsageError, match="approved already"):
        await reviews(hospital).modify(review, by="Dr House", edits=edits)
    await hospital.sync()
    assert await how(hospital, review) == ("approved", "Dr Who, Dr Strange")
    assert await decided(hospital, review) == [{"state": "approved", "by": "Dr Who, Dr Strange"}]
    assert hospital.everything() == stands


async def test_an_approval_whose_request_never_arrived_is_still_waited_for(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    review = str((await hospital.sync()).review)
    await reviews(hospital).approve(review, by="Dr Who")

    async def killed(*_: Any) -> Any:
        raise Killed

    with monkeypatch.context() as planted:
        planted.setattr(hospital.writer, "write", killed)
        with pytest.raises(Killed):
            await reviews(hospital).approve(review, by="Dr Strange")
    assert (await hospital.sync()).review == review
    assert await how(hospital, review) == ("pending", None)
    assert await decided(hospital, review) == []
    assert (await reviews(hospital).approve(review, by="Dr Strange")).state == "approved"
    assert hospital.plan()["status"] == "active"


@pytest.mark.parametrize("place", PLACES)
async def test_a_revert_that_was_approved_and_carried_out_is_closed_too(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    made = await hospital.sync()
    hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    waits = await take_back(hospital, made.exchange, "Dr Who")
    await reviews(hospital).approve(waits.exchange, by="Dr Who")
    with monkeypatch.context() as planted:
        kill(hospital, planted, place)
        with pytest.raises(Killed):
            await reviews(hospital).approve(waits.exchange, by="Dr Strange")
    assert hospital.plan()["status"] == "entered-in-error"
    stands = hospital.everything()
    await hospital.sync()
    assert await how(hospital, waits.exchange) == ("approved", "Dr Who, Dr Strange")
    assert await decided(hospital, waits.exchange) == [{"state": "approved", "by": "Dr Who, Dr Strange"}]
    assert hospital.everything() == stands


async def test_what_was_carried_out_in_part_is_not_called_approved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hospital_with("memory", tmp_path, writer=MemoryPlanWriter(URL)) as hospital:
        review = str((await hospital.sync()).review)
        commit = hospital.plans.commit_intent

        async def in_part(intent: Any, bases: Any, written: Any, at: str) -> None:
            await commit(intent, bases[:-1], written[:-1], at)
            raise Killed

        with monkeypatch.context() as planted:
            planted.setattr(hospital.plans, "commit_intent", in_part)
            with pytest.raises(Killed):
                await reviews(hospital).approve(review, by="Dr Who")
        await hospital.sync()
        assert (await how(hospital, review))[0] != "approved"
        assert await decided(hospital, review) == []
