"""The data path over adapters in memory: what is written, what waits, what is settled, and what is said of it."""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import structlog

from careplan_exchange import exchange, logs
from careplan_exchange.errors import (
    CareplanError,
    EndpointOverloadedError,
    IncompleteRecordError,
    OutcomeUnknownError,
    PatientMergedError,
    PatientNotEligibleError,
    RefusedError,
    StoreUnavailableError,
    UnavailableError,
    UnsettledWriteError,
    VersionConflictError,
)
from careplan_exchange.exchange.path import MERGE_ATTEMPTS
from careplan_exchange.model.changes import Intent, Json, Settlement, WrittenResource
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.model.review import Pending, ReviewPolicy, ReviewRule
from careplan_exchange.store import MemoryPlanStore
from careplan_exchange.writer import MemoryPlanWriter
from careplan_exchange.writer.bundle import resolved
from tests.support.hospital import TODAY, URL, Hospital, HospitalSource, knowledge
from tests.support.patients import NAMES

AUTO_NEW = ReviewPolicy(rules=(ReviewRule(change=("new",), needs="auto"),))
AUTO = ReviewPolicy(rules=(ReviewRule(change=("new", "changed", "retired", "status"), needs="auto"),))
REVIEW_NEW = ReviewPolicy(new_plans="hold")


class DiedError(BaseException):
    """The process ends here: nothing below is caught by anything above."""


class Interfering(MemoryPlanWriter):
    """A writer before (or after) whose writes something happens."""

    def __init__(self) -> None:
        super().__init__(URL)
        self.writes = 0
        self.before_write = lambda: None
        self.after_write = lambda: None
        self.settled: Settlement | None = None

    async def write(self, intent: Intent, companions: Sequence[Json]) -> tuple[WrittenResource, ...]:
        self.writes += 1
        self.before_write()
        written = await super().write(intent, companions)
        self.after_write()
        return written

    async def settle(self, intent: Intent) -> Settlement:
        return self.settled or await super().settle(intent)


def with_interference() -> tuple[Hospital, Interfering]:
    writer = Interfering()
    source = HospitalSource("02-older-adult-si-units", written_here=writer)
    return Hospital(writer=writer, source=source), writer


def raising(error: BaseException) -> Any:
    def raise_it() -> None:
        raise error

    return raise_it


def goal_with(hospital: Hospital, text: str) -> dict[str, Any]:
    return next(goal for goal in hospital.goals() if text in goal["description"]["text"])


def actions(receipt: Receipt) -> Counter[str]:
    return Counter(resource.action for resource in receipt.resources)


async def the_pending(hospital: Hospital) -> Pending:
    (pending,) = await hospital.plans.pendings()
    return pending


async def open_intents(hospital: Hospital) -> tuple[Intent, ...]:
    return await hospital.plans.open_intents(URL, f"Patient/{hospital.source.patient}")


def assert_nothing_written(hospital: Hospital) -> None:
    assert hospital.everything() == {}
    assert hospital.writer.resources("Provenance") == ()


# --- a new plan -------------------------------------------------------------------------------------------------


async def test_a_new_plan_is_a_draft_and_its_goals_are_proposed() -> None:
    hospital = Hospital()
    receipt = await hospital.sync()
    assert receipt.outcome == "written"
    assert hospital.plan()["status"] == "draft"
    assert {goal["lifecycleStatus"] for goal in hospital.goals()} == {"proposed"}
    assert len(hospital.goals()) > 3
    assert actions(receipt) == {"create": len(hospital.everything())}


async def test_an_approved_plan_is_active_and_so_are_its_goals() -> None:
    hospital = Hospital()
    await hospital.sync(approve=True)
    assert hospital.plan()["status"] == "active"
    assert {goal["lifecycleStatus"] for goal in hospital.goals()} == {"active"}


async def test_a_draft_becomes_active_when_a_later_sync_is_approved() -> None:
    hospital = Hospital()
    await hospital.sync()
    receipt = await hospital.sync(approve=True)
    assert receipt.outcome == "written"
    assert hospital.plan()["status"] == "active"
    assert {goal["lifecycleStatus"] for goal in hospital.goals()} == {"active"}
    assert (await hospital.sync()).outcome == "unchanged"


