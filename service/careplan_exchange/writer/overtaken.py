"""An update whose answer was lost, on a server that ignores `If-Match`: it may have replaced what somebody wrote.

After an answer aftermath.py looks for that. Where none came, or the process died between the write and the look,
it is found here, in the versions by which the write was settled.
"""

from collections.abc import Mapping, Sequence

import msgspec

from careplan_exchange.fhir import FhirClient
from careplan_exchange.model.changes import ResourceChange, Settlement, Undone, WrittenResource

from .confirm import Overwritten
from .putback import as_error, put_back
from .sameness import alike
from .settle import Sighting, Version


async def overtaken(
    client: FhirClient,
    changes: Sequence[ResourceChange],
    written: Sequence[WrittenResource],
    sightings: Mapping[str, Sighting],
) -> tuple[Overwritten, ...]:
    """The updates right before whose version stands another than the one they were made over, or was a deletion:
    one more number than versions are shown, which the server then says of it. A server that shows no history
    cannot be asked. Raises CareplanError."""
    by_identity = {change.identity: change for change in changes}
    found = []
    for one in written:
        change, seen = by_identity[one.identity], sightings[one.identity]
        place = seen.place(one.version_id)
        if change.action != "update" or place is None or one.version_id == change.version_id:
            continue
        for before in seen.versions[place + 1 : place + 2]:
            if await _was_deleted(client, one, before):
                found.append(Overwritten(change, one, None))
            elif before.version_id != change.version_id:
                found.append(Overwritten(change, one, before))
    return tuple(found)


async def _was_deleted(client: FhirClient, one: WrittenResource, before: Version) -> bool:
    """Whether somebody deleted it between these two versions."""
    if not (one.version_id + before.version_id).isdigit():
        return False
    hidden = int(one.version_id) - 1
    return hidden > int(before.version_id) and await client.was_deleted(one.type, one.id, str(hidden))


async def mended(
    client: FhirClient,
    settlement: Settlement,
    found: Sequence[Overwritten],
    sightings: Mapping[str, Sighting],
    *,
    request_id: str,
) -> Settlement:
    """What became of the write when those that it has `found` are put back. `written` is without them; the others
    have their Issue. Raises nothing."""
    there = [one for one in (_is_back(each, sightings, client.base_url) for each in found) if one is not None]
    back = {one.written.identity for one in there}
    left = [one for one in found if one.written.identity not in back]
    undone = (*there, *await put_back(client, left, request_id=request_id))
    restored = frozenset(one.written.identity for one in undone)
    standing = tuple(one for one in settlement.written if one.identity not in restored)
    issues = () if len(restored) == len(found) else as_error(found, restored).issues
    if not restored:
        return msgspec.structs.replace(settlement, issues=issues)
    return Settlement(outcome="partial" if standing else "absent", written=standing, undone=undone, issues=issues)


def _is_back(one: Overwritten, sightings: Mapping[str, Sighting], base_url: str) -> Undone | None:
    """Whether the version after ours has the content of the one before it: an earlier run has put it back, and
    died before it could say so."""
    seen = sightings[one.written.identity]
    place = seen.place(one.written.version_id) or 0
    if place == 0 or one.between is None:
        return None
    after = seen.versions[place - 1]
    if not alike(one.between.body, after.body, base_url):
        return None
    return Undone(
        written=one.written,
        how="update",
        version_id=after.version_id,
        restores=one.between.version_id,
        put_back=True,
    )
