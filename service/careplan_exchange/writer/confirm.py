"""After the server has said yes: is it so? Exactly one of each, nobody overwritten, and the body it stored.

What is found is told, not mended: takeback.py and putback.py do that.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from careplan_exchange.errors import (
    CareplanError,
    DuplicateError,
    OutcomeUnknownError,
    RefusedError,
    UnsupportedServerError,
)
from careplan_exchange.fhir import FhirClient, Written
from careplan_exchange.model.changes import Held, Json, ResourceChange, WrittenResource, identities_of
from careplan_exchange.model.codec import decode
from careplan_exchange.model.record import Resource

from .current import current
from .settle import Version

Answered = tuple[ResourceChange, Written]


class Overwritten(NamedTuple):
    """Our update replaced what somebody else wrote since it was read: `between`, None where they deleted it."""

    change: ResourceChange
    written: WrittenResource
    between: Version | None

    @property
    def what(self) -> str:
        if self.between is None:
            return f"{self.change.reference} was deleted since it was read and has been made again"
        return (
            f"{self.change.reference}: version {self.between.version_id} by somebody else was replaced by our "
            f"version {self.written.version_id}"
        )


async def confirmed(client: FhirClient, done: Sequence[Answered]) -> tuple[WrittenResource, ...]:
    """The resources as stored, in this order, read back past every cache.

    Raises DuplicateError where an identity now stands twice, UnsupportedServerError where the server does not
    find what it made or made it under another id, OutcomeUnknownError where it could not be asked any more.
    """
    try:
        changes = [change for change, _ in done]
        held = {one.identity: one for one in await current(client, identities_of(changes))} if changes else {}
        return tuple([await _stored(client, change, answer, held) for change, answer in done])
    except (DuplicateError, UnsupportedServerError):
        raise
    except CareplanError as error:
        raise _cannot_ask(error) from error


async def overwritten(
    client: FhirClient, done: Sequence[Answered], written: Sequence[WrittenResource]
) -> tuple[Overwritten, ...]:
    """The updates whose version does not follow the one that they were made over. Some servers ignore `ifMatch`
    inside a transaction, and some make again with PUT what somebody has deleted.

    Numbers that follow each other need no request. A server without history cannot be asked: there `If-Match` is
    all there is. Raises OutcomeUnknownError.
    """
    found = []
    for (change, answer), one in zip(done, written, strict=True):
        if change.action != "update":
            continue
        if answer.created:
            found.append(Overwritten(change, one, None))
            continue
        try:
            between = await _between(client, change, one)
        except CareplanError as error:
            raise _cannot_ask(error) from error
        if between is not None:
            found.append(Overwritten(change, one, between))
    return tuple(found)


async def _stored(
    client: FhirClient, change: ResourceChange, answer: Written, held: Mapping[str, Held]
) -> WrittenResource:
    seen = held.get(change.identity)
    if change.action == "create" and seen is None:
        raise UnsupportedServerError(
            f"{change.type}/{answer.id} was created, but the server does not find it by its identifier.",
            mend="See that the server indexes `identifier` for this type; without it nothing is safe to repeat.",
        )
    if change.action == "update" and seen is not None and seen.id != change.id:
        raise UnsupportedServerError(
            f"{change.reference} was updated, and the server now has it as {seen.reference}.",
            mend="A server that changes the ids of what it holds cannot be written to; use another as --target.",
        )
    if seen is not None and answer.version_id in {None, seen.version_id}:
        return _written(change, seen.id, seen.version_id, seen.body)
    if answer.body is not None and answer.id and answer.version_id:
        return _written(change, answer.id, answer.version_id, answer.body)
    found = await _version(client, change.type, answer.id or change.id or "", answer.version_id)
    return _written(change, found.id, found.version_id or "", decode(found.content))


async def _version(client: FhirClient, resource_type: str, resource_id: str, version_id: str | None) -> Resource:
    """The version that our write made; where the server never said which, the current one."""
    found = await client.read(resource_type, resource_id, no_cache=True)
    if version_id is None or found.version_id == version_id:
        return found
    for version in await client.history(resource_type, resource_id):
        if version.version_id == version_id:
            return version
    raise OutcomeUnknownError(
        f"{resource_type}/{resource_id} has no version {version_id}, which the server said it made.",
        mend="Run the same command again: what became of the write is looked up before anything is sent.",
    )


async def _between(client: FhirClient, change: ResourceChange, written: WrittenResource) -> Version | None:
    before, after = change.version_id or "", written.version_id
    if after == before or (before.isdigit() and after.isdigit() and int(after) == int(before) + 1):
        return None
    try:
        versions = await client.history(change.type, written.id)
    except RefusedError:
        return None  # it keeps no history, or shows none
    older = [version.version_id for version in versions]
    if after not in older or older.index(after) + 1 == len(older):
        return None
    followed = versions[older.index(after) + 1]
    if followed.version_id == before:
        return None
    return Version(version_id=followed.version_id or "", body=decode(followed.content))


def _cannot_ask(error: CareplanError) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"The server took the write and then could not be asked what it stored: {error.detail}", mend=error.mend
    )


def as_answered(done: Sequence[Answered]) -> tuple[tuple[ResourceChange, WrittenResource], ...]:
    """What the answers alone say was written, where they say enough to take it back."""
    return tuple(
        (change, _written(change, answer.id, answer.version_id, answer.body or {}))
        for change, answer in done
        if answer.id and answer.version_id
    )


def _written(change: ResourceChange, resource_id: str, version_id: str, body: Json) -> WrittenResource:
    return WrittenResource(
        identity=change.identity,
        type=change.type,
        id=resource_id,
        version_id=version_id,
        action=change.action,
        stored=body,
    )