async def test_the_write_brings_provenance_and_audit_events() -> None:
    hospital = Hospital()
    await hospital.sync()
    (provenance,) = hospital.writer.resources("Provenance")
    assert {target["reference"] for target in provenance["target"]} == set(hospital.everything())
    assert len(hospital.writer.resources("AuditEvent")) == len(hospital.everything())


async def test_the_policy_active_writes_a_new_plan_as_active() -> None:
    hospital = Hospital(policy=AUTO_NEW)
    assert (await hospital.sync()).outcome == "written"
    assert hospital.plan()["status"] == "active"


async def test_the_policy_active_leaves_a_draft_that_stands_already_a_draft() -> None:
    hospital = Hospital()
    await hospital.sync()
    hospital.policy = AUTO_NEW
    assert (await hospital.sync()).outcome == "unchanged"
    assert hospital.plan()["status"] == "draft"


async def test_the_policy_review_writes_nothing_until_a_person_approves() -> None:
    hospital = Hospital(policy=REVIEW_NEW)
    receipt = await hospital.sync()
    assert receipt.outcome == "review"
    assert_nothing_written(hospital)
    assert set(actions(receipt)) == {"pending"}
    pending = await the_pending(hospital)
    assert pending.id == receipt.exchange
    assert pending.why

    hospital.clock.pass_time(days=1)
    again = await hospital.sync(today=TODAY + timedelta(days=1))
    assert again.outcome == "review"
    assert await hospital.plans.pendings(None) == (pending,), "the same question is not asked twice"

    approved = await hospital.sync(accepting=pending)
    assert approved.outcome == "written"
    assert hospital.plan()["status"] == "active"
    assert (await hospital.sync()).outcome == "unchanged"


# --- again ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [0, 1])
@pytest.mark.parametrize("approve", [False, True])
@pytest.mark.parametrize("name", NAMES)
async def test_a_second_sync_changes_nothing_on_whichever_day(name: str, days: int, approve: bool) -> None:
    hospital = Hospital(name)
    await hospital.sync(approve=approve)
    before = hospital.everything()
    hospital.clock.pass_time(days=days)
    receipt = await hospital.sync(approve=approve, today=TODAY + timedelta(days=days))
    assert receipt.outcome == "unchanged"
    assert set(actions(receipt)) <= {"unchanged"}
    assert hospital.everything() == before


async def test_a_plan_that_a_lost_database_knew_is_taken_as_ours_without_a_write() -> None:
    hospital = Hospital()
    await hospital.sync()
    before = hospital.everything()
    hospital.plans = MemoryPlanStore()
    assert (await hospital.sync()).outcome == "unchanged"
    assert hospital.everything() == before
    bases = await hospital.plans.bases(URL, f"Patient/{hospital.source.patient}")
    assert {f"{base.type}/{base.id}" for base in bases.values()} == set(before)


def nothing_applies_to(source: HospitalSource) -> None:
    """The record falls empty, of a child: to an adult the protocol for prevention always applies."""
    for kind in ("Condition", "Observation", "MedicationRequest"):
        source.remove(kind)
    source.resources("Patient")[0]["birthDate"] = "2020-03-01"


async def test_no_protocol_applies_and_nothing_is_written() -> None:
    hospital = Hospital("08-nothing-applies")
    nothing_applies_to(hospital.source)
    receipt = await hospital.sync()
    assert receipt.outcome == "unchanged"
    assert receipt.resources == ()
    assert_nothing_written(hospital)


async def test_what_no_longer_applies_is_retired_and_never_deleted() -> None:
    hospital = Hospital()
    await hospital.sync()
    stood = set(hospital.everything())
    nothing_applies_to(hospital.source)
    receipt = await hospital.sync()
    assert receipt.outcome == "written"
    assert actions(receipt) == {"update": len(stood)}
    assert set(hospital.everything()) == stood
    assert hospital.plan()["status"] == "revoked"
    assert {goal["lifecycleStatus"] for goal in hospital.goals()} == {"cancelled"}
    assert (await hospital.sync()).outcome == "unchanged"


# --- a plan in use ----------------------------------------------------------------------------------------------


