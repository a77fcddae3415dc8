import msgspec
import pytest

from careplan_exchange.errors import (
    CareplanError,
    DuplicateError,
    InvalidResourceError,
    OutcomeUnknownError,
    PartlyWrittenError,
    RefusedError,
    UnsupportedServerError,
    VersionConflictError,
    WrongPatientError,
)
from careplan_exchange.model.codec import decode
from tests.support.writing import an_intent, an_update, companions_of, creates


def sent_entries(server):
    return decode(server.writes[-1].content)["entry"]


async def written_plan(writer):
    return await writer.write(an_intent(creates()), ())


async def test_a_new_plan_is_one_transaction_with_its_companions_inside(server, writer):
    intent = an_intent(creates())
    written = await writer.write(intent, companions_of(intent))
    assert len(server.writes) == 1
    assert [each.type for each in written] == ["Goal", "Goal", "DetectedIssue", "CarePlan"]
    assert [each.action for each in written] == ["create"] * 4
    assert len(server.of("Provenance")) == 1
    assert len(server.of("AuditEvent")) == 4


async def test_references_inside_the_transaction_become_those_of_the_server(server, writer):
    goal, *_, plan = await written_plan(writer)
    assert plan.stored["goal"][0] == {"reference": f"Goal/{goal.id}"}


async def test_the_request_carries_the_intents_id_and_asks_for_the_stored_bodies(server, writer):
    intent = an_intent(creates())
    await writer.write(intent, ())
    assert server.writes[0].headers["X-Request-Id"] == intent.id
    assert server.writes[0].headers["Prefer"] == "return=representation"


async def test_no_server_is_asked_to_apply_a_stale_body_again(server, writer):
    goal = (await written_plan(writer))[0]
    await writer.write(an_intent([an_update(goal, description={"text": "new"})]), ())
    assert not [r for r in server.log if "x-retry-on-version-conflict" in r.headers]


async def test_every_create_is_conditional_on_our_identifier_in_one_fixed_wording(server, writer):
    changes = creates()
    await writer.write(an_intent(changes), ())
    conditions = [entry["request"]["ifNoneExist"] for entry in sent_entries(server)]
    assert conditions == [f"identifier=urn:careplan-exchange:identity|{change.identity}" for change in changes]


async def test_every_update_carries_the_version_it_was_made_over(server, writer):
    goal = (await written_plan(writer))[0]
    await writer.write(an_intent([an_update(goal, description={"text": "new"})]), ())
    assert sent_entries(server)[0]["request"] == {
        "method": "PUT",
        "url": f"Goal/{goal.id}",
        "ifMatch": f'W/"{goal.version_id}"',
    }


async def test_an_update_returns_the_new_version_as_stored(server, writer):
    goal = (await written_plan(writer))[0]
    (after,) = await writer.write(an_intent([an_update(goal, description={"text": "new"})]), ())
    assert (after.version_id, after.action) == ("2", "update")
    assert after.stored["description"] == {"text": "new"}


async def test_a_stale_update_is_a_conflict_and_nothing_of_the_transaction_is_written(server, writer):
    goal, other, *_ = await written_plan(writer)
    server.edit(f"Goal/{goal.id}", description={"text": "a clinician's"})
    changes = [an_update(other, description={"text": "ours"}), an_update(goal, description={"text": "ours"})]
    with pytest.raises(VersionConflictError):
        await writer.write(an_intent(changes), ())
    assert [body["description"]["text"] for body in server.of("Goal")] == ["a clinician's", "No alcohol"]


async def test_one_identity_twice_is_sent_once(server, writer):
    changes = creates()
    await writer.write(an_intent((*changes, changes[0])), ())
    assert len(sent_entries(server)) == len(changes)


async def test_one_identity_with_two_bodies_is_refused_before_anything_is_sent(server, writer):
    changes = creates()
    other = msgspec.structs.replace(changes[0], body={**changes[0].body, "description": {"text": "other"}})
    with pytest.raises(DuplicateError):
        await writer.write(an_intent((*changes, other)), ())
    assert server.writes == []


async def test_an_invalid_body_is_refused_before_anything_is_sent(server, writer):
    changes = creates()
    bad = msgspec.structs.replace(changes[0], body={**changes[0].body, "lifecycleStatus": "banana"})
    with pytest.raises(InvalidResourceError):
        await writer.write(an_intent((bad, *changes[1:])), ())
    assert server.writes == []


async def test_nothing_is_sent_for_nothing(server, writer):
    unchanged = msgspec.structs.replace(creates()[0], action="unchanged")
    assert await writer.write(an_intent([unchanged]), ()) == ()
    assert server.log == []


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


async def test_an_update_of_something_without_a_version_is_refused_before_anything_is_sent(server, writer):
    goal = (await written_plan(writer))[0]
    change = an_update(msgspec.structs.replace(goal, version_id=""), description={"text": "ours"})
    sent = len(server.writes)
    with pytest.raises(UnsupportedServerError, match=f"no version for Goal/{goal.id}"):
        await writer.write(an_intent([change]), ())
    assert len(server.writes) == sent


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


async def test_a_target_that_lists_no_such_type_is_refused_before_anything_is_sent(server, writer):
    server.types.remove("Goal")
    with pytest.raises(UnsupportedServerError, match="create of Goal"):
        await written_plan(writer)
    assert server.writes == []


async def test_a_target_that_cannot_search_by_identifier_is_refused_before_anything_is_sent(server, writer):
    server.unsearchable = {"CarePlan"}
    with pytest.raises(UnsupportedServerError, match="search CarePlan by identifier"):
        await written_plan(writer)
    assert server.writes == []


async def test_a_target_without_audit_events_gets_the_plan_and_the_provenance(server, writer):
    server.types.remove("AuditEvent")
    intent = an_intent(creates())
    await writer.write(intent, companions_of(intent))
    assert len(server.of("Provenance")) == 1
    assert len(server.of("CarePlan")) == 1


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


async def test_what_stands_under_our_identity_about_another_patient_is_never_written_over(server, writer):
    goal = (await written_plan(writer))[0]
    server.edit(f"Goal/{goal.id}", subject={"reference": "Patient/p2"})
    moved = msgspec.structs.replace(goal, version_id="2", stored=server.of("Goal")[0])
    sent = len(server.writes)
    with pytest.raises(WrongPatientError, match=f"Goal/{goal.id} carries our identifier"):
        await writer.write(an_intent([an_update(moved, subject={"reference": "Patient/p1"})]), ())
    with pytest.raises(WrongPatientError, match="several patients"):
        await writer.write(an_intent([an_update(moved), *creates()[1:]]), ())
    assert len(server.writes) == sent


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
