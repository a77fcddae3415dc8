"""What the policy is asked about a revert: what would be written now, and what was written then."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from careplan_exchange.model.changes import ChangeSet, ElementChange, ResourceChange
from careplan_exchange.model.review import Needs, ReviewPolicy, ReviewRule
from careplan_exchange.review import needed_to_undo
from tests.support.writing import an_update, as_written, creates

GOAL, OTHER = [change for change in creates() if change.type == "Goal"][:2]
MADE = next(change for change in creates(rung="references") if change.type == "ServiceRequest")
REQUEST = msgspec.structs.replace(
    MADE, ours={**MADE.ours, "instantiatesCanonical": ["urn:careplan-exchange:PlanDefinition:t2dm|1.0.0"]}
)
PLAN = creates()[-1]


def taken_back(change: ResourceChange, **more: Any) -> ResourceChange:
    """What was made is marked as entered in error."""
    name = "lifecycleStatus" if change.type == "Goal" else "status"
    ended = ElementChange(path=f"{change.type}.{name}", kind="ours", theirs="active", ours="entered-in-error")
    update = an_update(as_written(change), **{name: "entered-in-error"})
    return msgspec.structs.replace(update, elements=(ended,), **more)


def found(*changes: ResourceChange) -> ChangeSet:
    return ChangeSet(patient="Patient/p1", changes=changes)


def needs(changes: ChangeSet, undone: Sequence[ResourceChange], *rules: ReviewRule) -> Needs:
    return needed_to_undo(changes, undone, ReviewPolicy(rules=rules))


def two(**conditions: Any) -> ReviewRule:
    return ReviewRule(needs="two", **conditions)


def test_what_takes_nobody_and_undoes_what_took_nobody_takes_nobody() -> None:
    assert needs(found(taken_back(GOAL)), [GOAL], ReviewRule(needs="auto")) == "auto"
    assert needs(found(), []) == "auto"


@pytest.mark.parametrize("kind", ["new", "retired"])
def test_a_goal_that_was_made_is_judged_as_made_then_and_as_ended_now(kind: Any) -> None:
    assert needs(found(taken_back(GOAL)), [GOAL], two(change=(kind,))) == "two"
    assert needs(found(taken_back(GOAL)), [GOAL], two(change=("changed", "status", "conflict"))) == "one"


def test_what_was_ended_then_stands_again_now() -> None:
    ended = taken_back(GOAL)
    again = msgspec.structs.replace(
        ended,
        elements=(ElementChange(path="Goal.lifecycleStatus", kind="ours", theirs="cancelled", ours="active"),),
    )
    assert needs(found(again), [ended], two(change=("status",))) == "two"
    assert needs(found(again), [ended], two(change=("retired",))) == "two"
    assert needs(found(again), [ended], two(change=("new", "changed"))) == "one"


def test_an_activity_in_the_plan_that_the_status_of_the_plan_ends_is_judged_as_ended() -> None:
    plan = next(change for change in creates(rung="detail") if change.type == "CarePlan")
    assert any("detail" in activity for activity in plan.body["activity"])
    assert needs(found(taken_back(plan)), [plan], two(change=("retired",), of=("activity",))) == "two"
    assert needs(found(taken_back(plan)), [plan], two(change=("retired",), of=("goal",))) == "one"


def test_what_was_written_and_stays_is_not_judged() -> None:
    assert needs(found(taken_back(GOAL)), [GOAL, REQUEST], two(of=("activity",))) == "one"
    stays = msgspec.structs.replace(taken_back(REQUEST), action="unchanged", elements=())
    assert needs(found(taken_back(GOAL), stays), [GOAL, REQUEST], two(of=("activity",))) == "one"


def test_of_a_request_the_protocol_is_the_one_that_it_was_written_by() -> None:
    for name, answer in (("t2dm", "two"), ("another", "one")):
        rule = two(change=("retired",), protocol=(name,))
        assert needs(found(taken_back(REQUEST)), [REQUEST], rule) == answer


def test_of_a_protocol_with_an_address_that_is_not_ours_the_strictest_rule_counts() -> None:
    ours = {**REQUEST.ours, "instantiatesCanonical": ["https://hospital.example.org/PlanDefinition/gout|1"]}
    request = msgspec.structs.replace(REQUEST, ours=ours)
    rule = two(change=("retired",), protocol=("gout",))
    assert needs(found(taken_back(request)), [request], rule) == "two"


@pytest.mark.parametrize(("priority", "severity"), [("urgent", "high"), ("routine", "low")])
def test_of_a_request_the_severity_is_the_one_that_it_was_written_with(priority: str, severity: Any) -> None:
    request = msgspec.structs.replace(REQUEST, ours={**REQUEST.ours, "priority": priority})
    assert needs(found(taken_back(request)), [request], two(severity=(severity,))) == "two"
    assert needs(found(taken_back(request)), [request], two(severity=("moderate",))) == "one"


def test_of_a_goal_the_protocol_is_not_known_any_more_and_the_stricter_rule_counts() -> None:
    assert needs(found(taken_back(GOAL)), [GOAL], two(protocol=("any",))) == "two"


def test_of_a_plan_no_protocol_is_asked() -> None:
    plan = msgspec.structs.replace(PLAN, type="DocumentReference")
    ours = {**plan.ours, "instantiatesCanonical": ["urn:careplan-exchange:PlanDefinition:t2dm|1"]}
    plan = msgspec.structs.replace(plan, ours=ours, body={"resourceType": "DocumentReference"})
    back = msgspec.structs.replace(taken_back(plan), type="DocumentReference")
    assert needs(found(back), [plan], two(of=("plan",), severity=("high",))) == "one"


def test_a_conflict_is_judged_with_what_approving_it_would_write() -> None:
    asked = ElementChange(path="Goal.lifecycleStatus", kind="conflict", theirs="active", ours="entered-in-error")
    conflict = msgspec.structs.replace(taken_back(GOAL), action="unchanged", elements=(asked,))
    assert needs(found(conflict), [GOAL], ReviewRule(needs="auto")) == "one"
    assert needs(found(conflict), [GOAL], two(change=("conflict",))) == "two"
    assert needs(found(conflict), [GOAL], two(change=("retired",))) == "two"
    assert needs(found(conflict), [GOAL], two(change=("new",))) == "two"


@pytest.mark.parametrize("kind", ["conflict", "deleted"])
def test_that_it_was_a_question_then_is_not_one_now(kind: str) -> None:
    asked = ElementChange(path="Goal" if kind == "deleted" else "Goal.description", kind="conflict", ours="b")
    then = msgspec.structs.replace(
        taken_back(GOAL), elements=(asked, *taken_back(GOAL).elements), theirs=None if kind == "deleted" else {}
    )
    assert needs(found(taken_back(GOAL)), [then], two(change=("conflict", "deleted"))) == "one"


def test_what_the_policy_never_lets_in_is_taken_out_by_two_and_what_it_never_lets_be_done_by_nobody() -> None:
    assert needs(found(taken_back(GOAL)), [GOAL], ReviewRule(needs="never", change=("new",))) == "two"
    assert needs(found(taken_back(GOAL)), [GOAL], ReviewRule(needs="never", change=("retired",))) == "never"