async def a_plan_in_use() -> Hospital:
    """A person has made the plan active; since then the blood pressure trigger has gone from the record."""
    hospital = Hospital()
    await hospital.sync()
    hospital.edit(hospital.plan(), status="active")
    assert (await hospital.sync()).outcome == "unchanged"
    hospital.source.bundle["entry"] = [
        entry
        for entry in hospital.source.bundle["entry"]
        if "38341003" not in encode(entry["resource"]).decode()
        and "I10" not in encode(entry["resource"]).decode()
    ]
    return hospital


async def test_a_change_to_a_plan_in_use_waits_and_the_server_stays_as_it_is() -> None:
    hospital = await a_plan_in_use()
    before = hospital.everything()
    receipt = await hospital.sync()
    assert receipt.outcome == "review"
    assert hospital.everything() == before
    assert "pending" in actions(receipt)
    pending = await the_pending(hospital)
    assert pending.change_set.to_write
    assert pending.patient == f"Patient/{hospital.source.patient}"
    assert [issue.key for issue in receipt.issues if issue.key == "review.waiting"]


async def test_an_approval_carries_out_exactly_what_was_shown() -> None:
    hospital = await a_plan_in_use()
    await hospital.sync()
    pending = await the_pending(hospital)
    before = hospital.everything()
    receipt = await hospital.sync(accepting=pending)
    assert receipt.outcome == "written"
    after = hospital.everything()
    shown = {change.identity: change for change in pending.change_set.to_write}
    placed = {body["identifier"][0]["value"]: reference for reference, body in after.items()}
    written = {identity for identity, place in placed.items() if after[place] != before.get(place)}
    assert written == set(shown)
    became = {change.full_url: placed[identity] for identity, change in shown.items()}
    for identity, change in shown.items():
        sent = {key: value for key, value in after[placed[identity]].items() if key not in {"id", "meta"}}
        meant = {key: value for key, value in change.body.items() if key not in {"id", "meta"}}
        assert decode(encode(sent)) == decode(encode(resolved(meant, became)))
    assert (await hospital.sync()).outcome == "unchanged"


async def test_an_approval_of_a_change_makes_no_proposed_goal_active_that_was_not_shown() -> None:
    hospital = await a_plan_in_use()
    await hospital.sync()
    shown = {change.identity for change in (await the_pending(hospital)).change_set.to_write}
    await hospital.sync(accepting=await the_pending(hospital))
    left = [goal for goal in hospital.goals() if goal["identifier"][0]["value"] not in shown]
    assert left
    assert {goal["lifecycleStatus"] for goal in left} == {"proposed"}


async def test_an_approval_waits_again_when_the_plan_has_changed_since() -> None:
    hospital = await a_plan_in_use()
    await hospital.sync()
    pending = await the_pending(hospital)
    hospital.edit(hospital.plan(), activity=hospital.plan()["activity"][:3])
    before = hospital.everything()
    receipt = await hospital.sync(accepting=pending)
    assert receipt.outcome == "review"
    assert hospital.everything() == before
    newer = await the_pending(hospital)
    assert newer.id == receipt.exchange != pending.id
    assert (await hospital.plans.pending(pending.id)).state == "superseded"


async def test_an_approval_waits_again_when_the_proposal_has_changed_since() -> None:
    hospital = await a_plan_in_use()
    await hospital.sync()
    pending = await the_pending(hospital)
    before = hospital.everything()
    hospital.source.remove("Condition")
    receipt = await hospital.sync(accepting=pending)
    assert receipt.outcome == "review"
    assert hospital.everything() == before
    assert (await the_pending(hospital)).id == receipt.exchange


async def test_an_approval_is_not_carried_over_to_what_a_conflict_brings() -> None:
    hospital, writer = with_interference()
    await hospital.sync()
    hospital.edit(hospital.plan(), status="active")
    hospital.source.remove("Observation")
    assert (await hospital.sync()).outcome == "review"
    pending = await the_pending(hospital)

    def somebody_is_quicker() -> None:
        writer.before_write = lambda: None
        hospital.edit(hospital.plan(), activity=hospital.plan()["activity"][:3])

    writer.before_write = somebody_is_quicker
    receipt = await hospital.sync(accepting=pending)
    assert receipt.outcome == "review"
    assert len(hospital.plan()["activity"]) == 3


async def test_the_policy_write_changes_a_plan_in_use_without_a_person() -> None:
    hospital = await a_plan_in_use()
    hospital.policy = AUTO
    assert (await hospital.sync()).outcome == "written"
    assert hospital.plan()["status"] == "active"
    assert await hospital.plans.pendings() == ()


