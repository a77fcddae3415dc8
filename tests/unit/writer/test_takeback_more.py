"""Compensation and sequences against answers that are told: which requests are made, and which are not."""

from typing import Any

import msgspec
import pytest

from careplan_exchange.errors import RefusedError, VersionConflictError
from careplan_exchange.fhir import Written
from careplan_exchange.model.changes import Json, ResourceChange, Undone
from careplan_exchange.model.codec import decode
from careplan_exchange.model.identity import IDENTITY_SYSTEM
from careplan_exchange.writer.sequence import send_companions, write_in_sequence
from careplan_exchange.writer.takeback import Done, in_error, take_back
from tests.support.told import ToldClient, stored
from tests.support.writing import an_update, as_written, creates

GOAL, OTHER = creates()[:2]
MADE = as_written(GOAL)
UPDATE = an_update(MADE, description={"text": "ours"})
UPDATED = msgspec.structs.replace(MADE, version_id="2", action="update")
NO = RefusedError("No.", mend="None.")


async def left(client: ToldClient, change: ResourceChange, written: Any) -> list[tuple[str, str | None]]:
    issues, undone = await take_back(client, [Done(change, written)], request_id="r1")
    assert not issues or undone == ()
    return [(issue.detail, issue.source) for issue in issues.values()]


async def test_a_create_is_deleted_over_its_own_version():
    client = ToldClient(now=stored(GOAL.body, "1"))
    assert await left(client, GOAL, MADE) == []
    assert client.log == [("find", "Goal/7", "True"), ("delete", "Goal/7", "1", "r1")]


async def test_an_update_is_written_over_with_what_stood_before():
    client = ToldClient(now=stored(UPDATE.body, "2"))
    assert await left(client, UPDATE, UPDATED) == []
    assert client.log == [("find", "Goal/7", "True"), ("update", "Goal/7", "2", "r1")]
    assert client.sent == [UPDATE.theirs]


async def test_a_create_that_is_gone_is_as_it_was_before_and_an_update_that_is_gone_is_not():
    gone = ToldClient()
    assert await left(gone, GOAL, MADE) == []
    assert await left(gone, UPDATE, UPDATED) == [
        ("It was changed and stands: somebody deleted it since.", "Goal/7/_history/2")
    ]
    assert gone.did("update", "delete") == []


@pytest.mark.parametrize(("change", "written", "said"), [(GOAL, MADE, "created"), (UPDATE, UPDATED, "changed")])
async def test_what_somebody_changed_since_is_left_and_named(change, written, said):
    client = ToldClient(now=stored(GOAL.body, "9"))
    ((detail, source),) = await left(client, change, written)
    assert (detail, source) == (
        f"It was {said} and stands: somebody changed it since.",
        f"Goal/7/_history/{written.version_id}",
    )
    assert client.did("update", "delete") == []


async def test_an_update_that_made_no_version_or_was_made_over_nothing_known_is_not_sent_again():
    same_version = msgspec.structs.replace(UPDATED, version_id="1")
    client = ToldClient(now=stored(GOAL.body, "1"))
    assert await left(client, UPDATE, same_version) == []
    blind = msgspec.structs.replace(UPDATE, theirs=None)
    other = ToldClient(now=stored(GOAL.body, "2"))
    assert await left(other, blind, UPDATED) == []
    assert client.did("update") == other.did("update") == []


async def test_where_nothing_had_to_be_done_nothing_is_said_to_be_undone():
    same_version = msgspec.structs.replace(UPDATED, version_id="1")
    client = ToldClient(now=stored(GOAL.body, "1"))
    assert await take_back(client, [Done(UPDATE, same_version)], request_id="r1") == ({}, ())


async def test_what_cannot_be_deleted_is_entered_in_error_over_its_own_version():
    client = ToldClient(now=stored(GOAL.body, "1"))
    client.refuses = {"delete": NO}
    assert await left(client, GOAL, MADE) == []
    assert client.log[-2:] == [("find", "Goal/7", "True"), ("update", "Goal/7", "1", "r1")]
    (body,) = client.sent
    assert body == in_error(decode(stored(GOAL.body, "1").content))
    assert body["lifecycleStatus"] == "entered-in-error"


