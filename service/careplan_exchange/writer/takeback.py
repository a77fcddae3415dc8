"""Compensation: what a write has done is taken back, as far as nobody has touched it since.

In: the resources that a write made, with the changes that they came from. Out: those that still stand, each with
an Issue that says why. A create is deleted where the server deletes, otherwise marked as entered in error without
our identifier, so that the next run may make it anew. An update is written over with what stood before. Each is
read right before, and is left where its version is not ours any more: nothing of anybody else's is taken back.
"""

from collections.abc import Sequence
from typing import NamedTuple

from careplan_exchange import logs
from careplan_exchange.errors import CareplanError
from careplan_exchange.fhir import FhirClient
from careplan_exchange.model.changes import Json, ResourceChange, WrittenResource
from careplan_exchange.model.codec import decode
from careplan_exchange.model.identity import IDENTITY_SYSTEM
from careplan_exchange.model.issue import Issue

_STATUS = {"Goal": "lifecycleStatus"}
"""Where it is not `status`."""


class Done(NamedTuple):
    change: ResourceChange
    written: WrittenResource


async def take_back(client: FhirClient, done: Sequence[Done], *, request_id: str) -> dict[str, Issue]:
    """Why each still stands, by identity, of those that do; the last that was written goes first.

    Raises nothing: a server that fails now leaves the rest standing, and the Issues say so.
    """
    left: dict[str, Issue] = {}
    for one in reversed(done):
        reason = await _taken_back(client, one, request_id)
        if reason is not None:
            left[one.written.identity] = _stands(one.written, reason)
    logs.get_logger().warning(
        logs.WRITE_TAKEN_BACK,
        target=logs.hashed(client.base_url),
        count=len(done) - len(left),
        left=len(left),
        request_id=request_id,
    )
    return left


async def _taken_back(client: FhirClient, one: Done, request_id: str) -> str | None:
    """None where it is as it was before; otherwise why not."""
    change, written = one
    try:
        now = await client.find(written.type, written.id, no_cache=True)
        if now is None:
            return None if change.action == "create" else "somebody deleted it since"
        if now.version_id != written.version_id:
            return "somebody changed it since"
        if change.action == "update":
            if change.theirs is not None and written.version_id != change.version_id:
                await client.update(
                    written.type,
                    written.id,
                    change.theirs,
                    version_id=written.version_id,
                    request_id=request_id,
                )
            return None
        await _removed(client, written, decode(now.content), request_id)
    except CareplanError as error:
        return f"it could not be taken back ({error.key})"
    return None


async def _removed(client: FhirClient, written: WrittenResource, body: Json, request_id: str) -> None:
    version = written.version_id
    try:
        await client.delete(written.type, written.id, version_id=version, request_id=request_id)
    except CareplanError:
        # Not allowed, or something refers to it already; where the answer was lost, the version decides.
        if await client.find(written.type, written.id, no_cache=True) is not None:
            await client.update(
                written.type, written.id, in_error(body), version_id=version, request_id=request_id
            )


def in_error(body: Json) -> Json:
    """`body` as entered in error, its identity free for another."""
    others = [one for one in body.get("identifier", ()) if one.get("system") != IDENTITY_SYSTEM]
    marked = {**body, _STATUS.get(str(body["resourceType"]), "status"): "entered-in-error"}
    if others:
        return {**marked, "identifier": others}
    return {name: value for name, value in marked.items() if name != "identifier"}


def _stands(written: WrittenResource, reason: str) -> Issue:
    return Issue(
        severity="error",
        code="incomplete",
        key="write.stands",
        detail=f"It was {'created' if written.action == 'create' else 'changed'} and stands: {reason}.",
        source=f"{written.type}/{written.id}/_history/{written.version_id}",
        mend="Look at it on the server; the next run reads it as it is.",
    )
