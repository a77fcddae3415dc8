"""What the product relies on of a FHIR server that it sends a transaction or a batch to."""

import uuid

from careplan_exchange.model.codec import decode
from tests.support.rest import (
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
