"""After the server has said yes: is it so? Exactly one of each, nobody overwritten, and the body it stored."""

from collections.abc import Mapping, Sequence

from careplan_exchange.errors import (
    CareplanError,
    DuplicateError,
    OutcomeUnknownError,
    UnsupportedServerError,
    VersionConflictError,
)
from careplan_exchange.fhir import FhirClient, Written
from careplan_exchange.model.changes import Held, Json, ResourceChange, WrittenResource
from careplan_exchange.model.codec import decode
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.record import Resource

from .current import current, wanted


async def confirmed(
    client: FhirClient, changes: Sequence[ResourceChange], answers: Sequence[Written]
) -> tuple[WrittenResource, ...]:
    """The resources as stored, in the order of the changes.

    Raises VersionConflictError where a create found its resource there already, DuplicateError where an identity
    now stands twice, UnsupportedServerError where the server ignored `If-Match`, OutcomeUnknownError where the
    server could not be asked any more.
    """
    already = [
        f"{answer.type}/{answer.id}"
        for change, answer in zip(changes, answers, strict=True)
        if change.action == "create" and not answer.created
    ]
    if already:
        raise VersionConflictError(
            f"Somebody else has created {', '.join(already)} since the record was read.",
            mend="Run the same command again: it reads what is there and merges with it.",
        )
    try:
        created = [change for change in changes if change.action == "create"]
        held = (
            {resource.identity: resource for resource in await current(client, wanted(created))}
            if created
            else {}
        )
        return tuple(
            [await _stored(client, change, answer, held) for change, answer in zip(changes, answers, strict=True)]
        )
    except (DuplicateError, UnsupportedServerError):
        raise
    except CareplanError as error:
        raise OutcomeUnknownError(
            f"The server took the write and then could not be asked what it stored: {error.detail}",
            mend=error.mend,
        ) from error


async def _stored(
    client: FhirClient, change: ResourceChange, answer: Written, held: Mapping[str, Held]
) -> WrittenResource:
    if change.action == "update":
        await _require_nobody_overwritten(client, change, answer)
    seen = held.get(change.identity)
    if change.action == "create" and seen is None:
        raise UnsupportedServerError(
            f"{change.type}/{answer.id} was created, but the server does not find it by its identifier.",
            mend="See that the server indexes `identifier` for this type; without it nothing is safe to repeat.",
        )
    if answer.body is not None and answer.id and answer.version_id:
        return _written(change, answer.id, answer.version_id, answer.body)
    if seen is not None and answer.version_id in {None, seen.version_id}:
        return _written(change, seen.id, seen.version_id, seen.body)
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


async def _require_nobody_overwritten(client: FhirClient, change: ResourceChange, answer: Written) -> None:
    """That our version follows the one it was made over. Some servers ignore `ifMatch` inside a transaction, and
    some re-create with PUT what somebody has deleted."""
    if answer.created:
        raise _ignored_if_match(
            change, f"{change.reference} was deleted since it was read and has been made again."
        )
    before, after = change.version_id or "", answer.version_id or ""
    if after == before or (before.isdigit() and after.isdigit() and int(after) == int(before) + 1):
        return
    versions = [version.version_id for version in await client.history(change.type, change.id or "")]
    if after in versions and versions.index(after) + 1 < len(versions):
        between = versions[versions.index(after) + 1]
        if between != before:
            raise _ignored_if_match(
                change,
                f"{change.reference}: version {between} by somebody else was replaced by our version {after}.",
            )


def _ignored_if_match(change: ResourceChange, detail: str) -> UnsupportedServerError:
    return UnsupportedServerError(
        f"The server ignores If-Match. {detail}",
        mend="Restore that state from the resource's history, and do not write to this server until it checks "
        "versions.",
        issues=(
            Issue(
                severity="error",
                code="conflict",
                key="write.if-match-ignored",
                detail=detail,
                source=change.reference,
                mend="Compare the versions in its history.",
            ),
        ),
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
