"""What is found out after a write: somebody else was first, or the server did otherwise than it was asked."""

import msgspec
import pytest

from careplan_exchange.errors import (
    CareplanError,
    DuplicateError,
    OutcomeUnknownError,
    PartlyWrittenError,
    UnsupportedServerError,
    VersionConflictError,
)
from tests.support.writing import an_intent, an_update, creates, written_plan


async def test_a_resource_that_somebody_else_created_meanwhile_is_a_conflict_and_not_ours(server, writer):
    changes = creates()
    server.put(changes[0].body)
    with pytest.raises(PartlyWrittenError, match="Goal/1") as caught:
        await writer.write(an_intent(changes), ())
    assert isinstance(caught.value.cause, VersionConflictError)
    assert [each.identity for each in caught.value.written] == [change.identity for change in changes[1:]]


async def test_a_duplicate_that_a_race_has_made_is_noticed_and_ours_is_taken_back(server, writer):
    changes = creates()
    server.checks_conditions = False
    server.before_write = lambda: server.put(changes[-1].body)
    with pytest.raises(VersionConflictError, match="taken back"):
        await writer.write(an_intent(changes), ())
    assert [plan["id"] for plan in server.of("CarePlan")] == ["1"]
    assert server.of("Goal") == []


async def test_a_duplicate_that_cannot_be_taken_back_is_told_with_what_stands(server, writer):
    changes = creates()
    server.checks_conditions = False
    server.before_write = lambda: server.put(changes[-1].body)
    server.read_only_after = 1
    with pytest.raises(PartlyWrittenError, match="Of this write still stands") as caught:
        await writer.write(an_intent(changes), ())
    assert isinstance(caught.value.cause, DuplicateError)
    assert len(caught.value.written) == len(changes)


async def test_an_overwrite_on_a_server_that_ignores_if_match_is_put_back_and_remembered(server, writer):
    goal = (await written_plan(writer))[0]
    server.checks_versions = False
    server.edit(f"Goal/{goal.id}", description={"text": "a clinician's"})
    stale = an_intent([an_update(goal, description={"text": "ours"})])
    with pytest.raises(VersionConflictError, match="version 2 by somebody else was replaced") as caught:
        await writer.write(stale, ())
    assert [issue.key for issue in caught.value.issues] == ["write.if-match-ignored"]
    assert server.of("Goal")[0]["description"] == {"text": "a clinician's"}
    sent = len(server.writes)
    with pytest.raises(VersionConflictError, match="it was not written"):
        await writer.write(stale, ())
    assert len(server.writes) == sent


async def test_what_somebody_wrote_after_the_overwrite_is_left_and_a_person_is_told(server, writer):
    goal = (await written_plan(writer))[0]
    server.checks_versions = False
    server.edit(f"Goal/{goal.id}", description={"text": "a clinician's"})
    server.after_write = lambda: server.edit(f"Goal/{goal.id}", note=[{"text": "later"}])
    with pytest.raises(PartlyWrittenError, match="could not be put back") as caught:
        await writer.write(an_intent([an_update(goal, description={"text": "ours"})]), ())
    assert isinstance(caught.value.cause, UnsupportedServerError)
    assert [body["versionId"] for body in [server.of("Goal")[0]["meta"]]] == ["4"]


async def test_an_update_on_such_a_server_carries_a_warning(server, writer):
    goal = (await written_plan(writer))[0]
    server.checks_versions = False
    edited = server.edit(f"Goal/{goal.id}", description={"text": "a clinician's"})
    with pytest.raises(VersionConflictError):
        await writer.write(an_intent([an_update(goal, description={"text": "ours"})]), ())
    fresh = msgspec.structs.replace(goal, version_id="4", stored={**edited, "meta": {"versionId": "4"}})
    (after,) = await writer.write(an_intent([an_update(fresh, note=[{"text": "ours"}])]), ())
    assert [(issue.severity, issue.key) for issue in after.issues] == [("warning", "write.if-match-ignored")]


async def test_a_server_that_ignores_if_match_is_found_out_where_versions_are_no_numbers(server, writer):
    server.version_of = lambda number: f"v-{'abcdef'[number]}"
    goal = (await written_plan(writer))[0]
    (fine,) = await writer.write(an_intent([an_update(goal, description={"text": "first"})]), ())
    server.checks_versions = False
    server.edit(f"Goal/{goal.id}", description={"text": "a clinician's"})
    with pytest.raises(VersionConflictError, match="ignores If-Match"):
        await writer.write(an_intent([an_update(fine, description={"text": "ours"})]), ())


async def test_a_server_that_changes_the_id_of_what_it_updates_is_refused_with_both_ids(server, writer):
    goal = (await written_plan(writer))[0]
    server.moves = True
    with pytest.raises(CareplanError, match=f"Goal/{goal.id} was updated, and the server now has it as Goal/5"):
        await writer.write(an_intent([an_update(goal, description={"text": "ours"})]), ())


async def test_an_update_that_brought_a_deleted_resource_back_is_found_out_and_deleted_again(server, writer):
    goal = (await written_plan(writer))[0]
    server.delete(f"Goal/{goal.id}")
    with pytest.raises(VersionConflictError, match="was deleted since it was read"):
        await writer.write(an_intent([an_update(goal, description={"text": "ours"})]), ())
    assert len(server.of("Goal")) == 1


async def test_a_server_that_returns_no_bodies_is_read_back(server, writer):
    server.sends_bodies = False
    goal, *_ = await written_plan(writer)
    assert goal.stored["description"] == {"text": "HbA1c below 7 %"}
    (after,) = await writer.write(an_intent([an_update(goal, description={"text": "ours"})]), ())
    assert (after.version_id, after.stored["description"]) == ("2", {"text": "ours"})


async def test_without_a_body_our_own_version_is_read_even_where_somebody_edited_right_after(server, writer):
    server.sends_bodies = False
    goal, *_ = await written_plan(writer)
    server.after_write = lambda: server.edit(f"Goal/{goal.id}", description={"text": "a clinician's"})
    (after,) = await writer.write(an_intent([an_update(goal, description={"text": "ours"})]), ())
    assert (after.version_id, after.stored["description"]) == ("2", {"text": "ours"})


async def test_a_version_that_the_server_claims_and_does_not_have_leaves_the_outcome_unknown(server, writer):
    server.sends_bodies = False
    goal, *_ = await written_plan(writer)
    server.after_write = server.versions[f"Goal/{goal.id}"].pop
    with pytest.raises(OutcomeUnknownError, match="has no version 2"):
        await writer.write(an_intent([an_update(goal, description={"text": "ours"})]), ())


async def test_without_body_and_version_the_current_one_is_taken(server, writer):
    server.sends_bodies = server.sends_versions = False
    goal, *_ = await written_plan(writer)
    assert goal.version_id == "1"


async def test_a_write_that_cannot_be_checked_afterwards_has_an_unknown_outcome(server, writer):
    def no_more():
        server.page_is_cut = True

    server.after_write = no_more
    with pytest.raises(OutcomeUnknownError):
        await written_plan(writer)


async def test_a_created_resource_that_cannot_be_found_again_is_an_error_and_nothing_stays(server, writer):
    server.hides = {"Goal"}
    with pytest.raises(UnsupportedServerError, match="does not find it by its identifier"):
        await written_plan(writer)
    assert server.of("Goal") == server.of("CarePlan") == []


async def test_a_transaction_carried_out_in_part_is_never_booked_as_success(server, writer):
    server.atomic = False
    server.refuses = {"CarePlan": 422}
    with pytest.raises(OutcomeUnknownError):
        await written_plan(writer)
