"""What is asked for beside the patient's own, how, and what is left out: as the query plan and the server say."""

import pytest

from careplan_exchange.errors import AuthenticationRefusedError, SettingsError, WrongPatientError
from careplan_exchange.sources.kinds import NEEDED
from tests.support.sources import endpoint_source
from tests.unit.fhir.wire import BASE, client_of, fhir, outcome
from tests.unit.sources.hospital import PATIENT, R4, R5, WHOLE, Hospital, about

MEDICATION = {"resourceType": "Medication", "id": "m1", "meta": {"versionId": "1"}, "code": {"text": "x"}}


def order(reference, number=1):
    return about("MedicationRequest", number, medicationReference={"reference": reference})


async def test_only_visits_to_come_are_asked_for():
    hospital = Hospital(PATIENT, types=())
    await hospital.pull()
    (visits,) = [url for url in hospital.searches if url.startswith("Appointment")]
    assert visits == "Appointment?patient=Patient/p1&status=booked,pending&date=ge2026-03-01&_count=1000"


async def test_a_server_that_lists_no_dates_of_visits_is_asked_for_all_of_them():
    hospital = Hospital(PATIENT)
    hospital.statement["rest"][0]["resource"] = [
        {**kind, "searchParam": [{"name": "patient"}, {"name": "status"}]}
        for kind in hospital.statement["rest"][0]["resource"]
    ]
    await hospital.pull()
    assert "Appointment?patient=Patient/p1&status=booked,pending&_count=1000" in hospital.searches


async def test_a_visit_with_several_patients_is_of_each_of_them():
    visit = about("Appointment")
    visit["participant"].append({"actor": {"reference": "Patient/p2"}})
    record = await Hospital(PATIENT, visit).pull()
    assert [resource.reference for resource in record.resources] == ["Appointment/ap1"]


async def test_a_medication_comes_along_where_the_server_lists_it():
    hospital = Hospital(PATIENT, order("Medication/m1"), MEDICATION, includes=True)
    record = await hospital.pull()
    assert [resource.reference for resource in record.resources] == ["MedicationRequest/me1", "Medication/m1"]
    assert record.issues == ()
    assert len(hospital.server.requests) == 2


@pytest.mark.parametrize("reference", ["Medication/m1", f"{BASE}/Medication/m1", "Medication/m1/_history/1"])
async def test_otherwise_it_is_read_by_its_id(reference):
    hospital = Hospital(PATIENT, order(reference), MEDICATION)
    record = await hospital.pull()
    assert [resource.reference for resource in record.resources] == ["MedicationRequest/me1", "Medication/m1"]
    assert hospital.searches[-1] == "Medication?_id=m1&_count=1000"
    assert record.issues == ()


async def test_many_medications_are_read_so_many_at_once():
    orders = [order(f"Medication/m{number}", number) for number in range(120)]
    medications = [{**MEDICATION, "id": f"m{number}"} for number in range(120)]
    hospital = Hospital(PATIENT, *orders, *medications)
    record = await hospital.pull()
    assert len(record.of("Medication")) == 120
    assert len([url for url in hospital.searches if url.startswith("Medication?")]) == 3
    assert len(hospital.server.requests) == 3


@pytest.mark.parametrize(
    "reference", ["Medication/m2", "https://other.example.org/Medication/m1", "urn:uuid:m1", "Medication/m1,m2"]
)
async def test_a_medication_that_is_not_there_is_an_issue_that_names_who_refers_to_it(reference):
    record = await Hospital(PATIENT, order(reference), MEDICATION).pull()
    assert [resource.reference for resource in record.resources] == ["MedicationRequest/me1"]
    (issue,) = record.issues
    assert (issue.key, issue.sources) == ("source.reference.missing", ("MedicationRequest/me1/_history/1",))


async def test_a_contained_medication_is_not_looked_for():
    hospital = Hospital(PATIENT, order("#m1"))
    assert (await hospital.pull()).issues == ()
    assert len(hospital.server.requests) == 2


async def test_in_r5_references_stand_in_a_codeable_reference_and_devices_come_through_their_use():
    request = about("MedicationRequest", medication={"reference": {"reference": "Medication/m1"}})
    use = about("DeviceUsage", device={"reference": {"reference": "Device/d1"}})
    association = {**about("DeviceAssociation"), "device": {"reference": "Device/d2"}}
    devices = [{"resourceType": "Device", "id": f"d{number}"} for number in (1, 2, 3)]
    hospital = Hospital(
        PATIENT, request, use, association, MEDICATION, *devices, version="5.0.0", types=R5, includes=True
    )
    record = await hospital.pull()
    assert [resource.reference for resource in record.resources][1:] == [
        *("Device/d1", "Device/d2", "DeviceUsage/de1", "DeviceAssociation/de1", "Medication/m1"),
    ]


