import msgspec
import pytest

from careplan_exchange.errors import (
    DuplicateError,
    InvalidResourceError,
    OutcomeUnknownError,
    PatientNotFoundError,
    VersionConflictError,
)
from careplan_exchange.model.changes import Base
from careplan_exchange.model.identity import EXCHANGE_TAG, IDENTITY_SYSTEM, INSTALLATION_TAG
from careplan_exchange.model.target import TargetForm
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.writing import a_record, an_intent, an_update, companions_of, creates

PATIENT = {"resourceType": "Patient", "id": "p1"}


async def test_patients_of_another_server_are_known_by_the_map_alone():
    writer = MemoryPlanWriter(patients={"Patient/p1": "Patient/here"})
    assert await writer.subject(a_record("https://elsewhere.example.org", PATIENT)) == "Patient/here"
    assert await writer.subject(a_record("memory:", PATIENT)) == "Patient/p1"
    without_map = MemoryPlanWriter()
    assert await without_map.subject(a_record("https://elsewhere.example.org", PATIENT)) == "Patient/p1"
    with pytest.raises(PatientNotFoundError):
        await writer.subject(a_record("https://elsewhere.example.org", {**PATIENT, "id": "p2"}))


async def test_a_deleted_resource_is_neither_held_nor_updated():
    writer = MemoryPlanWriter()
    goal = (await writer.write(an_intent(creates()), ()))[0]
    writer.delete("Goal", goal.id)
    assert await writer.current({"Goal": {goal.identity}}) == ()
    with pytest.raises(VersionConflictError):
        await writer.write(an_intent([an_update(goal, description={"text": "ours"})]), ())


async def test_its_history_keeps_every_version():
    writer = MemoryPlanWriter()
    goal = (await writer.write(an_intent(creates()), ()))[0]
    await writer.write(an_intent([an_update(goal, description={"text": "ours"})]), ())
    assert [body["description"]["text"] for body in writer.history("Goal", goal.id)] == [
        "HbA1c below 7 %",
        "ours",
    ]
    assert len(writer.resources("Goal")) == 2


async def test_it_says_the_release_and_the_rung_that_it_was_made_with():
    assert await MemoryPlanWriter().form() == TargetForm(release="R4", rung="references")
    other = MemoryPlanWriter("memory:other", release="R5", rung="document")
    assert (other.target, await other.form()) == ("memory:other", TargetForm(release="R5", rung="document"))


async def test_a_whole_plan_is_stored_once_with_its_links_and_companions():
    writer = MemoryPlanWriter()
    intent = an_intent(creates())
    written = await writer.write(intent, companions_of(intent))
    assert [(each.type, each.id, each.version_id, each.action) for each in written] == [
        ("Goal", "1", "1", "create"),
        ("Goal", "2", "1", "create"),
        ("DetectedIssue", "3", "1", "create"),
        ("CarePlan", "4", "1", "create"),
    ]
    assert [each.identity for each in written] == [change.identity for change in intent.changes]
    (plan,) = writer.resources("CarePlan")
    assert plan == written[3].stored
    assert (plan["id"], plan["goal"][0]) == ("4", {"reference": "Goal/1"})
    (provenance,) = writer.resources("Provenance")
    assert {"reference": "CarePlan/4"} in provenance["target"]
    assert len({each["id"] for each in writer.resources("AuditEvent")}) == 4


async def test_an_update_is_stored_under_its_id_and_a_create_beside_it_under_a_new_one():
    writer = MemoryPlanWriter()
    (goal,) = await writer.write(an_intent(creates()[:1]), ())
    both = [an_update(goal, description={"text": "ours"}), creates()[1]]
    written = await writer.write(an_intent(both), ())
    assert [(each.id, each.version_id, each.action) for each in written] == [
        ("1", "2", "update"),
        ("2", "1", "create"),
    ]


async def test_what_does_not_fit_is_refused_whole():
    writer = MemoryPlanWriter()
    (goal,) = await writer.write(an_intent(creates()[:1]), ())
    stale = an_update(goal, description={"text": "ours"})
    writer.put({**goal.stored, "description": {"text": "a clinician's"}})
    for changes in ([creates()[1], stale], [creates()[1], creates()[0]]):
        with pytest.raises(VersionConflictError):
            await writer.write(an_intent(changes), ())
    nowhere = msgspec.structs.replace(stale, id="99")
    with pytest.raises(VersionConflictError, match="Goal/99 was changed"):
        await writer.write(an_intent([nowhere]), ())
    assert [body["description"]["text"] for body in writer.resources("Goal")] == ["a clinician's"]


