"""Where a server ignores `If-Match`, our update may have replaced what somebody else wrote: it is put back."""

from collections.abc import Sequence

from careplan_exchange.errors import CareplanError, UnsupportedServerError, VersionConflictError
from careplan_exchange.fhir import FhirClient
from careplan_exchange.model.codec import decode
from careplan_exchange.model.issue import Issue

from .confirm import Overwritten


async def put_back(client: FhirClient, found: Sequence[Overwritten], *, request_id: str) -> frozenset[str]:
    """The identities of those that are again as somebody else left them. Raises nothing: the others are as our
    update made them, or as somebody has changed them since."""
    return frozenset(
        [one.change.identity for one in found if await _is_put_back(client, one, request_id=request_id)]
    )


async def _is_put_back(client: FhirClient, one: Overwritten, *, request_id: str) -> bool:
    written, between = one.written, one.between
    try:
        now = await client.find(written.type, written.id, no_cache=True)
        if now is None:
            return between is None
        if now.version_id != written.version_id:
            return False
        if between is None:
            await client.delete(written.type, written.id, version_id=written.version_id, request_id=request_id)
        else:
            await client.update(
                written.type,
                written.id,
                decode(between.content),
                version_id=written.version_id,
                request_id=request_id,
            )
    except CareplanError:
        return False
    return True


def as_error(found: Sequence[Overwritten], restored: frozenset[str]) -> CareplanError:
    """VersionConflictError where all is put back: read and merge again. Otherwise a person has to do it."""
    issues = tuple(ignored(one.what, one.change.reference) for one in found)
    broken = [one.what for one in found if one.change.identity not in restored]
    if not broken:
        return VersionConflictError(
            f"The server ignores If-Match. {found[0].what}; it has been put back.",
            mend="Run the same command again: it reads what is there and merges with it.",
            issues=issues,
        )
    return UnsupportedServerError(
        f"The server ignores If-Match. {'; '.join(broken)}; it could not be put back.",
        mend="Restore that state from the resource's history, and do not write to this server until it checks "
        "versions.",
        issues=issues,
    )


def ignored(detail: str, source: str) -> Issue:
    return Issue(
        severity="error",
        code="conflict",
        key="write.if-match-ignored",
        detail=f"{detail}.",
        source=source,
        mend="Compare the versions in its history.",
    )