class Numbering(ToldClient):
    """It says which version an update made."""

    async def update(
        self, kind: str, resource_id: str, body: Json, *, version_id: str, request_id: str
    ) -> Written:
        answer = await super().update(kind, resource_id, body, version_id=version_id, request_id=request_id)
        return msgspec.structs.replace(answer, version_id=str(int(version_id) + 1))


async def test_what_was_taken_back_is_told_with_the_version_that_came_of_it_and_the_one_that_stands_again():
    client = Numbering(now=stored(UPDATE.body, "2"))
    _, (over,) = await take_back(client, [Done(UPDATE, UPDATED)], request_id="r1")
    assert over == Undone(written=UPDATED, how="update", version_id="3", restores="1")
    client = Numbering(now=stored(GOAL.body, "1"))
    client.refuses = {"delete": NO}
    _, (marked,) = await take_back(client, [Done(GOAL, MADE)], request_id="r1")
    assert marked == Undone(written=MADE, how="update", version_id="2")
    _, (gone,) = await take_back(ToldClient(), [Done(GOAL, MADE)], request_id="r1")
    assert gone == Undone(written=MADE, how=None)


class Vanishing(ToldClient):
    """The delete is carried out, and its answer is an error."""

    async def delete(self, kind: str, resource_id: str, *, version_id: str, request_id: str) -> None:
        self.now = None
        await super().delete(kind, resource_id, version_id=version_id, request_id=request_id)


async def test_a_delete_that_was_carried_out_after_all_makes_nothing_anew():
    client = Vanishing(now=stored(GOAL.body, "1"))
    client.refuses = {"delete": NO}
    assert await left(client, GOAL, MADE) == []
    assert client.did("update") == []


async def test_what_can_neither_be_deleted_nor_marked_stands():
    client = ToldClient(now=stored(GOAL.body, "1"))
    client.refuses = {"delete": NO, "update": NO}
    assert await left(client, GOAL, MADE) == [
        ("It was created and stands: it could not be taken back (refused).", "Goal/7/_history/1")
    ]


async def test_the_last_that_was_written_goes_first():
    client = ToldClient(now=stored(GOAL.body, "1"))
    other = msgspec.structs.replace(as_written(OTHER), id="8")
    assert await take_back(client, [Done(GOAL, MADE), Done(OTHER, other)], request_id="r1") == (
        {},
        (Undone(written=MADE, how="delete"), Undone(written=other, how="delete")),
    )
    assert [call[1] for call in client.did("delete")] == ["Goal/8", "Goal/7"]


def test_what_is_entered_in_error_keeps_every_identifier_but_ours():
    hers = {"system": "urn:ward", "value": "12"}
    ours = {"system": IDENTITY_SYSTEM, "value": "x"}
    plan = {"resourceType": "CarePlan", "status": "active", "identifier": [ours, hers]}
    assert in_error(plan) == {**plan, "status": "entered-in-error", "identifier": [hers]}
    assert in_error({**plan, "identifier": [ours]}) == {"resourceType": "CarePlan", "status": "entered-in-error"}
    goal = {"resourceType": "Goal", "lifecycleStatus": "active"}
    assert in_error(goal) == {"resourceType": "Goal", "lifecycleStatus": "entered-in-error"}


class Answering(ToldClient):
    """Creates are answered as told, one after the other."""

    def __init__(self, *answers: Written, found: tuple[Any, ...] = ()) -> None:
        super().__init__(*found)
        self.answers = list(answers)

    async def create(self, kind: str, body: Json, *, if_none_exist: str | None, request_id: str) -> Written:
        await super().create(kind, body, if_none_exist=if_none_exist, request_id=request_id)
        return self.answers.pop(0)


def made(resource_id: str | None, *, created: bool = True) -> Written:
    return Written(created=created, type="Goal", id=resource_id, version_id="1", body=None)


