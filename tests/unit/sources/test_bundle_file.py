import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.errors import (
    CareplanError,
    IncompleteRecordError,
    NotFhirError,
    PatientAmbiguousError,
    PatientMergedError,
    PatientNotFoundError,
    UsageError,
    WrongPatientError,
)
from careplan_exchange.model import codec
from careplan_exchange.sources import BundleSource
from careplan_exchange.sources.kinds import ASKED
from tests.unit.fhir.wire import outcome, searchset

UUID = "032f317f-dbe3-4993-990a-5f33d33f2869"


def patient(**elements):
    return {"resourceType": "Patient", "id": "p1", **elements}


def goal(subject="Patient/p1", **elements):
    return {"resourceType": "Goal", "id": "g1", "subject": {"reference": subject}, **elements}


def bundle(*resources, kind="collection", **elements):
    entries = [r if "resource" in r or "response" in r else {"resource": r} for r in resources]
    return {"resourceType": "Bundle", "type": kind, "entry": entries, **elements}


async def pull(content, patient_id="p1"):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return await BundleSource(data, identity="file-1", name="Anna_Miller.json").pull(patient_id)


@pytest.mark.parametrize("kind", ["collection", "searchset", "transaction", "batch", "document", "message"])
async def test_every_kind_of_bundle_with_resources_is_read(kind):
    record = await pull(bundle(patient(meta={"versionId": "2"}), goal(), kind=kind))
    assert record.patient.versioned_reference == "Patient/p1/_history/2"
    assert [resource.reference for resource in record.resources] == ["Goal/g1"]
    assert (record.identity, record.release, record.categories, record.issues) == ("file-1", "R4", ASKED, ())


async def test_the_name_of_the_file_is_not_in_the_record():
    record = await pull(bundle(patient()))
    assert "Miller" not in record.endpoint
    assert record.endpoint.startswith("urn:careplan-exchange:bundle:")


async def test_a_resource_that_needs_nothing_keeps_its_own_bytes_and_no_version_is_invented():
    text = b'{ "resourceType": "Goal", "id": "g1",\n "subject": {"reference": "Patient/p1"}, "x": 7.20 }'
    data = b'{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","id":"p1"}},{"resource":'
    record = await pull(data + text + b"}]}")
    assert record.resources[0].content == text
    assert record.resources[0].version_id is None


async def test_references_to_a_full_url_are_resolved_as_a_server_would():
    condition = {"resourceType": "Condition", "code": {"text": "x"}, "subject": {"reference": f"urn:uuid:{UUID}"}}
    named = goal(f"urn:uuid:{UUID}", addresses=[{"reference": "urn:uuid:c-1", "display": "x"}])
    record = await pull(
        bundle(
            {"fullUrl": f"urn:uuid:{UUID}", "resource": {"resourceType": "Patient"}},
            {"fullUrl": "urn:uuid:c-1", "resource": condition},
            {"fullUrl": "https://h/r4/Goal/g1", "resource": named},
            kind="transaction",
        ),
        UUID,
    )
    first, second = (codec.decode(resource.content) for resource in record.resources)
    assert (first["id"], first["subject"]["reference"]) == ("c-1", f"Patient/{UUID}")
    assert second["subject"]["reference"] == f"Patient/{UUID}"
    assert second["addresses"] == [{"reference": "Condition/c-1", "display": "x"}]
    assert codec.decode(record.patient.content)["id"] == UUID


async def test_decimals_keep_their_digits_where_references_are_resolved():
    data = (
        b'{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:p1","resource":'
        b'{"resourceType":"Patient"}},{"resource":{"resourceType":"Observation","id":"o1","subject":'
        b'{"reference":"urn:uuid:p1"},"valueQuantity":{"value":7.20}}}]}'
    )
    record = await pull(data)
    assert b"7.20" in record.resources[0].content


async def test_absolute_references_of_a_server_are_resolved():
    record = await pull(
        bundle(
            {"fullUrl": "https://h/r4/Patient/p1", "resource": patient()},
            {"fullUrl": "https://h/r4/Goal/g1", "resource": goal("https://h/r4/Patient/p1")},
            kind="searchset",
        )
    )
    assert codec.decode(record.resources[0].content)["subject"]["reference"] == "Patient/p1"


