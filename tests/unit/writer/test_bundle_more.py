"""A transaction as it is sent, and its answer entry by entry."""

from typing import Any

import msgspec
import pytest

from careplan_exchange.errors import DuplicateError
from careplan_exchange.fhir import Written
from careplan_exchange.model.changes import Json
from careplan_exchange.writer.bundle import answers_of, condition, once_each, resolved, transaction_of
from tests.support.writing import CountedIds, an_update, as_written, creates

BASE = "https://ehr.example.org/fhir"
GOAL, OTHER = creates()[:2]
UPDATE = an_update(as_written(GOAL), description={"text": "ours"})
BODY: Json = {"resourceType": "Goal", "id": "12", "meta": {"versionId": "3"}}


def test_a_transaction_is_written_exactly_so():
    companion = {"resourceType": "Provenance"}
    assert transaction_of([OTHER, UPDATE], [companion], BASE, CountedIds()) == {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": OTHER.full_url,
                "resource": OTHER.body,
                "request": {"method": "POST", "url": "Goal", "ifNoneExist": condition(OTHER.identity)},
            },
            {
                "fullUrl": f"{BASE}/Goal/7",
                "resource": UPDATE.body,
                "request": {"method": "PUT", "url": "Goal/7", "ifMatch": 'W/"1"'},
            },
            {
                "fullUrl": "urn:uuid:00000000-0000-0000-0000-000000000001",
                "resource": companion,
                "request": {"method": "POST", "url": "Provenance"},
            },
        ],
    }


def answered(entry: Json, change: Any = GOAL) -> Written:
    (one,) = answers_of({"entry": [entry]}, [change])
    return one


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"response": {"status": "201 Created"}, "resource": BODY}, (True, "12", "3", BODY)),
        ({"response": {"status": "200", "location": "Goal/9/_history/8"}, "resource": BODY}, (False, "12", "3", BODY)),
        ({"response": {"status": "201", "location": "Goal/9/_history/8"}}, (True, "9", "8", None)),
        ({"response": {"status": "201", "location": f"{BASE}/Goal/9/_history/8/"}}, (True, "9", "8", None)),
        ({"response": {"status": "201", "location": "Goal/9", "etag": 'W/"5"'}}, (True, "9", "5", None)),
        ({"response": {"status": "201", "location": "Goal/9/_history/8", "etag": 'W/"5"'}}, (True, "9", "8", None)),
        ({"response": {"status": "200", "etag": "5", "location": None}}, (False, None, "5", None)),
        ({"response": {"status": "200"}}, (False, None, None, None)),
        ({}, (False, None, None, None)),
        ({"response": {"status": "201"}, "resource": {"resourceType": "Goal"}}, (True, None, None, {"resourceType": "Goal"})),
        ({"response": {"status": "201"}, "resource": {**BODY, "resourceType": "OperationOutcome"}}, (True, None, None, None)),
        ({"response": {"status": "201"}, "resource": "Goal"}, (True, None, None, None)),
    ],
)  # fmt: skip
def test_an_entry_of_the_answer_says_what_it_says_and_no_more(entry, expected):
    one = answered(entry)
    assert (one.created, one.id, one.version_id, one.body) == expected
    assert one.type == "Goal"


def test_an_update_that_is_answered_without_an_id_keeps_its_own():
    assert answered({"response": {"status": "200"}}, UPDATE).id == "7"
    assert answered({"response": {"status": "200", "location": "Goal/9"}}, UPDATE).id == "9"


def test_the_entries_of_companions_are_nobodys_answer_and_missing_ones_give_none():
    assert len(answers_of({"entry": [{}, {}, {}]}, [GOAL, OTHER])) == 2
    assert answers_of({"entry": [{}]}, [GOAL, OTHER])[0].type == "Goal"
    assert answers_of({}, [GOAL]) == ()


def test_what_is_unchanged_is_not_sent_and_what_is_twice_the_same_once():
    unchanged = msgspec.structs.replace(OTHER, action="unchanged")
    assert once_each([unchanged, GOAL, GOAL, OTHER]) == (GOAL, OTHER)
    with pytest.raises(DuplicateError):
        once_each([GOAL, msgspec.structs.replace(GOAL, body={})])
    same_identity = msgspec.structs.replace(GOAL, type="CarePlan")
    assert once_each([GOAL, same_identity]) == (GOAL, same_identity)


def test_only_references_are_replaced_by_what_they_became_however_deep_they_stand():
    value = {
        "goal": [{"reference": "urn:uuid:1", "display": "urn:uuid:1"}],
        "subject": {"reference": "Patient/1"},
        "reference": {"reference": "urn:uuid:1"},
        "note": "urn:uuid:1",
    }
    assert resolved(value, {"urn:uuid:1": "Goal/9"}) == {
        "goal": [{"reference": "Goal/9", "display": "urn:uuid:1"}],
        "subject": {"reference": "Patient/1"},
        "reference": {"reference": "Goal/9"},
        "note": "urn:uuid:1",
    }
