"""Where a server ignores `If-Match`, our update may have replaced what somebody else wrote: it is put back."""

from collections.abc import Sequence

from careplan_exchange.errors import CareplanError, UnsupportedServerError, VersionConflictError
from careplan_exchange.fhir import FhirClient
from careplan_exchange.model.changes import Undone
from careplan_exchange.model.issue import Issue
from careplan_exchange.ports import Habits

from .confirm import Overwritten
from .writeover import write_over


async def put_back(client: FhirClient, found: Sequence[Overwritten], *, request_id: str) -> tuple[Undone, ...]:
    """Those that are again as somebody else left them. Raises nothing: the others are as our update made them, or
    as somebody has changed them since."""
    tried = [await _put_back(client, one, request_id=request_id) for one in found]
    return tuple(one for one in tried if one is not None)


async def _put_back(client: FhirClient, one: Overwritten, *, request_id: str) -> Undone | None:
    written, between = one.written, one.between
    try:
        now = await client.find(written.type, written.id, no_cache=True)
        if now is None:
            return Undone(written=written, how=None, put_back=True) if between is None else None
        if now.version_id != written.version_id:
            return None
        if between is None:
            await client.delete(written.type, written.id, version_id=written.version_id, request_id=request_id)
            return Undone(written=written, how="delete", put_back=True)
        made = await write_over(client, written, between.body, request_id=request_id)
    except CareplanError:
        return None
    return Undone(
        written=written,
        how="update",
        version_id=made,
        restores=between.version_id,
        put_back=True,
    )


async def note_what_it_ignored(habits: Habits, target: str, found: Sequence[Overwritten]) -> None:
    """A server that let us replace a version ignores `If-Match`; one that made a deleted resource again may look
    at it all the same. Raises what the store raises."""
    if any(one.between is not None for one in found):
        await habits.note_if_match(target, ignored=True)


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
    return not_put_back("; ".join(broken), issues)


def not_put_back(what: str, issues: tuple[Issue, ...]) -> UnsupportedServerError:
    return UnsupportedServerError(
        f"The server ignores If-Match. {what}; it could not be put back.",
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
