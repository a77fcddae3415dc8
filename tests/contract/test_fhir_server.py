"""What the product relies on of a FHIR server: one suite over our sandbox, HAPI and Medplum. Where they may differ, the
table in tests/support/rest.py says how."""

import uuid
from decimal import Decimal

import pytest

from careplan_exchange.model.codec import decode
from tests.support.rest import SYSTEM, condition, fresh, goal, link, outcome, patient, post, reference, version


def test_it_says_its_version_and_what_it_takes(server):
    statement = server.read("metadata")
    assert statement["fhirVersion"].split(".")[0] in {"4", "5"}
    assert ("rest" in statement) is server.expected.describes_its_types
    if not server.expected.describes_its_types:
        return
    rest = statement["rest"][0]
    interactions = {one["code"] for one in rest["interaction"]}
    assert "transaction" in interactions
    assert ("batch" in interactions) is server.expected.advertises_batch
    plan = next(one for one in rest["resource"] if one["type"] == "CarePlan")
    assert {"read", "search-type", "create", "update"} <= {one["code"] for one in plan["interaction"]}
    assert {"patient", "identifier"} <= {one["name"] for one in plan["searchParam"]}


# Reading


def test_a_created_resource_reads_back_with_its_version_in_body_and_etag(server):
    created = server.send("POST", "Patient", patient(birthDate="1970-01"), Prefer="return=representation")
    assert created.status_code == 201
    body = decode(created.content)
    assert (version(body) == "1") is server.expected.numbers_versions
    assert created.headers["Location"].endswith(f"/{reference(body)}/_history/{version(body)}")
    read = server.get(reference(body))
    assert read.headers["ETag"] == f'W/"{version(body)}"'
    assert "Last-Modified" in read.headers
    assert decode(read.content)["birthDate"] == "1970-01"


def test_a_decimal_keeps_its_digits(server):
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "made up"},
        "subject": {"reference": reference(server.create(patient()))},
        "valueQuantity": {"value": Decimal("7.20"), "unit": "%"},
    }
    stored = server.read(reference(server.create(observation)))
    assert stored["valueQuantity"]["value"] == Decimal("7.20")
    assert (str(stored["valueQuantity"]["value"]) == "7.20") is server.expected.keeps_decimal_places


def test_an_unknown_id_is_404_and_a_deleted_one_410(server):
    assert server.get(f"Patient/{fresh()}").status_code == 404
    created = server.create(patient())
    assert server.send("DELETE", reference(created)).status_code in {200, 204}
    gone = server.get(reference(created))
    assert gone.status_code == (410 if server.expected.keeps_deletions else 404)
    outcome(gone)
    assert server.held("Patient", created["identifier"][0]["value"]) == []


def test_an_unchanged_resource_is_304_to_who_has_it(server):
    created = server.create(patient())
    answer = server.get(reference(created), If_None_Match=f'W/"{version(created)}"')
    assert answer.status_code == (304 if server.expected.conditional_read else 200)


def test_the_history_has_every_version_newest_first(server):
    first = server.create(patient(active=True))
    second = decode(server.update({**first, "active": False}).content)
    history = server.read(f"{reference(first)}/_history")
    assert history["type"] == "history"
    assert [version(entry["resource"]) for entry in history["entry"]] == [version(second), version(first)]
    assert ([version(second), version(first)] == ["2", "1"]) is server.expected.numbers_versions
    assert server.read(f"{reference(first)}/_history/{version(first)}")["active"] is True
    assert server.get(f"{reference(first)}/_history/7").status_code == 404


def test_the_history_shows_that_a_resource_was_deleted(server):
    created = server.create(patient())
    server.send("DELETE", reference(created))
    if not server.expected.keeps_deletions:
        assert server.get(f"{reference(created)}/_history").status_code == 404
        return
    newest, oldest = server.read(f"{reference(created)}/_history")["entry"]
    assert newest["request"]["method"] == "DELETE"
    assert "resource" not in newest
    assert version(oldest["resource"]) == version(created)


