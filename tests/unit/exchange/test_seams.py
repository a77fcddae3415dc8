"""Where one step of an exchange meets another: what a person did between two of them, and what breaks off there."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from careplan_exchange import exchange, logs
from careplan_exchange.errors import (
    CareplanError,
    EndpointUnreachableError,
    PatientMergedError,
    StoreUnavailableError,
    UnsafeModificationError,
    UsageError,
    VersionConflictError,
)
from careplan_exchange.exchange import Target, Undo
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.ledger import Entry
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.review import Pending, ReviewPolicy, ReviewRule, ReviewStep
from careplan_exchange.operations import Decided, Reviews
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.hospital import TODAY, URL, Hospital

TWO = ReviewPolicy(rules=(ReviewRule(change=("new", "changed", "retired", "status"), needs="two"),))


def on(rung: str, **more: Any) -> Hospital:
    return Hospital(writer=MemoryPlanWriter(URL, rung=rung), **more)  # type: ignore[arg-type]  # a Rung by name


def target_of(hospital: Hospital) -> Target:
    steps = hospital.steps()
    return Target(
        writer=steps.writer,
        plans=steps.plans,
        ledger=steps.ledger,
        clock=steps.clock,
        ids=steps.ids,
        version=steps.version,
    )


async def take_back(hospital: Hospital, reverts: str, accepting: Pending | None = None) -> Receipt:
    step = ReviewStep(kind="revert", by="Dr Who", at="2026-11-26T10:00:00Z", reason="Another patient's")
    return await exchange.revert(
        target_of(hospital),
        Undo(
            exchange=hospital.ids.new(),
            reverts=reverts,
            commits=await hospital.plans.commits(exchange=reverts),
            step=accepting.steps[-1] if accepting else step,
            accepting=accepting,
        ),
    )


def reviews(hospital: Hospital, before: Callable[[], Any] | None = None) -> Reviews:
    """As bootstrap.Services has them. `before`: what happens between the look at a review and its exchange."""

    async def run(request: ExchangeRequest, *, exchange_id: str, accepting: Pending | None = None) -> Receipt:
        if before is not None:
            await before()
        if request.reverts is not None:
            return await take_back(hospital, request.reverts, accepting)
        asked = exchange.Request(exchange=exchange_id, asked=request, today=TODAY, accepting=accepting)
        return await exchange.sync(hospital.steps(), asked)

    return Reviews(plans=hospital.plans, ledger=hospital.ledger, clock=hospital.clock, ids=hospital.ids, run=run)


async def the_pending(hospital: Hospital) -> Pending:
    (pending,) = await hospital.plans.pendings()
    return pending


async def open_intents(hospital: Hospital) -> int:
    return len(await hospital.plans.open_intents(URL, f"Patient/{hospital.source.patient}"))


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


# --- a revert that a person decides -----------------------------------------------------------------------------


async def test_a_revert_that_a_person_approves_is_decided_and_who_did_is_kept() -> None:
    hospital = Hospital()
    made = await hospital.sync()
    hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    waiting = await take_back(hospital, made.exchange)
    decided = await reviews(hospital).approve(waiting.exchange, by="Dr Strange")
    assert (decided.state, decided.outcome) == ("approved", "written")
    kept = await hospital.plans.pending(waiting.exchange)
    assert kept is not None
    assert (kept.state, kept.decided_by) == ("approved", "Dr Strange")
    assert [step.kind for step in kept.steps] == ["approve"]
    assert await hospital.plans.pendings() == ()
    events = [entry.event for entry in await hospital.entries(waiting.exchange)]
    assert logs.REVIEW_DECIDED in events
    with pytest.raises(UsageError, match="approved already"):
        await reviews(hospital).approve(waiting.exchange, by="Dr Who")


async def test_a_revert_whose_review_is_out_of_date_names_the_one_that_took_its_place() -> None:
    hospital = Hospital()
    made = await hospital.sync()
    hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    waiting = await take_back(hospital, made.exchange)
    hospital.edit(hospital.goals()[1], description={"text": "And another"})
    before = hospital.everything()
    decided = await reviews(hospital).approve(waiting.exchange, by="Dr Strange")
    assert decided.state == "superseded"
    assert hospital.everything() == before
    assert (await the_pending(hospital)).id == decided.waiting


async def test_a_revert_cannot_be_modified_and_says_so() -> None:
    hospital = Hospital()
    made = await hospital.sync()
    goal = hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    waiting = await take_back(hospital, made.exchange)
    edits = {f"Goal/{goal['id']} description.text": "Otherwise"}
    with pytest.raises(UsageError, match="taken back"):
        await reviews(hospital).modify(waiting.exchange, by="Dr Who", edits=edits)
    assert (await the_pending(hospital)).steps == ()


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


# --- what breaks off --------------------------------------------------------------------------------------------


async def test_a_write_that_stands_is_in_the_ledger_with_its_versions_whatever_fails_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hospital = Hospital()

    async def died(*_: Any, **__: Any) -> Any:
        raise StoreUnavailableError("The database is gone.", mend="Start it.")

    monkeypatch.setattr(hospital.plans, "put_pending", died)
    with pytest.raises(StoreUnavailableError):
        await hospital.sync(exchange_id="e")
    monkeypatch.undo()
    assert hospital.plan()["status"] == "draft"
    await hospital.sync()
    told = {
        f"{one['reference']}/{one['versionId']}"
        for entry in await hospital.entries()
        for one in versions_in(entry)
    }
    for reference, body in hospital.everything().items():
        assert f"{reference}/{body['meta']['versionId']}" in told


@pytest.mark.parametrize("lost", [False, True])
async def test_a_write_that_stands_is_in_the_ledger_before_its_intent_is_closed(
    lost: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that is killed once the intent is closed can tell the ledger nothing any more."""
    hospital = Hospital()
    if lost:
        hospital.writer.fault = "lose-answer"
    commit = hospital.plans.commit_intent
    known: list[str] = []

    async def watched(*given: Any) -> None:
        known.extend(one["reference"] for entry in await hospital.entries() for one in versions_in(entry))
        await commit(*given)

    monkeypatch.setattr(hospital.plans, "commit_intent", watched)
    await hospital.sync()
    assert set(hospital.everything()) <= set(known)


