"""The record of one patient from a server: whole, of nobody else, or an error that names no one."""

import json

import pytest

from careplan_exchange.errors import (
    IncompleteRecordError,
    NotFhirError,
    PatientAmbiguousError,
    PatientMergedError,
    PatientNotFoundError,
    RefusedError,
    UsageError,
    WrongPatientError,
)
from careplan_exchange.sources.kinds import ASKED, NEEDED
from tests.support.sources import endpoint_source, plans
from tests.unit.fhir.wire import BASE, client_of, fhir, outcome
from tests.unit.sources.hospital import PATIENT, R4, R5, WHOLE, Hospital, about


async def test_the_record_comes_in_one_batch_past_every_cache_with_each_version():
    hospital = Hospital(PATIENT, about("Observation"), about("Goal"), about("AllergyIntolerance"))
    record = await hospital.pull()
    assert (record.endpoint, record.identity, record.release) == (BASE, "ward-7", "R4")
    assert record.patient.versioned_reference == "Patient/p1/_history/3"
    assert [resource.versioned_reference for resource in record.resources] == [
        "Observation/ob1/_history/1",
        "AllergyIntolerance/al1/_history/1",
        "Goal/go1/_history/1",
    ]
    assert record.categories == WHOLE
    assert record.issues == ()
    assert hospital.server.paths == ["/metadata", ""]
    batch = hospital.server.requests[1]
    assert batch.headers["cache-control"] == "no-cache"
    urls = [entry["request"]["url"] for entry in json.loads(batch.content)["entry"]]
    assert urls[:2] == ["Patient?_id=p1&_count=1000", "Condition?patient=Patient/p1&_count=1000"]
    kinds = [kind.type for kind in plans().by_vendor["generic"].types if "R4" in kind.releases]
    assert [url.partition("?")[0] for url in urls] == kinds


async def test_a_second_patient_of_the_same_client_costs_one_request():
    hospital = Hospital(PATIENT)
    async with client_of(hospital.server) as client:
        source = endpoint_source(client)
        await source.pull("p1")
        await source.pull("p1")
    assert hospital.server.paths == ["/metadata", "", ""]


async def test_a_server_without_batch_gives_the_same_record():
    resources = (PATIENT, about("Goal", 2), about("Goal", 1), about("Condition"))
    one, other = Hospital(*resources), Hospital(*reversed(resources), whole=())
    assert await one.pull() == await other.pull()
    assert {request.method for request in other.server.requests} == {"GET"}


async def test_an_r5_server_is_read_too():
    record = await Hospital(PATIENT, version="5.0.0", types=R5).pull()
    assert (record.release, record.categories, record.issues) == ("R5", R5 - {"Appointment"}, ())


@pytest.mark.parametrize(
    "patient_id", ["", " ", "a b", "Patient/p1", "../p1", "p1?x", "é", "x" * 65, "p1\n", "|", "urn:x|", "urn:x| "]
)
async def test_what_is_no_id_is_refused_before_anything_is_asked(patient_id):
    hospital = Hospital(PATIENT)
    with pytest.raises(UsageError) as caught:
        await hospital.pull(patient_id)
    assert hospital.server.requests == []
    assert caught.value.mend


async def test_an_unknown_patient_is_not_found():
    with pytest.raises(PatientNotFoundError):
        await Hospital().pull()


async def test_a_server_that_ignores_the_id_and_sends_everyone_is_not_believed():
    other = {**PATIENT, "id": "p2"}
    for patients in ((PATIENT, other), (other,)):
        with pytest.raises(WrongPatientError):
            await Hospital(*patients).pull()


@pytest.mark.parametrize("types", [["seealso"], ["replaces"], ["refer"], []])
async def test_a_link_that_does_not_replace_the_record_is_fine(types):
    patient = {**PATIENT, "link": [{"type": kind, "other": {"reference": "Patient/p9"}} for kind in types]}
    assert (await Hospital(patient).pull()).patient.id == "p1"


async def test_a_merged_patient_is_refused_and_only_the_reference_is_named():
    link = {"type": "replaced-by", "other": {"reference": "Patient/p9", "display": "Anna Miller"}}
    patient = {**PATIENT, "link": [link], "name": [{"family": "Miller"}]}
    with pytest.raises(PatientMergedError, match="Patient/p1") as caught:
        await Hospital(patient).pull()
    assert "Miller" not in caught.value.detail + caught.value.mend
    assert "p9" not in caught.value.detail + caught.value.mend


