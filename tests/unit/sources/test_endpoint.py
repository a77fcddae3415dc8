import json
from urllib.parse import parse_qs, unquote

import pytest

from careplan_exchange.errors import (
    AuthenticationRefusedError,
    IncompleteRecordError,
    NotFhirError,
    PatientAmbiguousError,
    PatientMergedError,
    PatientNotFoundError,
    RefusedError,
    SettingsError,
    UsageError,
    WrongPatientError,
)
from careplan_exchange.sources.kinds import ASKED, NEEDED
from tests.support.sources import endpoint_source, plans
from tests.unit.fhir.wire import (
    BASE,
    Server,
    batch_response,
    client_of,
    fhir,
    outcome,
    searchset,
    statement,
)

PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {"versionId": "3", "lastUpdated": "2026-01-01T00:00:00Z"},
}


R4 = ASKED - {"DeviceUsage", "DeviceAssociation"}
R5 = ASKED - {"Device", "DeviceUseStatement"}
WHOLE = R4 - {"Appointment"}

BY_PATIENT = {
    *("AllergyIntolerance", "FamilyMemberHistory", "DetectedIssue", "Immunization", "NutritionOrder", "Consent"),
    *("Device", "DeviceUsage"),
}


def about(kind, number=1, subject="Patient/p1", **elements):
    """A resource of any type that says whose it is, as FHIR says it of this type."""
    element = "patient" if kind in BY_PATIENT else "beneficiary" if kind == "Coverage" else "subject"
    named = {} if subject is None else {element: {"reference": subject}}
    if kind == "Appointment":
        actor = {} if subject is None else {"actor": {"reference": subject}}
        named = {"participant": [{"actor": {"reference": "Practitioner/1"}}, actor]}
    return {
        "resourceType": kind,
        "id": f"{kind[:2].lower()}{number}",
        "meta": {"versionId": "1"},
        **named,
        **elements,
    }


class Hospital:
    """A server with these resources, which answers one batch, or searches, by type. `includes`: it knows _include;
    `withholds` is the status it answers with for a type."""

    def __init__(
        self,
        *resources,
        types=R4 | {"Medication"},
        whole=("batch",),
        version="4.0.1",
        includes=False,
        withholds=None,
    ):
        self.resources = resources
        self.statement = statement(*types, whole=whole, version=version)
        self.includes = includes
        self.everything = True
        self.withholds = withholds or {}
        for kind in self.statement["rest"][0]["resource"] if includes else ():
            kind["searchInclude"] = [f"{kind['type']}:medication", f"{kind['type']}:device"]
        self.server = Server(self.answer)

    def answer(self, request):
        if request.url.path.endswith("/metadata"):
            return fhir(self.statement)
        if request.method == "POST":
            urls = [entry["request"]["url"] for entry in json.loads(request.content)["entry"]]
            return fhir(batch_response(*(self.entry(url) for url in urls)))
        return self.one(str(request.url).removeprefix(f"{BASE}/"))

    def entry(self, url):
        answer = self.one(url)
        ok = {"resource": json.loads(answer.content)} if answer.status_code == 200 else {}
        return {**ok, "response": {"status": str(answer.status_code)}}

    def one(self, url):
        kind, _, query = url.partition("?")
        if "/" in kind and "$everything" in unquote(kind):
            return fhir(searchset(*self.resources)) if self.everything else fhir(outcome(code="not-found"), 404)
        if kind in self.withholds:
            return fhir(outcome(), self.withholds[kind])
        asked = parse_qs(query)
        found = [each for each in self.resources if each["resourceType"] == kind]
        if "_id" in asked and kind != "Patient":
            found = [each for each in found if each["id"] in asked["_id"][0].split(",")]
        bundle = searchset(*found)
        if self.includes and "_include" in asked:
            kinds = {"Medication", "Device"} - {kind}
            bundle["entry"] += [
                {"resource": each, "search": {"mode": "include"}}
                for each in self.resources
                if each["resourceType"] in kinds and each["resourceType"] + "/" + each["id"] in json.dumps(found)
            ]
        return fhir(bundle)

    @property
    def searches(self):
        """The URL of each search, in order, also of those in a batch."""
        urls = []
        for request in self.server.requests:
            if request.method == "POST":
                urls += [entry["request"]["url"] for entry in json.loads(request.content)["entry"]]
            elif not request.url.path.endswith("/metadata"):
                urls.append(str(request.url).removeprefix(f"{BASE}/"))
        return [unquote(url) for url in urls]

    async def pull(self, patient_id="p1", **options):
        async with client_of(self.server, identity="ward-7") as client:
            return await endpoint_source(client, **options).pull(patient_id)


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


# --- what the query plan says ---------------------------------------------------------------------------------

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
