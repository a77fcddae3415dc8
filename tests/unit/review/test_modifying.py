"""What a person sets otherwise: it is written and stays theirs, or is refused and nothing of it is kept."""

from decimal import Decimal
from typing import Any

import pytest

from careplan_exchange.errors import UnsafeModificationError, UsageError
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.review import ReviewPolicy
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.hospital import URL, Hospital
from tests.support.interfering import the_pending
from tests.support.persons import HOLD, TWO, a_goal_with_a_target, otherwise, reviews


@pytest.mark.parametrize("policy", [ReviewPolicy(), HOLD], ids=["draft", "hold"])
async def test_a_modified_target_is_written_and_stays_the_persons_own(policy: ReviewPolicy) -> None:
    hospital = Hospital(policy=policy)
    review = str((await hospital.sync()).review)
    shown = await the_pending(hospital)
    goal = next(
        change
        for change in shown.change_set.changes
        if change.type == "Goal" and "high" in change.ours.get("target", [{}])[0].get("detailRange", {})
    )
    name = f"Goal/{goal.id}" if goal.id else f"Goal/~{goal.identity[:8]}"
    was = goal.ours["target"][0]["detailRange"]["high"]["value"]
    wanted = was + Decimal(1)
    edits = {f"{name} target[0].detailRange.high.value": wanted}
    with pytest.raises(UsageError, match="names a value that its target no longer has"):
        await reviews(hospital).modify(review, by="Dr Who", reason="Frail", edits=edits)
    edits[f"{name} description.text"] = "A gentler goal"
    decided = await reviews(hospital).modify(review, by="Dr Who", reason="Frail", edits=edits)
    assert (decided.state, decided.approved_by) == ("approved", ("Dr Who",))
    assert hospital.plan()["status"] == "active"

    def target() -> Any:
        (found,) = (one for one in hospital.goals() if one["identifier"][0]["value"] == goal.identity)
        return decode(encode(found))["target"][0]["detailRange"]["high"]["value"]

    assert target() == wanted
    assert "Changed on review by Dr Who" in hospital.plan()["text"]["div"]
    for _ in range(2):
        assert (await hospital.sync()).outcome == "unchanged"
    assert target() == wanted
    otherwise(hospital)
    receipt = await hospital.sync()
    if receipt.review is not None:
        await reviews(hospital).approve(receipt.review, by="Dr Strange")
    assert target() == wanted, "a later plan does not change it back"


@pytest.mark.parametrize("policy", [ReviewPolicy(), HOLD], ids=["draft", "hold"])
async def test_a_line_that_is_left_out_is_refused_for_good(policy: ReviewPolicy) -> None:
    hospital = Hospital(policy=policy)
    review = str((await hospital.sync()).review)
    goal = next(one for one in (await the_pending(hospital)).change_set.changes if one.type == "Goal")
    name = f"Goal/{goal.id}" if goal.id else f"Goal/~{goal.identity[:8]}"
    await reviews(hospital).modify(review, by="Dr Who", reason="Not wanted", edits={name: None})

    def state() -> str:
        (found,) = (one for one in hospital.goals() if one["identifier"][0]["value"] == goal.identity)
        return str(found["lifecycleStatus"])

    assert state() == "rejected"
    again = await hospital.sync()
    assert (again.outcome, again.review, state()) == ("unchanged", None, "rejected")
    assert {one["lifecycleStatus"] for one in hospital.goals()} == {"active", "rejected"}


async def test_an_activity_of_the_plan_is_left_out_by_its_place() -> None:
    hospital = Hospital(writer=MemoryPlanWriter(URL, rung="detail"))
    review = str((await hospital.sync()).review)
    plan = f"CarePlan/{hospital.plan()['id']}"
    await reviews(hospital).modify(review, by="Dr Who", reason="No", edits={f"{plan} activity[0]": None})
    assert hospital.plan()["activity"][0]["detail"]["status"] == "cancelled"
    assert (await hospital.sync()).outcome == "unchanged"
    assert hospital.plan()["activity"][0]["detail"]["status"] == "cancelled"


