"""Which types an answer turns away, and what a writer has learned from another one."""

import msgspec
import pytest

from careplan_exchange.errors import RefusedError, VersionConflictError
from careplan_exchange.fhir import Connection, connect
from careplan_exchange.model.issue import Issue
from careplan_exchange.store import MemoryPlanStore
from careplan_exchange.writer import FhirPlanWriter, LadderPlanWriter
from careplan_exchange.writer.falling import turned_away
from tests.support.weak_server import BASE
from tests.support.writing import CountedIds, an_intent, an_update, creates

CHANGES = creates()
GOAL = next(change for change in CHANGES if change.type == "Goal")
PLAN = next(change for change in CHANGES if change.type == "CarePlan")
WARNING = next(change for change in CHANGES if change.type == "DetectedIssue")


def answer(status: int | None, *expressions: str | None, code: str = "not-supported") -> RefusedError:
    error = RefusedError(
        "No.",
        mend="None.",
        issues=tuple(
            Issue(severity="error", code=code, key="server.no", detail="x", expression=each)
            for each in expressions
        ),
    )
    error.status = status
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (answer(422, "Bundle.entry[1].resource"), {"DetectedIssue"}),
        (answer(422, "Bundle.entry[9].resource"), {"DetectedIssue"}),
        (answer(422, "Goal.target.x"), {"Goal"}),
        (answer(422, "Goal.target", "Bundle.entry[2]"), {"Goal", "CarePlan"}),
        (answer(422, None), {"DetectedIssue"}),
        (answer(422, "Bundle.entry[1]", code="invalid"), set()),
        (answer(404, "Bundle.entry[1]", code="invalid"), {"DetectedIssue"}),
        (answer(405), {"DetectedIssue"}),
        (answer(501), {"DetectedIssue"}),
        (answer(403), set()),
        (answer(None, "Bundle.entry[1]"), set()),
    ],
)
def test_what_is_turned_away_is_what_the_answer_is_about(error, expected):
    unchanged = msgspec.structs.replace(CHANGES[1], action="unchanged")
    assert turned_away(error, [unchanged, GOAL, WARNING, PLAN]) == expected


def test_where_nothing_else_was_sent_the_plan_itself_is_turned_away():
    assert turned_away(answer(404), [GOAL, PLAN]) == {"Goal", "CarePlan"}


def test_what_was_not_sent_was_not_turned_away():
    unchanged = msgspec.structs.replace(WARNING, action="unchanged")
    assert turned_away(answer(404), [unchanged, GOAL]) == {"Goal"}
    assert turned_away(answer(422, "DetectedIssue.code"), [unchanged, GOAL]) == {"Goal"}


async def test_what_one_writer_has_learned_of_a_server_another_knows(server):
    habits, ids = MemoryPlanStore(), CountedIds()
    async with connect(Connection(base_url=BASE, attempts=1), ids=ids, transport=server.transport) as client:
        (goal,) = await FhirPlanWriter(client, ids=ids, habits=habits).write(an_intent(CHANGES[:1]), ())
        server.checks_versions = False
        server.edit(f"Goal/{goal.id}", description={"text": "a clinician's"})
        await habits.note_if_match(client.base_url, ignored=True)
        stale = an_intent([an_update(goal, description={"text": "ours"})])
        with pytest.raises(VersionConflictError, match="it was not written"):
            await FhirPlanWriter(client, ids=ids, habits=habits).write(stale, ())
    assert server.of("Goal")[0]["description"] == {"text": "a clinician's"}
    assert server.of("Goal")[0]["meta"]["versionId"] == "2"


async def test_what_was_deleted_on_a_server_that_ignores_if_match_is_not_made_anew(server):
    habits, ids = MemoryPlanStore(), CountedIds()
    async with connect(Connection(base_url=BASE, attempts=1), ids=ids, transport=server.transport) as client:
        writer = FhirPlanWriter(client, ids=ids, habits=habits)
        (goal,) = await writer.write(an_intent(CHANGES[:1]), ())
        await habits.note_if_match(client.base_url, ignored=True)
        server.delete(f"Goal/{goal.id}")
        with pytest.raises(VersionConflictError, match="changed or deleted"):
            await writer.write(an_intent([an_update(goal, description={"text": "ours"})]), ())
    assert server.of("Goal") == []


async def test_a_fall_says_what_was_taken_back_for_it(server):
    server.takes_transactions = False
    server.refuses = {"CarePlan": 405}
    ids = CountedIds()
    async with connect(Connection(base_url=BASE, attempts=1), ids=ids, transport=server.transport) as client:
        writer = LadderPlanWriter(client, ids=ids, habits=MemoryPlanStore())
        with pytest.raises(VersionConflictError, match="turned DetectedIssue away") as caught:
            await writer.write(an_intent(CHANGES), ())
    assert [(one.written.type, one.how) for one in caught.value.undone] == [
        ("Goal", "delete"),
        ("Goal", "delete"),
        ("DetectedIssue", "delete"),
    ]


async def test_a_fall_says_what_the_target_objected_to(server, monkeypatch):
    said = answer(422, "DetectedIssue.code")

    async def refused(*_: object) -> None:
        raise said

    monkeypatch.setattr(FhirPlanWriter, "write", refused)
    ids = CountedIds()
    async with connect(Connection(base_url=BASE, attempts=1), ids=ids, transport=server.transport) as client:
        with pytest.raises(VersionConflictError, match="turned DetectedIssue away") as caught:
            await LadderPlanWriter(client, ids=ids, habits=MemoryPlanStore()).write(an_intent(CHANGES), ())
    assert caught.value.issues == said.issues
