"""What a source hands on: the resources of one patient as the server sent them, each with its version."""

from typing import Literal

import msgspec

from .issue import Issue

FhirRelease = Literal["R4", "R4B", "R5"]
Shape = Literal["R4", "R5"]


def shape_of(release: FhirRelease) -> Shape:
    """R4B (4.3) has the shape of R4 in everything that is read or written here."""
    return "R5" if release == "R5" else "R4"


class Resource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One resource as read. `content` is the server's own JSON, untouched, so that nothing is lost."""

    type: str
    id: str
    version_id: str | None
    last_updated: str | None
    content: bytes

    @property
    def reference(self) -> str:
        return f"{self.type}/{self.id}"

    @property
    def versioned_reference(self) -> str:
        return f"{self.reference}/_history/{self.version_id}" if self.version_id else self.reference


class PatientRecord(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything that was asked for, about one patient, read whole.

    `endpoint` is the base URL it came from; `identity` names that endpoint in derived identifiers and stays
    the same when the URL changes. `categories` are the resource types that were read whole, also where they
    held nothing: an empty category was looked at, an unlisted one was not.
    """

    endpoint: str
    identity: str
    release: FhirRelease
    patient: Resource
    resources: tuple[Resource, ...]
    categories: frozenset[str]
    issues: tuple[Issue, ...] = ()

    def of(self, resource_type: str) -> tuple[Resource, ...]:
        return tuple(resource for resource in self.resources if resource.type == resource_type)