def medicine(text: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": code}], "text": text}


async def test_a_harmful_modification_is_refused_with_rule_and_citation_and_nothing_of_it_is_kept() -> None:
    hospital = Hospital("04-kidney-disease")
    review = str((await hospital.sync()).review)
    before = hospital.everything()
    plan = f"CarePlan/{hospital.plan()['id']}"
    number = len(hospital.plan()["activity"])
    detail = {
        "kind": "MedicationRequest",
        "status": "not-started",
        "productCodeableConcept": medicine("ibuprofen", "5640"),
        "description": "Ibuprofen for the knee",
    }
    with pytest.raises(UnsafeModificationError) as caught:
        await reviews(hospital).modify(
            review, by="Dr Who", reason="Pain", edits={f"{plan} activity[{number}]": {"detail": detail}}
        )
    assert caught.value.exit_code == 4
    assert "Rule '" in caught.value.detail
    assert "(no source)" not in caught.value.detail
    assert hospital.everything() == before
    assert (await the_pending(hospital)).steps == ()
    assert (await reviews(hospital).approve(review, by="Dr Who")).state == "approved"


async def test_a_medicine_that_no_rule_knows_is_refused() -> None:
    hospital = Hospital()
    review = str((await hospital.sync()).review)
    plan = f"CarePlan/{hospital.plan()['id']}"
    number = len(hospital.plan()["activity"])
    detail = {"status": "not-started", "productCodeableConcept": medicine("something", "0")}
    with pytest.raises(UnsafeModificationError, match="do not know this medicine"):
        await reviews(hospital).modify(
            review, by="Dr Who", reason="x", edits={f"{plan} activity[{number}]": {"detail": detail}}
        )


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("target[0].detailRange.high.value", 9999, "outside what a living person can have"),
        ("target[0].detailRange.high.code", "furlong", "A target of"),
        ("target[0].detailRange.high", "much", "cannot be written"),
        ("lifecycleStatus", "banana", "cannot be written"),
        ("subject.reference", "Patient/other", "not to be changed"),
        ("identifier[0].value", "x", "not to be changed"),
        ("target[7].dueDate", "2027-01-01", "no such place"),
        ("target..x", 1, "no path"),
    ],
)
async def test_an_edit_that_cannot_be_is_refused_and_nothing_is_written(path: str, value: Any, says: str) -> None:
    hospital = Hospital()
    review = str((await hospital.sync()).review)
    before = hospital.everything()
    goal = f"Goal/{a_goal_with_a_target(hospital)['id']}"
    with pytest.raises(UsageError, match=says):
        await reviews(hospital).modify(review, by="Dr Who", reason="x", edits={f"{goal} {path}": value})
    assert hospital.everything() == before
    assert (await the_pending(hospital)).steps == ()


@pytest.mark.parametrize("edit", ["Goal/unknown priority", "CarePlan/{plan}", "CarePlan/{plan} status"])
async def test_an_edit_of_what_is_not_there_or_not_a_persons_to_change_is_refused(edit: str) -> None:
    hospital = Hospital()
    review = str((await hospital.sync()).review)
    edits = {edit.format(plan=hospital.plan()["id"]): None if edit.endswith("}") else "active"}
    with pytest.raises(UsageError):
        await reviews(hospital).modify(review, by="Dr Who", reason="x", edits=edits)
    with pytest.raises(UsageError):
        await reviews(hospital).modify(review, by="Dr Who", reason="x", edits={})


async def test_an_edit_to_what_stands_already_changes_nothing_and_is_refused() -> None:
    hospital = Hospital()
    review = str((await hospital.sync()).review)
    goal = a_goal_with_a_target(hospital)
    edits = {f"Goal/{goal['id']} description.text": goal["description"]["text"]}
    with pytest.raises(UsageError, match="change nothing"):
        await reviews(hospital).modify(review, by="Dr Who", reason="x", edits=edits)


async def test_a_modification_is_one_of_two_approvals_and_undoes_those_before_it() -> None:
    hospital = Hospital(policy=TWO)
    review = str((await hospital.sync()).review)
    goal = a_goal_with_a_target(hospital)
    edits = {f"Goal/{goal['id']} description.text": "As agreed"}
    await reviews(hospital).approve(review, by="Dr Who")
    modified = await reviews(hospital).modify(review, by="Dr Strange", reason="x", edits=edits)
    assert (modified.state, modified.approved_by) == ("pending", ("Dr Strange",))
    assert hospital.plan()["status"] == "draft"
    unseen = await reviews(hospital).approve(review, by="Dr Who")
    assert (unseen.state, unseen.approved_by) == ("pending", ("Dr Strange",))
    decided = await reviews(hospital).approve(review, by="Dr Who", seen=unseen.content)
    assert decided.state == "approved"
    assert "As agreed" in [one["description"]["text"] for one in hospital.goals()]
