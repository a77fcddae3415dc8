"""The policy: which part of a ChangeSet is written, which waits, and why."""

from typing import Any

import pytest

from careplan_exchange.model.changes import Base, ChangeSet, ElementChange, Json, ResourceChange
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.review import Decision, ReviewPolicy
from careplan_exchange.review import decide

CONFLICT = ElementChange(path="Goal.priority", kind="conflict", before=1, theirs=2, ours=3)
OURS = ElementChange(path="Goal.description", kind="ours", before="a", theirs="a", ours="b")
THEIRS = ElementChange(path="Goal.note", kind="theirs", theirs="a note")
NOTICE = Issue(severity="information", code="informational", key="reconcile.ended", detail="It stays.")


def change(
    kind: str = "Goal", action: str = "update", *, status: str | None = "draft", **fields: Any
) -> ResourceChange:
    """A change of what the server holds with that status; `status=None`: the server does not hold it."""
    theirs: Json | None = None if status is None else {"status": status}
    standard: Json = {"identity": kind, "id": None if status is None else "1", "version_id": "1"}
    return ResourceChange(
        type=kind,
        action=action,
        full_url=f"urn:uuid:{kind}",
        body={},
        ours={},
        theirs=theirs,
        **(standard | fields),
    )


def new(kind: str) -> ResourceChange:
    return change(kind, "create", status=None)


def deleted(kind: str, base: Base | None = None) -> ResourceChange:
    question = ElementChange(path=kind, kind="conflict")
    return change(kind, "unchanged", status=None, base=base, elements=(question,))


def decided(*changes: ResourceChange, approve: bool = False, **policy: Any) -> Decision:
    return decide(
        ChangeSet(patient="Patient/1", changes=changes, issues=(NOTICE,)), ReviewPolicy(**policy), approve=approve
    )


def written(decision: Decision) -> list[str]:
    return [one.type for one in decision.write.to_write]


def waiting(decision: Decision) -> list[str]:
    return [one.type for one in decision.wait.changes]


@pytest.mark.parametrize(
    ("policy", "approve", "waits"),
    [("draft", False, False), ("active", False, False), ("review", False, True), ("review", True, False)],
)
def test_a_new_plan_waits_only_where_the_site_says_so_and_nobody_has_approved(policy, approve, waits):
    decision = decided(new("Goal"), new("CarePlan"), approve=approve, new_plans=policy)
    assert (written(decision), waiting(decision)) == (
        ([], ["Goal", "CarePlan"]) if waits else (["Goal", "CarePlan"], [])
    )
    assert decision.why == (
        ("This is a new plan, and new plans wait for a person here (new_plans = review).",) if waits else ()
    )


@pytest.mark.parametrize("status", ["draft", "revoked", "completed", "entered-in-error"])
def test_a_change_to_a_plan_that_nobody_works_from_is_written(status):
    assert waiting(decided(change("Goal"), change("CarePlan", status=status))) == []


@pytest.mark.parametrize("status", ["active", "on-hold", "unknown", "a-code-of-tomorrow"])
def test_a_change_to_a_plan_in_use_waits_whole(status):
    decision = decided(change("Goal"), new("ServiceRequest"), change("CarePlan", status=status))
    assert written(decision) == []
    assert waiting(decision) == ["Goal", "ServiceRequest", "CarePlan"]
    assert decision.why == ("The plan is in use, so the change of 3 resources waits for a person.",)


def test_a_plan_in_use_counts_also_where_only_a_goal_of_it_changes():
    decision = decided(change("Goal"), change("CarePlan", "unchanged", status="active"))
    assert (written(decision), waiting(decision)) == ([], ["Goal"])
    assert decision.why == ("The plan is in use, so the change of 1 resource waits for a person.",)


def test_a_plan_in_use_that_does_not_change_gives_nothing_to_decide():
    decision = decided(change("CarePlan", "unchanged", status="active"))
    assert (waiting(decision), decision.why) == ([], ())
    assert [one.type for one in decision.write.changes] == ["CarePlan"]


@pytest.mark.parametrize("how", [{"approve": True}, {"changes_to_active_plans": "write"}])
def test_an_approval_or_the_policy_write_lets_a_change_to_a_plan_in_use_through(how):
    decision = decided(change("Goal"), change("CarePlan", status="active"), **how)
    assert (written(decision), waiting(decision)) == (["Goal", "CarePlan"], [])


@pytest.mark.parametrize("approve", [False, True])
def test_a_conflict_waits_and_the_rest_of_its_resource_is_written(approve):
    decision = decided(change(elements=(OURS, CONFLICT, THEIRS)), change("CarePlan"), approve=approve)
    assert written(decision) == ["Goal", "CarePlan"]
    assert decision.write.changes[0].elements == (OURS, CONFLICT, THEIRS)
    (waits,) = decision.wait.changes
    assert (waits.action, waits.elements) == ("unchanged", (CONFLICT,))


def test_a_conflict_with_nothing_else_to_write_waits_alone():
    decision = decided(change("Goal", "unchanged", elements=(CONFLICT,)), change("CarePlan", "unchanged"))
    assert (written(decision), waiting(decision)) == ([], ["Goal"])
    assert [one.type for one in decision.write.changes] == ["CarePlan"]


def test_the_sentences_tell_whose_the_conflict_is():
    base = Base(identity="Goal", type="Goal", id="7", version_id="1", ours={}, stored={})
    assert decided(change(base=base, elements=(CONFLICT, CONFLICT))).why == (
        "Goal/1: 2 elements changed by a person and proposed otherwise now.",
    )
    assert decided(change(elements=(CONFLICT,))).why == (
        "Goal/1: not as proposed in 1 element, and nothing here tells who wrote what stands.",
    )
    assert decided(deleted("Goal", base)).why == ("Goal/7 was deleted on the server and is proposed again.",)


@pytest.mark.parametrize("approve", [False, True])
def test_a_deleted_plan_keeps_everything_waiting_even_where_somebody_approves(approve):
    decision = decided(change("Goal"), deleted("CarePlan"), approve=approve)
    assert (written(decision), waiting(decision)) == ([], ["Goal", "CarePlan"])
    assert decision.why[0].startswith("Somebody deleted the plan on the server")


def test_a_deleted_goal_leaves_the_rest_of_a_draft_to_be_written():
    decision = decided(deleted("Goal"), change("CarePlan"))
    assert (written(decision), waiting(decision)) == (["CarePlan"], ["Goal"])


def test_nothing_of_a_change_set_is_lost_between_the_two_parts():
    changes = (new("Goal"), change("ServiceRequest", elements=(CONFLICT,)), change("CarePlan", "unchanged"))
    for policy in ({}, {"new_plans": "review"}):
        decision = decided(*changes, **policy)
        assert {one.type for one in (*decision.write.changes, *decision.wait.changes)} == {
            "Goal",
            "ServiceRequest",
            "CarePlan",
        }
        assert decision.write.issues == decision.wait.issues == (NOTICE,)
        assert decision.write.patient == decision.wait.patient == "Patient/1"
