"""Plans from elsewhere, applied to the record of a few resources: as `careplan plan --protocol FILE` does."""

from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from careplan_exchange import knowledge, planner
from careplan_exchange.mapping import load_mappings, map_record
from careplan_exchange.mapping.tables import Mappings
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.record import PatientRecord, Resource
from tests.cases.snapshots import vocabulary


@cache
def mappings() -> Mappings:
    return load_mappings(knowledge.documents("mappings"), vocabulary())


def record(*resources: dict[str, Any], release: Any = "R4") -> PatientRecord:
    """The patient first; an id as FHIR has it is made of one that names a version."""
    wire = [_wire(resource, number) for number, resource in enumerate(resources)]
    patient = next(found for found in wire if found.type == "Patient")
    return PatientRecord(
        endpoint="urn:e",
        identity="e",
        release=release,
        patient=patient,
        resources=tuple(found for found in wire if found is not patient),
        categories=frozenset(found.type for found in wire),
    )


def _wire(resource: dict[str, Any], number: int) -> Resource:
    name = str(resource.get("id", f"r{number}")).split("/")[
        -1 if "/_history" not in resource.get("id", "") else 1
    ]
    return Resource(
        type=resource["resourceType"],
        id=name,
        version_id="1",
        last_updated=None,
        content=encode({**resource, "id": name}),
    )


def applied(
    plans: Iterable[knowledge.Document], resources: Iterable[dict[str, Any]], today: date, release: Any = "R4"
) -> Proposal:
    found = record(*resources, release=release)
    snapshot = map_record(found, mappings(), vocabulary(), today=today)
    protocols = planner.compile_foreign(list(plans))
    return planner.plan(snapshot, protocols, vocabulary(), planner.Policies(), found)


def plan_file(content: Any, name: str = "plan.json") -> knowledge.Document:
    return knowledge.parse(name, encode(content))


def resources_of(path: Path) -> list[dict[str, Any]]:
    """A file's resources: itself, or the entries of a Bundle."""
    content = decode(path.read_bytes())
    return [entry["resource"] for entry in content.get("entry", [{"resource": content}])]
