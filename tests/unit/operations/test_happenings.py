"""Each thing that the store and the ledger know of a plan, as the sentence that is told of it."""

import msgspec
import pytest

from careplan_exchange.model.changes import (
    ChangeSet,
    Commit,
    ElementChange,
    Intent,
    ResourceChange,
    WrittenResource,
)
from careplan_exchange.model.deadletter import DeadLetter
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.ledger import Entry
from careplan_exchange.model.review import Pending, ReviewStep
from careplan_exchange.operations.happenings import (
    differences,
    evidence_in,
    of_commit,
    of_entries,
    of_letter,
    of_review,
)

AT = "2026-03-04T05:06:07+00:00"
PLAN = {"resourceType": "CarePlan", "id": "1", "status": "draft", "title": "Plan of care: diabetes"}
GOAL = {
    "resourceType": "Goal",
    "id": "7",
    "lifecycleStatus": "proposed",
    "description": {"text": "HbA1c below 7 %"},
    "note": [
        {"text": "Prefers mornings."},
        {"id": "reason", "text": "Why: 8.1 %.\nSource: Guideline.\nProtocol: t2dm"},
    ],
}
REQUEST = ExchangeRequest(endpoint="main", patient="p1")


def concept(code):
    return {"coding": [{"code": code}]}


def change(before, after, *elements, action="update"):
    return ResourceChange(
        identity=after["resourceType"],
        type=after["resourceType"],
        action=action,
        full_url="urn:uuid:1",
        body=after,
        ours=after,
        theirs=before,
        id=None if action == "create" else after["id"],
        version_id=None if action == "create" else "1",
        elements=elements,
    )


def commit(*changes, reverts=None):
    intent = Intent(
        id="i1", exchange="x1", target="t", patient="Patient/p1", changes=changes, created_at=AT, reverts=reverts
    )
    written = tuple(
        WrittenResource(
            identity=each.identity,
            type=each.type,
            id=each.body["id"],
            version_id="2",
            action=each.action,
            stored=each.body,
        )
        for each in changes
    )
    return Commit(intent=intent, written=written, committed_at=AT)


def pending(*changes, **fields):
    values = {"id": "x1", "request": REQUEST, "target": "t", "patient": "Patient/p1", "created_at": AT}
    return Pending(
        **{"why": ("The plan is in use.",), **values, **fields},
        change_set=ChangeSet(patient="Patient/p1", changes=changes),
    )


def step(kind, **fields):
    return ReviewStep(**{"kind": kind, "by": "Dr Who", "at": AT, **fields})


def test_a_new_plan_is_told_with_its_status_and_how_much_is_in_it():
    told = of_commit(
        commit(*(change(None, body, action="create") for body in (GOAL, {**GOAL, "id": "8"}, PLAN))),
        ("Condition/1",),
    )
    assert told.text == "Written as draft: Plan of care: diabetes with 2 goals."
    assert (told.kind, told.who, told.at, told.exchange) == ("written", "careplan-exchange", AT, "x1")
    assert told.evidence == ("Condition/1",)


def test_every_part_has_the_reason_that_stands_in_it_and_nothing_that_a_person_wrote():
    (part,) = of_commit(commit(change(None, GOAL, action="create")), ()).parts
    assert part.reference == "Goal/7/_history/2"
    assert part.title == "HbA1c below 7 %"
    assert part.why == ("Why: 8.1 %.", "Source: Guideline.", "Protocol: t2dm")
    assert part.what == ("new",)


@pytest.mark.parametrize("status", ["active", "on-hold", "completed", "revoked", "entered-in-error"])
def test_what_became_of_the_plan_is_the_sentence(status):
    told = of_commit(commit(change(PLAN, {**PLAN, "status": status})), ())
    assert told.text == f"The plan is {status} now."
    assert told.parts[0].what == (f"status: draft → {status}",)


def test_a_goal_that_is_achieved_is_the_sentence():
    after = {**GOAL, "lifecycleStatus": "completed", "achievementStatus": concept("achieved")}
    told = of_commit(commit(change({**GOAL, "achievementStatus": concept("in-progress")}, after)), ())
    assert told.text == "Goal “HbA1c below 7 %” is achieved; Goal “HbA1c below 7 %” is completed now."
    assert "achievementStatus: in-progress → achieved" in told.parts[0].what


def test_a_change_of_no_status_is_told_in_numbers():
    told = of_commit(commit(change(PLAN, {**PLAN, "title": "Other"})), ())
    assert told.text == "Changed: 1 resource(s), 0 new."
    assert told.parts[0].what == ("title changed",)


def test_what_was_taken_back_names_the_exchange_that_wrote_it():
    told = of_commit(commit(change(PLAN, PLAN), reverts="x0"), ())
    assert (told.kind, told.text) == ("reverted", "What exchange x0 wrote was taken back.")


