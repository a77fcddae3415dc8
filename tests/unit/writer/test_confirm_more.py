"""What is believed of an answer, and when somebody was overwritten, answer by answer."""

from typing import Any

import msgspec
import pytest

from careplan_exchange.errors import (
    OutcomeUnknownError,
    RefusedError,
    UnavailableError,
    UnsupportedServerError,
    VersionConflictError,
)
from careplan_exchange.fhir import Written
from careplan_exchange.model.changes import Json, ResourceChange, WrittenResource
from careplan_exchange.model.codec import decode
from careplan_exchange.writer.confirm import Overwritten, as_answered, confirmed, overwritten
from careplan_exchange.writer.putback import as_error, put_back
from careplan_exchange.writer.settle import Version
from tests.support.told import ToldClient, stored
from tests.support.writing import an_update, as_written, creates

GOAL, OTHER = creates()[:2]
UPDATE = an_update(as_written(GOAL), description={"text": "ours"})
ECHO: Json = {**UPDATE.body, "note": [{"text": "as sent"}]}
ELSE: Json = {**GOAL.body, "description": {"text": "a clinician's"}}


def answer(version: str | None = "2", **elements: Any) -> Written:
    standard = {"created": False, "type": "Goal", "id": "7", "body": None}
    return Written(**(standard | {"version_id": version} | elements))


async def confirm(client: ToldClient, change: ResourceChange, said: Written) -> WrittenResource:
    (one,) = await confirmed(client, [(change, said)])
    return one


async def test_what_was_read_back_is_believed_and_not_the_body_that_the_answer_repeats():
    client = ToldClient(stored(UPDATE.body, "2"))
    one = await confirm(client, UPDATE, answer(body=ECHO))
    assert (one.identity, one.type, one.id, one.version_id, one.action) == (
        GOAL.identity,
        "Goal",
        "7",
        "2",
        "update",
    )
    assert one.stored == decode(client.found[0].content)
    assert client.log == [("search", "True")]


async def test_an_answer_without_a_version_is_that_of_what_is_found():
    one = await confirm(ToldClient(stored(UPDATE.body, "5")), UPDATE, answer(None, body=ECHO))
    assert (one.version_id, one.stored["meta"]) == ("5", {"versionId": "5"})


async def test_where_somebody_edited_right_after_the_answer_is_ours_and_no_version_is_looked_for():
    client = ToldClient(stored(ELSE, "3"))
    one = await confirm(client, UPDATE, answer(body=ECHO))
    assert (one.id, one.version_id, one.stored) == ("7", "2", ECHO)
    assert client.did("read", "history") == []


async def test_an_update_that_the_search_does_not_find_any_more_is_that_of_the_answer():
    one = await confirm(ToldClient(), UPDATE, answer(body=ECHO))
    assert (one.version_id, one.stored) == ("2", ECHO)


@pytest.mark.parametrize(
    "said", [answer(None, body=ECHO), answer("2"), answer("2", id=None), answer("2", id=None, body=ECHO)]
)
async def test_an_answer_that_does_not_say_enough_is_read_past_every_cache(said):
    client = ToldClient(now=stored(UPDATE.body, "2"))
    one = await confirm(client, UPDATE, said)
    assert (one.id, one.version_id, one.stored) == ("7", "2", decode(stored(UPDATE.body, "2").content))
    assert client.did("read", "history") == [("read", "Goal/7", "True")]


async def test_the_id_that_the_answer_gives_is_read_before_the_one_that_was_asked_for():
    client = ToldClient(now=stored(UPDATE.body, "2", "9"))
    await confirm(client, UPDATE, answer("2", id="9"))
    assert client.did("read") == [("read", "Goal/9", "True")]


async def test_our_own_version_is_looked_for_where_another_stands():
    versions = [stored(ELSE, "3"), stored(UPDATE.body, "2"), stored(GOAL.body, "1")]
    client = ToldClient(now=versions[0], versions=versions)
    one = await confirm(client, UPDATE, answer("2"))
    assert (one.version_id, one.stored["description"]) == ("2", {"text": "ours"})


