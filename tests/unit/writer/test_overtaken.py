"""A settled update that stands in place of what somebody else wrote: noticed in the versions, and put back."""

from functools import partial

import pytest

from careplan_exchange.errors import RefusedError
from careplan_exchange.model.changes import Json, ResourceChange, Settlement
from careplan_exchange.writer.overtaken import mended, overtaken
from careplan_exchange.writer.settle import Sighting, Target, Version, judge
from tests.support.told import ToldClient, stored
from tests.support.writing import an_intent, an_update, as_written, creates, lost_update

GOAL, OTHER = creates()[:2]
OURS = an_update(as_written(GOAL), description={"text": "ours"})
THEIRS: Json = {**GOAL.body, "description": {"text": "a clinician's"}}
LATER: Json = {**GOAL.body, "description": {"text": "a clinician's, later"}}


def seen(*bodies: Json, change: ResourceChange = OURS, resource_id: str = "7") -> Sighting:
    """Its versions, the oldest first here."""
    versions = [
        Version(version_id=str(number), body={**body, "id": resource_id, "meta": {"versionId": str(number)}})
        for number, body in enumerate(bodies, 1)
    ]
    return Sighting(type=change.type, id=resource_id, versions=tuple(reversed(versions)), whole=True)


async def settled(client: ToldClient, *pairs: tuple[ResourceChange, Sighting]) -> tuple[int, Settlement]:
    """How many are found to have replaced something, and what becomes of the write then."""
    changes = [change for change, _ in pairs]
    sightings = {change.identity: one for change, one in pairs}
    settlement = judge(changes, sightings, Target(base_url=client.base_url, atomic=True), {})
    found = await overtaken(client, changes, settlement.written, sightings)
    return len(found), await mended(client, settlement, found, sightings, request_id="r1")


@pytest.mark.parametrize(
    "versions",
    [
        (GOAL.body, OURS.body),
        (GOAL.body, OURS.body, LATER),  # somebody changed ours
        (GOAL.body, OURS.body, THEIRS, OURS.body),  # a body that was sent again, by somebody else
    ],
)
async def test_what_follows_the_version_that_it_was_made_over_replaced_nobodys(versions):
    count, one = await settled(ToldClient(), (OURS, seen(*versions)))
    assert (count, one.outcome, one.undone, one.issues) == (0, "committed", (), ())


async def test_what_somebody_wrote_in_between_is_put_back_and_the_write_is_due_anew():
    client = ToldClient(now=stored(OURS.body, "3"))
    count, one = await settled(client, (OURS, seen(GOAL.body, THEIRS, OURS.body)))
    assert (count, one.outcome, one.written, one.issues) == (1, "absent", (), ())
    assert [(each.how, each.restores, each.put_back) for each in one.undone] == [("update", "2", True)]
    assert one.undone[0].written.version_id == "3"
    assert client.did("update") == [("update", "Goal/7", "3", "r1")]
    assert client.sent[0]["description"] == THEIRS["description"]


async def test_what_an_earlier_run_has_put_back_is_named_and_nothing_is_sent():
    client = ToldClient(now=stored(THEIRS, "4"))
    count, one = await settled(client, (OURS, seen(GOAL.body, THEIRS, OURS.body, THEIRS)))
    assert (count, one.outcome, one.issues) == (1, "absent", ())
    assert [(each.how, each.version_id, each.restores) for each in one.undone] == [("update", "4", "2")]
    assert client.log == []


async def test_it_was_put_back_too_where_somebody_has_edited_since():
    client = ToldClient(now=stored(LATER, "5"))
    _, one = await settled(client, (OURS, seen(GOAL.body, THEIRS, OURS.body, THEIRS, LATER)))
    assert [each.version_id for each in one.undone] == ["4"]
    assert client.log == []


async def test_where_somebody_has_changed_ours_since_nothing_is_touched_and_the_versions_are_named():
    client = ToldClient(now=stored(LATER, "4"))
    _, one = await settled(client, (OURS, seen(GOAL.body, THEIRS, OURS.body, LATER)))
    assert (one.outcome, one.undone) == ("committed", ())
    assert [each.version_id for each in one.written] == ["3"]
    assert [issue.key for issue in one.issues] == ["write.if-match-ignored"]
    assert "version 2 by somebody else was replaced by our version 3" in one.issues[0].detail
    assert client.did("update") == []