def test_a_proposal_names_what_would_be_changed_and_why():
    element = ElementChange(path="Goal.target[0].detailRange", kind="ours", theirs=1, ours=2)
    kept = ElementChange(path="Goal.description", kind="theirs", theirs="a", ours="b")
    (told,) = of_review(pending(change(GOAL, GOAL, element, kept)), ("Observation/1/_history/2",))
    assert (told.kind, told.text) == ("proposed", "A change waits for a person: The plan is in use.")
    assert told.parts[0].what == ("target to be changed",)
    assert told.parts[0].why[0] == "Why: 8.1 %."
    assert told.evidence == ("Observation/1/_history/2",)


def test_a_conflict_names_both_sides():
    element = ElementChange(
        path="Goal.target[0].dueDate", kind="conflict", theirs="2026-05-01", ours="2026-06-01"
    )
    (told,) = of_review(pending(change(GOAL, GOAL, element)), ())
    assert told.kind == "conflict"
    assert told.parts[-1].what == (
        "Goal.target[0].dueDate: somebody wrote 2026-05-01, and 2026-06-01 is proposed",
    )


def test_what_a_person_did_is_told_step_by_step_with_reason():
    steps = (
        step("assign", to="Dr Two"),
        step("modify", by="Dr Two", edits={"Goal/7 priority": "high"}),
        step("approve", by="Dr Three", reason="As discussed"),
    )
    told = list(
        of_review(pending(change(GOAL, GOAL), steps=steps, state="approved", decided_at=AT, decided_by="x"), ())
    )
    assert [(each.kind, each.who, each.text) for each in told[1:]] == [
        ("assigned", "Dr Who", "Given to Dr Two by Dr Who."),
        ("modified", "Dr Two", "Modified and approved by Dr Two."),
        ("approved", "Dr Three", "Approved by Dr Three: As discussed."),
    ]
    assert told[2].parts[0].title == "Goal/7 priority → high"


@pytest.mark.parametrize(
    ("state", "kind", "text"),
    [
        ("approved", "approved", "Approved by Dr Who."),
        ("rejected", "rejected", "Rejected by Dr Who."),
        ("superseded", "superseded", "No longer asked: a later run found something else, or nothing, to decide."),
    ],
)
def test_how_a_review_ended_is_told_where_no_step_does(state, kind, text):
    (_, ended) = of_review(pending(state=state, decided_at=AT, decided_by="Dr Who"), ())
    assert (ended.kind, ended.text) == (kind, text)


def test_a_failure_is_told_with_how_often_and_who_put_it_away():
    letter = DeadLetter(
        id="x1",
        request=REQUEST,
        target="t",
        patient="Patient/p1",
        error="refused",
        detail="The server refuses.",
        mend="Ask.",
        failures=3,
        created_at=AT,
    )
    (told,) = of_letter(letter)
    assert told.text == "Failed (refused): The server refuses. It failed 3 times."
    closed = msgspec.structs.replace(letter, state="dropped", closed_by="Dr Who", closed_at=AT, reason="moved")
    assert list(of_letter(closed))[1].text == "The failed exchange was dropped by Dr Who: moved."


@pytest.mark.parametrize(
    ("event", "data", "kind", "text"),
    [
        (
            "exchange.write.conflict",
            {},
            "raced",
            "Somebody changed the plan meanwhile: it was read and merged again.",
        ),
        (
            "exchange.settled",
            {"state": "committed"},
            "settled",
            "The answer to a write was lost; a look at the server showed that it had been carried out.",
        ),
        (
            "exchange.refused",
            {"status": 403, "asked": ["read Goal"]},
            "refused",
            "The server refused read Goal (403).",
        ),
        ("exchange.refused", {"status": None, "asked": []}, "refused", "The server refused  (no answer)."),
        ("exchange.failed", {"error": "record"}, "failed", "Failed (record)."),
    ],
)
def test_what_the_ledger_alone_knows_is_told(event, data, kind, text):
    (told,) = of_entries([Entry(exchange="x1", event=event, at=AT, data=data)])
    assert (told.kind, told.text, told.at) == (kind, text, AT)


def test_what_says_nothing_of_the_plan_is_not_told():
    assert list(of_entries([Entry(exchange="x1", event="exchange.started", at=AT, data={})])) == []


def test_the_evidence_is_that_of_the_newest_plan_each_once():
    entries = [
        Entry(exchange="x1", event="exchange.planned", at=AT, data={"evidence": found})
        for found in (["Observation/1"], ["Observation/2", "Patient/1", "Patient/1"])
    ]
    assert evidence_in(entries) == ("Observation/2", "Patient/1")
    assert evidence_in([]) == ()


def test_differences_name_elements_and_pass_over_what_a_server_sets():
    before = {"status": "draft", "title": "a", "note": [], "meta": {"versionId": "1"}}
    after = {"status": "active", "title": "a", "goal": [], "meta": {"versionId": "2"}}
    assert differences(before, after) == ("status: draft → active", "note removed", "goal added")
