"""A patient's record from a FHIR endpoint, asked for as the query plan of its vendor says."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import NamedTuple

from careplan_exchange.errors import PatientNotFoundError, RefusedError
from careplan_exchange.fhir import Capabilities, FhirClient, Found, Query, literal, newest
from careplan_exchange.model.issue import Issue
from careplan_exchange.model.record import PatientRecord, Resource

from . import references
from .kinds import NEEDED, REFERRED
from .patient import (
    BusinessIdentifier,
    belonging,
    belongings,
    only_one,
    parse_patient,
    refuse_another,
    refuse_merged,
    subjects_of,
    withheld,
)
from .plans import Plan, Plans, TypePlan
from .queries import queries_for, searchable, takes_batch
from .refresh import (
    Kept,
    changes,
    fingerprint,
    listing,
    merged,
    refreshes,
    since,
    usable,
)

_PAGE_SIZE = "1000"


class _Asked(NamedTuple):
    """One patient at one server. `kept` is an earlier reading that can be refreshed."""

    id: str
    plan: Plan
    capabilities: Capabilities
    kept: Kept | None


class EndpointSource:
    """ports.Source over one endpoint. `vendor` chooses the query plan, otherwise the server's software does;
    `today` is the day of the run, from which on visits are asked for."""

    def __init__(self, client: FhirClient, plans: Plans, *, today: date, vendor: str | None = None) -> None:
        self._client = client
        self._plans = plans
        self._today = today
        self._vendor = vendor

    @property
    def endpoint(self) -> str:
        return self._client.base_url

    @property
    def identity(self) -> str:
        return self._client.connection.identity or self._client.base_url

    async def pull(self, patient_id: str) -> PatientRecord:
        """The whole record, read past any cache. `patient_id` is an id, or an identifier as `system|value`.

        A type counts as read whole (`categories`) where the server has it and gave it, and where the plan's
        queries for it find everything (`TypePlan.whole`).

        Raises UsageError before anything is asked, SettingsError for a vendor that has no plan,
        PatientNotFoundError, PatientAmbiguousError, PatientMergedError, WrongPatientError, and what the client
        raises: EndpointUnreachableError also where the time that one patient may take is over.
        """
        async with self._client.one_patient():
            record, _ = await self._pull(patient_id, None)
        return record

    async def refresh(self, patient_id: str, kept: Kept | None, *, at: datetime) -> Kept:
        """As `pull`, at the moment `at`; with an earlier reading of the same patient only what changed is asked
        for, and the record is that of a full reading. Raises UsageError where `kept` is of another patient or
        server, and as `pull` does."""
        async with self._client.one_patient():
            record, plan = await self._pull(patient_id, kept)
        return Kept(record=record, read_at=at.isoformat(), plan=fingerprint(plan))

    async def _pull(self, patient_id: str, kept: Kept | None) -> tuple[PatientRecord, Plan]:
        named = parse_patient(patient_id)
        capabilities = await self._client.capabilities()
        plan = self._plans.choose(self._vendor, capabilities.software)
        kinds, issues = searchable(plan, capabilities)
        if isinstance(named, BusinessIdentifier):
            named = await self._id_of(named)
        if kept is not None and not usable(
            kept, endpoint=self.endpoint, patient_id=named, release=capabilities.release, plan=plan
        ):
            kept = None
        asked = _Asked(named, plan, capabilities, kept)
        found = await self._everything(asked, kinds)
        by_type, refusals = (found, {}) if found is not None else await self._search(asked, kinds)
        patient = _patient(by_type.pop("Patient"), asked.id, self.endpoint)
        read = newest(resource for matches in by_type.values() for resource in matches)
        subjects = {resource.reference: subjects_of(resource.content) for resource in read}
        more = await self._referred(asked, read, subjects)
        subjects |= {resource.reference: subjects_of(resource.content) for resource in more}
        ours, left = belongings((*read, *more), subjects, asked.id, self.endpoint)
        record = PatientRecord(
            endpoint=self.endpoint,
            identity=self.identity,
            release=capabilities.release,
            patient=patient,
            resources=ours,
            categories=frozenset(kind.type for kind in kinds if kind.whole and kind.type not in refusals),
            issues=(*issues, *refusals.values(), *left),
        )
        return record, plan

    async def _everything(self, asked: _Asked, kinds: Iterable[TypePlan]) -> dict[str, list[Resource]] | None:
        """What `$everything` gives of the plan's types, and of what they refer to; None where the plan prefers
        searches, or the server does not offer the operation."""
        batch = takes_batch(asked.plan, asked.capabilities) and not self._client.refused_batch
        if batch or asked.plan.everything == "never":
            return None
        try:
            found = await self._client.everything(asked.id, count=int(_PAGE_SIZE))
        except RefusedError as error:
            if error.status == 401:
                raise
            return None
        by_type: dict[str, list[Resource]] = {kind.type: [] for kind in kinds}
        by_type |= {kind: [] for kind in REFERRED - by_type.keys()}
        for resource in found:
            if resource.type in by_type:
                by_type[resource.type].append(resource)
        return by_type

    async def _search(
        self, asked: _Asked, kinds: Iterable[TypePlan]
    ) -> tuple[dict[str, list[Resource]], dict[str, Issue]]:
        """What came by type of the query, and an Issue for each type that the server withheld. One round of
        searches, and a second one for the types that could not be refreshed."""
        full: dict[str, tuple[Query, ...]] = {}
        queries: list[Query] = []
        fresh: list[str] = []
        for kind in kinds:
            full[kind.type] = queries_for(asked.plan, kind, asked.capabilities, asked.id, self._today)
            if asked.kept and refreshes(asked.kept, asked.plan, kind, asked.capabilities):
                moment = since(asked.kept, asked.plan.overlap_minutes)
                (query,) = full[kind.type]
                queries += [changes(query, moment), listing(query, asked.plan)]
                fresh.append(kind.type)
            else:
                queries += full[kind.type]
        answers = self._by_type(queries, await self._each(asked, queries))
        found = {kind: [r for one in ones for r in one.resources] for kind, ones in answers.items()}
        again: list[Query] = []
        for kind_ in fresh:
            refreshed = _refreshed(asked, kind_, answers[kind_])
            if refreshed is None:
                again += full[kind_]
            else:
                found[kind_] = list(refreshed)
        if again:
            second = self._by_type(again, await self._each(asked, again))
            answers |= second
            found |= {kind: [r for one in ones for r in one.resources] for kind, ones in second.items()}
        refusals = {
            kind: withheld(kind, error)
            for kind, ones in answers.items()
            if (error := next((one.withheld for one in ones if one.withheld is not None), None)) is not None
        }
        return found, refusals

    @staticmethod
    def _by_type(queries: Iterable[Query], answers: Iterable[Found]) -> dict[str, list[Found]]:
        by_type: dict[str, list[Found]] = {}
        for query, answer in zip(queries, answers, strict=True):
            by_type.setdefault(query.type, []).append(answer)
        return by_type

    async def _each(self, asked: _Asked, queries: list[Query]) -> tuple[Found, ...]:
        return await self._client.search_each(
            queries,
            batch=takes_batch(asked.plan, asked.capabilities),
            may_be_withheld=frozenset(query.type for query in queries) - NEEDED,
            no_cache=True,
        )

    async def _referred(
        self, asked: _Asked, read: tuple[Resource, ...], subjects: Mapping[str, Collection[str]]
    ) -> tuple[Resource, ...]:
        """The Medications and Devices that the patient's resources refer to and that did not come along."""
        ours = [r for r in read if belonging(subjects[r.reference], asked.id, self.endpoint) == "ours"]
        wanted = references.referred(ours, self.endpoint).keys() - subjects.keys()
        ids: dict[str, list[str]] = {kind: [] for kind in sorted(REFERRED)}
        for place in sorted(wanted):
            if (local := references.local_id(place)) is not None:
                ids[local[0]].append(local[1])
        at_once = asked.plan.ids_at_once
        queries = [
            Query(kind, (("_id", ",".join(some[start : start + at_once])), ("_count", _PAGE_SIZE)))
            for kind, some in ids.items()
            for start in range(0, len(some), at_once)
        ]
        found = await self._each(asked, queries) if queries else ()
        return tuple(r for one in found for r in one.resources if r.reference in wanted)

    async def _id_of(self, identifier: BusinessIdentifier) -> str:
        value = f"{literal(identifier.system)}|{literal(identifier.value)}"
        query = Query("Patient", (("identifier", value), ("_count", _PAGE_SIZE)))
        found = await self._client.search(query, no_cache=True)
        return only_one((patient.id for patient in found), self._client.base_url)


def _refreshed(asked: _Asked, resource_type: str, answers: list[Found]) -> tuple[Resource, ...] | None:
    changed, now = answers
    if asked.kept is None or changed.withheld or now.withheld:
        return None
    return merged(asked.kept.record.of(resource_type), changed.resources, now.resources)


def _patient(found: Iterable[Resource], patient_id: str, where: str) -> Resource:
    found = tuple(found)
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
