"""What shapes an answer: included resources, elements, page size, compression."""

import httpx
import pytest
from fhir.resources.R4B.observation import Observation

from .conftest import FHIR

SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
BOTH = pytest.mark.parametrize("release", ["R4", "R5"], indirect=True)


async def post(http, body):
    answer = await http.post(f"/{body['resourceType']}", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def prescribed(http, release, *, count=1):
    """A patient with so many prescriptions of one Medication. Gives the patient's id."""
    patient = await post(http, {"resourceType": "Patient"})
    drug = await post(http, {"resourceType": "Medication", "code": {"text": "a drug"}})
    reference = {"reference": f"Medication/{drug['id']}"}
    named = {"medicationReference": reference} if release == "R4" else {"medication": {"reference": reference}}
    order = {"resourceType": "MedicationRequest", "status": "active", "intent": "order", **named}
    for _ in range(count):
        await post(http, {**order, "subject": {"reference": f"Patient/{patient['id']}"}})
    return patient["id"]


async def searched(http, query):
    answer = await http.get(f"/{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def modes(bundle):
    return [(one["resource"]["resourceType"], one["search"]["mode"]) for one in bundle["entry"]]


# Included resources


@BOTH
async def test_an_included_medication_comes_along_and_is_no_match(http, release):
    patient = await prescribed(http, release)
    query = f"MedicationRequest?patient={patient}&_include=MedicationRequest:medication"
    found = await searched(http, query)
    assert modes(found) == [("MedicationRequest", "match"), ("Medication", "include")]
    assert found["total"] == 1
    assert found["entry"][1]["fullUrl"].endswith(found["entry"][1]["resource"]["id"])


@BOTH
async def test_all_references_are_included_where_a_star_asks_for_them(http, release):
    patient = await prescribed(http, release)
    found = await searched(http, f"MedicationRequest?patient={patient}&_include=MedicationRequest:*")
    assert sorted(modes(found)) == [
        ("Medication", "include"),
        ("MedicationRequest", "match"),
        ("Patient", "include"),
    ]


async def test_what_is_included_by_several_matches_of_a_page_comes_once(http, release):
    patient = await prescribed(http, release, count=3)
    query = f"MedicationRequest?patient={patient}&_include=MedicationRequest:medication&_count=2"
    first = await searched(http, query)
    assert [mode for _, mode in modes(first)] == ["match", "match", "include"]
    second = (await http.get(next(one["url"] for one in first["link"] if one["relation"] == "next"))).json()
    assert [mode for _, mode in modes(second)] == ["match", "include"]
    assert first["total"] == second["total"] == 3


async def test_only_the_type_that_an_include_names_is_included(http, release):
    patient = await prescribed(http, release)
    query = f"MedicationRequest?patient={patient}&_include=MedicationRequest:subject"
    assert ("Patient", "include") in modes(await searched(http, f"{query}:Patient"))
    assert modes(await searched(http, f"{query}:Group")) == [("MedicationRequest", "match")]


async def test_a_resource_that_is_gone_is_not_included(http, release):
    patient = await post(http, {"resourceType": "Patient"})
    gone = f"Patient/{patient['id']}"
    child = await post(
        http, {"resourceType": "Patient", "link": [{"other": {"reference": gone}, "type": "seealso"}]}
    )
    await http.put(f"/Patient/{child['id']}", json={"resourceType": "Patient", "id": child["id"]})
    assert (await http.delete(f"/{gone}")).status_code == 204
    assert len((await searched(http, f"Patient?_id={child['id']}&_include=Patient:link"))["entry"]) == 1


async def test_a_lenient_client_is_told_of_an_include_that_was_passed_over(http, release):
    patient = await prescribed(http, release)
    query = f"/MedicationRequest?patient={patient}&_include:iterate=MedicationRequest:medication"
    found = (await http.get(query, headers={"Prefer": "handling=lenient"})).json()
    assert [mode for _, mode in modes(found)] == ["match", "outcome"]
    assert "_include" in found["entry"][1]["resource"]["issue"][0]["diagnostics"]


# Elements


OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "weight"},
    "valueQuantity": {"value": 70},
    "effectiveDateTime": "2026-01-01",
    "meta": {"tag": [{"system": "urn:tag", "code": "demo"}]},
}


@BOTH
async def test_elements_leaves_what_is_asked_for_and_what_is_mandatory_and_marks_it(http, release):
    await post(http, OBSERVATION)
    (entry,) = (await searched(http, "Observation?_elements=id,meta"))["entry"]
    assert set(entry["resource"]) == {"resourceType", "id", "meta", "status", "code"}
    assert entry["resource"]["meta"]["tag"] == [OBSERVATION["meta"]["tag"][0], SUBSETTED]
    assert entry["resource"]["meta"]["versionId"] == "1"
    Observation.model_validate(entry["resource"])


@pytest.mark.parametrize("name", ["value", "value[x]", "valueQuantity"])
async def test_a_choice_element_is_asked_for_by_any_of_its_names(http, name):
    await post(http, OBSERVATION)
    (entry,) = (await searched(http, f"Observation?_elements={name}"))["entry"]
    assert entry["resource"]["valueQuantity"] == {"value": 70}
    assert "effectiveDateTime" not in entry["resource"]


async def test_a_resource_that_was_read_in_part_is_stored_whole(http):
    created = await post(http, OBSERVATION)
    await searched(http, "Observation?_elements=id")
    assert (await http.get(f"/Observation/{created['id']}")).json() == created


# Counting, ids, times


@BOTH
async def test_several_ids_are_asked_for_at_once(http, release):
    ids = [(await post(http, {"resourceType": "Patient"}))["id"] for _ in range(3)]
    found = await searched(http, f"Patient?_id={ids[0]},{ids[2]},none")
    assert [one["resource"]["id"] for one in found["entry"]] == [ids[0], ids[2]]


@BOTH
@pytest.mark.parametrize(
    ("prefix", "total"),
    [("", 1), ("eq", 1), ("ne", 2), ("gt", 1), ("ge", 2), ("lt", 1), ("le", 2), ("sa", 1), ("eb", 1)],
)
async def test_last_updated_is_compared_with_every_prefix(http, release, prefix, total):
    created = [await post(http, {"resourceType": "Medication"}) for _ in range(3)]
    moments = [one["meta"]["lastUpdated"] for one in created]
    assert moments == sorted(set(moments))
    query = f"Medication?_lastUpdated={prefix}{moments[1]}"
    assert (await searched(http, f"{query}&_summary=count"))["total"] == total
    assert (await searched(http, "Medication?_lastUpdated=2026-01-01"))["total"] == 3


# Compression


def test_an_answer_is_packed_for_a_client_that_unpacks_and_for_no_other(served):
    packed = httpx.get(f"{served.url}/metadata")
    plain = httpx.get(f"{served.url}/metadata", headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["Content-Length"]) < len(plain.content) / 4


def test_a_short_answer_is_sent_as_it_is(served):
    assert "Content-Encoding" not in httpx.get(f"{served.url}/Patient", headers=FHIR).headers
