"""The policy: which part of a ChangeSet is written, which waits, and why."""

from typing import Any

import pytest

from careplan_exchange.model.changes import Base, ChangeSet, ElementChange, Json, ResourceChange
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.review import Decision, ReviewPolicy, ReviewRule
from careplan_exchange.review import Lines, adoption, allowed, decide

CONFLICT = ElementChange(path="Goal.priority", kind="conflict", before=1, theirs=2, ours=3)
OURS = ElementChange(path="Goal.description", kind="ours", before="a", theirs="a", ours="b")
THEIRS = ElementChange(path="Goal.note", kind="theirs", theirs="a note")
NOTICE = Issue(severity="information", code="informational", key="reconcile.ended", detail="It stays.")


def change(
    kind: str = "Goal", action: str = "update", *, status: str | None = "draft", **fields: Any
) -> ResourceChange:
    """A change of what the server holds with that status; `status=None`: the server does not hold it."""
    theirs: Json | None = None if status is None else {"status": status}
    standard: Json = {
        "identity": kind,
        "id": None if status is None else "1",
        "version_id": "1",
        "theirs": theirs,
    }
    return ResourceChange(
        type=kind,
        action=action,
        full_url=f"urn:uuid:{kind}",
        body={},
        ours={},
        **(standard | fields),
    )


def new(kind: str) -> ResourceChange:
    return change(kind, "create", status=None)


def deleted(kind: str, base: Base | None = None) -> ResourceChange:
    question = ElementChange(path=kind, kind="conflict")
    return change(kind, "unchanged", status=None, base=base, elements=(question,))


def set_of(*changes: ResourceChange) -> ChangeSet:
    return ChangeSet(patient="Patient/1", changes=changes, issues=(NOTICE,))


def decided(*changes: ResourceChange, approvals: int = 0, **policy: Any) -> Decision:
    return decide(set_of(*changes), ReviewPolicy(**policy), Lines(), approvals=approvals)


def rules(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"rules": tuple(ReviewRule(**rule) for rule in rules)}


def written(decision: Decision) -> list[str]:
    return [one.type for one in decision.write.to_write]


def waiting(decision: Decision) -> list[str]:
    return [one.type for one in decision.wait.changes]


@pytest.mark.parametrize(
    ("policy", "approvals", "waits"), [("draft", 0, False), ("hold", 0, True), ("hold", 1, False)]
)
def test_a_new_plan_waits_only_where_the_site_says_so_and_nobody_has_approved(policy, approvals, waits):
    decision = decided(new("Goal"), new("CarePlan"), approvals=approvals, new_plans=policy)
    assert (written(decision), waiting(decision)) == (
        ([], ["Goal", "CarePlan"]) if waits else (["Goal", "CarePlan"], [])
    )
    assert decision.why == (
        ("This is a new plan, and new plans wait for a person here (new-plans: hold).",) if waits else ()
    )
    assert decision.adopts == waits


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


@pytest.mark.parametrize("how", [{"approvals": 1}, rules({"change": ("changed",), "needs": "auto"})])
def test_an_approval_or_a_rule_lets_a_change_to_a_plan_in_use_through(how):
    goal, plan = change("Goal", elements=(OURS,)), change("CarePlan", "unchanged", status="active")
    decision = decided(goal, plan, **how)
    assert (written(decision), waiting(decision)) == (["Goal"], [])


@pytest.mark.parametrize(
    ("status", "of_the_document", "waits"),
    [("current", "final", True), ("current", "preliminary", False), ("superseded", "final", False)],
)
def test_a_plan_that_stands_as_a_document_is_in_use_once_it_is_final(status, of_the_document, waits):
    theirs = {"status": status, "docStatus": of_the_document}
    stands = change("DocumentReference", elements=(OURS,), theirs=theirs)
    assert bool(waiting(decided(stands))) == waits


@pytest.mark.parametrize(
    ("path", "sides"),
    [
        ("Goal.achievementStatus", {"before": 1, "theirs": 1, "ours": 2}),
        ("Goal.note[0]", {"theirs": {"id": "reason", "text": "a"}, "ours": {"id": "reason", "text": "b"}}),
        ("CarePlan.text", {"theirs": {"div": "a"}, "ours": {"div": "b"}}),
        ("CarePlan.supportingInfo[3]", {"ours": {"reference": "Observation/2"}}),
        ("CarePlan.activity[0].detail.reasonReference", {"ours": [{"reference": "Observation/2"}]}),
        ("DetectedIssue.detail", {"theirs": "What\nwhy", "ours": "What\nwhy else"}),
    ],
)
def test_a_re_check_that_finds_nothing_else_to_do_needs_nobody(path, sides):
    kind = path.split(".")[0]
    again = change(kind, status="active", elements=(ElementChange(path=path, kind="ours", **sides),))
    plan = () if kind == "CarePlan" else (change("CarePlan", "unchanged", status="active"),)
    assert waiting(decided(again, *plan)) == []
    assert waiting(decided(again, *plan, **rules({"change": ("recheck",), "needs": "one"}))) == [kind]


