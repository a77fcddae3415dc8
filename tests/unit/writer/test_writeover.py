"""Our version is written over, and the answer may be lost: by what the server shows afterwards."""

import msgspec
import pytest

from careplan_exchange.errors import OutcomeUnknownError, VersionConflictError
from careplan_exchange.fhir import Written
from careplan_exchange.model.changes import Json
from careplan_exchange.model.record import Resource
from careplan_exchange.writer.takeback import Done, take_back
from careplan_exchange.writer.writeover import write_over
from tests.support.told import ToldClient, stored
from tests.support.writing import an_update, as_written, creates

GOAL = creates()[0]
OURS = as_written(GOAL)
BEFORE: Json = {**GOAL.body, "description": {"text": "before"}}
ANOTHER: Json = {**GOAL.body, "description": {"text": "a clinician's, since"}}


class Losing(ToldClient):
    """Loses the answers to its first updates, `carried` of which says whether they were carried out; after each
    stands what `then` says, where it says anything."""

    def __init__(self, *carried: bool, then: Resource | None = None) -> None:
        super().__init__(now=stored(GOAL.body, "1"))
        self._carried = list(carried)
        self._then = then

    async def update(
        self, kind: str, resource_id: str, body: Json, *, version_id: str, request_id: str
    ) -> Written:
        self._note("update", f"{kind}/{resource_id}", version_id, request_id)
        self.sent.append(body)
        if not self._carried:
            return Written(created=False, type=kind, id=resource_id, version_id="2", body=None)
        if self._carried.pop(0):
            self.now = stored(body, "2")
        if self._then is not None:
            self.now = self._then
        raise OutcomeUnknownError("No answer.", mend="Look.")

    def updates(self) -> int:
        return len(self.did("update"))


async def over(client: ToldClient) -> str | None:
    return await write_over(client, OURS, BEFORE, request_id="r1")


async def test_an_answer_says_which_version_it_made():
    client = Losing()
    assert await over(client) == "2"
    assert client.log == [("update", "Goal/7", "1", "r1")]


async def test_a_lost_answer_is_looked_for_past_all_caches_and_nothing_is_sent_twice():
    client = Losing(True)
    assert await over(client) == "2"
    assert client.log == [("update", "Goal/7", "1", "r1"), ("find", "Goal/7", "True")]


async def test_what_never_arrived_is_sent_once_more_over_the_same_version():
    client = Losing(False)
    assert await over(client) == "2"
    assert client.did("update") == [("update", "Goal/7", "1", "r1")] * 2
    assert client.sent == [BEFORE, BEFORE]


async def test_of_a_second_lost_answer_the_same_is_asked():
    client = Losing(False, True)
    assert await over(client) == "2"
    assert client.updates() == 2


async def test_it_is_given_up_after_two():
    client = Losing(False, False)
    with pytest.raises(OutcomeUnknownError):
        await over(client)
    assert client.updates() == 2


@pytest.mark.parametrize("carried", [True, False])
async def test_where_somebody_has_changed_it_since_nothing_is_sent_again(carried: bool):
    client = Losing(carried, then=stored(ANOTHER, "3"))
    with pytest.raises(OutcomeUnknownError):
        await over(client)
    assert client.updates() == 1


async def test_what_is_gone_since_is_not_made_again():
    client = Losing(False)
    client.now = None
    with pytest.raises(OutcomeUnknownError):
        await over(client)
    assert client.updates() == 1


async def test_another_error_is_the_servers_answer():
    client = Losing()
    client.refuses = {"update": VersionConflictError("Changed.", mend="Read.")}
    with pytest.raises(VersionConflictError):
        await over(client)
    assert client.did("find") == []


async def test_what_is_taken_back_with_a_lost_answer_is_named_by_the_version_that_it_made():
    update = an_update(as_written(GOAL), description={"text": "ours"})
    update = msgspec.structs.replace(update, version_id="0")  # what it was made over
    left, undone = await take_back(Losing(True), [Done(update, OURS)], request_id="r1")
    assert left == {}
    assert [(one.how, one.version_id, one.restores) for one in undone] == [("update", "2", "0")]
