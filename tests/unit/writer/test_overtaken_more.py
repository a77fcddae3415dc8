"""What is not taken for an update that replaced somebody's version, and what is said of one that was."""

from functools import partial

import msgspec
import pytest

from careplan_exchange.errors import VersionConflictError
from careplan_exchange.model.changes import Json, ResourceChange, Undone, WrittenResource
from careplan_exchange.writer.confirm import Overwritten
from careplan_exchange.writer.overtaken import mended, overtaken
from careplan_exchange.writer.settle import Sighting, Target, Version, judge
from tests.support.told import ToldClient, stored
from tests.support.writing import an_update, as_written, creates, lost_update

GOAL, OTHER = creates()[:2]
OURS = an_update(as_written(GOAL), description={"text": "ours"})
THEIRS: Json = {**GOAL.body, "description": {"text": "a clinician's"}}


def seen(change: ResourceChange, *bodies: Json, whole: bool = True) -> Sighting:
    """Its versions, the oldest first here."""
    versions = [Version(version_id=str(number), body=body) for number, body in enumerate(bodies, 1)]
    return Sighting(type=change.type, id="7", versions=tuple(reversed(versions)), whole=whole)


async def found(
    change: ResourceChange, sighting: Sighting, version: str, *deleted: str
) -> tuple[Overwritten, ...]:
    """On a server that says of the versions `deleted` that they are deletions."""
    one = msgspec.structs.replace(as_written(change), version_id=version, action=change.action)
    client = ToldClient()
    client.deleted = frozenset(deleted)
    replaced = await overtaken(client, [change], [one], {change.identity: sighting})
    assert {call for call in client.log if call[0] != "was_deleted"} == set()
    return replaced


async def test_a_create_replaces_nobodys_version_even_where_another_stood_under_its_identity_before():
    assert await found(GOAL, seen(GOAL, THEIRS, GOAL.body), "2") == ()


async def test_an_update_that_made_no_version_of_its_own_replaced_none():
    standing = msgspec.structs.replace(OURS, version_id="2")
    assert await found(standing, seen(standing, THEIRS, OURS.body), "2") == ()


async def test_an_update_whose_version_is_not_shown_replaced_none_that_anybody_could_name():
    assert await found(OURS, seen(OURS, GOAL.body, THEIRS, THEIRS), "") == ()


async def test_what_was_replaced_is_named_with_the_change_our_version_and_theirs():
    sighting = seen(OURS, GOAL.body, THEIRS, OURS.body)
    (one,) = await found(OURS, sighting, "3")
    assert (one.change, one.written.version_id, one.between) == (OURS, "3", sighting.versions[1])


def between(sighting: Sighting, *versions: str) -> Sighting:
    """The same, with other numbers: the oldest first here."""
    numbered = zip(sighting.versions, reversed(versions), strict=True)
    shown = tuple(msgspec.structs.replace(one, version_id=number) for one, number in numbered)
    return msgspec.structs.replace(sighting, versions=shown)


async def test_a_deletion_after_an_edit_is_what_was_replaced_and_not_the_edit():
    sighting = between(seen(OURS, GOAL.body, THEIRS, OURS.body), "1", "2", "4")
    (deleted,) = await found(OURS, sighting, "4", "3")
    assert deleted.between is None
    (edited,) = await found(OURS, sighting, "4")
    assert edited.between is not None
    assert edited.between.version_id == "2"


async def test_versions_that_are_no_numbers_are_told_apart_and_no_deletion_is_looked_for():
    over = msgspec.structs.replace(OURS, version_id="a")
    following = between(seen(OURS, GOAL.body, OURS.body), "a", "b")
    assert await found(over, following, "b", "b", "a") == ()
    half = between(seen(OURS, GOAL.body, OURS.body), "a", "4")
    assert await found(over, half, "4", "3") == ()


async def test_a_server_is_asked_about_a_deletion_only_where_a_number_is_missing():
    client = ToldClient()
    one = msgspec.structs.replace(as_written(OURS), version_id="2", action="update")
    assert await overtaken(client, [OURS], [one], {OURS.identity: seen(OURS, GOAL.body, OURS.body)}) == ()
    assert client.log == []
    one = msgspec.structs.replace(one, version_id="5")
    leapt = between(seen(OURS, GOAL.body, OURS.body), "1", "5")
    assert await overtaken(client, [OURS], [one], {OURS.identity: leapt}) == ()
    assert client.log == [("was_deleted", "Goal/7", "4")]


async def settled(client: ToldClient, *sightings: Sighting, changes: tuple[ResourceChange, ...] = (OURS,)):
    by_identity = {change.identity: one for change, one in zip(changes, sightings, strict=True)}
    settlement = judge(changes, by_identity, Target(base_url=client.base_url, atomic=True), {})
    replaced = await overtaken(client, changes, settlement.written, by_identity)
    return await mended(client, settlement, replaced, by_identity, request_id="r1")


async def test_what_an_earlier_run_has_put_back_is_told_as_put_back_with_both_versions():
    client = ToldClient()
    sighting = seen(OURS, GOAL.body, THEIRS, OURS.body, THEIRS)
    (one,) = (await settled(client, sighting)).undone
    ours = WrittenResource(
        identity=OURS.identity, type="Goal", id="7", version_id="3", action="update", stored=OURS.body
    )
    assert one == Undone(written=ours, how="update", version_id="4", restores="2", put_back=True)


async def test_a_version_like_the_first_one_is_put_back_where_ours_is_the_newest():
    """Nobody has put it back yet: that the first version says the same is no answer to that."""
    client = ToldClient(now=stored(OURS.body, "3"))
    one = await settled(client, seen(OURS, GOAL.body, GOAL.body, OURS.body))
    assert [(each.restores, each.put_back) for each in one.undone] == [("2", True)]
    assert client.did("update") == [("update", "Goal/7", "3", "r1")]
    assert client.sent == [GOAL.body]


@pytest.mark.parametrize("back", [True, False])
async def test_of_two_that_replaced_something_only_the_one_that_could_not_be_put_back_stays_and_is_named(back):
    other = msgspec.structs.replace(
        an_update(as_written(OTHER), note=[{"text": "ours"}]), identity=OTHER.identity, id="7"
    )
    theirs = {**OTHER.body, "description": {"text": "a clinician's"}}
    after = [THEIRS] if back else []  # of the first one: an earlier run has put it back, or nobody has
    client = ToldClient(now=stored(theirs, "9"))
    one = await settled(
        client,
        seen(OURS, GOAL.body, THEIRS, OURS.body, *after),
        seen(other, OTHER.body, theirs, other.body),
        changes=(OURS, other),
    )
    standing = [other.identity] if back else [OURS.identity, other.identity]
    assert [each.identity for each in one.written] == standing
    assert [each.written.identity for each in one.undone] == ([OURS.identity] if back else [])
    assert one.outcome == ("partial" if back else "committed")
    assert len(one.issues) == 2
    assert client.did("update") == []


async def test_a_server_that_the_look_has_found_out_is_read_right_before_the_next_update(server, writer):
    server.checks_versions = False
    edit = partial(server.edit, description={"text": "a clinician's"})
    intent = await lost_update(server, writer, edit)
    await writer.settle(intent, {})
    sent = len(server.writes)
    with pytest.raises(VersionConflictError, match="it was not written"):
        await writer.write(intent, ())
    assert len(server.writes) == sent
