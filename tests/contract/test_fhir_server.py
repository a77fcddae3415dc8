"""What the product relies on of a FHIR server: one suite over our sandbox, HAPI and Medplum. Where they may differ, the
table in tests/support/rest.py says how."""

import uuid
from decimal import Decimal

import httpx
import pytest

from careplan_exchange.model.codec import decode
from tests.support.rest import (
    HAPI,
    MEDPLUM,
    SANDBOX,
    SYSTEM,
    Rest,
    care_plan,
    condition,
    fresh,
    get,
    goal,
    link,
    outcome,
    patient,
    post,
    put,
    reference,
    version,
)


@pytest.fixture(
    params=[
        pytest.param(("sandbox", SANDBOX), id="sandbox-r4"),
        pytest.param(("sandbox_r5", SANDBOX), id="sandbox-r5"),
        pytest.param(("hapi_r4", HAPI), id="hapi-r4", marks=pytest.mark.hapi),
        pytest.param(("hapi_r5", HAPI), id="hapi-r5", marks=pytest.mark.hapi),
        pytest.param(("medplum", MEDPLUM), id="medplum", marks=pytest.mark.medplum),
    ],
)
def server(request):
    name, expected = request.param
    with httpx.Client(timeout=60) as http:
        yield Rest(request.getfixturevalue(name).url, expected, http)


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


# Writing one resource


def test_a_conditional_create_creates_once(server):
    value = fresh()
    first = server.send("POST", "Patient", patient(value), If_None_Exist=condition(value))
    again = server.send("POST", "Patient", patient(value), If_None_Exist=condition(value))
    assert (first.status_code, again.status_code) == (201, 200)
    assert len(server.held("Patient", value)) == 1


def test_a_conditional_create_that_matches_several_is_412(server):
    value = fresh()
    server.create(patient(value))
    server.create(patient(value))
    refused = server.send("POST", "Patient", patient(value), If_None_Exist=condition(value))
    assert refused.status_code == 412
    outcome(refused)
    assert len(server.held("Patient", value)) == 2


def test_an_update_from_the_current_version_makes_the_next(server):
    created = server.create(patient(active=True))
    updated = server.update({**created, "active": False}, version(created))
    assert updated.status_code == 200
    held = server.read(reference(created))
    assert held["active"] is False
    assert updated.headers["ETag"] == f'W/"{version(held)}"'
    assert version(held) != version(created)


def test_a_stale_version_is_refused_and_nothing_is_overwritten(server):
    created = server.create(patient(active=True))
    second = decode(server.update({**created, "active": False}, version(created)).content)
    stale = server.update({**created, "gender": "unknown"}, version(created))
    assert stale.status_code == server.expected.stale_version
    outcome(stale)
    current = server.read(reference(created))
    assert version(current) == version(second)
    assert current["active"] is False
    assert "gender" not in current


def test_an_update_that_changes_nothing_may_make_no_version(server):
    created = server.create(patient(active=True))
    server.update(created, version(created))
    made = version(server.read(reference(created))) != version(created)
    assert made is server.expected.idle_update_makes_version


def test_an_update_under_an_id_of_the_clients_own(server):
    made_up = f"own-{fresh()}"[:64]
    answer = server.update({**patient(), "id": made_up})
    assert answer.status_code == server.expected.update_of_unknown_id
    if server.expected.numbers_versions:  # such servers number their resources too
        assert server.update({**patient(), "id": "900000001"}).status_code == 400


def test_an_update_whose_body_names_another_id_is_refused(server):
    created = server.create(patient())
    answer = server.send("PUT", reference(created), {**created, "id": "other"})
    assert answer.status_code == 400
    outcome(answer)


def test_the_client_chooses_whether_the_answer_has_the_resource(server):
    whole = server.send("POST", "Patient", patient(), Prefer="return=representation")
    assert decode(whole.content)["resourceType"] == "Patient"
    minimal = server.send("POST", "Patient", patient(), Prefer="return=minimal")
    assert minimal.status_code == 201
    assert (minimal.content == b"") is server.expected.minimal_answers
    assert "/_history/" in minimal.headers["Location"]


def test_what_is_referred_to_cannot_be_deleted(server):
    subject = server.create(patient())
    mine = server.create(goal(reference(subject), fresh()))
    refused = server.send("DELETE", reference(subject))
    if not server.expected.refuses_delete_of_what_is_referred_to:
        assert refused.status_code in {200, 204}
        return
    assert refused.status_code == 409
    outcome(refused)
    assert server.get(reference(subject)).status_code == 200
    assert server.send("DELETE", reference(mine)).status_code in {200, 204}
    assert server.send("DELETE", reference(subject)).status_code in {200, 204}


