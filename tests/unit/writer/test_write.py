"""A plan is written in one transaction: what it carries, and what is refused before anything is sent."""

import msgspec
import pytest

from careplan_exchange.errors import (
    DuplicateError,
    InvalidResourceError,
    UnsupportedServerError,
    VersionConflictError,
    WrongPatientError,
)
from careplan_exchange.model.codec import decode
from tests.support.writing import an_intent, an_update, companions_of, creates, written_plan


def sent_entries(server):
    return decode(server.writes[-1].content)["entry"]


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


async def test_an_update_of_something_without_a_version_is_refused_before_anything_is_sent(server, writer):
    goal = (await written_plan(writer))[0]
    change = an_update(msgspec.structs.replace(goal, version_id=""), description={"text": "ours"})
    sent = len(server.writes)
    with pytest.raises(UnsupportedServerError, match=f"no version for Goal/{goal.id}"):
        await writer.write(an_intent([change]), ())
    assert len(server.writes) == sent


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
