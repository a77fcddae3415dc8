"""ports.Source, over its adapters: a Bundle file, our sandbox, HAPI R4 and R5, and Medplum. The same record must come
from each."""

import json
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from careplan_exchange.errors import (
    IncompleteRecordError,
    PatientAmbiguousError,
    PatientMergedError,
    PatientNotFoundError,
    UsageError,
)
from careplan_exchange.fhir import Connection, Query, connect
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.ports import Source
from careplan_exchange.sources import BundleSource, refresh
from careplan_exchange.sources.kinds import TYPES
from tests.support.r5 import to_r5
from tests.support.shared import require_shared
from tests.support.sources import endpoint_source

NOT_LOADED = {"Claim", "ExplanationOfBenefit", "ImagingStudy"}
"""Half of a Synthea bundle, and nothing that a record holds refers to it."""


class Ids:
    def new(self):
        return str(uuid.uuid4())


@dataclass
class Loaded:
    """A source that holds a Bundle. `places` gives the reference on it of each `fullUrl` of the Bundle."""

    source: Source
    places: dict[str, str]

    def id_of(self, full_url):
        return self.places[full_url].partition("/")[2]


class Files:
    """The Bundle as it is, given to the adapter for files."""

    release = "R4"

    async def load(self, bundle):
        places = {}
        for entry in bundle["entry"]:
            resource = entry["resource"]
            resource_id = resource.get("id") or entry["fullUrl"].removeprefix("urn:uuid:")
            places[entry["fullUrl"]] = f"{resource['resourceType']}/{resource_id}"
        return Loaded(BundleSource(encode(bundle), identity="contract", name="contract.json"), places)


class Endpoints:
    """The Bundle posted to a server, which gives everything an id of its own."""

    def __init__(self, url, client, *, release="R4", vendor=None, pages=True):
        self.url = url
        self.client = client
        self.release = release
        self.vendor = vendor
        self.pages = pages

    async def load(self, bundle):
        async with httpx.AsyncClient(timeout=120) as http:
            headers = {"Content-Type": "application/fhir+json"}
            answer = await http.post(self.url, content=encode(bundle), headers=headers)
        assert answer.status_code == 200, answer.text[:2000]
        locations = [entry["response"]["location"] for entry in answer.json()["entry"]]
        places = {
            entry["fullUrl"]: "/".join(location.removeprefix(f"{self.url}/").split("/")[:2])
            for entry, location in zip(bundle["entry"], locations, strict=True)
        }
        return Loaded(endpoint_source(self.client, vendor=self.vendor), places)


SERVERS = [
    "sandbox",
    "sandbox_r5",
    pytest.param("hapi_r4", marks=pytest.mark.hapi),
    pytest.param("hapi_r5", marks=pytest.mark.hapi),
    pytest.param("medplum", marks=pytest.mark.medplum),
]


@asynccontextmanager
async def opened(request):
    url = request.getfixturevalue(request.param).url
    release = "R5" if request.param.endswith("_r5") else "R4"
    # Medplum's CapabilityStatement names no software: only a setting can choose its plan.
    weak = request.param == "medplum"
    async with connect(Connection(base_url=url), ids=Ids()) as client:
        yield Endpoints(url, client, release=release, vendor="medplum" if weak else None, pages=not weak)


@pytest.fixture(params=["file", *SERVERS])
async def place(request):
    if request.param == "file":
        yield Files()
        return
    async with opened(request) as endpoints:
        yield endpoints


@pytest.fixture(params=SERVERS)
async def endpoint(request):
    async with opened(request) as endpoints:
        yield endpoints