# Refusing what is not valid


def test_a_code_outside_its_required_value_set_is_refused(server):
    subject = reference(server.create(patient()))
    value = fresh()
    answer = server.send("POST", "Goal", goal(subject, value, lifecycleStatus="banana"))
    refused = server.refuses(answer, server.expected.code_outside_its_value_set)
    assert (server.held("Goal", value) == []) is refused


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        ("Patient/no-such-patient", "dangling_reference"),
        ("https://other.example.org/fhir/Patient/1", "external_reference"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(server, subject, why):
    value = fresh()
    refused = server.refuses(server.send("POST", "Goal", goal(subject, value)), getattr(server.expected, why))
    assert (server.held("Goal", value) == []) is refused


def test_a_reference_to_a_type_that_does_not_belong_there_is_refused(server):
    subject = reference(server.create(patient()))
    wrong = reference(server.create(goal(subject, fresh())))
    value = fresh()
    answer = server.send("POST", "CarePlan", care_plan(wrong, value))
    assert (server.held("CarePlan", value) == []) is server.refuses(answer, server.expected.wrong_reference_type)


def test_a_broken_invariant(server):
    subject = reference(server.create(patient()))
    answer = server.send("POST", "Goal", goal(subject, fresh(), target=[{"detailString": "more"}]))
    assert answer.status_code == server.expected.broken_invariant


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"resourceType":"Goal"}', b"<html></html>"])
def test_a_body_that_is_no_patient_is_refused(server, body):
    answer = server.http.post(
        f"{server.url}/Patient", content=body, headers={"Content-Type": "application/fhir+json"}
    )
    assert answer.status_code == 400
    outcome(answer)


# Bundles


def test_a_transaction_resolves_the_references_between_its_entries(server):
    plan_value, goal_value = fresh(), fresh()
    subject = reference(server.create(patient()))
    goal_url = f"urn:uuid:{uuid.uuid4()}"
    plan = care_plan(subject, plan_value, goal=[{"reference": goal_url}])
    answers = server.transaction(
        post(plan, once=True), post(goal(subject, goal_value), full_url=goal_url, once=True)
    )
    assert [entry["response"]["status"][:3] for entry in answers] == ["201", "201"]
    stored_plan, stored_goal = (entry["resource"] for entry in answers)
    assert stored_plan["goal"] == [{"reference": reference(stored_goal)}]
    for entry in answers:
        location, stored = entry["response"]["location"], reference(entry["resource"])
        assert f"{stored}/_history/{version(entry['resource'])}" in location or (
            location.endswith(stored) and not server.expected.versions_in_transaction_response
        )
    assert server.read(reference(stored_plan))["goal"] == stored_plan["goal"]


def test_a_transaction_again_finds_what_it_made(server):
    subject = reference(server.create(patient()))
    goal_url = f"urn:uuid:{uuid.uuid4()}"
    plan = care_plan(subject, fresh(), goal=[{"reference": goal_url}])
    entries = (post(plan, once=True), post(goal(subject, fresh()), full_url=goal_url, once=True))
    first = server.transaction(*entries)
    again = server.transaction(*entries)
    assert [entry["response"]["status"][:3] for entry in again] == ["200", "200"]
    assert [entry["resource"]["id"] for entry in again] == [entry["resource"]["id"] for entry in first]
    assert len(server.held("CarePlan", plan["identifier"][0]["value"])) == 1


def test_a_transaction_with_one_bad_entry_writes_nothing(server):
    subject = reference(server.create(patient()))
    good, bad = fresh(), fresh()
    bad_entry = post(goal("Patient/no-such-patient", bad))
    if server.expected.dangling_reference == 201:
        bad_entry = put({**goal(subject, bad), "id": "a/slash"})  # this one it refuses
    refused = server.bundle("transaction", post(goal(subject, good)), bad_entry)
    assert 400 <= refused.status_code < 500
    outcome(refused)
    assert server.held("Goal", good) == []


