"""`$everything` comes whole or is an error, as any search does."""

import pytest

from careplan_exchange.errors import IncompleteRecordError, NotFhirError, RefusedError

from .wire import BASE, Server, client_of, fhir, goal, outcome, searchset

PATIENT = {"resourceType": "Patient", "id": "p1", "meta": {"versionId": "1"}}
PLAN = {"resourceType": "CarePlan", "id": "c1"}


async def everything(*answers, **asked):
    server = Server(list(answers))
    async with client_of(server) as client:
        return [resource.reference for resource in await client.everything("p1", **asked)], server


async def test_the_record_comes_in_all_its_types_over_all_pages_and_past_the_cache():
    found, server = await everything(
        fhir(searchset(PATIENT, goal(1), next_link=f"{BASE}?_getpages=x", total=3)),
        fhir(searchset(PLAN, total=3)),
    )
    assert found == ["Patient/p1", "Goal/g1", "CarePlan/c1"]
    assert server.paths == ["/Patient/p1/$everything", "?_getpages=x"]
    assert {request.headers["cache-control"] for request in server.requests} == {"no-cache"}


async def test_what_is_asked_for_stands_in_the_url():
    _, server = await everything(
        fhir(searchset(PATIENT)), types=("Patient", "Goal"), since="2026-01-01T00:00:00+01:00", count=200
    )
    assert server.paths == [
        "/Patient/p1/$everything?_type=Patient,Goal&_since=2026-01-01T00:00:00%2B01:00&_count=200"
    ]


async def test_a_server_that_pays_no_heed_to_the_types_is_sorted_out():
    found, _ = await everything(fhir(searchset(PATIENT, goal(1), PLAN, total=3)), types=("Goal",))
    assert found == ["Goal/g1"]


async def test_what_the_record_refers_to_belongs_to_it():
    medication = {"resource": {"resourceType": "Medication", "id": "m1"}, "search": {"mode": "include"}}
    bundle = searchset(PATIENT)
    bundle["entry"].append(medication)
    assert (await everything(fhir(bundle)))[0] == ["Patient/p1", "Medication/m1"]


async def test_a_record_without_its_patient_is_none():
    with pytest.raises(IncompleteRecordError, match="without the patient"):
        await everything(fhir(searchset(goal(1))))
    with pytest.raises(IncompleteRecordError, match="without the patient"):
        await everything(fhir(searchset({**PATIENT, "id": "p2"}, goal(1))))


async def test_what_changed_since_may_be_nothing():
    assert (await everything(fhir(searchset()), since="2026-01-01T00:00:00Z"))[0] == []


async def test_a_link_to_another_server_stops_it():
    with pytest.raises(IncompleteRecordError, match="another server"):
        await everything(fhir(searchset(PATIENT, next_link="https://evil.example.org/r4?page=2")))


async def test_pages_in_a_circle_stop_it():
    with pytest.raises(IncompleteRecordError, match="circle"):
        await everything(fhir(searchset(PATIENT, next_link="?page=2")))


async def test_an_expired_page_begins_it_again():
    found, server = await everything(
        fhir(searchset(PATIENT, next_link="?page=2")), fhir(outcome(), 410), fhir(searchset(PATIENT, goal(1)))
    )
    assert found == ["Patient/p1", "Goal/g1"]
    assert server.paths[0] == server.paths[2]


async def test_a_total_that_shrinks_begins_it_again():
    found, server = await everything(
        fhir(searchset(PATIENT, goal(1), next_link="?page=2", total=4)),
        fhir(searchset(goal(3), total=3)),
        fhir(searchset(PATIENT, goal(2), goal(3), total=3)),
    )
    assert found == ["Patient/p1", "Goal/g2", "Goal/g3"]
    assert len(server.requests) == 3


async def test_fewer_than_the_server_counted_stop_it_also_where_types_are_left_out():
    with pytest.raises(IncompleteRecordError, match="4 resources"):
        await everything(fhir(searchset(PATIENT, goal(1), PLAN, total=4)), types=("Patient", "Goal"))


async def test_ids_that_come_twice_count_once_in_their_newest_version():
    found, _ = await everything(fhir(searchset(PATIENT, goal(1, "2"), goal(1, "1"))))
    assert found == ["Patient/p1", "Goal/g1"]


@pytest.mark.parametrize("said", [outcome("error"), outcome("warning", coding="4119")])
async def test_an_outcome_that_says_some_are_missing_stops_it(said):
    bundle = searchset(PATIENT)
    bundle["entry"].append({"resource": said, "search": {"mode": "outcome"}})
    with pytest.raises(IncompleteRecordError) as caught:
        await everything(fhir(bundle))
    assert caught.value.issues


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (fhir(outcome(), 404), RefusedError),
        (fhir(b"<html>"), NotFhirError),
        (fhir(outcome()), IncompleteRecordError),
        (fhir({"resourceType": "Bundle", "type": "searchset", "entry": [{}]}), IncompleteRecordError),
    ],
)
async def test_what_is_no_record_is_an_error_that_names_the_operation_and_not_the_patient(answer, error):
    with pytest.raises(error) as caught:
        await everything(answer)
    assert "$everything" in caught.value.detail
    assert "p1" not in caught.value.detail
