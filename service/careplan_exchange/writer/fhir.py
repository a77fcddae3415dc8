"""The PlanWriter over FHIR REST: `write` sends, `settle` asks what became of a write whose answer was lost."""

from collections.abc import Collection, Mapping, Sequence

from careplan_exchange import logs
from careplan_exchange.errors import DuplicateError, UnsupportedServerError
from careplan_exchange.fhir import Capabilities, FhirClient
from careplan_exchange.model.changes import Held, Intent, Json, ResourceChange, Settlement, WrittenResource
from careplan_exchange.model.codec import decode
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.record import FhirRelease, PatientRecord
from careplan_exchange.ports import Ids

from .bundle import answers_of, once_each, transaction_of
from .confirm import confirmed
from .current import current, wanted
from .lint import require_valid
from .sequence import write_in_sequence
from .settle import Sighting, Target, Version, judge, links_of, needs_history
from .subject import find_subject


class FhirPlanWriter:
    """Writes to the one server behind `client`. Implements `ports.PlanWriter`, which states the contract."""

    def __init__(self, client: FhirClient, *, ids: Ids) -> None:
        self._client = client
        self._ids = ids

    @property
    def target(self) -> str:
        return self._client.base_url

    async def release(self) -> FhirRelease:
        return (await self._client.capabilities()).release

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
        _require_support(changes, capabilities)
        _require_versions(changes)
        taken = self._taken(companions, capabilities)
        if capabilities.transaction:
            bundle = transaction_of(changes, taken, self.target, self._ids)
            response = await self._client.transaction(bundle, request_id=intent.id)
            answers = answers_of(response, changes)
        else:
            answers = await write_in_sequence(self._client, changes, taken, request_id=intent.id)
        return await confirmed(self._client, changes[: len(answers)], answers)

    async def settle(self, intent: Intent) -> Settlement:
        changes = once_each(intent.changes)
        target = Target(base_url=self.target, atomic=(await self._client.capabilities()).transaction)
        try:
            held = await self.current(wanted(changes))
        except DuplicateError as error:
            return Settlement(outcome="unclear", issues=(_duplicate(error),))
        sightings = {resource.identity: _sighting(resource) for resource in held}
        links = links_of(changes, sightings)
        for change in changes:
            seen = sightings.get(change.identity)
            if seen is not None and needs_history(change, seen, links, target):
                sightings[change.identity] = await self._with_history(seen)
        return judge(changes, sightings, target)

    async def _with_history(self, seen: Sighting) -> Sighting:
        versions = tuple(
            Version(version_id=version.version_id or "", body=decode(version.content))
            for version in await self._client.history(seen.type, seen.id)
        )
        return Sighting(type=seen.type, id=seen.id, versions=versions or seen.versions, whole=True)

    def _taken(self, companions: Sequence[Json], capabilities: Capabilities) -> tuple[Json, ...]:
        """The companions whose type the target takes; the ledger has what the others would say."""
        taken = tuple(body for body in companions if _supports(capabilities, str(body["resourceType"]), "create"))
        if len(taken) < len(companions):
            logs.get_logger().warning(
                logs.EXCHANGE_WRITTEN,
                target=logs.hashed(self.target),
                reason="the target takes no Provenance or no AuditEvent",
                count=len(companions) - len(taken),
            )
        return taken


def _require_support(changes: Sequence[ResourceChange], capabilities: Capabilities) -> None:
    """Raises UnsupportedServerError where the target says that it does not take one of these, or cannot find it
    again by its identifier: then nothing could be repeated safely."""
    for change in changes:
        if not _supports(capabilities, change.type, change.action):
            raise UnsupportedServerError(
                f"The target does not list {change.action} of {change.type} as supported; nothing was sent.",
                mend="Use another server as --target: a plan needs CarePlan and Goal, and what they point at.",
            )
        if capabilities.parameters.get(change.type) and not capabilities.searchable(change.type, "identifier"):
            raise UnsupportedServerError(
                f"The target cannot search {change.type} by identifier, so a write could not be repeated safely; "
                "nothing was sent.",
                mend="Have that search parameter switched on, or use another server as --target.",
            )


def _require_versions(changes: Sequence[ResourceChange]) -> None:
    """Raises UnsupportedServerError where nothing could tell the server which version an update is meant for."""
    for change in changes:
        if change.action != "create" and not change.version_id:
            raise UnsupportedServerError(
                f"The target gives no version for {change.reference}, so an update could overwrite somebody "
                "else's change unnoticed; nothing was sent.",
                mend=f"Have versioning of {change.type} switched on, or use another server as --target.",
            )


def _supports(capabilities: Capabilities, resource_type: str, interaction: str) -> bool:
    """A statement that lists no resource at all says nothing about any."""
    return capabilities.says_nothing or capabilities.supports(resource_type, interaction)


def _sighting(resource: Held) -> Sighting:
    version = Version(version_id=resource.version_id, body=resource.body)
    return Sighting(type=resource.type, id=resource.id, versions=(version,), whole=False)


def _duplicate(error: DuplicateError) -> Issue:
    return Issue(
        severity="error", code="duplicate", key="write.settle.duplicate", detail=error.detail, mend=error.mend
    )