def transaction(*resources: dict[str, Any]) -> dict[str, Any]:
    entries = [
        {
            "fullUrl": f"urn:uuid:{uuid.uuid4()}",
            "resource": resource,
            "request": {"method": "POST", "url": resource["resourceType"]},
        }
        for resource in resources
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def person(identifier: str | None = None, **elements: Any) -> dict[str, Any]:
    own = {"system": "urn:careplan-exchange:contract", "value": identifier or str(uuid.uuid4())}
    return {"resourceType": "Patient", "identifier": [own], **elements}


def goal(text: str, subject: str) -> dict[str, Any]:
    return {
        "resourceType": "Goal",
        "lifecycleStatus": "active",
        "description": {"text": text},
        "subject": {"reference": subject},
    }


def synthea(name: str) -> dict[str, Any]:
    """A third-party patient under a fresh identifier, without what no record holds."""
    (path,) = require_shared("fixtures/patients").glob(f"*{name}*.json")
    bundle = decode(path.read_bytes())
    bundle["entry"] = [e for e in bundle["entry"] if e["resource"]["resourceType"] not in NOT_LOADED]
    for entry in bundle["entry"]:
        if entry["resource"]["resourceType"] == "Patient":
            entry["resource"]["identifier"] = person()["identifier"]
    return bundle


def patient_of(bundle: dict[str, Any]) -> str:
    return next(e["fullUrl"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")


def measured(content: bytes) -> Any:
    """What a rule would look at, without what a server may add or rewrite."""
    resource = decode(content)
    kept = (
        "status",
        "code",
        "valueQuantity",
        "component",
        "medicationCodeableConcept",
        "medicationReference",
        "medication",
        "clinicalStatus",
        "onsetDateTime",
    )
    return {key: resource[key] for key in kept if key in resource}


@pytest.mark.parametrize("name", ["Alejandro_Riojas", "Ali_Herman", "Truman_Wiegand"])
async def test_the_same_record_comes_from_every_source(place, name):
    bundle = synthea(name) if place.release == "R4" else to_r5(synthea(name))
    loaded = await place.load(bundle)
    record = await loaded.source.pull(loaded.id_of(patient_of(bundle)))
    expected = {
        loaded.places[entry["fullUrl"]]: entry["resource"]
        for entry in bundle["entry"]
        if entry["resource"]["resourceType"] in TYPES - {"Patient"}
    }
    assert {resource.reference for resource in record.resources} == set(expected)
    assert len(record.resources) == len(expected)
    assert record.patient.reference == loaded.places[patient_of(bundle)]
    assert record.categories >= {resource.type for resource in record.resources}
    # A server may have no search for a type that this patient has nothing of.
    assert {issue.key for issue in record.issues} <= {"source.category.missing"}
    for resource in record.resources:
        assert measured(resource.content) == measured(encode(expected[resource.reference]))
        named = decode(resource.content)
        subject = named.get("subject") or named.get("patient")
        assert subject["reference"] == record.patient.reference


async def test_every_resource_of_a_server_comes_in_its_version(endpoint):
    bundle = transaction(person())
    subject = patient_of(bundle)
    bundle["entry"] += transaction(goal("one", subject))["entry"]
    loaded = await endpoint.load(bundle)
    record = await loaded.source.pull(loaded.id_of(subject))
    assert all(resource.version_id for resource in (record.patient, *record.resources))
    assert all(resource.last_updated for resource in record.resources)


async def test_what_was_written_a_moment_ago_is_in_the_record(endpoint):
    bundle = transaction(person())
    loaded = await endpoint.load(bundle)
    patient_id = loaded.id_of(patient_of(bundle))
    for count in (0, 1, 2):
        assert len((await loaded.source.pull(patient_id)).resources) == count
        await endpoint.load(transaction(goal("another", f"Patient/{patient_id}")))


async def test_a_search_over_many_small_pages_is_the_same_as_over_one(endpoint):
    bundle = transaction(person())
    subject = patient_of(bundle)
    bundle["entry"] += transaction(*(goal(f"number {n}", subject) for n in range(7)))["entry"]
    loaded = await endpoint.load(bundle)
    patient = ("patient", f"Patient/{loaded.id_of(subject)}")
    if not endpoint.pages:
        with pytest.raises(IncompleteRecordError):
            await endpoint.client.search(Query("Goal", (patient, ("_count", "2"))), no_cache=True)
        return
    small, large = Query("Goal", (patient, ("_count", "2"))), Query("Goal", (patient, ("_count", "1000")))
    alone = await endpoint.client.search(small, no_cache=True)
    paged, whole = await endpoint.client.search_many([small, large], no_cache=True)
    references = {resource.reference for resource in whole}
    assert len(references) == 7
    assert {resource.reference for resource in paged} == {resource.reference for resource in alone} == references
    assert len(paged) == len(alone) == 7


async def test_an_unknown_patient_is_not_found(place):
    loaded = await place.load(transaction(person()))
    with pytest.raises(PatientNotFoundError):
        await loaded.source.pull(f"none-{uuid.uuid4().hex[:8]}")


@pytest.mark.parametrize("patient_id", ["", "Patient/1", "no id", "1?x"])
async def test_what_is_no_id_is_refused(place, patient_id):
    loaded = await place.load(transaction(person()))
    with pytest.raises(UsageError):
        await loaded.source.pull(patient_id)


async def test_a_patient_is_found_by_a_business_identifier(place):
    value = str(uuid.uuid4())
    bundle = transaction(person(value))
    loaded = await place.load(bundle)
    record = await loaded.source.pull(f"urn:careplan-exchange:contract|{value}")
    assert record.patient.reference == loaded.places[patient_of(bundle)]
    with pytest.raises(PatientNotFoundError):
        await loaded.source.pull(f"urn:careplan-exchange:contract|{uuid.uuid4()}")


async def test_two_patients_with_one_identifier_are_ambiguous(place):
    value = str(uuid.uuid4())
    loaded = await place.load(transaction(person(value), person(value)))
    with pytest.raises(PatientAmbiguousError):
        await loaded.source.pull(f"urn:careplan-exchange:contract|{value}")


async def test_a_merged_patient_is_refused(place):
    bundle = transaction(person())
    survivor = patient_of(bundle)
    merged = transaction(person(active=False, link=[{"type": "replaced-by", "other": {"reference": survivor}}]))
    bundle["entry"] += merged["entry"]
    loaded = await place.load(bundle)
    with pytest.raises(PatientMergedError):
        await loaded.source.pull(loaded.id_of(patient_of(merged)))
    assert (await loaded.source.pull(loaded.id_of(survivor))).resources == ()


async def test_one_patients_record_holds_nothing_of_the_next(endpoint):
    one, other = transaction(person()), transaction(person())
    one["entry"] += transaction(goal("one's", patient_of(one)))["entry"]
    other["entry"] += transaction(goal("the other's", patient_of(other)))["entry"]
    loaded = await endpoint.load({**one, "entry": one["entry"] + other["entry"]})
    record = await loaded.source.pull(loaded.id_of(patient_of(one)))
    (only,) = record.resources
    assert json.loads(only.content)["description"]["text"] == "one's"


def order(medication: str, subject: str, release: str) -> dict[str, Any]:
    named = {"reference": medication}
    return {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": subject},
        **({"medicationReference": named} if release == "R4" else {"medication": {"reference": named}}),
    }


async def test_a_medication_comes_with_what_refers_to_it_and_no_other(place):
    bundle = transaction(person(), {"resourceType": "Medication", "code": {"text": "one"}})
    subject, medication = (entry["fullUrl"] for entry in bundle["entry"])
    bundle["entry"] += transaction(
        order(medication, subject, place.release), {"resourceType": "Medication", "code": {"text": "of nobody"}}
    )["entry"]
    loaded = await place.load(bundle)
    record = await loaded.source.pull(loaded.id_of(subject))
    assert [resource.reference for resource in record.of("Medication")] == [loaded.places[medication]]
    assert "source.reference.missing" not in {issue.key for issue in record.issues}


@pytest.mark.parametrize("endpoint", SERVERS, indirect=True)
async def test_a_visit_to_come_is_read_from_a_server_and_a_past_one_is_not(endpoint):
    bundle = transaction(person())
    subject = patient_of(bundle)
    visits = [
        {
            "resourceType": "Appointment",
            "status": status,
            "start": f"{day}T09:00:00Z",
            "end": f"{day}T09:30:00Z",
            "participant": [{"actor": {"reference": subject}, "status": "accepted"}],
        }
        for status, day in (("booked", "2026-02-01"), ("booked", "2026-04-01"), ("cancelled", "2026-04-02"))
    ]
    bundle["entry"] += transaction(*visits)["entry"]
    loaded = await endpoint.load(bundle)
    record = await loaded.source.pull(loaded.id_of(subject))
    starts = [json.loads(visit.content)["start"] for visit in record.of("Appointment")]
    assert [start[:10] for start in starts] == ["2026-04-01"]
    assert "Appointment" not in record.categories


async def test_a_refreshed_record_is_that_of_a_full_reading(endpoint, monkeypatch):
    monkeypatch.setattr(refresh, "WORTH_REFRESHING", 1)
    bundle = transaction(person())
    subject = patient_of(bundle)
    bundle["entry"] += transaction(*(goal(f"number {n}", subject) for n in range(4)))["entry"]
    loaded = await endpoint.load(bundle)
    patient_id = loaded.id_of(subject)
    source = endpoint_source(endpoint.client, vendor=endpoint.vendor)
    at = datetime.now(UTC)
    kept = await source.refresh(patient_id, None, at=at)
    deleted, edited, *_ = kept.record.of("Goal")
    changed = {**json.loads(edited.content), "description": {"text": "edited"}}
    async with httpx.AsyncClient(base_url=endpoint.url, timeout=60) as http:
        assert (await http.delete(f"/{deleted.reference}")).status_code in {200, 204}
        headers = {"Content-Type": "application/fhir+json"}
        assert (await http.put(f"/{edited.reference}", json=changed, headers=headers)).status_code == 200
    await endpoint.load(transaction(goal("new", f"Patient/{patient_id}")))
    again = await source.refresh(patient_id, kept, at=at)
    texts = sorted(json.loads(one.content)["description"]["text"] for one in again.record.of("Goal"))
    assert len(texts) == 4
    assert {"edited", "new"} < set(texts)
    assert again.record == await source.pull(patient_id)
    assert (await source.refresh(patient_id, again, at=at)).record == again.record


@pytest.mark.hapi
@pytest.mark.parametrize("release", ["r4", "r5"])
async def test_everything_in_one_operation_is_the_same_record(request, release):
    url = request.getfixturevalue(f"hapi_{release}").url
    bundle = synthea("Ali_Herman") if release == "r4" else to_r5(synthea("Ali_Herman"))
    async with connect(Connection(base_url=url), ids=Ids()) as client:
        loaded = await Endpoints(url, client).load(bundle)
        patient_id = loaded.id_of(patient_of(bundle))
        searched = await loaded.source.pull(patient_id)
        whole = await endpoint_source(client, vendor="google").pull(patient_id)
    assert whole == searched


class Counting(httpx.AsyncHTTPTransport):
    """The network, with a count of what was sent."""

    sent = 0

    async def handle_async_request(self, request):
        self.sent += 1
        return await super().handle_async_request(request)


@pytest.mark.hapi
@pytest.mark.parametrize("release", ["r4", "r5"])
async def test_a_patient_of_under_a_thousand_resources_takes_two_requests_on_hapi(request, release):
    url = request.getfixturevalue(f"hapi_{release}").url
    bundle = synthea("Andrea_Dach") if release == "r4" else to_r5(synthea("Andrea_Dach"))
    transport = Counting()
    async with connect(Connection(base_url=url), ids=Ids(), transport=transport) as client:
        loaded = await Endpoints(url, client).load(bundle)
        patient_id = loaded.id_of(patient_of(bundle))
        record = await loaded.source.pull(patient_id)
        assert 50 < len(record.resources) < 1000
        assert transport.sent == 2  # the CapabilityStatement, once a client, and one batch
        await loaded.source.pull(patient_id)
        assert transport.sent == 3
