"""What an exchange came to: each resource once, each Issue once, and what a person is asked."""

import msgspec
import pytest

from careplan_exchange.audit.receipts import naming, receipt_of
from careplan_exchange.model.changes import ChangeSet, ElementChange
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.receipt import Receipt, ReceiptResource
from careplan_exchange.model.review import Decision
from tests.support.plans import a_proposal
from tests.support.writing import an_update, as_written, creates

GOAL, *_, PLAN = creates()
UPDATE = an_update(as_written(GOAL), description={"text": "new"})
UNCHANGED = msgspec.structs.replace(UPDATE, action="unchanged")
NONE = ChangeSet(patient="Patient/p1", changes=())
BARE = msgspec.structs.replace(a_proposal(), issues=())


def issue(key: str) -> Issue:
    return Issue(severity="warning", code="value", key=key, detail="Words.")


def of(*changes, issues=()):
    return ChangeSet(patient="Patient/p1", changes=changes, issues=issues)


def receipt(write=NONE, wait=NONE, written=(), proposal=BARE):
    return receipt_of("x1", proposal, Decision(write=write, wait=wait), written)


def test_what_was_written_is_told_as_the_server_has_it_and_the_rest_as_it_stands_or_waits():
    written = msgspec.structs.replace(as_written(PLAN), version_id="4")
    waits = msgspec.structs.replace(UPDATE, identity="another", id="8", version_id="2")
    still = msgspec.structs.replace(UNCHANGED, identity="a third", id="9", version_id="5")
    found = receipt(of(PLAN, UNCHANGED), of(waits, still), [written])
    assert found == Receipt(
        outcome="review",
        resources=(
            ReceiptResource(reference="CarePlan/7", version_id="4", action="create"),
            ReceiptResource(reference="Goal/7", version_id="1", action="unchanged"),
            ReceiptResource(reference="Goal/8", version_id="2", action="pending"),
            ReceiptResource(reference="Goal/9", version_id="5", action="unchanged"),
        ),
        issues=(),
        exchange="x1",
    )


def test_of_what_is_written_and_waits_the_part_that_was_written_is_told():
    found = receipt(of(UPDATE), of(UPDATE), [msgspec.structs.replace(as_written(GOAL), version_id="2")])
    assert found.resources == (ReceiptResource(reference="Goal/7", version_id="2", action="create"),)
    assert found.outcome == "review"


CONFLICT = msgspec.structs.replace(UNCHANGED, elements=(ElementChange(path="Goal.note", kind="conflict"),))


@pytest.mark.parametrize(
    ("wait", "written", "outcome"),
    [
        (NONE, (), "unchanged"),
        (NONE, (as_written(GOAL),), "written"),
        (of(UNCHANGED), (), "unchanged"),
        (of(UPDATE), (), "review"),
        (of(CONFLICT), (as_written(GOAL),), "review"),
    ],
)
def test_it_came_to_a_review_where_anything_waits_and_else_to_what_was_written(wait, written, outcome):
    assert receipt(wait=wait, written=written).outcome == outcome


def test_the_issues_of_every_step_are_told_once_and_in_order():
    planned, lost, left, asked = (issue(key) for key in ("planned", "lost", "left", "asked"))
    found = receipt(
        of(issues=(left, planned)),
        of(issues=(asked, left)),
        [msgspec.structs.replace(as_written(GOAL), issues=(lost, planned))],
        msgspec.structs.replace(BARE, issues=(planned, planned)),
    )
    assert found.issues == (planned, lost, left, asked)


def test_a_receipt_of_what_waits_names_the_review_and_says_each_reason_once():
    first = naming(msgspec.structs.replace(receipt(), issues=(issue("planned"),)), "r1", ["One.", "Two.", "One."])
    assert first.review == "r1"
    assert [(one.key, one.detail) for one in first.issues] == [
        ("planned", "Words."),
        ("review.waiting", "One."),
        ("review.waiting", "Two."),
    ]
    waiting = first.issues[-1]
    assert (waiting.severity, waiting.code) == ("warning", "business-rule")
    assert waiting.mend is not None
    assert "r1" in waiting.mend
    assert naming(first, "r1", ["Two."]) == first