def test_a_stale_version_in_a_transaction_undoes_all_of_it(server):
    subject = reference(server.create(patient()))
    mine = server.create(goal(subject, fresh()))
    server.update({**mine, "lifecycleStatus": "active"}, version(mine))
    value = fresh()
    stale = put({**mine, "lifecycleStatus": "cancelled"}, version(mine))
    refused = server.bundle("transaction", post(goal(subject, value), once=True), stale)
    assert refused.status_code == server.expected.stale_version
    outcome(refused)
    assert (server.held("Goal", value) == []) is server.expected.atomic
    assert server.read(reference(mine))["lifecycleStatus"] == "active"


def test_an_update_in_a_transaction_from_the_current_version_is_written(server):
    subject = reference(server.create(patient()))
    mine = server.create(goal(subject, fresh()))
    (answer,) = server.transaction(put({**mine, "lifecycleStatus": "active"}, version(mine)))
    assert answer["response"]["status"].startswith("200")
    if server.expected.versions_in_transaction_response:
        assert answer["response"]["etag"].strip('W/"') == version(answer["resource"])
    assert version(answer["resource"]) == version(server.read(reference(mine))) != version(mine)
    assert answer["resource"]["lifecycleStatus"] == "active"


def test_one_identity_twice_in_a_transaction_never_makes_two(server):
    subject = reference(server.create(patient()))
    value = fresh()
    answer = server.bundle(
        "transaction", post(goal(subject, value), once=True), post(goal(subject, value), once=True)
    )
    if server.expected.same_condition_twice == "refused":
        assert answer.status_code == 400
        outcome(answer)
        assert server.held("Goal", value) == []
    else:
        # The second is dropped without a word: its answer speaks of a resource that it did not make.
        assert answer.status_code == 200
        assert len(server.held("Goal", value)) == 1


def test_two_entries_that_write_one_resource_are_refused(server):
    mine = server.create(patient(active=True))
    refused = server.bundle("transaction", put({**mine, "active": False}), put({**mine, "gender": "unknown"}))
    assert 400 <= refused.status_code < 500
    outcome(refused)
    assert version(server.read(reference(mine))) == version(mine)


def test_a_condition_that_matches_several_stops_the_whole_transaction(server):
    value, other = fresh(), fresh()
    server.create(patient(value))
    server.create(patient(value))
    refused = server.bundle("transaction", post(patient(other)), post(patient(value), once=True))
    assert refused.status_code == 412
    outcome(refused)
    assert (server.held("Patient", other) == []) is server.expected.atomic


def test_each_entry_of_a_batch_succeeds_or_fails_by_itself(server):
    value = fresh()
    answer = server.bundle(
        "batch",
        post(patient(value)),
        get(f"Patient/{fresh()}"),
        post(goal("Patient/no-such-patient", fresh())),
        get(f"Patient?{condition(fresh())}"),
    )
    assert answer.status_code == 200
    bundle = decode(answer.content)
    assert bundle["type"] == "batch-response"
    statuses = [entry["response"]["status"][:3] for entry in bundle["entry"]]
    assert statuses == ["201", "404", str(server.expected.dangling_reference), "200"]
    for entry, status in zip(bundle["entry"], statuses, strict=True):
        if status >= "400":
            assert entry["response"]["outcome"]["resourceType"] == "OperationOutcome"
    assert bundle["entry"][3]["resource"]["type"] == "searchset"
    assert len(server.held("Patient", value)) == 1


def test_an_entry_of_a_batch_that_is_not_fhir(server):
    value = fresh()
    answer = server.bundle("batch", post(patient(value)), post({**patient(), "gender": "banana"}))
    if server.expected.batch_with_unreadable_entry == "whole refused":
        assert answer.status_code == 400
        assert server.held("Patient", value) == []
    else:
        statuses = [entry["response"]["status"][:3] for entry in decode(answer.content)["entry"]]
        taken = server.expected.batch_with_unreadable_entry == "taken"
        assert statuses == ["201", "201" if taken else "400"]
        assert len(server.held("Patient", value)) == 1


def test_a_search_in_a_batch_asks_past_the_cache_and_pages(server):
    subject = reference(server.create(patient()))
    query = f"Goal?patient={subject}&_count=2"
    server.search(query)
    server.transaction(*(post(goal(subject, fresh())) for _ in range(3)))
    answer = server.bundle("batch", get(query), Cache_Control="no-cache")
    page = decode(answer.content)["entry"][0]["resource"]
    assert len(page["entry"]) == 2
    if not server.expected.pages:
        assert page["total"] == 3
        return
    further = decode(server.get(link(page, "next")).content)
    assert len(further["entry"]) == 1
