"""What a record's resources refer to and that is about nobody by itself: Medications, and Devices."""

from collections.abc import Iterable, Mapping

import msgspec

from careplan_exchange.fhir import ID
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.record import Resource

from .kinds import REFERRED


class _Reference(msgspec.Struct, frozen=True):
    reference: str | None = None


class _Choice(msgspec.Struct, frozen=True):
    """A Reference, or R5's CodeableReference."""

    reference: str | _Reference | None = None


class _Referring(msgspec.Struct, frozen=True, rename="camel"):
    medication_reference: _Reference | None = None
    medication: _Choice | None = None
    device: _Choice | None = None


_referring = msgspec.json.Decoder(_Referring)
_REFERRING_TYPES = frozenset(
    {"MedicationRequest", "MedicationStatement", "MedicationDispense", "MedicationAdministration"}
    | {"DeviceUseStatement", "DeviceUsage", "DeviceAssociation"}
)


def referred(resources: Iterable[Resource], base_url: str) -> dict[str, list[Resource]]:
    """Who refers to what: `Medication/<id>` and `Device/<id>`, or the address as it stands where that is on
    another server. Contained ones are no part of this; what is not FHIR is for mapping to tell."""
    found: dict[str, list[Resource]] = {}
    for resource in resources:
        if resource.type not in _REFERRING_TYPES:
            continue
        reference = _reference(resource.content)
        if reference and not reference.startswith("#"):
            place = reference.removeprefix(f"{base_url}/").partition("/_history/")[0]
            found.setdefault(place, []).append(resource)
    return found


def _reference(content: bytes) -> str | None:
    try:
        read = _referring.decode(content)
    except msgspec.DecodeError:
        return None
    for one in (read.medication_reference, read.medication, read.device):
        if one is not None and one.reference is not None:
            return one.reference if isinstance(one.reference, str) else one.reference.reference
    return None


def local_id(place: str) -> tuple[str, str] | None:
    """Type and id of a `Medication/<id>` or `Device/<id>` on this server, None for anything else."""
    kind, _, resource_id = place.partition("/")
    return (kind, resource_id) if kind in REFERRED and ID.fullmatch(resource_id) else None


def missing(who: Mapping[str, list[Resource]], found: Iterable[str]) -> tuple[Issue, ...]:
    """An Issue for each thing that is referred to and did not come."""
    there = frozenset(found)
    return tuple(
        Issue(
            severity="warning",
            code="not-found",
            key="source.reference.missing",
            detail=f"A {resources[0].type} refers to a {_kind(place)} that the source does not have.",
            sources=tuple(resource.versioned_reference for resource in resources),
            mend="Have the reference mended at the source: without it nobody knows what it is about.",
        )
        for place, resources in sorted(who.items())
        if place not in there
    )


def _kind(place: str) -> str:
    return next((kind for kind in sorted(REFERRED) if kind in place.split("/")), "resource")
