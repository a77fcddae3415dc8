"""An approval counts for what the person has seen, over each store: also where two persons are at it at once."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from careplan_exchange import exchange, logs
from careplan_exchange.errors import UsageError
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.review import Pending, ReviewStep
from careplan_exchange.operations import Decided, Reviews
from careplan_exchange.review import approvers, consents, content_of
from tests.support.hospital import TODAY, Hospital
from tests.support.persons import TWO
from tests.support.stores import STORES, hospital_with

WORDS = "As agreed at the visit"
Happens = Callable[[], Awaitable[Any]]


@pytest.fixture(params=STORES)
async def hospital(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Hospital]:
    async with hospital_with(request.param, tmp_path, policy=TWO) as found:
        yield found


class Overtaken:
    """A store for one person's product: after the first look at a review, something happens elsewhere."""

    def __init__(self, plans: Any, then: Happens) -> None:
        self._plans = plans
        self._then: Happens | None = then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plans, name)

    async def pending(self, review: str) -> Pending | None:
        found: Pending | None = await self._plans.pending(review)
        then, self._then = self._then, None
        if then is not None:
            await then()
        return found


def reviews(hospital: Hospital, *, looked: Happens | None = None, before: Happens | None = None) -> Reviews:
    """One person's product. `looked`: what happens elsewhere after its first look, `before`: before its write."""

    async def run(request: ExchangeRequest, *, exchange_id: str, accepting: Pending | None = None) -> Receipt:
        if before is not None:
            await before()
        asked = exchange.Request(exchange=exchange_id, asked=request, today=TODAY, accepting=accepting)
        return await exchange.sync(hospital.steps(), asked)

    plans: Any = hospital.plans if looked is None else Overtaken(hospital.plans, looked)
    return Reviews(plans=plans, ledger=hospital.ledger, clock=hospital.clock, ids=hospital.ids, run=run)


async def waiting(hospital: Hospital) -> str:
    return str((await hospital.sync()).review)


async def stored(hospital: Hospital, review: str) -> Pending:
    found = await hospital.plans.pending(review)
    assert found is not None
    return found


async def modified(
    hospital: Hospital, review: str, *, by: str = "Dr Strange", seen: str | None = None
) -> Decided:
    edits = {f"Goal/{hospital.goals()[0]['id']} description.text": f"{WORDS} ({by})"}
    return await reviews(hospital).modify(review, by=by, edits=edits, reason="x", seen=seen)


def said(hospital: Hospital) -> bool:
    return any(WORDS in goal["description"]["text"] for goal in hospital.goals())


# --- at once ----------------------------------------------------------------------------------------------------


async def test_an_approval_that_a_modification_overtakes_after_the_look_does_not_count(
    hospital: Hospital,
) -> None:
    review = await waiting(hospital)
    decided = await reviews(hospital, looked=lambda: modified(hospital, review)).approve(review, by="Dr Who")
    assert (decided.state, decided.outcome) == ("pending", "review")
    assert decided.approved_by == ("Dr Strange",)
    assert hospital.plan()["status"] == "draft"
    assert not said(hospital)
    assert [step.kind for step in (await stored(hospital, review)).steps] == ["modify"]
    assert any(line.startswith("now  ") and WORDS in line for line in decided.differences)
    again = await reviews(hospital).approve(review, by="Dr Who", seen=decided.content)
    assert (again.state, again.approved_by) == ("approved", ("Dr Strange", "Dr Who"))
    assert said(hospital)


async def test_a_second_approval_that_a_modification_overtakes_before_the_write_does_not_count(
    hospital: Hospital,
) -> None:
    review = await waiting(hospital)
    await reviews(hospital).approve(review, by="Dr House")
    board = reviews(hospital, before=lambda: modified(hospital, review))
    decided = await board.approve(review, by="Dr Who")
    assert (decided.state, decided.approved_by) == ("pending", ("Dr Strange",))
    assert hospital.plan()["status"] == "draft"
    assert any(WORDS in line for line in decided.differences)
    assert decided.content == content_of(await stored(hospital, review))


async def test_of_two_modifications_at_once_the_second_is_told_of_the_first(hospital: Hospital) -> None:
    review = await waiting(hospital)
    edits = {f"Goal/{hospital.goals()[1]['id']} description.text": "Otherwise"}
    board = reviews(hospital, before=lambda: modified(hospital, review))
    decided = await board.modify(review, by="Dr Who", edits=edits, reason="x")
    assert (decided.state, decided.approved_by) == ("pending", ("Dr Strange",))
    assert [step.by for step in (await stored(hospital, review)).steps] == ["Dr Strange"]
    assert hospital.plan()["status"] == "draft"


