"""A diet as an order of its own (NutritionOrder): shown, asked about and modified as any other line of the plan."""

from typing import Any

import msgspec
import pytest

from careplan_exchange.exchange import path
from careplan_exchange.model.identity import identity_of
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.review import ReviewPolicy, ReviewRule
from careplan_exchange.review import contents, diff_lines, lines_of
from tests.support.hospital import TODAY, Hospital
from tests.support.interfering import the_pending
from tests.support.persons import reviews

DIET = "Heart-healthy eating (DASH)"


@pytest.fixture(autouse=True)
def _diets(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = path.planned

    def with_orders(*given: Any) -> Proposal:
        proposal = plan(*given)
        return msgspec.structs.replace(
            proposal,
            activities=tuple(
                msgspec.structs.replace(one, resource_kind="NutritionOrder") if one.title == DIET else one
                for one in proposal.activities
            ),
        )

    monkeypatch.setattr(path, "planned", with_orders)


def order(hospital: Hospital) -> dict[str, Any]:
    (found,) = hospital.writer.resources("NutritionOrder")
    return found


async def test_a_reviewer_sees_which_diet_it_is() -> None:
    drafted, held = Hospital(), Hospital(policy=ReviewPolicy(new_plans="hold"))
    await drafted.sync()
    await held.sync()
    assert any(DIET in line for line in contents((await the_pending(drafted)).change_set))
    assert any(DIET in line for line in diff_lines((await the_pending(held)).change_set))


async def test_a_diet_is_left_out_or_put_otherwise_and_stays_so() -> None:
    hospital = Hospital()
    review = str((await hospital.sync()).review)
    name = f"NutritionOrder/{order(hospital)['id']}"
    edits = {f"{name} oralDiet.instruction": "As agreed", name: None}
    assert (await reviews(hospital).modify(review, by="Dr Who", edits=edits)).state == "approved"
    await hospital.sync()
    assert (order(hospital)["status"], order(hospital)["oralDiet"]["instruction"]) == ("revoked", "As agreed")
    assert DIET in hospital.plan()["text"]["div"].split("Changed on review")[1]


async def test_a_rule_about_its_protocol_meets_a_change_of_a_diet() -> None:
    two = ReviewRule(change=("changed",), of=("activity",), protocol=("hypertension",), needs="two")
    hospital = Hospital(policy=ReviewPolicy(rules=(two,)))
    await hospital.sync(approve=True)
    body = order(hospital)
    assert body["status"] == "draft"
    record = await hospital.source.pull(hospital.source.patient)
    proposal = path.planned(record, hospital.steps().knowledge, TODAY)
    lines = lines_of(proposal, record)
    (key,) = [one.key for one in proposal.activities if one.title == DIET]
    for kind in ("NutritionOrder", "ServiceRequest"):  # the other where the target takes no NutritionOrder
        line = lines.by_identity[identity_of(record.identity, record.patient.reference, kind, key)]
        assert line.protocol == "hypertension"