@pytest.mark.parametrize("kind", sorted(ASKED - {"Patient"}))
@pytest.mark.parametrize(
    "subject", ["Patient/p2", "https://other.example.org/r4/Patient/p1", "urn:uuid:p1", "Patient?identifier=x|1"]
)
async def test_data_of_another_patient_stops_everything_and_the_other_is_not_named(kind, subject):
    types, version = (R4, "4.0.1") if kind in R4 else (R5, "5.0.0")
    with pytest.raises(WrongPatientError, match=kind) as caught:
        await Hospital(PATIENT, about(kind, subject=subject), types=types, version=version).pull()
    assert subject not in caught.value.detail


@pytest.mark.parametrize("subject", [f"{BASE}/Patient/p1", "Patient/p1/_history/2"])
async def test_every_way_to_name_the_patient_is_the_patient(subject):
    record = await Hospital(PATIENT, about("Goal", subject=subject)).pull()
    assert len(record.resources) == 1


@pytest.mark.parametrize(("subject", "key"), [(None, "unnamed"), ("Group/g1", "no-patient"), ("", "unnamed")])
async def test_what_is_about_nobody_known_is_left_out_and_listed(subject, key):
    record = await Hospital(PATIENT, about("Goal", subject=subject)).pull()
    assert record.resources == ()
    (issue,) = record.issues
    assert (issue.key, issue.source, issue.severity) == (
        f"source.subject.{key}",
        "Goal/go1/_history/1",
        "warning",
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"resourceType": "Goal", "id": "g", "subject": "Patient/p1"},
        {"resourceType": "Goal", "id": "g", "subject": {"reference": 1}},
    ],
)
async def test_a_subject_that_is_no_reference_is_not_fhir(odd):
    with pytest.raises(NotFhirError):
        await Hospital(PATIENT, odd).pull()


async def test_a_patient_with_odd_links_is_not_fhir():
    with pytest.raises(NotFhirError):
        await Hospital({**PATIENT, "link": "Patient/p9"}).pull()


async def test_a_type_that_the_server_does_not_have_is_an_issue_and_no_category():
    types = R4 - {"FamilyMemberHistory", "DetectedIssue"}
    record = await Hospital(PATIENT, types=types).pull()
    assert record.categories == types & WHOLE
    assert sorted(issue.detail.split()[6].strip(":") for issue in record.issues) == [
        "DetectedIssue",
        "FamilyMemberHistory",
    ]
    assert {issue.severity for issue in record.issues} == {"information"}


@pytest.mark.parametrize("kind", sorted(NEEDED))
async def test_without_a_type_that_planning_needs_nothing_is_asked(kind):
    hospital = Hospital(PATIENT, types=R4 - {kind})
    with pytest.raises(IncompleteRecordError, match=kind):
        await hospital.pull()
    assert hospital.server.paths == ["/metadata"]


async def test_a_statement_that_lists_no_type_says_nothing_and_everything_is_asked():
    assert (await Hospital(PATIENT, types=()).pull()).categories == WHOLE


async def test_a_search_that_fails_for_one_type_fails_the_record():
    hospital = Hospital(PATIENT, whole=())
    whole = hospital.answer
    hospital.server.handler = lambda r: fhir(outcome(), 400) if r.url.path.endswith("/Goal") else whole(r)
    with pytest.raises(RefusedError, match="Goal"):
        await hospital.pull()


# --- by identifier --------------------------------------------------------------------------------------------


async def test_an_identifier_finds_the_patient_by_a_search_first():
    hospital = Hospital(PATIENT, about("Goal"))
    record = await hospital.pull("urn:mrn|47,11")
    assert (record.patient.id, len(record.resources)) == ("p1", 1)
    assert hospital.server.requests[1].url.params["identifier"] == r"urn:mrn|47\,11"


@pytest.mark.parametrize(
    ("patients", "error"),
    [((), PatientNotFoundError), ((PATIENT, {**PATIENT, "id": "p2"}), PatientAmbiguousError)],
)
async def test_an_identifier_of_nobody_or_of_several_is_an_error_that_does_not_repeat_it(patients, error):
    with pytest.raises(error) as caught:
        await Hospital(*patients).pull("urn:mrn|4711")
    assert "4711" not in caught.value.detail + caught.value.mend