# --- later ------------------------------------------------------------------------------------------------------


async def test_who_does_not_say_what_they_saw_has_seen_it_as_it_was_first_shown(hospital: Hospital) -> None:
    review = await waiting(hospital)
    first = content_of(await stored(hospital, review))
    await modified(hospital, review)
    for seen in (None, first, "0123456789abcdef"):
        decided = await reviews(hospital).approve(review, by="Dr Who", seen=seen)
        assert (decided.state, decided.approved_by, decided.waiting) == ("pending", ("Dr Strange",), review)
        assert any(WORDS in line for line in decided.differences)
    edits = {f"Goal/{hospital.goals()[1]['id']} description.text": "Otherwise"}
    assert (await reviews(hospital).modify(review, by="Dr Who", edits=edits, seen=first)).state == "pending"
    assert [step.kind for step in (await stored(hospital, review)).steps] == ["modify"]
    steps = [one for one in await hospital.events(review) if one == logs.REVIEW_STEP]
    assert len(steps) == 1, "an approval that does not count is told nowhere as one"


async def test_only_what_is_new_since_the_last_look_is_told(hospital: Hospital) -> None:
    review = await waiting(hospital)
    await modified(hospital, review)
    seen = content_of(await stored(hospital, review))
    edits = {f"Goal/{hospital.goals()[1]['id']} description.text": "Later words"}
    await reviews(hospital).modify(review, by="Dr Strange", edits=edits, reason="x")
    decided = await reviews(hospital).approve(review, by="Dr Who", seen=seen)
    goals = [line for line in decided.differences if "Goal/" in line]
    assert any("Later words" in line for line in goals)
    assert not any(WORDS in line for line in goals)


async def test_who_modified_has_seen_what_came_of_it(hospital: Hospital) -> None:
    review = await waiting(hospital)
    await modified(hospital, review)
    with pytest.raises(UsageError, match="has approved it already"):
        await reviews(hospital).approve(review, by="Dr Strange")
    first = content_of(await stored(hospital, review))
    assert (await modified(hospital, review, by="Dr Who", seen=first)).approved_by == ("Dr Who",)
    decided = await reviews(hospital).approve(review, by="Dr Strange")
    assert decided.state == "pending", "it was modified again since"


async def test_who_wrote_is_told_and_not_who_approved_of_something_else(hospital: Hospital) -> None:
    review = await waiting(hospital)
    await reviews(hospital).approve(review, by="Dr House")
    await modified(hospital, review)
    content = content_of(await stored(hospital, review))
    await reviews(hospital).approve(review, by="Dr Who", seen=content)
    assert said(hospital)
    (adopting,) = [str(body) for body in hospital.writer.resources("Provenance") if "Dr Who" in str(body)]
    assert "Dr Strange" in adopting
    assert "Dr House" not in adopting
    assert (await stored(hospital, review)).decided_by == "Dr Strange, Dr Who"


# --- what counts ------------------------------------------------------------------------------------------------


async def test_an_approval_counts_for_its_content_alone(hospital: Hospital) -> None:
    shown = await stored(hospital, await waiting(hospital))

    def steps(*given: ReviewStep) -> Pending:
        return msgspec.structs.replace(shown, steps=given)

    def step(kind: Any, by: str, **more: Any) -> ReviewStep:
        return ReviewStep(kind=kind, by=by, at="2026-11-24T10:00:00Z", **more)

    edit = step("modify", "Dr Strange", edits={"Goal/1 description.text": "x"})
    first, then = content_of(shown), content_of(steps(edit))
    assert first != then
    assert approvers(steps(step("approve", "Dr Who", content=first))) == ("Dr Who",)
    assert approvers(steps(step("approve", "Dr Who", content=then))) == ()
    assert approvers(steps(edit, step("approve", "Dr Who", content=first))) == ("Dr Strange",)
    assert approvers(steps(edit, step("approve", "Dr Who", content=then))) == ("Dr Strange", "Dr Who")
    # As it was kept before approvals said what they were of: of what was first shown.
    assert approvers(steps(step("approve", "Dr Who"))) == ("Dr Who",)
    assert approvers(steps(edit, step("approve", "Dr Who"))) == ("Dr Strange",)
    assert consents(steps(step("approve", "Dr Who", content=first), edit)) == (edit,)
    assert content_of(steps(step("assign", "Dr Who", to="Dr Strange"))) == first