@pytest.mark.parametrize(
    ("path", "sides"),
    [
        ("Goal.target[0].detail[x]", {"before": 7, "theirs": 7, "ours": 8}),
        ("Goal.lifecycleStatus", {"theirs": "active", "ours": "cancelled"}),
        ("Goal.note[0]", {"ours": {"id": "reason", "text": "b"}}),
        ("CarePlan.activity[0]", {"theirs": {"id": "a/action/b", "detail": {}}}),
        ("CarePlan.activity[0].detail.status", {"theirs": "not-started", "ours": "cancelled"}),
        ("CarePlan.status", {"theirs": "active", "ours": "completed"}),
        ("CarePlan.instantiatesCanonical[0]", {"theirs": "a|1", "ours": "a|2"}),
        ("DetectedIssue.detail", {"theirs": "What\nwhy", "ours": "What else\nwhy"}),
        ("CarePlan.element-of-tomorrow", {"ours": 1}),
    ],
)
def test_everything_else_in_a_plan_in_use_waits_for_a_person(path, sides):
    kind = path.split(".")[0]
    again = change(kind, status="active", elements=(ElementChange(path=path, kind="ours", **sides),))
    plan = () if kind == "CarePlan" else (change("CarePlan", "unchanged", status="active"),)
    assert waiting(decided(again, *plan)) == [kind]


def test_the_strictest_part_decides_for_the_whole_and_no_part_goes_first():
    two = rules({"change": ("new",), "of": ("medication",), "needs": "two"})
    changes = (
        change(elements=(OURS,)),
        new("MedicationRequest"),
        change("CarePlan", "unchanged", status="active"),
    )
    decision = decided(*changes, approvals=1, **two)
    assert (written(decision), waiting(decision), decision.persons) == ([], ["Goal", "MedicationRequest"], 2)
    assert decision.why == ("The plan is in use, so the change of 2 resources waits for two persons.",)
    assert waiting(decided(*changes, approvals=2, **two)) == []


def test_what_nobody_may_change_stays_as_it_is_and_nobody_is_asked():
    never = ReviewPolicy(**rules({"change": ("changed", "conflict"), "of": ("goal",), "needs": "never"}))
    goal = change(elements=(OURS, CONFLICT, THEIRS))
    (left,) = allowed(set_of(goal), never, Lines()).changes
    assert (left.action, left.body, left.elements) == ("unchanged", goal.theirs, (THEIRS,))
    assert allowed(set_of(goal), ReviewPolicy(), Lines()).changes == (goal,)
    (unasked,) = allowed(set_of(deleted("Goal")), ReviewPolicy(
        **rules({"change": ("deleted",), "of": ("goal",), "needs": "never"})
    ), Lines()).changes  # fmt: skip
    assert unasked.elements == ()


def test_a_conflict_takes_as_many_persons_as_the_policy_says():
    decision = decided(change(elements=(CONFLICT,)), **rules({"change": ("conflict",), "needs": "two"}))
    assert decision.persons == 2


def test_a_draft_is_adopted_whole_by_as_many_persons_as_its_strictest_part_takes():
    status = ElementChange(path="CarePlan.status", kind="ours", theirs="draft", ours="active")
    approved = set_of(change("Goal", "unchanged"), change("CarePlan", elements=(status,)))
    decision = adoption(approved, ReviewPolicy(), Lines())
    assert (decision.adopts, decision.persons, decision.wait) == (True, 1, approved)
    assert decision.write.to_write == ()
    two = rules({"change": ("new",), "of": ("plan",), "needs": "two"})
    assert adoption(approved, ReviewPolicy(**two), Lines()).persons == 2
    auto = rules({"change": ("new", "changed", "status"), "needs": "auto"})
    assert adoption(approved, ReviewPolicy(**auto), Lines()).persons == 1, "a draft becomes active by a person"


@pytest.mark.parametrize("approvals", [0, 1])
def test_a_conflict_waits_and_the_rest_of_its_resource_is_written(approvals):
    decision = decided(change(elements=(OURS, CONFLICT, THEIRS)), change("CarePlan"), approvals=approvals)
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


@pytest.mark.parametrize("approvals", [0, 2])
def test_a_deleted_plan_keeps_everything_waiting_even_where_somebody_approves(approvals):
    decision = decided(change("Goal"), deleted("CarePlan"), approvals=approvals)
    assert (written(decision), waiting(decision)) == ([], ["Goal", "CarePlan"])
    assert decision.why[0].startswith("Somebody deleted the plan on the server")


def test_a_deleted_goal_leaves_the_rest_of_a_draft_to_be_written():
    decision = decided(deleted("Goal"), change("CarePlan"))
    assert (written(decision), waiting(decision)) == (["CarePlan"], ["Goal"])


def test_nothing_of_a_change_set_is_lost_between_the_two_parts():
    changes = (new("Goal"), change("ServiceRequest", elements=(CONFLICT,)), change("CarePlan", "unchanged"))
    for policy in ({}, {"new_plans": "hold"}):
        decision = decided(*changes, **policy)
        assert {one.type for one in (*decision.write.changes, *decision.wait.changes)} == {
            "Goal",
            "ServiceRequest",
            "CarePlan",
        }
        assert decision.write.issues == decision.wait.issues == (NOTICE,)
        assert decision.write.patient == decision.wait.patient == "Patient/1"
