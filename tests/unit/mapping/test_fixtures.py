"""All synthetic records of the shared fixtures: none fails, and nothing of any is lost."""

from datetime import date

import pytest

from careplan_exchange.errors import PatientNotEligibleError
from careplan_exchange.mapping import map_record, nothing, report, survey
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.record import PatientRecord, Resource
from tests.support.shared import SHARED, require_shared

TODAY = date(2021, 4, 1)
BUNDLES = sorted((SHARED / "fixtures/patients").glob("*.json"))


def read(path, *, alive):
    patient, resources = None, []
    for entry in decode(path.read_bytes())["entry"]:
        body = entry["resource"]
        if body["resourceType"] == "Patient" and alive:
            body.pop("deceasedDateTime", None)
        found = Resource(
            type=body["resourceType"], id=body["id"], version_id="1", last_updated=None, content=encode(body)
        )
        if found.type == "Patient":
            patient = found
        else:
            resources.append(found)
    return PatientRecord(
        endpoint="urn:fixture",
        identity="fixture",
        release="R4",
        patient=patient,
        resources=tuple(resources),
        categories=frozenset(found.type for found in resources),
    )


def test_the_shared_records_are_here():
    require_shared("fixtures/patients")
    assert len(BUNDLES) == 62


def test_under_one_resource_in_a_hundred_is_not_understood(mappings, vocabulary):
    require_shared("fixtures/patients")
    found = nothing()
    for path in BUNDLES:
        found.plus(survey(read(path, alive=False), mappings, vocabulary, today=TODAY))
    coverage = report(found, patients=len(BUNDLES), as_of=TODAY)
    assert coverage.share_not_understood < 0.01
    assert coverage.total.used > coverage.total.not_needed


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem.rpartition("_")[2][:8])
def test_nothing_of_a_record_is_lost_and_every_product_is_known(path, mappings, vocabulary):
    record = read(path, alive=True)
    snapshot = map_record(record, mappings, vocabulary, today=TODAY)
    used = {fact.evidence.reference for fact in snapshot.facts}
    told = {
        reference.partition("/_history/")[0]
        for issue in snapshot.issues
        for reference in (issue.sources or (issue.source,))
    }
    assert {resource.reference for resource in record.resources} <= used | told
    assert snapshot.facts
    assert len(snapshot.issues) < 120
    assert "mapping.medication.unmapped" not in {issue.key for issue in snapshot.issues}


@pytest.mark.parametrize("path", BUNDLES[:3], ids=lambda path: path.stem.rpartition("_")[2][:8])
def test_no_name_address_or_number_of_the_patient_is_in_an_issue(path, mappings, vocabulary):
    record = read(path, alive=True)
    person = decode(record.patient.content)
    secrets = {person["birthDate"], *(name["family"] for name in person["name"])}
    secrets |= {identifier["value"] for identifier in person["identifier"] if identifier["value"] != person["id"]}
    secrets |= {address["line"][0] for address in person["address"]} | {
        phone["value"] for phone in person["telecom"]
    }
    snapshot = map_record(record, mappings, vocabulary, today=TODAY)
    told = encode([snapshot.issues, snapshot.facts]).decode()
    assert not [secret for secret in secrets if secret in told]


def test_the_deceased_among_them_are_not_planned_for(mappings, vocabulary):
    require_shared("fixtures/patients")
    refused = 0
    for path in BUNDLES:
        record = read(path, alive=False)
        if b"deceasedDateTime" not in record.patient.content:
            continue
        with pytest.raises(PatientNotEligibleError):
            map_record(record, mappings, vocabulary, today=TODAY)
        refused += 1
    assert refused == 23
