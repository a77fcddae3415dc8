"""Compensation: what a write has done is taken back, as far as nobody has touched it since.

In: the resources that a write made, with the changes that they came from. Out: what was taken back, and those
that still stand, each with an Issue that says why. A create is deleted where the server deletes, otherwise marked
as entered in error without our identifier, so that the next run may make it anew. An update is written over with
what stood before. Each is read right before, and is left where its version is not ours any more: nothing of
anybody else's is taken back.
"""

from collections.abc import Sequence
from typing import NamedTuple

from careplan_exchange import logs
from careplan_exchange.errors import CareplanError
from careplan_exchange.fhir import FhirClient
from careplan_exchange.model.changes import Json, ResourceChange, Undone, WrittenResource
from careplan_exchange.model.codec import decode
from careplan_exchange.model.identity import IDENTITY_SYSTEM
from careplan_exchange.model.issue import Issue

from .writeover import write_over

_STATUS = {"Goal": "lifecycleStatus"}
"""Where it is not `status`."""


class Done(NamedTuple):
    change: ResourceChange
    written: WrittenResource


class Outcome(NamedTuple):
    """`left`: why each still stands, by identity, of those that do. `undone`: the others, of which a version was
    made, in the order of `done`."""

    left: dict[str, Issue]
    undone: tuple[Undone, ...]


async def take_back(client: FhirClient, done: Sequence[Done], *, request_id: str) -> Outcome:
    """The last that was written goes first. Raises nothing: a server that fails now leaves the rest standing, and
    the Issues say so."""
    left: dict[str, Issue] = {}
    undone: list[Undone] = []
    for one in reversed(done):
        became = await _taken_back(client, one, request_id)
        if isinstance(became, str):
            left[one.written.identity] = _stands(one.written, became)
        elif became is not None:
            undone.append(became)
    logs.get_logger().warning(
        logs.WRITE_TAKEN_BACK,
        target=logs.hashed(client.base_url),
        count=len(done) - len(left),
        left=len(left),
        request_id=request_id,
    )
    return Outcome(left, tuple(reversed(undone)))


async def _taken_back(client: FhirClient, one: Done, request_id: str) -> Undone | str | None:
    """What was done so that it is as it was before, None where nothing had to be; otherwise why it is not."""
    change, written = one
    try:
        now = await client.find(written.type, written.id, no_cache=True)
        if now is None:
            return Undone(written=written, how=None) if change.action == "create" else "somebody deleted it since"
        if now.version_id != written.version_id:
            return "somebody changed it since"
        if change.action == "create":
            return await _removed(client, written, decode(now.content), request_id)
        if change.theirs is None or written.version_id == change.version_id:
            return None
        made = await write_over(client, written, change.theirs, request_id=request_id)
    except CareplanError as error:
        return f"it could not be taken back ({error.key})"
    return Undone(written=written, how="update", version_id=made, restores=change.version_id)


async def _removed(client: FhirClient, written: WrittenResource, body: Json, request_id: str) -> Undone:
    version = written.version_id
    try:
        await client.delete(written.type, written.id, version_id=version, request_id=request_id)
    except CareplanError:
        # Not allowed, or something refers to it already; where the answer was lost, the version decides.
        if await client.find(written.type, written.id, no_cache=True) is not None:
            made = await write_over(client, written, in_error(body), request_id=request_id)
            return Undone(written=written, how="update", version_id=made)
    return Undone(written=written, how="delete")


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