async def test_one_identity_of_two_types_is_two():
    writer = MemoryPlanWriter()
    (goal,) = await writer.write(an_intent(creates()[:1]), ())
    issue = next(change for change in creates() if change.type == "DetectedIssue")
    identifier = [{"system": IDENTITY_SYSTEM, "value": goal.identity}]
    same = msgspec.structs.replace(issue, identity=goal.identity, body={**issue.body, "identifier": identifier})
    assert len(await writer.write(an_intent([same]), ())) == 1
    assert [one.type for one in await writer.current({"Goal": {goal.identity}})] == ["Goal"]


async def test_only_what_carries_our_identifier_is_held():
    writer = MemoryPlanWriter()
    (goal,) = await writer.write(an_intent(creates()[:1]), ())
    others = [{"system": "urn:ward", "value": goal.identity}, "12", {"value": goal.identity}]
    writer.put({"resourceType": "Goal", "identifier": others})
    writer.put({"resourceType": "Goal"})
    (held,) = await writer.current({"Goal": {goal.identity}})
    assert (held.id, held.version_id, held.body) == ("1", "1", goal.stored)
    assert await writer.current({"CarePlan": {goal.identity}}) == ()
    assert await writer.current({"Goal": {"another"}}) == ()
    writer.put({"resourceType": "Goal", "identifier": [{"system": IDENTITY_SYSTEM, "value": goal.identity}]})
    with pytest.raises(DuplicateError, match="Goal/4 carries the same identifier as Goal/1"):
        await writer.current({"Goal": {goal.identity}})


async def test_what_another_client_stores_keeps_its_tags_and_comes_back_where_it_was_deleted():
    writer = MemoryPlanWriter()
    tagged = writer.put({"resourceType": "Goal", "meta": {"tag": [{"code": "x"}]}})
    assert tagged == {"resourceType": "Goal", "id": "1", "meta": {"tag": [{"code": "x"}], "versionId": "1"}}
    writer.delete("Goal", "1")
    assert writer.resources("Goal") == ()
    assert writer.put(tagged)["meta"]["versionId"] == "2"
    assert len(writer.resources("Goal")) == 1
    assert writer.put({"resourceType": "Patient"})["id"] == "2"
    assert (len(writer.history("Goal", "1")), writer.history("Goal", "2")) == (2, ())


async def test_an_answer_is_lost_once_after_it_was_stored_and_a_request_before():
    writer, intent = MemoryPlanWriter(), an_intent(creates()[:1])
    writer.fault = "lose-request"
    with pytest.raises(OutcomeUnknownError):
        await writer.write(intent, ())
    assert (writer.resources("Goal"), (await writer.settle(intent, {})).outcome) == ((), "absent")
    writer.fault = "lose-answer"
    with pytest.raises(OutcomeUnknownError):
        await writer.write(intent, ())
    settled = await writer.settle(intent, {})
    assert (settled.outcome, [each.id for each in settled.written]) == ("committed", ["1"])
    assert writer.fault is None


async def test_it_is_settled_by_all_versions_of_what_stands_and_by_what_is_booked():
    writer, intent = MemoryPlanWriter(), an_intent(creates()[:1])
    (goal,) = await writer.write(intent, ())
    update = an_intent([an_update(goal, description={"text": "ours"})])
    (after,) = await writer.write(update, ())
    writer.put({**after.stored, "description": {"text": "a clinician's"}})
    assert [each.version_id for each in (await writer.settle(update, {})).written] == ["2"]
    base = Base(
        identity=goal.identity, type="Goal", id="1", version_id="2", ours=after.stored, stored=after.stored
    )
    assert (await writer.settle(update, {goal.identity: base})).outcome == "superseded"
    part = [an_update(after, description={"text": "later"}), creates()[1]]
    writer.put(creates()[1].body)
    assert (await writer.settle(an_intent(part), {})).outcome == "unclear"  # a part of a transaction


async def test_what_is_not_valid_is_not_stored():
    writer, change = MemoryPlanWriter(), creates()[0]
    wrong = msgspec.structs.replace(change, body={**change.body, "lifecycleStatus": "banana"})
    with pytest.raises(InvalidResourceError):
        await writer.write(an_intent([wrong]), ())
    with pytest.raises(InvalidResourceError):
        await writer.write(an_intent([change]), ({"resourceType": "Provenance"},))
    assert writer.resources("Goal") == ()


async def test_who_wrote_what_is_read_from_its_provenances():
    writer, intent = MemoryPlanWriter(), an_intent(creates()[:1])
    tags = [{"system": EXCHANGE_TAG, "code": "e1"}, {"system": INSTALLATION_TAG, "code": "s1"}]
    companions = [
        {**body, "meta": {"tag": tags}} if body["resourceType"] == "Provenance" else body
        for body in companions_of(intent)
    ]
    await writer.write(intent, companions)
    assert [(each.reference, each.exchange) for each in await writer.writings({"Goal/1"})] == [("Goal/1", "e1")]
    assert await writer.writings({"Goal/2"}) == ()
