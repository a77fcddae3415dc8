"""The PlanWriter over FHIR REST: `write` sends, `settle` asks what became of a write whose answer was lost."""

from collections.abc import Collection, Mapping, Sequence

from careplan_exchange import logs
from careplan_exchange.errors import DuplicateError, RefusedError, VersionConflictError
from careplan_exchange.fhir import Capabilities, FhirClient, Written
from careplan_exchange.model.changes import (
    Base,
    Held,
    Intent,
    Json,
    ResourceChange,
    Settlement,
    WrittenResource,
    identities_of,
)
from careplan_exchange.model.codec import decode
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.model.target import TargetForm
from careplan_exchange.model.writing import Writing
from careplan_exchange.ports import Habits, Ids

from .aftermath import Aftermath
from .bundle import answers_of, named, once_each, transaction_of
from .confirm import Answered
from .current import current
from .ladder import form_of
from .lint import require_valid
from .overtaken import mended, overtaken
from .putback import note_what_it_ignored
from .sequence import BrokenOffError, send_companions, write_in_sequence
from .settle import Sighting, Target, Version, judge, links_of, needs_history
from .subject import find_subject
from .support import require_one_patient, require_support, require_versions, supports
from .writings import find_writings


class FhirPlanWriter:
    """Writes to the one server behind `client`. Implements `ports.PlanWriter`, which states the contract.

    `habits`: what was learned about servers.
    """

    def __init__(self, client: FhirClient, *, ids: Ids, habits: Habits) -> None:
        self._client = client
        self._ids = ids
        self._habits = habits

    @property
    def target(self) -> str:
        return self._client.base_url

    async def form(self) -> TargetForm:
        return form_of(await self._client.capabilities())

    async def subject(self, record: PatientRecord) -> str:
        return await find_subject(self._client, record)

    async def current(self, identities: Mapping[str, Collection[str]]) -> tuple[Held, ...]:
        return await current(self._client, identities)

    async def write(self, intent: Intent, companions: Sequence[Json]) -> tuple[WrittenResource, ...]:
        changes = once_each(intent.changes)
        if not changes:
            return ()
        capabilities = await self._client.capabilities()
        links = {change.full_url: change.type for change in changes}
        require_valid([*(change.body for change in changes), *companions], capabilities.release, links)
        require_support(changes, capabilities)
        require_versions(changes)
        require_one_patient(changes)
        taken = self._taken(companions, capabilities)
        aftermath = Aftermath(self._client, self._habits, request_id=intent.id)
        if capabilities.transaction:
            return await aftermath.checked(await self._in_transaction(changes, taken, intent.id))
        try:
            answers = await write_in_sequence(
                self._client,
                changes,
                taken,
                request_id=intent.id,
                before_update=self._require_unmoved,
                stands=self._stands,
            )
        except BrokenOffError as broken:
            if aftermath.may_go_on(broken.cause):
                await send_companions(self._client, taken, changes, broken.done, request_id=intent.id)
            raise await aftermath.broken_off(broken.done, broken.cause) from broken
        return await aftermath.checked(tuple(zip(changes, answers, strict=True)))

    async def _in_transaction(
        self, changes: Sequence[ResourceChange], companions: Sequence[Json], request_id: str
    ) -> tuple[Answered, ...]:
        await self._require_unmoved(*(change for change in changes if change.action == "update"))
        bundle = transaction_of(changes, companions, self.target, self._ids)
        try:
            response = await self._client.transaction(bundle, request_id=request_id)
        except RefusedError as error:
            raise named(error, changes) from None
        return tuple(zip(changes, answers_of(response, changes), strict=True))

    async def _require_unmoved(self, *updates: ResourceChange) -> None:
        """On a server that ignores `If-Match` versions are compared right before. Raises VersionConflictError."""
        if not updates or not await self._habits.ignores_if_match(self.target):
            return
        held = {one.identity: one for one in await self.current(identities_of(updates))}
        for change in updates:
            now = held.get(change.identity)
            if now is None or now.version_id != change.version_id:
                raise VersionConflictError(
                    f"{change.reference} was changed or deleted since it was read; it was not written.",
                    mend="Run the same command again: it reads and merges anew.",
                )

    async def _stands(self, change: ResourceChange) -> Written | None:
        settled, _ = await self._judged((change,), {})
        if settled.outcome != "committed":
            return None
        (one,) = settled.written
        return Written(
            created=change.action == "create",
            type=one.type,
            id=one.id,
            version_id=one.version_id,
            body=one.stored,
        )

    async def settle(self, intent: Intent, booked: Mapping[str, Base]) -> Settlement:
        changes = once_each(intent.changes)
        settlement, sightings = await self._judged(changes, booked)
        found = await overtaken(self._client, changes, settlement.written, sightings)
        if not found:
            return settlement
        outcome = await mended(self._client, settlement, found, sightings, request_id=intent.id)
        await note_what_it_ignored(self._habits, self.target, found)
        return outcome

    async def _judged(
        self, changes: Sequence[ResourceChange], booked: Mapping[str, Base]
    ) -> tuple[Settlement, dict[str, Sighting]]:
        """What became of these, with what was seen of each identity that stands."""
        target = Target(base_url=self.target, atomic=(await self._client.capabilities()).transaction)
        try:
            held = await self.current(identities_of(changes))
        except DuplicateError as error:
            return Settlement(outcome="unclear", issues=(_duplicate(error),)), {}
        sightings = {resource.identity: _sighting(resource) for resource in held}
        links = links_of(changes, sightings)
        for change in changes:
            seen = sightings.get(change.identity)
            if seen is not None and needs_history(change, seen, links, target):
                sightings[change.identity] = await self._with_history(seen)
        return judge(changes, sightings, target, booked), sightings

    async def writings(self, references: Collection[str]) -> tuple[Writing, ...]:
        return await find_writings(self._client, references, await self._client.capabilities())

    async def _with_history(self, seen: Sighting) -> Sighting:
        try:
            found = await self._client.history(seen.type, seen.id)
        except RefusedError:
            return seen  # it keeps no history, or shows none: what stands now is all there is to judge by
        versions = tuple(
            Version(version_id=version.version_id or "", body=decode(version.content)) for version in found
        )
        return Sighting(type=seen.type, id=seen.id, versions=versions or seen.versions, whole=True)

    def _taken(self, companions: Sequence[Json], capabilities: Capabilities) -> tuple[Json, ...]:
        """The companions whose type the target takes; the ledger has what the others would say."""
        taken = tuple(body for body in companions if supports(capabilities, str(body["resourceType"]), "create"))
        if len(taken) < len(companions):
            logs.get_logger().warning(
                logs.EXCHANGE_WRITTEN,
                target=logs.hashed(self.target),
                reason="the target takes no Provenance or no AuditEvent",
                count=len(companions) - len(taken),
            )
        return taken


def _sighting(resource: Held) -> Sighting:
    version = Version(version_id=resource.version_id, body=resource.body)
    return Sighting(type=resource.type, id=resource.id, versions=(version,), whole=False)


def _duplicate(error: DuplicateError) -> Issue:
    return Issue(
        severity="error", code="duplicate", key="write.settle.duplicate", detail=error.detail, mend=error.mend
    )
