"""What persons do with reviews and reverts, over a hospital of the tests."""

from collections.abc import Callable
from typing import Any

from careplan_exchange import exchange
from careplan_exchange.exchange import Undo
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.review import Pending, ReviewPolicy, ReviewRule, ReviewStep
from careplan_exchange.operations import Reviews
from careplan_exchange.review import consents
from tests.support.hospital import TODAY, Hospital

EVERYTHING = ("new", "changed", "retired", "status")
HOLD = ReviewPolicy(new_plans="hold")
TWO = ReviewPolicy(rules=(ReviewRule(change=EVERYTHING, needs="two"),))


async def take_back(
    hospital: Hospital, reverts: str, by: str = "Dr Who", *, accepting: Pending | None = None
) -> Receipt:
    """As bootstrap.Services does: where a review is accepted, in the name of whoever agreed last."""
    asks = ReviewStep(kind="revert", by=by, at=hospital.clock.now().isoformat(), reason="Another patient's")
    return await exchange.revert(
        hospital.steps(),
        Undo(
            exchange=hospital.ids.new(),
            reverts=reverts,
            commits=await hospital.plans.commits(exchange=reverts),
            step=consents(accepting)[-1] if accepting else asks,
            accepting=accepting,
        ),
    )


def reviews(hospital: Hospital, before: Callable[[], Any] | None = None) -> Reviews:
    """As bootstrap.Services has them. `before`: what happens between the look at a review and its exchange."""

    async def run(request: ExchangeRequest, *, exchange_id: str, accepting: Pending | None = None) -> Receipt:
        if before is not None:
            await before()
        if request.reverts is not None:
            return await take_back(hospital, request.reverts, accepting=accepting)
        asked = exchange.Request(exchange=exchange_id, asked=request, today=TODAY, accepting=accepting)
        return await exchange.sync(hospital.steps(), asked)

    return Reviews(plans=hospital.plans, ledger=hospital.ledger, clock=hospital.clock, ids=hospital.ids, run=run)


def a_goal_with_a_target(hospital: Hospital) -> dict[str, Any]:
    return next(goal for goal in hospital.goals() if "high" in goal.get("target", [{}])[0].get("detailRange", {}))


def otherwise(hospital: Hospital) -> None:
    """The record changes so that other lines are proposed."""
    hospital.source.remove("Observation")
