"""One request after the other: where it stops, and what is said then."""

import pytest

from careplan_exchange.errors import OutcomeUnknownError
from careplan_exchange.fhir import Written
from careplan_exchange.model.changes import Json, ResourceChange
from careplan_exchange.model.issue import Issue
from careplan_exchange.writer.sequence import write_in_sequence
from tests.support.told import ToldClient
from tests.support.writing import creates

CHANGES = creates()
LOST = Issue(severity="error", code="timeout", key="write.lost-answer", detail="x")


class Failing(ToldClient):
    """Answers so many creates; the next has no answer."""

    def __init__(self, answered: int) -> None:
        super().__init__()
        self._answered = answered

    async def create(self, kind: str, body: Json, *, if_none_exist: str | None, request_id: str) -> Written:
        await super().create(kind, body, if_none_exist=if_none_exist, request_id=request_id)
        if len(self.sent) > self._answered:
            raise OutcomeUnknownError("No answer.", mend="Look.", issues=(LOST,))
        return Written(created=True, type=kind, id=str(len(self.sent)), version_id="1", body=None)


async def nothing(_: ResourceChange) -> None:
    return None


@pytest.mark.parametrize("answered", [0, 1, 3])
async def test_after_a_request_without_an_answer_nothing_more_is_sent(answered):
    client = Failing(answered)
    companions = [{"resourceType": "Provenance", "target": []}]
    with pytest.raises(
        OutcomeUnknownError, match=f"{answered} of 4 resources were written, then: No answer"
    ) as caught:
        await write_in_sequence(
            client, CHANGES, companions, request_id="r1", before_update=nothing, stands=nothing
        )
    assert caught.value.issues == (LOST,)
    assert len(client.log) == answered + 1