def versions_in(entry: Entry) -> list[dict[str, str]]:
    resources = entry.data.get("resources") or ()
    return [one for one in resources if isinstance(one, dict) and one.get("action") in {"create", "update"}]


async def test_after_a_conflict_that_cannot_be_looked_into_the_intent_stays_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The conflict may be with our own first request, which a network has sent twice."""
    hospital = Hospital()
    write = hospital.writer.write

    async def twice(*given: Any) -> Any:
        await write(*given)
        raise VersionConflictError("It is there already.", mend="Again.")

    async def unreachable(*_: Any) -> Any:
        raise EndpointUnreachableError("Gone.", mend="Later.")

    monkeypatch.setattr(hospital.writer, "write", twice)
    monkeypatch.setattr(hospital.writer, "settle", unreachable)
    with pytest.raises(CareplanError):
        await hospital.sync()
    assert await open_intents(hospital) == 1
    monkeypatch.undo()
    await hospital.sync()
    assert await open_intents(hospital) == 0
    assert len(hospital.writer.resources("CarePlan")) == 1
    written = {one.identity for commit in await hospital.plans.commits() for one in commit.written}
    assert len(written) == len(hospital.everything())


async def test_what_another_client_does_to_a_finding_is_seen_by_the_next_sync() -> None:
    hospital = Hospital()
    await hospital.sync()
    assert (await hospital.sync()).outcome == "unchanged"
    hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    planned = [event for event in await hospital.events() if event == logs.EXCHANGE_PLANNED]
    await hospital.sync()
    assert len([e for e in await hospital.events() if e == logs.EXCHANGE_PLANNED]) == len(planned) + 1


async def test_a_type_that_the_record_does_not_hold_whole_is_looked_for_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The record is all that tells whether something has changed: what it does not hold may have."""
    hospital = Hospital()
    pull = hospital.source.pull

    async def without_goals(patient: str) -> Any:
        record = await pull(patient)
        return msgspec.structs.replace(
            record,
            categories=record.categories - {"Goal"},
            resources=tuple(one for one in record.resources if one.type != "Goal"),
        )

    monkeypatch.setattr(hospital.source, "pull", without_goals)
    await hospital.sync()
    await hospital.sync()
    goal = hospital.goals()[0]
    hospital.writer.delete("Goal", goal["id"])
    before = [event for event in await hospital.events() if event == logs.EXCHANGE_COMPARED]
    await hospital.sync()
    assert len([e for e in await hospital.events() if e == logs.EXCHANGE_COMPARED]) == len(before) + 1


async def test_a_revert_that_waits_is_not_pushed_aside_by_the_next_sync() -> None:
    hospital = Hospital()
    made = await hospital.sync()
    hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    waiting = await take_back(hospital, made.exchange)
    before = hospital.everything()
    hospital.source.remove("Observation")
    for approve in (False, True):
        receipt = await hospital.sync(approve=approve)
        assert (receipt.outcome, receipt.review) == ("review", waiting.exchange)
        assert hospital.everything() == before
    await reviews(hospital).reject(waiting.exchange, by="Dr Who", reason="It is the right patient")
    assert (await hospital.sync()).outcome == "written"


# --- taking back, whatever was written --------------------------------------------------------------------------


@pytest.mark.parametrize("release", ["R4", "R4B", "R5"])
@pytest.mark.parametrize("rung", ["references", "detail", "document"])
async def test_a_first_plan_in_any_form_is_taken_back_and_stays_so(rung: Any, release: Any) -> None:
    hospital = Hospital(writer=MemoryPlanWriter(URL, rung=rung, release=release))
    made = await hospital.sync(approve=True)
    reverted = await take_back(hospital, made.exchange)
    assert reverted.outcome == "written"
    states = {body.get("lifecycleStatus") or body["status"] for body in hospital.everything().values()}
    assert states == {"entered-in-error"}
    stands = hospital.everything()
    await hospital.sync()
    assert hospital.everything() == stands
    assert await open_intents(hospital) == 0


async def test_a_plan_that_took_the_place_of_another_is_taken_back_and_no_third_is_made() -> None:
    hospital = Hospital()
    await hospital.sync(approve=True)
    hospital.edit(hospital.plan(), status="completed")
    hospital.source.remove("Observation")
    hospital.source.remove("MedicationRequest")
    await hospital.sync()
    (pending,) = await hospital.plans.pendings()
    decided = await reviews(hospital).approve(pending.id, by="Dr Who")
    assert decided.state == "approved"
    assert [plan["status"] for plan in hospital.writer.resources("CarePlan")] == ["completed", "active"]
    await take_back(hospital, str(decided.exchange))
    assert [plan["status"] for plan in hospital.writer.resources("CarePlan")] == ["completed", "entered-in-error"]
    await hospital.sync()
    assert len(hospital.writer.resources("CarePlan")) == 2