async def test_what_waited_is_superseded_once_there_is_nothing_to_decide() -> None:
    hospital = Hospital(policy=REVIEW_NEW)
    await hospital.sync()
    nothing_applies_to(hospital.source)
    assert (await hospital.sync()).outcome == "unchanged"
    assert await hospital.plans.pendings() == ()
    assert [pending.state for pending in await hospital.plans.pendings(None)] == ["superseded"]


# --- conflicts and deletions ------------------------------------------------------------------------------------


async def a_draft_with_a_conflict() -> tuple[Hospital, str]:
    """One goal was edited by a person and is proposed otherwise now; the rest of the plan changes too."""
    hospital = Hospital("01-adult-pregnancy-unknown")
    await hospital.sync()
    goal = goal_with(hospital, "HbA1c")
    hospital.edit(goal, description={"text": "Agreed with the family"})
    hospital.source.resources("Patient")[0]["birthDate"] = "1936-03-01"
    return hospital, f"Goal/{goal['id']}"


async def test_a_conflict_waits_while_the_rest_of_a_draft_is_written() -> None:
    hospital, reference = await a_draft_with_a_conflict()
    receipt = await hospital.sync()
    assert receipt.outcome == "review"
    assert actions(receipt)["update"] > 0
    assert hospital.everything()[reference]["description"] == {"text": "Agreed with the family"}
    pending = await the_pending(hospital)
    assert {change.reference for change in pending.change_set.changes} == {reference}
    assert pending.change_set.conflicts

    again = await hospital.sync()
    assert again.outcome == "review"
    assert actions(again)["update"] == 0, "what could be written was written the first time"
    assert await hospital.plans.pendings() == (pending,)


async def test_an_approved_conflict_is_decided_for_ours_and_the_draft_stays_a_draft() -> None:
    hospital, reference = await a_draft_with_a_conflict()
    await hospital.sync()
    pending = await the_pending(hospital)
    receipt = await hospital.sync(accepting=pending)
    assert receipt.outcome == "written"
    (change,) = pending.change_set.changes
    conflict = next(element for element in change.elements if element.path == "Goal.description")
    assert hospital.everything()[reference]["description"] == conflict.ours
    assert hospital.plan()["status"] == "draft"
    assert {goal["lifecycleStatus"] for goal in hospital.goals()} == {"proposed"}
    assert (await hospital.sync()).outcome == "unchanged"


POLICIES = [ReviewPolicy(), AUTO_NEW, REVIEW_NEW]


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_deleted_plan_stays_deleted_and_nobody_is_asked(policy: ReviewPolicy) -> None:
    hospital = Hospital()
    await hospital.sync()
    hospital.policy = policy
    hospital.writer.delete("CarePlan", hospital.plan()["id"])
    before = hospital.everything()
    receipt = await hospital.sync()
    assert receipt.outcome == "unchanged"
    assert "reconcile.left-deleted" in {issue.key for issue in receipt.issues}
    assert hospital.everything() == before
    assert await hospital.plans.pendings() == ()


@pytest.mark.parametrize("policy", POLICIES)
async def test_a_deleted_plan_comes_back_only_when_a_person_says_so(policy: ReviewPolicy) -> None:
    hospital = Hospital()
    await hospital.sync()
    hospital.policy = policy
    hospital.writer.delete("CarePlan", hospital.plan()["id"])
    assert (await hospital.sync(approve=True)).outcome == "review"
    assert hospital.writer.resources("CarePlan") == ()
    pending = await the_pending(hospital)
    receipt = await hospital.sync(approve=pending.request.approve, accepting=pending)
    assert receipt.outcome == "written"
    assert len(hospital.writer.resources("CarePlan")) == 1


# --- somebody else at the same time -----------------------------------------------------------------------------


async def test_after_a_version_conflict_the_plan_is_read_and_merged_again() -> None:
    hospital, writer = with_interference()
    await hospital.sync()
    hospital.source.remove("MedicationRequest")
    pulled, sent = hospital.source.pulls, writer.writes

    def somebody_is_quicker() -> None:
        writer.before_write = lambda: None
        hospital.edit(hospital.plan(), title="By another hand")

    writer.before_write = somebody_is_quicker
    receipt = await hospital.sync()
    assert receipt.outcome == "written"
    assert hospital.plan()["title"] == "By another hand"
    assert (hospital.source.pulls - pulled, writer.writes - sent) == (2, 2)
    assert await open_intents(hospital) == ()
    events = await hospital.events(receipt.exchange)
    assert events.count(logs.WRITE_CONFLICT) == 1
    assert events.count(logs.WRITE_INTENT) == 2


