"""A patient's record from a FHIR endpoint: one batch on a server that takes it."""

from careplan_exchange.errors import IncompleteRecordError, PatientNotFoundError
from careplan_exchange.fhir import Capabilities, FhirClient, Query, literal
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.record import PatientRecord, Resource

from .patient import (
    BusinessIdentifier,
    belongings,
    not_searched,
    only_one,
    parse_patient,
    refuse_another,
    refuse_merged,
    subject_of,
)
from .queries import CATEGORIES, PAGE_SIZE, Category, query_for


class EndpointSource:
    """ports.Source over one endpoint."""

    def __init__(self, client: FhirClient) -> None:
        self._client = client

    @property
    def endpoint(self) -> str:
        return self._client.base_url

    @property
    def identity(self) -> str:
        return self._client.connection.identity or self._client.base_url

    async def pull(self, patient_id: str) -> PatientRecord:
        """The whole record, read past any cache. `patient_id` is an id, or an identifier as `system|value`.

        Raises UsageError before anything is asked, PatientNotFoundError, PatientAmbiguousError,
        PatientMergedError, WrongPatientError, and what the client raises.
        """
        asked = parse_patient(patient_id)
        capabilities = await self._client.capabilities()
        categories, issues = _searchable(capabilities)
        if isinstance(asked, BusinessIdentifier):
            asked = await self._id_of(asked)
        found = await self._client.search_many(
            [query_for(category, asked) for category in categories], no_cache=True
        )
        by_type = dict(zip((category.type for category in categories), found, strict=True))
        patient = _patient(by_type.pop("Patient"), asked, self._client.base_url)
        resources = [resource for matches in by_type.values() for resource in matches]
        subjects = {resource.reference: subject_of(resource.content) for resource in resources}
        ours, left = belongings(resources, subjects, asked, self._client.base_url)
        return PatientRecord(
            endpoint=self.endpoint,
            identity=self.identity,
            release=capabilities.release,
            patient=patient,
            resources=ours,
            categories=frozenset(category.type for category in categories),
            issues=(*issues, *left),
        )

    async def _id_of(self, identifier: BusinessIdentifier) -> str:
        value = f"{literal(identifier.system)}|{literal(identifier.value)}"
        query = Query("Patient", (("identifier", value), ("_count", PAGE_SIZE)))
        found = await self._client.search(query, no_cache=True)
        return only_one((patient.id for patient in found), self._client.base_url)


def _searchable(capabilities: Capabilities) -> tuple[tuple[Category, ...], tuple[Issue, ...]]:
    """The categories that the server has, and an Issue for each that it lacks.

    Raises IncompleteRecordError for one without which nothing can be planned. Whether the search parameter is
    listed too is not asked: lists are often incomplete, and the search itself tells. A statement that lists no
    type at all says nothing about any: everything is asked for.
    """
    if not capabilities.interactions:
        return CATEGORIES, ()
    present = tuple(c for c in CATEGORIES if capabilities.supports(c.type, "search-type"))
    missing = [category for category in CATEGORIES if category not in present]
    needed = [category.type for category in missing if category.needed]
    if needed:
        raise IncompleteRecordError(
            f"The server's CapabilityStatement has no search for {', '.join(needed)}.",
            mend="A plan cannot be made without them: use an endpoint that has them, or a Bundle file.",
        )
    return present, tuple(not_searched(category.type) for category in missing)


def _patient(found: tuple[Resource, ...], patient_id: str, where: str) -> Resource:
    patient = next((resource for resource in found if resource.id == patient_id), None)
    if len(found) > (patient is not None):
        raise refuse_another("Patient")
    if patient is None:
        raise PatientNotFoundError(
            f"There is no Patient with this id on {where}.",
            mend="Check the id and the endpoint; for an identifier give system|value.",
        )
    refuse_merged(patient)
    return patient
