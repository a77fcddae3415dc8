"""A PlanWriter that keeps everything in memory: for tests, and for trying protocols without a server."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from careplan_exchange.errors import (
    DuplicateError,
    OutcomeUnknownError,
    PatientNotFoundError,
    VersionConflictError,
)
from careplan_exchange.model.changes import Base, Held, Intent, Json, ResourceChange, Settlement, WrittenResource
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.identity import IDENTITY_SYSTEM
from careplan_exchange.model.record import FhirRelease, PatientRecord
from careplan_exchange.model.target import Rung, TargetForm
from careplan_exchange.model.writing import Writing

from .bundle import once_each, resolved
from .lint import require_valid
from .settle import Sighting, Target, Version, judge
from .writings import writings_in

Fault = Literal["lose-answer", "lose-request"]
"""What happens to the next write: it is carried out and the answer never comes, or it never arrives."""


class MemoryPlanWriter:
    """`patients` maps patient references of other servers to references here; without it every patient is known
    under the reference that the record has. `rung` is what it says that it takes; it stores anything. The state
    is the writer's own: two writers are two servers."""

    def __init__(
        self,
        target: str = "memory:",
        *,
        release: FhirRelease = "R4",
        rung: Rung = "references",
        patients: Mapping[str, str] | None = None,
    ) -> None:
        self._target = target
        self._release = release
        self.rung: Rung = rung
        self._patients = patients
        self._versions: dict[tuple[str, str], list[Json]] = {}
        self._deleted: set[tuple[str, str]] = set()
        self._next_id = 1
        self.fault: Fault | None = None

    @property
    def target(self) -> str:
        return self._target

    async def form(self) -> TargetForm:
        return TargetForm(release=self._release, rung=self.rung)

    async def subject(self, record: PatientRecord) -> str:
        if self._patients is None or record.endpoint == self._target:
            return record.patient.reference
        if record.patient.reference not in self._patients:
            raise PatientNotFoundError("The target does not know this patient.", mend="Add it to `patients`.")
        return self._patients[record.patient.reference]

    async def current(self, identities: Mapping[str, Collection[str]]) -> tuple[Held, ...]:
        found: dict[tuple[str, str], Held] = {}
        for held in self._held():
            if held.identity not in identities.get(held.type, ()):
                continue
            if (held.type, held.identity) in found:
                other = found[held.type, held.identity].reference
                raise DuplicateError(
                    f"{held.reference} carries the same identifier as {other}.",
                    mend="Delete one of them.",
                )
            found[held.type, held.identity] = held
        return tuple(found.values())

    async def write(self, intent: Intent, companions: Sequence[Json]) -> tuple[WrittenResource, ...]:
        changes = once_each(intent.changes)
        links = {change.full_url: change.type for change in changes}
        require_valid([*(change.body for change in changes), *companions], self._release, links)
        fault, self.fault = self.fault, None
        if fault == "lose-request":
            raise _lost()
        self._require_fit(changes)
        written = self._store(changes, companions)
        if fault == "lose-answer":
            raise _lost()
        return written

    async def settle(self, intent: Intent, booked: Mapping[str, Base]) -> Settlement:
        sightings = {
            held.identity: Sighting(
                type=held.type,
                id=held.id,
                versions=tuple(
                    Version(version_id=body["meta"]["versionId"], body=body)
                    for body in reversed(self.history(held.type, held.id))
                ),
                whole=True,
            )
            for held in self._held()
        }
        return judge(once_each(intent.changes), sightings, Target(base_url=self._target, atomic=True), booked)

    async def writings(self, references: Collection[str]) -> tuple[Writing, ...]:
        return writings_in(self.resources("Provenance"), references)

    def put(self, body: Json) -> Json:
        """Store a resource as another client would: a new version where it has an id, or a new resource."""
        resource_type = str(body["resourceType"])
        resource_id = body.get("id")
        if resource_id is None:
            resource_id, self._next_id = str(self._next_id), self._next_id + 1
        versions = self._versions.setdefault((resource_type, str(resource_id)), [])
        self._deleted.discard((resource_type, str(resource_id)))
        stored = {
            **body,
            "id": resource_id,
            "meta": {**body.get("meta", {}), "versionId": str(len(versions) + 1)},
        }
        versions.append(decode(encode(stored)))
        return versions[-1]

    def delete(self, resource_type: str, resource_id: str) -> None:
        self._deleted.add((resource_type, resource_id))

    def resources(self, resource_type: str) -> tuple[Json, ...]:
        """The current version of every resource of this type that is not deleted."""
        return tuple(
            versions[-1]
            for key, versions in self._versions.items()
            if key[0] == resource_type and key not in self._deleted
        )

    def history(self, resource_type: str, resource_id: str) -> tuple[Json, ...]:
        """Every version of one resource, oldest first."""
        return tuple(self._versions.get((resource_type, resource_id), ()))

    def _held(self) -> list[Held]:
        return [
            Held(
                identity=identifier["value"],
                type=resource_type,
                id=resource_id,
                version_id=versions[-1]["meta"]["versionId"],
                body=versions[-1],
            )
            for (resource_type, resource_id), versions in self._versions.items()
            if (resource_type, resource_id) not in self._deleted
            for identifier in versions[-1].get("identifier", ())
            if isinstance(identifier, dict) and identifier.get("system") == IDENTITY_SYSTEM
        ]

    def _require_fit(self, changes: Sequence[ResourceChange]) -> None:
        taken = {(held.type, held.identity) for held in self._held()}
        for change in changes:
            if change.action == "create":
                fits = (change.type, change.identity) not in taken
            else:
                key = (change.type, change.id or "")
                versions = self._versions.get(key, [])
                fits = (
                    bool(versions)
                    and key not in self._deleted
                    and versions[-1]["meta"]["versionId"] == change.version_id
                )
            if not fits:
                raise VersionConflictError(
                    f"{change.reference} was changed since it was read; nothing was written.",
                    mend="Read again and merge again.",
                )

    def _store(
        self, changes: Sequence[ResourceChange], companions: Sequence[Json]
    ) -> tuple[WrittenResource, ...]:
        links: dict[str, str] = {}
        for change in changes:
            if change.action == "create":
                links[change.full_url] = f"{change.type}/{self._next_id}"
                self._next_id += 1
        written = []
        for change in changes:
            resource_id = change.id or links[change.full_url].split("/")[1]
            stored = self.put({**resolved(change.body, links), "id": resource_id})
            written.append(
                WrittenResource(
                    identity=change.identity,
                    type=change.type,
                    id=resource_id,
                    version_id=stored["meta"]["versionId"],
                    action=change.action,
                    stored=stored,
                )
            )
        for body in companions:
            self.put(resolved(body, links))
        return tuple(written)


def _lost() -> OutcomeUnknownError:
    return OutcomeUnknownError("The answer to the write never came.", mend="Settle the intent.")