async def test_a_version_that_is_nowhere_leaves_the_outcome_unknown():
    client = ToldClient(now=stored(ELSE, "3"), versions=[stored(ELSE, "3")])
    with pytest.raises(OutcomeUnknownError, match="has no version 2"):
        await confirm(client, UPDATE, answer("2"))


async def test_a_server_that_names_no_version_at_all_gives_an_empty_one():
    one = await confirm(ToldClient(now=stored(UPDATE.body, None)), UPDATE, answer(None))
    assert one.version_id == ""


async def test_a_create_that_is_found_nowhere_and_an_update_that_moved_are_refused():
    with pytest.raises(UnsupportedServerError, match="does not find it"):
        await confirm(ToldClient(), GOAL, answer("1", created=True, body=GOAL.body))
    with pytest.raises(UnsupportedServerError, match="now has it as Goal/9"):
        await confirm(ToldClient(stored(UPDATE.body, "2", "9")), UPDATE, answer(body=ECHO))


async def test_a_create_may_have_any_id():
    one = await confirm(ToldClient(stored(GOAL.body, "1", "9")), GOAL, answer("1", created=True, id="9"))
    assert one.id == "9"


async def replaced(after: str, *history: str, before: str = "2", created: bool = False, shows: bool = True):
    """Overwritten, of an update over `before` after which the server says `after`."""
    change = msgspec.structs.replace(UPDATE, version_id=before)
    client = ToldClient(versions=[stored(ELSE, version) for version in history] if shows else None)
    said = answer(after, created=created)
    one = as_written(GOAL)
    one = msgspec.structs.replace(one, version_id=after, action="update")
    return await overwritten(client, [(change, said)], [one]), client


@pytest.mark.parametrize(
    ("before", "after", "history"),
    [
        ("2", "2", ("2", "1")),  # an update that changes nothing makes no version on some servers
        ("a", "a", ("a", "0")),
        ("2", "3", ("3", "x", "2")),  # numbers that follow each other need no request
    ],
)
async def test_nobody_is_asked_where_the_versions_say_that_nothing_came_between(before, after, history):
    found, client = await replaced(after, *history, before=before)
    assert found == ()
    assert client.log == []


@pytest.mark.parametrize(
    ("before", "after", "history", "between"),
    [
        ("2", "4", ("4", "3", "2", "1"), "3"),
        ("2", "5", ("5", "4", "3", "2"), "4"),
        ("2", "4", ("6", "5", "4", "3", "2"), "3"),
        ("a", "c", ("c", "b", "a"), "b"),
        ("2", "b", ("b", "a", "2"), "a"),
        ("a", "3", ("3", "2", "a"), "2"),
        ("", "3", ("3", "2"), "2"),
    ],
)
async def test_what_stood_right_before_our_version_and_is_not_what_it_was_made_over_was_overwritten(
    before, after, history, between
):
    (found,), client = await replaced(after, *history, before=before)
    assert found.between is not None
    assert (found.between.version_id, found.written.version_id) == (between, after)
    assert client.log == [("history", "Goal/7")]
    assert f"version {between} by somebody else was replaced by our version {after}" in found.what


@pytest.mark.parametrize(
    ("before", "after", "history"),
    [
        ("2", "4", ("4", "2", "1")),  # numbers may leap
        ("a", "b", ("c", "b", "a", "0")),
        ("2", "4", ("5", "3", "2")),  # ours is not shown
        ("2", "4", ("5", "4")),  # nothing before ours is shown
    ],
)
async def test_where_history_shows_nothing_between_nobody_was_overwritten(before, after, history):
    found, _ = await replaced(after, *history, before=before)
    assert found == ()


async def test_a_server_that_shows_no_history_is_believed_and_one_that_cannot_be_asked_is_not():
    found, client = await replaced("4", shows=False)
    assert found == ()
    client.refuses = {"history": UnavailableError("Gone.", mend="Wait.")}
    with pytest.raises(OutcomeUnknownError):
        await overwritten(
            client, [(UPDATE, answer("4"))], [msgspec.structs.replace(as_written(GOAL), version_id="4")]
        )