async def test_a_device_of_another_patient_that_comes_along_stops_everything():
    use = about("DeviceUseStatement", device={"reference": "Device/d1"})
    device = {"resourceType": "Device", "id": "d1", "patient": {"reference": "Patient/p2"}}
    with pytest.raises(WrongPatientError, match="Device"):
        await Hospital(PATIENT, use, device, includes=True).pull()


@pytest.mark.parametrize("status", [403, 404, 405, 501])
@pytest.mark.parametrize("whole", [("batch",), ()])
async def test_a_type_that_is_withheld_is_an_issue_and_no_category(status, whole):
    record = await Hospital(PATIENT, about("Goal"), whole=whole, withholds={"Coverage": status}).pull()
    assert record.categories == WHOLE - {"Coverage"}
    assert len(record.resources) == 1
    (issue,) = record.issues
    assert (issue.key, issue.severity) == ("source.category.withheld", "warning")
    assert "Coverage" in issue.detail


@pytest.mark.parametrize("kind", sorted(NEEDED))
async def test_a_needed_type_that_is_withheld_ends_the_run(kind):
    with pytest.raises(AuthenticationRefusedError, match=kind):
        await Hospital(PATIENT, withholds={kind: 403}).pull()


async def test_credentials_that_are_not_accepted_end_the_run_whatever_is_asked():
    with pytest.raises(AuthenticationRefusedError):
        await Hospital(PATIENT, whole=(), withholds={"Coverage": 401}).pull()


async def test_the_vendor_of_the_settings_chooses_the_plan():
    hospital = Hospital(PATIENT)
    record = await hospital.pull(vendor="epic")
    categories = [url for url in hospital.searches if url.startswith("Observation?")]
    assert "Observation?patient=Patient/p1&category=vital-signs&_count=1000" in categories
    assert len(categories) == 9
    assert {request.method for request in hospital.server.requests} == {"GET"}
    assert record.categories == WHOLE - {"Observation", "Condition", "CarePlan"}
    assert sorted(issue.key for issue in record.issues) == ["source.category.part"] * 3


async def test_what_several_categories_find_stands_in_the_record_once():
    record = await Hospital(PATIENT, about("Observation")).pull(vendor="epic")
    assert len(record.resources) == 1


async def test_the_software_chooses_the_plan_where_no_setting_does():
    hospital = Hospital(PATIENT)
    hospital.statement["software"] = {"name": "HAPI FHIR Server", "version": "8.8.0"}
    await hospital.pull()
    assert any("_include=MedicationRequest:medication" in url for url in hospital.searches)


async def test_a_vendor_without_a_plan_is_a_setting_to_mend():
    hospital = Hospital(PATIENT)
    with pytest.raises(SettingsError, match="Did you mean 'epic'"):
        await hospital.pull(vendor="epik")


async def test_without_batches_a_plan_may_take_everything_in_one_request():
    stranger = {"resourceType": "Practitioner", "id": "pr1"}
    device = {"resourceType": "Device", "id": "d9", "patient": {"reference": "Patient/p1"}}
    resources = (PATIENT, about("Goal"), order("Medication/m1"), MEDICATION, device, stranger)
    one, other = Hospital(*resources), Hospital(*resources)
    record = await one.pull(vendor="google")
    assert one.searches == ["Patient/p1/$everything?_count=1000"]
    assert record == await other.pull()


async def test_everything_with_a_resource_of_another_patient_stops_the_run():
    with pytest.raises(WrongPatientError):
        await Hospital(PATIENT, about("Goal", subject="Patient/p2")).pull(vendor="google")
    with pytest.raises(WrongPatientError):
        await Hospital(PATIENT, {**PATIENT, "id": "p2"}).pull(vendor="google")


async def test_a_server_without_the_operation_is_searched():
    hospital = Hospital(PATIENT, about("Goal"))
    hospital.everything = False
    record = await hospital.pull(vendor="google")
    assert len(record.resources) == 1
    assert len(hospital.searches) == 1 + len(R4)


async def test_a_server_that_turns_batches_away_is_asked_for_everything_from_then_on():
    hospital = Hospital(PATIENT, about("Goal"))
    whole = hospital.answer
    hospital.server.handler = lambda r: fhir(outcome(), 405) if r.method == "POST" else whole(r)
    async with client_of(hospital.server) as client:
        source = endpoint_source(client, vendor="hapi")
        first = await source.pull("p1")
        before = len(hospital.server.requests)
        assert await source.pull("p1") == first
    assert len(hospital.server.requests) == before + 1