async def test_a_resource_with_neither_id_nor_full_url_is_known_by_its_place():
    nameless = goal()
    del nameless["id"]
    record = await pull(bundle(patient(), nameless))
    assert record.resources[0].reference == "Goal/entry-2"


async def test_the_searchsets_of_a_batch_response_are_opened():
    record = await pull(
        bundle(
            {"resource": searchset(patient()), "response": {"status": "200 OK"}},
            {"resource": searchset(goal(), outcome("information")), "response": {"status": "200 OK"}},
            {"response": {"status": "204 No Content"}},
            kind="batch-response",
        )
    )
    assert [resource.reference for resource in record.resources] == ["Goal/g1"]


async def test_of_a_resource_that_comes_twice_the_newest_version_counts():
    old, new = goal(meta={"versionId": "2"}), goal(meta={"versionId": "10"})
    record = await pull(bundle(patient(), new, old))
    assert [resource.version_id for resource in record.resources] == ["10"]


@pytest.mark.parametrize(
    "part",
    [
        bundle(patient(), kind="searchset", link=[{"relation": "next", "url": "https://h/r4?page=2"}]),
        bundle(patient(), {"response": {"status": "503 Service Unavailable"}}, kind="batch-response"),
        bundle(patient(), outcome("warning", coding="4119"), kind="searchset"),
        bundle(patient(), outcome("error"), kind="searchset"),
        bundle(
            {"resource": searchset(patient(), next_link="?page=2"), "response": {"status": "200"}},
            kind="batch-response",
        ),
    ],
)
async def test_a_part_of_a_record_is_refused(part):
    with pytest.raises(IncompleteRecordError):
        await pull(part)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"{",
        b"[]",
        b"[" * 100_000,
        b"\xff\xfe",
        patient(),
        bundle(patient(), kind="history"),
        bundle(patient(), kind="subscription-notification"),
        bundle({"resource": {"id": "p1"}}),
        bundle({"resource": None}),
        bundle(patient(id="a b")),
        bundle(patient(link={})),
        bundle(patient(), goal(id="../x")),
        bundle(patient(), {"resourceType": "Goal", "id": "g1", "subject": "Patient/p1"}),
    ],
)
async def test_what_is_no_record_in_fhir_is_refused_with_a_mend(content):
    with pytest.raises(NotFhirError) as caught:
        await pull(content)
    assert caught.value.mend


@given(st.binary(max_size=200))
async def test_no_bytes_break_the_reading(data):
    with pytest.raises(CareplanError):
        await pull(data)


# --- whose it is ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patient_id", ["", " ", "a b", "Patient/p1", "|", "urn:x|"])
async def test_the_patient_must_be_named(patient_id):
    with pytest.raises(UsageError):
        await pull(bundle(patient()), patient_id)


async def test_a_patient_who_is_not_in_the_file_is_not_found():
    with pytest.raises(PatientNotFoundError):
        await pull(bundle(patient()), "p2")


async def test_a_merged_patient_is_refused():
    link = {"type": "replaced-by", "other": {"reference": "Patient/p2"}}
    with pytest.raises(PatientMergedError):
        await pull(bundle(patient(link=[link])))


@pytest.mark.parametrize("subject", ["Patient/p2", "urn:uuid:unknown", "https://h/r4/Patient/p1", "#contained"])
@pytest.mark.parametrize("kind", ["Goal", "Encounter", "RelatedPerson"])
async def test_anything_about_another_patient_makes_the_file_unusable(subject, kind):
    element = "patient" if kind == "RelatedPerson" else "subject"
    other = {"resourceType": kind, "id": "x1", element: {"reference": subject}}
    with pytest.raises(WrongPatientError, match=kind) as caught:
        await pull(bundle(patient(), patient(id="p2"), goal(), other))
    assert "p2" not in caught.value.detail


async def test_the_record_of_another_patient_alone_does_no_harm():
    record = await pull(bundle(patient(id="p2"), patient(), goal()))
    assert record.patient.id == "p1"
    assert [resource.reference for resource in record.resources] == ["Goal/g1"]


