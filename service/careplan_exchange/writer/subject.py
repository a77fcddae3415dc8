"""Whose plan it is on the target: the patient there who is the one that was read."""

from typing import Any

from careplan_exchange.errors import PatientAmbiguousError, PatientNotFoundError
from careplan_exchange.fhir import FhirClient, Query, literal
from careplan_exchange.model.changes import Json
from careplan_exchange.model.codec import decode
from careplan_exchange.model.record import PatientRecord, Resource

_NOT_TRUSTED = frozenset({"temp", "old"})
"""Identifier.use of identifiers that may since belong to somebody else."""


async def find_subject(client: FhirClient, record: PatientRecord) -> str:
    """`Patient/<id>` on the client's server: the same one where the record was read there, otherwise the one
    patient who shares a business identifier.

    Raises PatientNotFoundError, PatientAmbiguousError (also where that patient's birth date contradicts).
    """
    if record.endpoint == client.base_url:
        return record.patient.reference
    patient: Json = decode(record.patient.content)
    tokens = tuple(dict.fromkeys(filter(None, map(_token, patient.get("identifier", ())))))
    if not tokens:
        raise PatientNotFoundError(
            "The patient has no business identifier by which to find the same person on the target server.",
            mend="Give the patient one identifier, with its system, on both servers, or write to the source.",
        )
    found = await client.search(Query("Patient", (("identifier", ",".join(tokens)),)), no_cache=True)
    candidates = [(resource, body) for resource in found if _in_use(body := decode(resource.content))]
    if not candidates:
        raise PatientNotFoundError(
            "No patient in use on the target server shares an identifier with this one.",
            mend="Create the patient there with the same identifier, or write to the source.",
        )
    if len(candidates) > 1:
        raise PatientAmbiguousError(
            f"{len(candidates)} patients on the target share an identifier with this one: {_named(candidates)}.",
            mend="Merge them there, or correct their identifiers.",
        )
    resource, body = candidates[0]
    if _contradict(patient.get("birthDate"), body.get("birthDate")):
        raise PatientAmbiguousError(
            f"{resource.reference} on the target shares an identifier with this patient but not the birth date.",
            mend="Find out whether they are one person, and correct the one that is wrong.",
        )
    return resource.reference


def _token(identifier: Any) -> str | None:
    """As a search token; without a system a number says nothing outside its own server."""
    if not isinstance(identifier, dict) or identifier.get("use") in _NOT_TRUSTED:
        return None
    system, value = identifier.get("system"), identifier.get("value")
    return f"{literal(system)}|{literal(value)}" if system and value else None


def _in_use(patient: Json) -> bool:
    replaced = any(link.get("type") == "replaced-by" for link in patient.get("link", ()))
    return patient.get("active") is not False and not replaced


def _contradict(one: str | None, other: str | None) -> bool:
    """Dates of different precision agree as far as the shorter one goes; an unknown date contradicts nothing."""
    if not one or not other:
        return False
    shorter = min(len(one), len(other))
    return one[:shorter] != other[:shorter]


def _named(candidates: list[tuple[Resource, Json]]) -> str:
    return ", ".join(resource.reference for resource, _ in candidates)