async def test_a_plan_that_keeps_changing_is_given_up_after_a_few_attempts() -> None:
    hospital, writer = with_interference()
    writer.before_write = raising(VersionConflictError("changed", mend="again"))
    with pytest.raises(VersionConflictError) as caught:
        await hospital.sync(exchange_id="e")
    assert writer.writes == MERGE_ATTEMPTS
    assert caught.value.exit_code == 4
    assert_nothing_written(hospital)
    assert await open_intents(hospital) == ()
    assert (await hospital.events("e"))[-1] == logs.EXCHANGE_FAILED


# --- lost answers -----------------------------------------------------------------------------------------------


async def test_an_answer_lost_after_the_commit_is_settled_and_there_is_one_plan() -> None:
    hospital = Hospital()
    hospital.writer.fault = "lose-answer"
    receipt = await hospital.sync()
    assert receipt.outcome == "written"
    assert actions(receipt) == {"create": len(hospital.everything())}
    assert len(hospital.writer.resources("CarePlan")) == 1
    assert (await hospital.sync()).outcome == "unchanged"
    assert logs.WRITE_UNKNOWN in await hospital.events(receipt.exchange)


async def test_a_write_lost_before_the_commit_is_tried_again() -> None:
    hospital = Hospital()
    hospital.writer.fault = "lose-request"
    receipt = await hospital.sync()
    assert receipt.outcome == "written"
    assert len(hospital.writer.resources("CarePlan")) == 1
    assert (await hospital.sync()).outcome == "unchanged"


async def test_a_server_that_fails_every_write_is_unavailable_and_not_somebody_elses_change() -> None:
    hospital, writer = with_interference()
    writer.before_write = raising(OutcomeUnknownError("It says 500.", mend="-"))
    with pytest.raises(UnavailableError) as caught:
        await hospital.sync(exchange_id="e")
    assert caught.value.exit_code == 5
    assert "somebody" not in caught.value.detail
    assert "500" in caught.value.detail
    assert writer.writes == MERGE_ATTEMPTS
    assert_nothing_written(hospital)
    assert await open_intents(hospital) == ()
    failed = (await hospital.entries("e"))[-1]
    assert (failed.event, failed.data["error"]) == (logs.EXCHANGE_FAILED, caught.value.key)


@pytest.mark.parametrize("committed", [True, False])
async def test_a_process_that_died_over_a_write_is_settled_before_anything_else(committed: bool) -> None:
    hospital, writer = with_interference()
    setattr(writer, "after_write" if committed else "before_write", raising(DiedError()))
    with pytest.raises(DiedError):
        await hospital.sync()
    (intent,) = await open_intents(hospital)
    writer.after_write = writer.before_write = lambda: None

    opened: list[int] = []

    async def look() -> None:
        opened.append(len(await open_intents(hospital)))

    pull = hospital.source.pull

    async def pull_and_look(patient: str) -> PatientRecord:
        await look()
        return await pull(patient)

    hospital.source.pull = pull_and_look
    receipt = await hospital.sync()
    assert opened == [0], "the intent was closed before the record was read"
    assert receipt.outcome == ("unchanged" if committed else "written")
    assert len(hospital.writer.resources("CarePlan")) == 1
    settled = next(e for e in await hospital.entries(receipt.exchange) if e.event == logs.EXCHANGE_SETTLED)
    assert settled.data["state"] == ("committed" if committed else "absent")
    assert settled.data["intent"] == intent.id
    assert settled.data["of"] == intent.exchange
    assert (await hospital.sync()).outcome == "unchanged"


