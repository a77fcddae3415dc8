"""What follows a write, on a server whose weaknesses are switched on one by one."""

import pytest

from careplan_exchange.errors import LossyTargetError, PartlyWrittenError, VersionConflictError
from tests.support.writing import an_intent, an_update, creates


async def test_a_server_that_does_not_keep_what_a_goal_aims_at_keeps_nothing_of_the_write(server, writer):
    server.drops = {"target"}
    with pytest.raises(LossyTargetError, match=r"did not keep Goal\.target") as caught:
        await writer.write(an_intent(creates()), ())
    assert {issue.expression for issue in caught.value.issues if issue.severity == "error"} == {"Goal.target"}
    assert "taken back" in caught.value.detail
    assert server.of("Goal") == server.of("CarePlan") == server.of("DetectedIssue") == []


async def test_what_cannot_be_taken_back_after_a_loss_is_told_with_what_stands(server, writer):
    server.drops = {"target"}
    server.read_only_after = 1
    with pytest.raises(PartlyWrittenError, match="Of this write still stands: Goal/1") as caught:
        await writer.write(an_intent(creates()), ())
    assert isinstance(caught.value.cause, LossyTargetError)
    assert len(caught.value.written) == 4


async def test_a_loss_that_hurts_nobody_is_told_and_stands(server, writer):
    server.drops = {"note"}
    written = await writer.write(an_intent(creates()), ())
    told = [issue for one in written for issue in one.issues]
    assert {(issue.severity, issue.key) for issue in told} == {("warning", "write.lost")}
    assert len(server.of("CarePlan")) == 1


async def test_a_deleted_resource_that_was_made_again_says_nothing_of_if_match(server, writer):
    goal, other, *_ = await writer.write(an_intent(creates()), ())
    server.delete(f"Goal/{goal.id}")
    with pytest.raises(VersionConflictError, match="was deleted since it was read"):
        await writer.write(an_intent([an_update(goal, description={"text": "ours"})]), ())
    (after,) = await writer.write(an_intent([an_update(other, description={"text": "ours"})]), ())
    assert after.issues == ()


async def test_only_those_are_named_that_somebody_else_created(server, writer):
    goal, *_ = await writer.write(an_intent(creates()[:1]), ())
    other = creates()[1]
    server.put(other.body)
    update = an_update(goal, description={"text": "ours"})
    with pytest.raises(PartlyWrittenError) as caught:
        await writer.write(an_intent([update, other]), ())
    assert "Goal/2 since" in caught.value.detail
    assert "Goal/1" not in caught.value.cause.detail
