"""Whatever waits for a person is told in one way, and a write has one moment."""

from datetime import datetime
from typing import Any

import pytest

from careplan_exchange import exchange
from careplan_exchange.exchange import Undo
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.review import ReviewPolicy, ReviewStep
from tests.support.exchanges import TickingClock
from tests.support.hospital import Hospital


async def a_draft(hospital: Hospital) -> Receipt:
    return await hospital.sync()


async def a_held_plan(hospital: Hospital) -> Receipt:
    hospital.policy = ReviewPolicy(new_plans="hold")
    return await hospital.sync()


async def a_change_of_a_plan_in_use(hospital: Hospital) -> Receipt:
    await hospital.sync(approve=True)
    hospital.source.remove("Observation")
    return await hospital.sync()


async def the_same_question_again(hospital: Hospital) -> Receipt:
    await a_change_of_a_plan_in_use(hospital)
    return await hospital.sync()


async def a_revert(hospital: Hospital) -> Receipt:
    made = await hospital.sync()
    hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    step = ReviewStep(kind="revert", by="Dr Who", at="2026-11-26T10:00:00Z", reason="Another patient's")
    commits = await hospital.plans.commits(exchange=made.exchange)
    asked = Undo(exchange=hospital.ids.new(), reverts=made.exchange, commits=commits, step=step)
    return await exchange.revert(hospital.steps(), asked)


async def a_sync_while_a_revert_waits(hospital: Hospital) -> Receipt:
    await a_revert(hospital)
    return await hospital.sync()


@pytest.mark.parametrize(
    "asked",
    [
        a_draft,
        a_held_plan,
        a_change_of_a_plan_in_use,
        the_same_question_again,
        a_revert,
        a_sync_while_a_revert_waits,
    ],
)
async def test_what_waits_is_told_with_one_severity_and_one_mend(asked: Any) -> None:
    hospital = Hospital()
    receipt = await asked(hospital)
    (pending,) = await hospital.plans.pendings()
    assert receipt.review == pending.id
    told = [issue for issue in receipt.issues if issue.key == "review.waiting"]
    assert [issue.detail for issue in told] == list(pending.why)
    assert {(issue.severity, issue.code, issue.mend) for issue in told} == {
        ("warning", "business-rule", f"See `careplan review show {pending.id}`.")
    }


class Hurrying(TickingClock):
    """Whoever asks twice is told another time."""

    def now(self) -> datetime:
        self.pass_time(seconds=1)
        return super().now()


async def test_a_write_has_one_moment() -> None:
    hospital = Hospital()
    hospital.clock = Hurrying()
    made = await hospital.sync(approve=True)
    (commit,) = await hospital.plans.commits(exchange=made.exchange)
    moments = {datetime.fromisoformat(body["recorded"]) for body in hospital.writer.resources("Provenance")}
    assert moments == {datetime.fromisoformat(commit.intent.created_at)}