async def test_a_write_that_cannot_be_told_apart_needs_a_person_and_nothing_is_sent() -> None:
    hospital, writer = with_interference()
    writer.before_write = raising(DiedError())
    with pytest.raises(DiedError):
        await hospital.sync()
    writer.before_write = lambda: None
    issue = Issue(severity="error", code="conflict", key="write.settle.foreign", detail="Not ours.")
    writer.settled = Settlement(outcome="unclear", issues=(issue,))
    sent = writer.writes
    for _ in range(2):
        with pytest.raises(UnsettledWriteError) as caught:
            await hospital.sync()
        assert caught.value.exit_code == 6
        assert caught.value.issues == (issue,)
    assert writer.writes == sent
    assert hospital.source.pulls == 1
    assert_nothing_written(hospital)
    assert len(await open_intents(hospital)) == 1


async def test_while_the_server_cannot_be_asked_the_intent_stays_open() -> None:
    hospital, writer = with_interference()
    writer.fault = "lose-answer"

    async def busy(intent: Intent) -> Settlement:
        raise EndpointOverloadedError("busy", mend="later")

    settle, writer.settle = writer.settle, busy
    with pytest.raises(EndpointOverloadedError):
        await hospital.sync()
    assert len(await open_intents(hospital)) == 1
    writer.settle = settle
    assert (await hospital.sync()).outcome == "unchanged"
    assert len(hospital.writer.resources("CarePlan")) == 1


async def test_a_database_that_fails_after_the_write_leaves_it_to_be_settled() -> None:
    hospital = Hospital()
    close = hospital.plans.commit_intent

    async def full(*_: Any) -> None:
        raise StoreUnavailableError("The disk is full.", mend="Make room.")

    hospital.plans.commit_intent = full
    with pytest.raises(StoreUnavailableError):
        await hospital.sync()
    hospital.plans.commit_intent = close
    assert (await hospital.sync()).outcome == "unchanged"
    assert len(hospital.writer.resources("CarePlan")) == 1


async def test_a_write_that_the_server_refuses_leaves_no_intent() -> None:
    hospital, writer = with_interference()
    writer.before_write = raising(RefusedError("no", mend="-"))
    with pytest.raises(RefusedError):
        await hospital.sync()
    assert writer.writes == 1
    assert await open_intents(hospital) == ()


# --- nothing is written when something before fails -------------------------------------------------------------


@pytest.mark.parametrize("error", [IncompleteRecordError, PatientMergedError])
async def test_half_a_record_plans_and_writes_nothing(error: type[CareplanError]) -> None:
    hospital = Hospital()
    hospital.source.before_pull = raising(error("Half of it.", mend="Again."))
    with pytest.raises(error):
        await hospital.sync(exchange_id="e")
    assert_nothing_written(hospital)
    assert await hospital.events("e") == [logs.EXCHANGE_STARTED, logs.EXCHANGE_FAILED]


async def test_half_a_record_leaves_a_plan_that_stands_as_it_is() -> None:
    hospital = Hospital()
    await hospital.sync()
    before = hospital.everything()
    hospital.source.before_pull = raising(IncompleteRecordError("Half of it.", mend="Again."))
    with pytest.raises(IncompleteRecordError):
        await hospital.sync()
    assert hospital.everything() == before


async def test_a_deceased_patient_gets_no_plan() -> None:
    hospital = Hospital()
    hospital.source.resources("Patient")[0]["deceasedBoolean"] = True
    with pytest.raises(PatientNotEligibleError):
        await hospital.sync()
    assert_nothing_written(hospital)


async def test_without_a_ledger_nothing_is_written() -> None:
    hospital = Hospital()

    async def locked(_: Any) -> Any:
        raise StoreUnavailableError("The database is locked.", mend="Wait.")

    hospital.ledger.append = locked
    with pytest.raises(StoreUnavailableError):
        await hospital.sync()
    assert_nothing_written(hospital)
    assert await open_intents(hospital) == ()


# --- another server as target -----------------------------------------------------------------------------------

COMPANION = "https://companion.example.org/fhir"


def beside(writer: MemoryPlanWriter, *, url: str, name: str = "02-older-adult-si-units") -> Hospital:
    """A hospital whose plans go to a companion server."""
    return Hospital(writer=writer, source=HospitalSource(name, url=url, identity=url, written_here=None))


