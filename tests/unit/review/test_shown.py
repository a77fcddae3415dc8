"""What a reviewer sees of a plan that waits: what it is, in whatever form it stands, not only that it would change."""

from typing import Any

import pytest

from careplan_exchange.cli.reviewed import print_pending
from careplan_exchange.cli.show import out
from careplan_exchange.model.review import ReviewPolicy
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.hospital import URL, Hospital
from tests.support.persons import HOLD

GOAL, ACTIVITY, MEDICINE = (
    "Blood pressure below 130/80 mmHg",
    "Foot examination, yearly",
    "Start of an ACE inhibitor",
)


async def seen(hospital: Hospital) -> str:
    (pending,) = await hospital.plans.pendings()
    with out.capture() as captured:
        print_pending(pending)
    return " ".join(captured.get().split())


def on(rung: Any, policy: ReviewPolicy) -> Hospital:
    return Hospital(writer=MemoryPlanWriter(URL, rung=rung), policy=policy)


@pytest.mark.parametrize("policy", [ReviewPolicy(), HOLD], ids=["draft", "hold"])
@pytest.mark.parametrize("rung", ["references", "detail", "document"])
async def test_whoever_adopts_a_plan_sees_its_goals_its_activities_and_its_medicines(
    rung: str, policy: ReviewPolicy
) -> None:
    hospital = on(rung, policy)
    await hospital.sync()
    shown = await seen(hospital)
    for line in (GOAL, ACTIVITY, MEDICINE):
        assert line in shown


async def test_a_revision_of_a_document_shows_what_it_says_no_more_and_nothing_that_stays() -> None:
    hospital = on("document", ReviewPolicy())
    await hospital.sync(approve=True)
    hospital.source.remove("Observation")
    assert (await hospital.sync()).outcome == "review"
    shown = await seen(hospital)
    assert f"- {MEDICINE}" in shown
    assert GOAL not in shown


async def test_a_document_that_was_replaced_is_not_what_a_revision_is_compared_with() -> None:
    hospital = on("document", ReviewPolicy())
    await hospital.sync()
    hospital.source.remove("Observation")
    await hospital.sync()
    shown = await seen(hospital)
    assert GOAL in shown
    assert "Systolic blood pressure 148 mmHg" not in shown