async def test_what_the_server_will_not_have_put_back_is_told():
    client = ToldClient(now=stored(OURS.body, "3"))
    client.refuses = {"update": RefusedError("No.", mend="None.")}
    _, one = await settled(client, (OURS, seen(GOAL.body, THEIRS, OURS.body)))
    assert (one.outcome, one.undone, len(one.written), len(one.issues)) == ("committed", (), 1, 1)


async def test_what_replaced_nobodys_stays_written():
    client = ToldClient(now=stored(OURS.body, "3"))
    other = (OTHER, seen(OTHER.body, change=OTHER, resource_id="8"))
    _, one = await settled(client, (OURS, seen(GOAL.body, THEIRS, OURS.body)), other)
    assert (one.outcome, [each.id for each in one.written]) == ("partial", ["8"])
    assert [each.written.id for each in one.undone] == ["7"]


async def test_where_the_versions_before_are_not_kept_nobody_can_say():
    kept = seen(GOAL.body, THEIRS, OURS.body)
    only = Sighting(type=kept.type, id=kept.id, versions=kept.versions[:1], whole=True)
    count, one = await settled(ToldClient(), (OURS, only))
    assert (count, one.outcome) == (0, "committed")


async def test_an_answer_that_was_lost_on_a_server_that_ignores_if_match_is_mended_by_the_next_look(
    server, writer
):
    """Over the wire: what somebody wrote between our read and our update stands again, and the server is known."""
    server.checks_versions = False
    edit = partial(server.edit, description={"text": "a clinician's"})
    intent = await lost_update(server, writer, edit)
    assert server.of("Goal")[0]["description"] == {"text": "ours"}
    one = await writer.settle(intent, {})
    assert (one.outcome, len(one.undone)) == ("absent", 1)
    assert server.of("Goal")[0]["description"] == {"text": "a clinician's"}
    assert (await writer.settle(intent, {})).undone == one.undone


async def lost_over_a_deletion(server, writer):
    """On a server that looks at versions, and makes again with an update what somebody has just deleted."""
    intent = await lost_update(server, writer, server.delete)
    assert len(server.of("Goal")) == 1
    return intent


async def test_what_an_update_without_an_answer_has_made_again_is_deleted_again(server, writer):
    intent = await lost_over_a_deletion(server, writer)
    one = await writer.settle(intent, {})
    assert (one.outcome, one.written, one.issues) == ("absent", (), ())
    assert [(each.how, each.written.version_id, each.put_back) for each in one.undone] == [("delete", "3", True)]
    assert server.of("Goal") == []


async def test_what_somebody_has_edited_after_it_came_back_is_left_and_told(server, writer):
    intent = await lost_over_a_deletion(server, writer)
    server.edit(f"Goal/{server.of('Goal')[0]['id']}", description={"text": "a clinician's, later"})
    one = await writer.settle(intent, {})
    assert (one.outcome, one.undone, [issue.key for issue in one.issues]) == (
        "committed",
        (),
        ["write.if-match-ignored"],
    )
    assert len(server.of("Goal")) == 1


async def test_numbers_that_leap_are_no_deletion(server, writer):
    server.version_of = lambda number: str(10 * number)
    intent = await lost_update(server, writer, lambda _: None)
    one = await writer.settle(intent, {})
    assert (one.outcome, one.undone) == ("committed", ())


async def test_a_server_that_made_a_deleted_resource_again_is_not_taken_for_one_that_ignores_if_match(
    server, writer
):
    intent = await lost_over_a_deletion(server, writer)
    await writer.settle(intent, {})
    (other,) = await writer.write(an_intent(creates()[1:2]), ())
    (updated,) = await writer.write(an_intent([an_update(other, description={"text": "ours"})]), ())
    assert [issue.key for issue in updated.issues] == []
