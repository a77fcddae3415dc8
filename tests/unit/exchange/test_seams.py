"""Where one step of an exchange meets another: what a person did between two of them."""

import asyncio
from typing import Any

import pytest

from careplan_exchange import logs
from careplan_exchange.errors import PatientMergedError, UnsafeModificationError, UsageError
from careplan_exchange.operations import Decided, Reviews
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.hospital import URL, Hospital
from tests.support.interfering import the_pending
from tests.support.persons import TWO, reviews, take_back


def on(rung: str, **more: Any) -> Hospital:
    return Hospital(writer=MemoryPlanWriter(URL, rung=rung), **more)  # type: ignore[arg-type]  # a Rung by name


# --- who has approved -------------------------------------------------------------------------------------------


async def test_an_approval_that_is_not_enough_is_told_nowhere_as_one() -> None:
    hospital = Hospital(policy=TWO)
    receipt = await hospital.sync(approve=True)
    assert hospital.plan()["status"] == "draft"
    decided = [entry for entry in await hospital.entries(receipt.exchange) if entry.event == logs.REVIEW_DECIDED]
    assert decided == []
    assert "Dr Who" not in str(hospital.writer.resources("Provenance"))


async def test_an_approval_that_is_enough_is_told_as_one() -> None:
    hospital = Hospital()
    receipt = await hospital.sync(approve=True)
    assert hospital.plan()["status"] == "active"
    decided = [entry for entry in await hospital.entries(receipt.exchange) if entry.event == logs.REVIEW_DECIDED]
    assert [entry.data["by"] for entry in decided] == ["Dr Who"]
    assert "Dr Who" in str(hospital.writer.resources("Provenance"))


async def test_what_is_rejected_while_an_approval_is_under_way_is_not_written() -> None:
    hospital = Hospital()
    review = str((await hospital.sync()).review)
    before = hospital.everything()

    async def rejected() -> None:
        await reviews(hospital).reject(review, by="Dr Strange", reason="Hospice")

    with pytest.raises(UsageError):
        await reviews(hospital, rejected).approve(review, by="Dr Who")
    assert hospital.everything() == before
    assert (await hospital.plans.pending(review)).state == "rejected"  # type: ignore[union-attr]  # it is there


async def test_what_is_rejected_while_an_approval_is_being_written_was_approved_before() -> None:
    hospital = Hospital()
    review = str((await hospital.sync()).review)
    write, tasks = hospital.writer.write, []

    async def slow(*given: Any) -> Any:
        tasks.append(asyncio.create_task(reviews(hospital).reject(review, by="Dr Strange", reason="Hospice")))
        await asyncio.sleep(0.05)  # long enough for a rejection that waits for nobody
        return await write(*given)

    hospital.writer.write = slow  # type: ignore[method-assign]  # another at the same time
    assert (await reviews(hospital).approve(review, by="Dr Who")).state == "approved"
    with pytest.raises(UsageError, match="approved already"):
        await tasks[0]
    assert hospital.plan()["status"] == "active"


async def test_an_approval_is_kept_also_where_somebody_assigns_the_review_meanwhile() -> None:
    hospital = Hospital()
    review = str((await hospital.sync()).review)

    async def assigned() -> None:
        await reviews(hospital).assign(review, to="Dr Strange", by="Ward clerk")

    decided = await _settled(reviews(hospital, assigned), review)
    assert decided.state == "approved"
    kept = await hospital.plans.pending(review)
    assert kept is not None
    assert "approve" in [step.kind for step in kept.steps]


async def _settled(reviewing: Reviews, review: str) -> Decided:
    return await reviewing.approve(review, by="Dr Who")


# --- a plan that stands as a document ---------------------------------------------------------------------------


def documents(hospital: Hospital) -> list[tuple[str, str]]:
    return sorted((body["status"], body["docStatus"]) for body in hospital.writer.resources("DocumentReference"))


def deceased(hospital: Hospital) -> None:
    hospital.source.resources("Patient")[0]["deceasedBoolean"] = True


@pytest.mark.parametrize("approve", [False, True])
async def test_the_document_of_a_patient_who_died_is_ended_only_if_a_person_agrees(approve: bool) -> None:
    hospital = on("document")
    await hospital.sync(approve=approve)
    before = hospital.everything()
    deceased(hospital)
    receipt = await hospital.sync()
    assert receipt.outcome == "review"
    assert hospital.everything() == before
    decided = await reviews(hospital).approve(str(receipt.review), by="Dr Who")
    assert decided.state == "approved"
    assert {status for status, _ in documents(hospital)} == {"superseded"} or {
        status for status, _ in documents(hospital)
    } == {"entered-in-error"}


async def test_a_document_is_taken_back_and_the_one_before_it_counts_again() -> None:
    hospital = on("document")
    await hospital.sync()
    approved = await hospital.sync(approve=True)
    assert documents(hospital) == [("current", "final"), ("superseded", "preliminary")]
    await take_back(hospital, approved.exchange)
    assert documents(hospital) == [("current", "preliminary"), ("entered-in-error", "final")]
    stands = hospital.everything()
    await hospital.sync()
    assert hospital.everything() == stands


async def test_a_part_of_a_document_cannot_be_modified_and_nothing_is_written() -> None:
    hospital = on("document")
    review = str((await hospital.sync()).review)
    before = hospital.everything()
    shown = await the_pending(hospital)
    change = shown.change_set.changes[0]
    name = f"{change.type}/{change.id or f'~{change.identity[:8]}'}"
    with pytest.raises(UsageError, match="document"):
        await reviews(hospital).modify(review, by="Dr Who", edits={f"{name} description": "Otherwise"})
    assert hospital.everything() == before


async def test_a_document_is_adopted_by_a_review() -> None:
    hospital = on("document")
    review = str((await hospital.sync()).review)
    decided = await reviews(hospital).approve(review, by="Dr Who")
    assert decided.state == "approved"
    assert documents(hospital) == [("current", "final"), ("superseded", "preliminary")]


# --- dead letters -----------------------------------------------------------------------------------------------


async def letters(hospital: Hospital) -> list[str]:
    return [letter.error for letter in await hospital.plans.letters()]


async def test_a_modification_that_the_safety_gate_refuses_is_the_persons_to_mend_and_no_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hospital = Hospital()
    await hospital.sync()

    async def refused(*_: Any) -> Any:
        raise UnsafeModificationError("No.", mend="Otherwise.")

    monkeypatch.setattr(hospital.source, "pull", refused)
    with pytest.raises(UnsafeModificationError):
        await hospital.sync()
    assert await letters(hospital) == []


async def test_a_patient_whose_plan_was_ended_after_a_merge_leaves_no_letter_that_nothing_resolves() -> None:
    hospital = Hospital()
    await hospital.sync()

    def merged() -> None:
        raise PatientMergedError("Patient/1 was replaced by another record.", mend="Ask for the other one.")

    hospital.source.before_pull = merged
    receipt = await hospital.sync()
    assert (await reviews(hospital).approve(str(receipt.review), by="Dr Who")).state == "approved"
    with pytest.raises(PatientMergedError):
        await hospital.sync()
    assert await letters(hospital) == []