async def test_one_id_of_two_servers_is_ambiguous():
    two = [{"fullUrl": f"https://{host}/r4/Patient/p1", "resource": patient()} for host in ("a", "b")]
    with pytest.raises(PatientAmbiguousError):
        await pull(bundle(*two))


async def test_types_outside_the_record_may_name_several_subjects_or_none():
    account = {"resourceType": "Account", "id": "a1", "subject": [{"reference": "Patient/p1"}]}
    organization = {"resourceType": "Organization", "id": "o1"}
    record = await pull(bundle(patient(), account, organization, {"resourceType": "Parameters"}))
    assert (record.resources, record.issues) == ((), ())


async def test_what_is_about_nobody_known_is_left_out_and_listed():
    record = await pull(bundle(patient(), goal("Group/g1")))
    assert record.resources == ()
    assert [issue.key for issue in record.issues] == ["source.subject.no-patient"]


IDENTIFIED = [{"system": "urn:mrn", "value": "4711"}, {"value": "4712"}]


@pytest.mark.parametrize("named", ["urn:mrn|4711", "|4712"])
async def test_an_identifier_finds_the_patient(named):
    content = bundle(patient(identifier=IDENTIFIED), patient(id="p2"), goal())
    assert (await pull(content, named)).patient.id == "p1"


async def test_an_identifier_of_nobody_or_of_several_is_an_error():
    with pytest.raises(PatientNotFoundError):
        await pull(bundle(patient(identifier=IDENTIFIED)), "|4711")
    with pytest.raises(PatientAmbiguousError):
        await pull(
            bundle(patient(identifier=IDENTIFIED), patient(id="p2", identifier=IDENTIFIED)), "urn:mrn|4711"
        )


async def test_a_source_can_be_asked_again():
    source = BundleSource(json.dumps(bundle(patient(), goal())).encode(), identity="f", name="n")
    assert await source.pull("p1") == await source.pull("p1")


def source(*resources):
    return BundleSource(json.dumps(bundle(*resources)).encode(), identity="file-1", name="a.json")


def test_the_file_knows_whom_it_is_about_also_beside_a_mother():
    assert source(patient()).patient_id() == "p1"
    assert source(patient(), patient(id="mother"), goal()).patient_id() == "p1"


def test_a_file_about_nobody_or_about_two_names_no_patient():
    with pytest.raises(PatientNotFoundError):
        source(goal()).patient_id()
    with pytest.raises(PatientAmbiguousError):
        source(patient(), patient(id="p2"), goal(), goal("Patient/p2", id="g2")).patient_id()


def test_what_is_no_part_of_a_record_is_counted_by_type_each_once():
    claim = {"resourceType": "Claim", "id": "c1"}
    assert source(patient(), goal(), claim, claim, {"resourceType": "Claim"}).left_aside() == {"Claim": 2}


async def test_a_medication_is_the_patients_where_something_of_theirs_refers_to_it():
    order = {
        "resourceType": "MedicationRequest",
        "id": "mr1",
        "subject": {"reference": "Patient/p1"},
        "medicationReference": {"reference": "urn:uuid:m-1"},
    }
    medication = {"fullUrl": "urn:uuid:m-1", "resource": {"resourceType": "Medication", "id": "m1"}}
    record = await pull(bundle(patient(), order, medication, {"resourceType": "Medication", "id": "m2"}))
    assert [resource.reference for resource in record.resources] == ["MedicationRequest/mr1", "Medication/m1"]
    (issue,) = record.issues
    assert (issue.key, issue.source) == ("source.subject.unnamed", "Medication/m2")


@pytest.mark.parametrize("kind", ["Coverage", "Appointment"])
async def test_whose_a_coverage_or_a_visit_is_stands_elsewhere_and_counts_too(kind):
    def of(subject):
        named = {"beneficiary": subject} if kind == "Coverage" else {"participant": [{"actor": subject}]}
        return {"resourceType": kind, "id": "x1", **named}

    record = await pull(bundle(patient(), of({"reference": "Patient/p1"})))
    assert [resource.reference for resource in record.resources] == [f"{kind}/x1"]
    with pytest.raises(WrongPatientError, match=kind):
        await pull(bundle(patient(), of({"reference": "Patient/p2"})))