async def in_sequence(client: ToldClient, *changes: ResourceChange, stands: Written | None = None):
    asked: list[str] = []

    async def before_update(change: ResourceChange) -> None:
        asked.append(f"before {change.identity}")

    async def standing(change: ResourceChange) -> Written | None:
        asked.append(f"stands {change.identity}")
        return stands

    answers = await write_in_sequence(
        client, changes, (), request_id="r1", before_update=before_update, stands=standing
    )
    return answers, asked


async def test_a_create_that_was_answered_with_its_id_is_not_searched_for():
    client = Answering(made("7"))
    answers, asked = await in_sequence(client, GOAL)
    assert (answers, asked) == ((made("7"),), [])
    assert client.did("search") == []


async def test_a_create_that_was_answered_without_an_id_is_searched_for_so_that_others_can_refer_to_it():
    referring = msgspec.structs.replace(OTHER, body={**OTHER.body, "addresses": [{"reference": GOAL.full_url}]})
    client = Answering(made(None), made("8"), found=(stored(GOAL.body, "1", "12"),))
    answers, _ = await in_sequence(client, GOAL, referring)
    assert [answer.id for answer in answers] == ["12", "8"]
    assert client.sent[1]["addresses"] == [{"reference": "Goal/12"}]


async def test_a_create_that_is_found_nowhere_has_no_id():
    answers, _ = await in_sequence(Answering(made(None)), GOAL)
    assert [answer.id for answer in answers] == [None]


async def test_a_create_that_found_another_is_a_conflict_unless_what_it_found_is_ours():
    with pytest.raises(VersionConflictError):
        await in_sequence(Answering(made("7", created=False)), GOAL)
    answers, asked = await in_sequence(Answering(made("7", created=False)), GOAL, stands=made("7"))
    assert (answers, asked) == ((made("7"),), [f"stands {GOAL.identity}"])


async def test_before_an_update_it_is_asked_whether_it_has_moved_and_before_a_create_nothing_is():
    client = Answering(made("8"))
    _, asked = await in_sequence(client, OTHER, UPDATE)
    assert asked == [f"before {UPDATE.identity}"]
    assert client.did("update") == [("update", "Goal/7", "1", "r1")]


async def told(companion: Json, *done: tuple[ResourceChange, Written]) -> list[Json]:
    client = ToldClient()
    await send_companions(client, [companion], [GOAL, UPDATE], done, request_id="r1")
    return client.sent


PROVENANCE = {
    "resourceType": "Provenance",
    "target": [{"reference": GOAL.full_url}, {"reference": "Goal/7"}],
}


async def test_of_a_sequence_that_broke_off_a_provenance_names_what_was_written():
    assert await told(PROVENANCE, (GOAL, made("12"))) == [{**PROVENANCE, "target": [{"reference": "Goal/12"}]}]
    assert await told(PROVENANCE, (UPDATE, made(None))) == [{**PROVENANCE, "target": [{"reference": "Goal/7"}]}]
    assert await told(PROVENANCE) == []


async def test_of_a_sequence_that_broke_off_an_event_of_what_was_not_written_is_not_sent():
    entities = [{"what": None}, {"what": {"identifier": {"value": "r1"}}}, {"what": {"reference": GOAL.full_url}}]
    event = {"resourceType": "AuditEvent", "entity": entities}
    assert await told(event, (UPDATE, made("7"))) == []
    (sent,) = await told(event, (GOAL, made("12")))
    assert sent["entity"][2] == {"what": {"reference": "Goal/12"}}
    about_nothing = {"resourceType": "AuditEvent"}
    assert await told(about_nothing) == [about_nothing]


async def test_a_companion_goes_without_a_condition_under_the_id_of_the_write():
    client = ToldClient()
    await send_companions(client, [PROVENANCE], [GOAL, UPDATE], [(GOAL, made("12"))], request_id="r1")
    assert client.log == [("create", "Provenance", "None", "r1")]


async def test_a_companion_that_is_refused_stops_none_after_it():
    client = ToldClient()
    client.refuses = {"create": NO}
    event = {"resourceType": "AuditEvent"}
    await send_companions(client, [event, event], [GOAL], [(GOAL, made("12"))], request_id="r1")
    assert len(client.did("create")) == 2