async def test_on_another_server_the_plan_is_about_the_patient_as_that_server_knows_them() -> None:
    source = HospitalSource("02-older-adult-si-units", written_here=None)
    writer = MemoryPlanWriter(COMPANION, patients={f"Patient/{source.patient}": "Patient/known-there"})
    hospital = Hospital(writer=writer, source=source)
    receipt = await hospital.sync()
    assert receipt.outcome == "written"
    assert {body["subject"]["reference"] for body in hospital.everything().values()} == {"Patient/known-there"}
    assert (await hospital.sync()).outcome == "unchanged"
    nothing_applies_to(source)
    assert (await hospital.sync()).outcome == "written"
    assert hospital.plan()["status"] == "revoked"


async def test_two_hospitals_with_the_same_patient_id_do_not_touch_each_others_plans() -> None:
    writer = MemoryPlanWriter(COMPANION)
    first = beside(writer, url="https://a.example.org/fhir")
    second = beside(writer, url="https://b.example.org/fhir")
    second.plans = first.plans
    await first.sync()
    plan_of_the_first = first.plan()
    assert (await second.sync()).outcome == "written"
    assert plan_of_the_first in writer.resources("CarePlan")
    assert len(writer.resources("CarePlan")) == 2
    assert {plan["status"] for plan in writer.resources("CarePlan")} == {"draft"}
    assert (await first.sync()).outcome == "unchanged"


async def test_two_hospitals_with_the_same_patient_id_do_not_hide_each_others_reviews() -> None:
    writer = MemoryPlanWriter(COMPANION)
    first = beside(writer, url="https://a.example.org/fhir")
    second = beside(writer, url="https://b.example.org/fhir")
    second.plans, second.ids = first.plans, first.ids
    first.policy = second.policy = REVIEW_NEW
    await first.sync()
    await second.sync()
    assert len(await first.plans.pendings()) == 2


# --- what is said of it -----------------------------------------------------------------------------------------


async def test_the_receipt_has_the_shape_that_scripts_rely_on() -> None:
    hospital = Hospital("07-year-of-birth-only-and-odd-values")
    body = decode(encode(await hospital.sync(exchange_id="the-exchange")))
    assert list(body) == ["outcome", "resources", "issues", "exchange", "review"]
    assert body["exchange"] == "the-exchange"
    for resource in body["resources"]:
        assert set(resource) == {"reference", "versionId", "action"}
        assert resource["versionId"] == "1"
        assert resource["action"] == "create"
    assert {resource["reference"] for resource in body["resources"]} == set(hospital.everything())


async def test_what_mapping_could_not_use_reaches_proposal_and_receipt_once() -> None:
    hospital = Hospital("07-year-of-birth-only-and-odd-values")
    _, proposal = await exchange.propose(hospital.source, knowledge(), hospital.source.patient, TODAY)
    observations = {f"Observation/{entry['fullUrl'].removeprefix('urn:uuid:')}" for entry in odd_values(hospital)}
    sources = {issue.source for issue in proposal.issues}
    assert observations <= sources
    receipt = await hospital.sync()
    assert [issue for issue in receipt.issues if issue.source in observations] == [
        issue for issue in proposal.issues if issue.source in observations
    ]
    assert len(set(receipt.issues)) == len(receipt.issues)


def odd_values(hospital: Hospital) -> list[dict[str, Any]]:
    """The Observations with a negative value, or one without a unit."""
    odd = []
    for entry in hospital.source.bundle["entry"]:
        quantity = entry["resource"].get("valueQuantity")
        if quantity and (quantity["value"] < 0 or not (quantity.get("code") or quantity.get("unit"))):
            odd.append(entry)
    assert len(odd) == 2
    return odd


async def test_what_the_source_and_the_merge_say_reaches_the_receipt_once() -> None:
    hospital = Hospital()
    said = Issue(severity="warning", code="not-supported", key="source.not-searched", detail="No Goal search.")
    pull = hospital.source.pull

    async def with_issue(patient: str) -> PatientRecord:
        return msgspec.structs.replace(await pull(patient), issues=(said,))

    hospital.source.pull = with_issue
    first = await hospital.sync()
    assert first.issues.count(said) == 1
    hospital.edit(hospital.goals()[0], lifecycleStatus="completed")
    keys = Counter(issue.key for issue in (await hospital.sync()).issues)
    assert (keys["reconcile.ended"], keys["source.not-searched"]) == (1, 1)


async def test_what_the_planner_says_reaches_the_receipt() -> None:
    hospital = Hospital()
    receipt = await hospital.sync(today=TODAY - timedelta(days=20 * 365))
    assert "planner.protocol.early" in {issue.key for issue in receipt.issues}


