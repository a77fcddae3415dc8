import pytest

from careplan_exchange.errors import PatientNotFoundError, VersionConflictError
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.writing import a_record, an_intent, an_update, creates

PATIENT = {"resourceType": "Patient", "id": "p1"}


async def test_patients_of_another_server_are_known_by_the_map_alone():
    writer = MemoryPlanWriter(patients={"Patient/p1": "Patient/here"})
    assert await writer.subject(a_record("https://elsewhere.example.org", PATIENT)) == "Patient/here"
    assert await writer.subject(a_record("memory:", PATIENT)) == "Patient/p1"
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
