"""What follows a write, on a server whose weaknesses are switched on one by one."""

import pytest

from careplan_exchange.errors import (
    DuplicateError,
    LossyTargetError,
    PartlyWrittenError,
    RefusedError,
    VersionConflictError,
)
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


async def test_what_we_created_is_not_said_to_be_somebody_elses(server, writer):
    ours, other = creates()[:2]
    server.put(other.body)
    with pytest.raises(PartlyWrittenError) as caught:
        await writer.write(an_intent([ours, other]), ())
    assert "created Goal/1 since" in caught.value.cause.detail
    assert [one.id for one in caught.value.written] == ["2"]


async def test_of_a_duplicate_of_which_nothing_says_what_was_made_nothing_is_said_to_be_taken_back(
    server, writer
):
    """Neither version nor body: it cannot be deleted over its own version, so a person has to look."""
    change = creates()[0]
    server.checks_conditions = server.sends_versions = server.sends_bodies = False
    server.before_write = lambda: server.put(change.body)
    with pytest.raises(DuplicateError, match="What of it stands is not known"):
        await writer.write(an_intent([change]), ())
    assert len(server.of("Goal")) == 2


async def test_of_a_duplicate_only_what_could_not_be_taken_back_is_said_to_stand(server, writer):
    goal, other = creates()[:2]
    server.checks_conditions = False
    server.before_write = lambda: server.put(goal.body)
    server.after_write = lambda: server.edit("Goal/3", note=[{"text": "a clinician's"}])
    with pytest.raises(PartlyWrittenError, match="Of this write still stands: Goal/3") as caught:
        await writer.write(an_intent([goal, other]), ())
    assert isinstance(caught.value.cause, DuplicateError)
    assert [(one.identity, one.id) for one in caught.value.written] == [(other.identity, "3")]
    assert [(issue.key, issue.source) for issue in caught.value.issues][-1] == (
        "write.stands",
        "Goal/3/_history/1",
    )
    assert [one.written.id for one in caught.value.cause.undone] == ["2"]
    assert [body["id"] for body in server.of("Goal")] == ["1", "3"]


async def test_what_was_put_back_is_told_with_the_version_that_stands_again(server, writer):
    (goal,) = await writer.write(an_intent(creates()[:1]), ())
    server.checks_versions = False
    server.edit(f"Goal/{goal.id}", description={"text": "a clinician's"})
    with pytest.raises(VersionConflictError) as caught:
        await writer.write(an_intent([an_update(goal, description={"text": "ours"})]), ())
    (one,) = caught.value.undone
    assert (one.written.version_id, one.how, one.version_id, one.restores, one.put_back) == (
        "3",
        "update",
        "4",
        "2",
        True,
    )


async def test_a_create_on_a_server_that_ignores_if_match_is_warned_of_nothing(server, writer):
    (goal,) = await writer.write(an_intent(creates()[:1]), ())
    server.checks_versions = False
    server.edit(f"Goal/{goal.id}", description={"text": "a clinician's"})
    with pytest.raises(VersionConflictError):
        await writer.write(an_intent([an_update(goal, description={"text": "ours"})]), ())
    (other,) = await writer.write(an_intent([creates()[1]]), ())
    assert other.issues == ()


async def test_a_refusal_keeps_its_status_and_says_what_was_undone(server, writer):
    server.takes_transactions = False
    server.refuses = {"CarePlan": 405}
    with pytest.raises(RefusedError, match="taken back") as caught:
        await writer.write(an_intent(creates()), ())
    assert caught.value.status == 405
    assert [(one.written.type, one.written.id, one.how) for one in caught.value.undone] == [
        ("Goal", "1", "delete"),
        ("Goal", "2", "delete"),
        ("DetectedIssue", "3", "delete"),
    ]
