"""The record as its server sent it, for the conditions of plans that know no variables of ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from careplan_exchange.model.codec import decode
from careplan_exchange.model.proposal import Used
from careplan_exchange.model.record import FhirRelease, PatientRecord, Resource
from careplan_exchange.model.snapshot import Evidence

from .elements import Element

MOST_SHOWN = 50
"""Of more resources that a condition walked over only the number is told."""


class RawRecord:
    """Decoded when it is first asked for: most patients of most protocols never need it."""

    def __init__(self, record: PatientRecord) -> None:
        self._record = record
        self._looked_at: dict[Evidence, None] = {}
        self._walked: dict[str, tuple[Evidence, ...]] = {}

    @contextmanager
    def watching(self, name: str) -> Iterator[None]:
        """Keep under this name the resources of which an element is read meanwhile."""
        self._looked_at.clear()
        yield
        self._walked[name] = tuple(self._looked_at)

    def walked_over(self, name: str) -> tuple[Used, ...]:
        """What was kept under this name, in the order of reading."""
        found = self._walked.get(name, ())
        if not found:
            return ()
        few = found if len(found) <= MOST_SHOWN else ()
        return (Used(variable="record", value=f"{len(found)} resource(s) looked at", evidence=few),)

    @property
    def release(self) -> FhirRelease:
        return self._record.release

    @cached_property
    def patient(self) -> Element:
        return self._watched(self._record.patient)

    @cached_property
    def bundle(self) -> Element:
        """All resources as a Bundle, the Patient first, the others by type and id: their order on the server must
        decide nothing."""
        others = sorted(self._record.resources, key=lambda found: (found.type, found.id))
        contents = [self._watched(found) for found in others if found.reference != self._record.patient.reference]
        return {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"resource": found} for found in (self.patient, *contents)],
        }

    def _watched(self, resource: Resource) -> "_Watched":
        evidence = Evidence(reference=resource.reference, version_id=resource.version_id)
        return _Watched(decode(resource.content), evidence, self._looked_at)


class _Watched(dict[str, Any]):
    """A resource that notes when something of it but its type is read."""

    def __init__(self, content: dict[str, Any], evidence: Evidence, looked_at: dict[Evidence, None]) -> None:
        super().__init__(content)
        self._evidence, self._looked_at = evidence, looked_at

    def __getitem__(self, name: str) -> Any:
        self._note(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self._note(name)
        return super().get(name, default)

    def __iter__(self) -> Iterator[str]:
        self._note("*")
        return super().__iter__()

    def _note(self, name: str) -> None:
        if name not in {"resourceType", "_resourceType"}:
            self._looked_at[self._evidence] = None
