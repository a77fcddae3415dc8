"""What follows a write: it is read back and compared; what must not stand is taken back; the rest is told.

The order is that of the harm. Another's work that our update replaced is put back first. Then an identity that
stands twice, a resource that cannot be found again, and a loss that could hurt: the whole write is taken back.
"""

from collections.abc import Mapping, Sequence

import msgspec

from careplan_exchange.errors import (
    CareplanError,
    DuplicateError,
    LossyTargetError,
    PartlyWrittenError,
    UnavailableError,
    UnsupportedServerError,
    VersionConflictError,
)
from careplan_exchange.fhir import FhirClient
from careplan_exchange.model.changes import ResourceChange, Undone, WrittenResource
from careplan_exchange.model.issue import Issue
from careplan_exchange.ports import Habits

from .confirm import Answered, as_answered, confirmed, overwritten
from .putback import as_error, ignored, note_what_it_ignored, put_back
from .roundtrip import as_issues, losses
from .takeback import Done, Outcome, take_back


class Aftermath:
    """Of one write, `request_id`."""

    def __init__(self, client: FhirClient, habits: Habits, *, request_id: str) -> None:
        self._client = client
        self._habits = habits
        self._request_id = request_id

    async def checked(self, done: Sequence[Answered]) -> tuple[WrittenResource, ...]:
        """The resources as stored. Raises what `ports.PlanWriter.write` may raise."""
        ours = [(change, answer) for change, answer in done if change.action != "create" or answer.created]
        written = await self._examined(ours, _links(done))
        if len(ours) < len(done):
            theirs = [f"{a.type}/{a.id}" for c, a in done if c.action == "create" and not a.created]
            raise _partly(
                VersionConflictError(
                    f"Somebody else has created {', '.join(theirs)} since the record was read.",
                    mend="Run the same command again: it reads what is there and merges with it.",
                ),
                written,
            )
        return written

    @staticmethod
    def may_go_on(cause: CareplanError) -> bool:
        """Whether a sequence that broke off can be taken up by a fresh read and merge, or by a later run."""
        return isinstance(cause, VersionConflictError | UnavailableError)

    async def broken_off(self, done: Sequence[Answered], cause: CareplanError) -> CareplanError:
        """The error for a sequence that broke off after `done`. Where the rest will never be taken, what was done
        is taken back; otherwise it stands, and the next run goes on from there. Raises OutcomeUnknownError."""
        written = await self._examined(done, _links(done))
        if self.may_go_on(cause):
            return _partly(cause, written)
        return await self._without(done, written, cause)

    async def _examined(self, done: Sequence[Answered], links: Mapping[str, str]) -> tuple[WrittenResource, ...]:
        written = await self._confirmed(done)
        await self._require_nobody_overwritten(done, written)
        known = {change.full_url: f"{one.type}/{one.id}" for (change, _), one in zip(done, written, strict=True)}
        return await self._kept(done, written, {**links, **known})

    async def _confirmed(self, done: Sequence[Answered]) -> tuple[WrittenResource, ...]:
        try:
            return await confirmed(self._client, done)
        except DuplicateError as error:
            found = VersionConflictError(
                f"Somebody else has created the same at the same time. {error.detail}",
                mend="Run the same command again: it reads what is there and merges with it.",
            )
            raise await self._without_answered(done, found, instead=error) from error
        except UnsupportedServerError as error:
            raise await self._without_answered(done, error, instead=error) from error

    async def _without_answered(
        self, done: Sequence[Answered], cause: CareplanError, *, instead: CareplanError
    ) -> CareplanError:
        """`cause` where all that the answers tell of is taken back, `instead` where some of it stands."""
        known = as_answered(done)
        left, undone = await self._taken_back(known)
        if not left and len(known) == len(done):
            return _told(cause, "What this write had done was taken back.", (), undone)
        stands = tuple(one for _, one in known if one.identity in left)
        return _partly(_told(instead, _standing(stands), tuple(left.values()), undone), stands)

    async def _require_nobody_overwritten(
        self, done: Sequence[Answered], written: Sequence[WrittenResource]
    ) -> None:
        found = await overwritten(self._client, done, written)
        if not found:
            return
        undone = await put_back(self._client, found, request_id=self._request_id)
        # Last: a store that fails now must not keep it from being put back.
        await note_what_it_ignored(self._habits, self._client.base_url, found)
        restored = frozenset(one.written.identity for one in undone)
        error = as_error(found, restored)
        error.undone = undone
        raise _partly(error, tuple(one for one in written if one.identity not in restored))

    async def _kept(
        self, done: Sequence[Answered], written: Sequence[WrittenResource], links: Mapping[str, str]
    ) -> tuple[WrittenResource, ...]:
        """With an Issue for everything that the server did not keep. Raises LossyTargetError where that could
        hurt: nothing of the write stands then."""
        base_url = self._client.base_url
        ignores = await self._habits.ignores_if_match(base_url)
        told = tuple(
            msgspec.structs.replace(
                one,
                issues=(
                    *as_issues(
                        losses(change.body, one.stored, links, base_url),
                        f"{one.type}/{one.id}/_history/{one.version_id}",
                    ),
                    *(_compared_by_us(one) if ignores else ()),
                ),
            )
            for (change, _), one in zip(done, written, strict=True)
        )
        lost = tuple(issue for one in told for issue in one.issues if issue.severity == "error")
        if not lost:
            return told
        cause = LossyTargetError(
            f"The server took the write and did not keep {lost[0].expression} as it was sent.",
            mend="Use another server as --target, or have this one store the elements that the issues name.",
            issues=lost,
        )
        raise await self._without(done, written, cause)

    async def _without(
        self, done: Sequence[Answered], written: Sequence[WrittenResource], cause: CareplanError
    ) -> CareplanError:
        left, undone = await self._taken_back(
            tuple((change, one) for (change, _), one in zip(done, written, strict=True))
        )
        stands = tuple(one for one in written if one.identity in left)
        said = _standing(stands) if stands else "What this write had done was taken back."
        return _partly(_told(cause, said, tuple(left.values()), undone), stands)

    async def _taken_back(self, done: Sequence[tuple[ResourceChange, WrittenResource]]) -> Outcome:
        return await take_back(
            self._client, [Done(change, one) for change, one in done], request_id=self._request_id
        )


def _compared_by_us(one: WrittenResource) -> tuple[Issue, ...]:
    if one.action != "update":
        return ()
    said = "The server ignores If-Match: it was read right before the update and compared right after"
    return (msgspec.structs.replace(ignored(said, f"{one.type}/{one.id}"), severity="warning"),)


def _links(done: Sequence[Answered]) -> dict[str, str]:
    return {change.full_url: f"{change.type}/{answer.id or change.id}" for change, answer in done}


def _partly(cause: CareplanError, written: Sequence[WrittenResource]) -> CareplanError:
    return PartlyWrittenError(cause, written) if written else cause


def _told(
    error: CareplanError, said: str, issues: tuple[Issue, ...], undone: tuple[Undone, ...]
) -> CareplanError:
    told = type(error)(f"{error.detail} {said}", mend=error.mend, issues=(*error.issues, *issues))
    told.status = error.status
    told.undone = undone
    return told


def _standing(written: Sequence[WrittenResource]) -> str:
    names = ", ".join(f"{one.type}/{one.id}" for one in written)
    return f"Of this write still stands: {names}." if names else "What of it stands is not known."