async def test_an_update_that_made_the_resource_anew_is_told_once_and_needs_no_history():
    (found,), client = await replaced("5", "5", "4", "3", "2", created=True)
    assert found.between is None
    assert client.log == []
    assert "was deleted since it was read" in found.what


async def test_a_create_overwrites_nobody():
    client = ToldClient(versions=[stored(GOAL.body, "4"), stored(ELSE, "3")])
    one = msgspec.structs.replace(as_written(GOAL), version_id="4")
    assert await overwritten(client, [(GOAL, answer("4", created=True))], [one]) == ()
    assert client.log == []


def test_what_answers_say_without_id_or_version_cannot_be_taken_back():
    full, bare = answer("2", body=ECHO), answer("3")
    done = [(UPDATE, full), (UPDATE, bare), (UPDATE, answer(None, body=ECHO)), (UPDATE, answer("2", id=None))]
    assert [(one.version_id, one.stored) for _, one in as_answered(done)] == [("2", ECHO), ("3", {})]


OURS = msgspec.structs.replace(as_written(GOAL), version_id="4", action="update")
BETWEEN = Version(version_id="3", body=decode(stored(ELSE, "3").content))
REPLACED = Overwritten(UPDATE, OURS, BETWEEN)
REVIVED = Overwritten(UPDATE, OURS, None)


async def restored(client: ToldClient, *found: Overwritten) -> frozenset[str]:
    undone = await put_back(client, found, request_id="r1")
    assert all(one.put_back for one in undone)
    return frozenset(one.written.identity for one in undone)


async def test_what_somebody_wrote_is_written_over_our_own_version_and_no_other():
    client = ToldClient(now=stored(UPDATE.body, "4"))
    assert await restored(client, REPLACED) == {GOAL.identity}
    assert client.log == [("find", "Goal/7", "True"), ("update", "Goal/7", "4", "r1")]
    assert client.sent == [BETWEEN.body]


async def test_what_somebody_deleted_is_deleted_again():
    client = ToldClient(now=stored(UPDATE.body, "4"))
    assert await restored(client, REVIVED) == {GOAL.identity}
    assert client.log == [("find", "Goal/7", "True"), ("delete", "Goal/7", "4", "r1")]


@pytest.mark.parametrize("found", [REPLACED, REVIVED])
async def test_what_somebody_has_changed_since_is_left(found):
    client = ToldClient(now=stored(ELSE, "5"))
    assert await restored(client, found) == frozenset()
    assert client.did("update", "delete") == []


async def test_what_is_gone_is_as_somebody_left_it_only_where_it_was_deleted_before():
    assert await restored(ToldClient(), REVIVED) == {GOAL.identity}
    gone = ToldClient()
    assert await restored(gone, REPLACED) == frozenset()
    assert gone.did("update", "delete") == []


@pytest.mark.parametrize("step", ["find", "update"])
async def test_what_the_server_will_not_have_put_back_is_not_restored(step):
    client = ToldClient(now=stored(UPDATE.body, "4"))
    client.refuses = {step: RefusedError("No.", mend="None.")}
    assert await restored(client, REPLACED) == frozenset()


def test_only_what_is_all_put_back_is_a_conflict_that_a_new_run_mends():
    other = Overwritten(an_update(as_written(OTHER)), as_written(OTHER), BETWEEN)
    whole = as_error([REPLACED, other], frozenset({GOAL.identity, OTHER.identity}))
    assert isinstance(whole, VersionConflictError)
    assert [(issue.key, issue.severity, issue.source) for issue in whole.issues] == [
        ("write.if-match-ignored", "error", "Goal/7")
    ] * 2
    part = as_error([REPLACED, other], frozenset({GOAL.identity}))
    assert isinstance(part, UnsupportedServerError)
    assert len(part.issues) == 2
    assert other.what in part.detail
    assert part.detail.count("was replaced by our version") == 1
