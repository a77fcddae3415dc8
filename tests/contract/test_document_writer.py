"""A plan as a document keeps the promises of `ports.PlanWriter` too: over the same writers, on the last rung."""

import msgspec
import pytest

from careplan_exchange.errors import OutcomeUnknownError, VersionConflictError
from careplan_exchange.model.changes import ResourceChange, WrittenResource
from tests.contract.test_plan_writer import World, intent_for, world  # noqa: F401 - the fixture
from tests.support.writing import an_update, creates


def a_document(world: World) -> ResourceChange:  # noqa: F811 - the fixture's name
    (document,) = creates(world.release, "document", **world.names)
    return document


def a_revision(world: World, of: WrittenResource) -> list[ResourceChange]:  # noqa: F811
    """A new document that replaces the one that was written, and the old one superseded."""
    first = a_document(world)
    identity = f"{first.identity[:-1]}{'a' if first.identity[-1] != 'a' else 'b'}"
    code = {"coding": [{"code": "replaces"}]} if world.release == "R5" else "replaces"
    body = {
        **first.body,
        "identifier": [{**first.body["identifier"][0], "value": identity}],
        "relatesTo": [{"code": code, "target": {"reference": f"DocumentReference/{of.id}"}}],
    }
    new = msgspec.structs.replace(
        first, identity=identity, full_url=f"{first.full_url[:-1]}0", body=body, ours=body
    )
    return [new, an_update(of, status="superseded")]


async def written(world: World) -> WrittenResource:  # noqa: F811
    (document,) = await world.writer.write(intent_for(world, [a_document(world)]), ())
    return document


async def test_a_document_is_held_as_it_was_written(world):  # noqa: F811
    document = await written(world)
    (held,) = await world.writer.current({"DocumentReference": {document.identity}})
    assert (held.id, held.version_id) == (document.id, document.version_id)
    meant = a_document(world).body["content"]
    assert [one["attachment"]["contentType"] for one in held.body["content"]] == [
        one["attachment"]["contentType"] for one in meant
    ]
    assert held.body["content"][1]["attachment"]["data"] == meant[1]["attachment"]["data"]


async def test_a_revision_replaces_the_document_in_one_step(world):  # noqa: F811
    before = await written(world)
    new, old = await world.writer.write(intent_for(world, a_revision(world, before)), ())
    assert (old.id, old.stored["status"]) == (before.id, "superseded")
    assert new.stored["status"] == "current"
    assert new.stored["relatesTo"][0]["target"]["reference"] == f"DocumentReference/{before.id}"


async def test_a_document_that_somebody_changed_is_not_replaced(world):  # noqa: F811
    before = await written(world)
    revision = a_revision(world, before)
    world.edit(before, description="A clinician's words")
    with pytest.raises(VersionConflictError):
        await world.writer.write(intent_for(world, revision), ())
    assert world.read(before)["description"] == "A clinician's words"
    assert await world.writer.current({"DocumentReference": {revision[0].identity}}) == ()


async def test_a_document_is_not_written_twice(world):  # noqa: F811
    await written(world)
    with pytest.raises(VersionConflictError):
        await world.writer.write(intent_for(world, [a_document(world)]), ())


@pytest.mark.parametrize(("lost", "outcome"), [("answer", "committed"), ("request", "absent")])
async def test_what_became_of_a_document_is_found_out(world, lost, outcome):  # noqa: F811
    intent = intent_for(world, [a_document(world)])
    world.lose(lost)
    with pytest.raises(OutcomeUnknownError):
        await world.writer.write(intent, ())
    settled = await world.writer.settle(intent, {})
    assert settled.outcome == outcome
    assert [each.identity for each in settled.written] == (
        [intent.changes[0].identity] if outcome == "committed" else []
    )