def test_deleting_what_never_was_is_no_error(server):
    assert server.send("DELETE", f"Patient/{fresh()}").status_code == server.expected.delete_of_unknown_id


# Searching


def test_an_identifier_is_found_by_system_and_value_by_value_and_with_alternatives(server):
    one, two = fresh(), fresh()
    ids = {server.create(patient(value))["id"] for value in (one, two)}
    assert {found["id"] for found in server.search(f"Patient?{condition(one)},{SYSTEM}|{two}")} == ids
    assert len(server.search(f"Patient?identifier={one}")) == 1
    assert server.search(f"Patient?identifier=urn:test:other|{one}") == []
    assert len(server.search(f"Patient?identifier={SYSTEM}|&{condition(one)}")) == 1


@pytest.mark.parametrize("form", ["patient=Patient/{}", "patient={}", "subject=Patient/{}"])
def test_a_patients_resources_are_found_by_either_form_of_the_reference(server, form):
    subject = server.create(patient())
    other = server.create(patient())
    mine = server.create(goal(reference(subject), fresh()))
    server.create(goal(reference(other), fresh()))
    found = server.search(f"Goal?{form.format(subject['id'])}")
    findable = "Patient/" in form or server.expected.finds_by_bare_id
    assert [one["id"] for one in found] == ([mine["id"]] if findable else [])


def test_a_search_comes_whole_over_its_pages_and_each_match_once(server):
    subject = reference(server.create(patient()))
    made = server.transaction(*(post(goal(subject, fresh())) for _ in range(5)))
    first = server.read(f"Goal?patient={subject}&_count=2")
    assert len(first["entry"]) == 2
    assert (link(first, "next") is not None) is server.expected.pages
    if server.expected.always_says_total or "total" in first:
        assert first["total"] == 5
    count = 2 if server.expected.pages else 1000
    found = [one["id"] for one in server.search(f"Goal?patient={subject}&_count={count}")]
    assert len(found) == len(made)
    assert set(found) == {entry["resource"]["id"] for entry in made}


def test_a_count_is_given_without_the_matches(server):
    value = fresh()
    server.create(patient(value))
    counted = server.read(f"Patient?{condition(value)}&_summary=count")
    assert counted["total"] == 1
    assert "entry" not in counted


def test_a_search_that_asks_past_the_cache_sees_the_last_write(server):
    value = fresh()
    assert server.held("Patient", value) == []
    server.create(patient(value))
    assert len(server.held("Patient", value)) == 1


def test_a_search_may_come_from_a_cache_only_where_the_server_is_known_for_it(server):
    value = fresh()
    url = f"{server.url}/Patient?{condition(value)}"
    assert "entry" not in decode(server.http.get(url).content)
    server.create(patient(value))
    again = decode(server.http.get(url).content)
    assert ("entry" not in again) is server.expected.reuses_searches


def test_an_unknown_search_parameter_is_never_passed_over(server):
    if server.expected.unknown_parameter == "matches nothing":
        created = server.create(patient())
        value = created["identifier"][0]["value"]
        assert len(server.search(f"Patient?{condition(value)}")) == 1
        assert server.search(f"Patient?shoe-size=43&{condition(value)}") == []
        return
    refused = server.get("Patient?shoe-size=43")
    assert refused.status_code == 400
    outcome(refused)
    lenient = server.get(f"Patient?shoe-size=43&{condition(fresh())}", Prefer="handling=lenient")
    assert lenient.status_code == (200 if server.expected.lenient else 400)


def test_a_page_that_has_expired_is_an_error(server):
    answer = server.get(f"{server.url}?_getpages={uuid.uuid4()}&_getpagesoffset=2&_offset=2&_count=2")
    assert answer.status_code == server.expected.expired_page
    outcome(answer)