@pytest.mark.parametrize(
    ("prepare", "events"),
    [
        ("new", ["started", "planned", "compared", "write.intent", "written", "review.waiting", "finished"]),
        ("unchanged", ["started", "planned", "compared", "finished"]),
        ("review", ["started", "planned", "compared", "review.waiting", "finished"]),
        (
            "lost answer",
            [
                *("started", "planned", "compared", "write.intent", "write.unknown", "settled"),
                *("review.waiting", "finished"),
            ],
        ),
        (
            "lost request",
            [
                *("started", "planned", "compared", "write.intent", "write.unknown", "settled"),
                *("planned", "compared", "write.intent", "written", "review.waiting", "finished"),
            ],
        ),
    ],
)
async def test_the_ledger_has_each_step_in_its_order_and_verifies(prepare: str, events: list[str]) -> None:
    hospital = Hospital()
    if prepare == "unchanged":
        await hospital.sync()
    if prepare == "review":
        hospital.policy = REVIEW_NEW
    if prepare.startswith("lost"):
        hospital.writer.fault = "lose-answer" if "answer" in prepare else "lose-request"
    receipt = await hospital.sync()
    said = [event.removeprefix("exchange.") for event in await hospital.events(receipt.exchange)]
    assert said == events
    entries = await hospital.entries(receipt.exchange)
    assert entries[0].data == {"patient": f"Patient/{hospital.source.patient}", "target": URL}
    assert entries[-1].data["outcome"] == receipt.outcome
    assert entries[-1].data["resources"] == decode(encode(receipt.resources))
    verdict = await hospital.ledger.verify()
    assert (verdict.problem, verdict.entries) == (None, len(await hospital.entries()))


async def test_the_intent_is_in_the_ledger_before_anything_is_sent() -> None:
    hospital, writer = with_interference()
    writer.before_write = raising(DiedError())
    with pytest.raises(DiedError):
        await hospital.sync(exchange_id="e")
    assert (await hospital.events("e"))[-1] == logs.WRITE_INTENT
    (intent,) = await open_intents(hospital)
    assert (await hospital.entries("e"))[-1].data["intent"] == intent.id


async def test_a_failure_is_in_the_ledger_by_its_key_and_without_its_words() -> None:
    hospital = Hospital()
    hospital.source.before_pull = raising(IncompleteRecordError("Words that name somebody.", mend="-"))
    with pytest.raises(IncompleteRecordError):
        await hospital.sync(exchange_id="e")
    last = (await hospital.entries("e"))[-1]
    assert last.data == {"error": "record.incomplete", "issues": []}


async def test_the_evidence_stands_in_the_ledger_with_endpoint_and_protocols() -> None:
    hospital = Hospital()
    receipt = await hospital.sync()
    planned = next(e for e in await hospital.entries(receipt.exchange) if e.event == logs.EXCHANGE_PLANNED)
    assert planned.data["endpoint"] == URL
    assert all("|" in canonical for canonical in planned.data["protocols"])
    assert any(reference.startswith("Observation/") for reference in planned.data["evidence"])
    assert planned.data["counts"]["goals"] == len(hospital.goals())


def personal_texts(bundle: dict[str, Any]) -> set[str]:
    person = bundle["entry"][0]["resource"]
    texts = {person["birthDate"], *(one["value"] for one in person.get("identifier", ()))}
    for name in person.get("name", ()):
        texts.update([name["family"], *name["given"]])
    return {text for text in texts if len(text) > 3}


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The log at DEBUG, as it is written to standard error."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    logs.configure("DEBUG", json=True)
    yield stream
    structlog.reset_defaults()


@pytest.mark.parametrize("name", NAMES)
async def test_neither_ledger_nor_log_holds_a_name_a_birth_date_or_an_identifier(
    name: str, logged: io.StringIO
) -> None:
    hospital = Hospital(name)
    await hospital.sync()
    hospital.policy = REVIEW_NEW
    hospital.plans = MemoryPlanStore()
    await hospital.sync()
    log = logged.getvalue()
    recorded = encode(await hospital.entries()).decode()
    assert logs.EXCHANGE_FINISHED in log
    assert hospital.source.patient not in log
    for text in personal_texts(hospital.source.bundle):
        assert text not in log
        assert text not in recorded
