"""Without transactions the plan is written after what it points at, and taken back where it cannot be finished."""

import pytest

from careplan_exchange.errors import PartlyWrittenError, RefusedError, VersionConflictError
from tests.support.writing import an_intent, an_update, companions_of, creates, written_plan


async def test_without_transactions_resources_are_written_one_by_one_the_plan_after_what_it_points_at(
    server, writer
):
    server.takes_transactions = False
    intent = an_intent(creates())
    written = await writer.write(intent, companions_of(intent))
    paths = [r.url.path.removeprefix("/fhir/") for r in server.writes]
    assert paths == ["Goal", "Goal", "DetectedIssue", "CarePlan", "Provenance", *["AuditEvent"] * 4]
    assert all("If-None-Exist" in r.headers for r in server.writes[:4])
    assert {r.headers["X-Request-Id"] for r in server.writes} == {intent.id}
    assert written[-1].stored["goal"][0] == {"reference": f"Goal/{written[0].id}"}
    assert server.of("Provenance")[0]["target"][0] == {"reference": f"Goal/{written[0].id}"}


async def test_without_transactions_an_update_carries_if_match(server, writer):
    server.takes_transactions = False
    goal, *_ = await written_plan(writer)
    await writer.write(an_intent([an_update(goal, description={"text": "ours"})]), ())
    assert server.writes[-1].headers["If-Match"] == 'W/"1"'


async def test_without_transactions_a_refusal_of_the_first_request_means_that_nothing_was_written(server, writer):
    server.takes_transactions = False
    server.refuses = {"Goal": 422}
    with pytest.raises(RefusedError):
        await written_plan(writer)
    assert server.of("Goal") == []


@pytest.mark.parametrize("status", [400, 403, 405, 413, 422])
async def test_without_transactions_what_was_made_before_a_final_refusal_is_taken_back(server, writer, status):
    server.takes_transactions = False
    server.refuses = {"CarePlan": status}
    intent = an_intent(creates())
    with pytest.raises(RefusedError, match="What this write had done was taken back"):
        await writer.write(intent, companions_of(intent))
    assert not any(server.of(kind) for kind in ("Goal", "DetectedIssue", "CarePlan", "Provenance", "AuditEvent"))


async def test_without_transactions_an_update_before_a_final_refusal_is_written_over_with_what_stood(
    server, writer
):
    server.takes_transactions = False
    goal, *_ = await written_plan(writer)
    before = server.of("Goal")[0]
    server.delete("CarePlan/4")
    server.refuses = {"CarePlan": 422}
    plan = next(change for change in creates() if change.type == "CarePlan")
    with pytest.raises(RefusedError, match="taken back"):
        await writer.write(an_intent([an_update(goal, description={"text": "ours"}), plan]), ())
    after = server.of("Goal")[0]
    assert (after["description"], after["meta"]["versionId"]) == (before["description"], "3")


async def test_what_somebody_has_touched_since_is_not_taken_back_and_told(server, writer):
    server.takes_transactions = False
    server.refuses = {"CarePlan": 422}
    server.when_refused = lambda: server.edit("Goal/1", note=[{"text": "a clinician's"}])
    with pytest.raises(PartlyWrittenError, match="Of this write still stands: Goal/1") as caught:
        await written_plan(writer)
    assert isinstance(caught.value.cause, RefusedError)
    assert [issue.key for issue in caught.value.issues][-1] == "write.stands"
    assert [goal["note"] for goal in server.of("Goal")] == [[{"text": "a clinician's"}]]


async def test_where_nothing_can_be_deleted_it_is_entered_in_error_and_its_identity_is_free(server, writer):
    server.takes_transactions = False
    server.refuses = {"CarePlan": 422}
    server.deletes = False
    with pytest.raises(RefusedError, match="taken back"):
        await written_plan(writer)
    assert {goal["lifecycleStatus"] for goal in server.of("Goal")} == {"entered-in-error"}
    assert [goal for goal in server.of("Goal") if goal.get("identifier")] == []
    server.refuses = {}
    assert len(await written_plan(writer)) == 4


async def test_without_transactions_a_resource_that_is_there_already_is_a_conflict(server, writer):
    server.takes_transactions = False
    changes = creates()
    server.put({**changes[1].body, "description": {"text": "somebody else's"}})
    intent = an_intent(changes)
    with pytest.raises(PartlyWrittenError) as caught:
        await writer.write(intent, companions_of(intent))
    assert isinstance(caught.value.cause, VersionConflictError)
    assert [each.identity for each in caught.value.written] == [changes[0].identity]
    assert server.of("CarePlan") == []
    assert len(server.of("AuditEvent")) == 1
    assert [each["target"] for each in server.of("Provenance")] == [[{"reference": "Goal/2"}]]


async def test_without_transactions_a_request_that_the_network_sends_twice_is_no_conflict(server, writer):
    server.takes_transactions = False
    server.sends_twice = True
    written = await written_plan(writer)
    assert [each.version_id for each in written] == ["1"] * 4
    (after,) = await writer.write(an_intent([an_update(written[0], description={"text": "ours"})]), ())
    assert (after.version_id, len(server.of("Goal"))) == ("2", 2)


async def test_a_companion_that_is_refused_does_not_take_the_plan_with_it(server, writer):
    server.takes_transactions = False
    server.refuses = {"AuditEvent": 422}
    intent = an_intent(creates())
    assert len(await writer.write(intent, companions_of(intent))) == 4
