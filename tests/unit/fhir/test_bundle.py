import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.errors import NotFhirError
from careplan_exchange.fhir.bundle import newest, read_bundle, read_header, read_resource
from careplan_exchange.model.record import Resource

from .wire import goal, searchset


def version(number, updated=None, content=b"{}"):
    return Resource(type="Goal", id="g1", version_id=number, last_updated=updated, content=content)


def test_the_content_of_a_resource_is_the_servers_own_bytes():
    text = b'{ "id":"g1",\n "target":[{"detailQuantity":{"value":7.20}}], "resourceType" : "Goal" }'
    bundle = read_bundle(b'{"resourceType":"Bundle","entry":[{"resource":' + text + b"}]}", "It")
    resource = read_resource(bundle.entry[0].resource, "It")
    assert resource.content == text
    assert (resource.reference, resource.version_id, resource.last_updated) == ("Goal/g1", None, None)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"<!DOCTYPE html><html>", "an HTML page"),
        (b"<html>", "an HTML page"),
        (b'<Bundle xmlns="http://hl7.org/fhir">', "XML"),
        (b'{"resourceType":"Bundle"', "not valid JSON"),
        (b'{"resourceType":"Bundle","x":"\xff"}', "not valid JSON"),
        (b"[" * 100_000, "not FHIR"),
        (b'{"resourceType":"Bundle","x":' + b"[" * 100_000, "levels inside each other"),
        (b"[]", "not FHIR"),
        (b"{}", "not FHIR"),
        (b'{"resourceType":"Bundle","entry":{}}', "not FHIR"),
        (b'{"resourceType":"Patient"}', "not a Bundle"),
    ],
)
def test_what_is_no_bundle_is_named_for_what_it_is(body, says):
    with pytest.raises(NotFhirError, match=says):
        read_bundle(body, "The answer")


@pytest.mark.parametrize("resource", [goal() | {"id": ""}, goal() | {"id": "a b"}, goal() | {"id": "x" * 65}])
def test_a_resource_without_a_valid_id_is_no_answer_to_a_read(resource):
    with pytest.raises(NotFhirError):
        read_resource(json.dumps(resource).encode(), "It")


def test_a_header_of_the_wrong_type_is_not_fhir():
    with pytest.raises(NotFhirError):
        read_header(b'{"resourceType":5}', "It")


def test_a_null_where_a_resource_was_due_is_not_fhir():
    bundle = read_bundle(b'{"resourceType":"Bundle","entry":[{"resource":null},{}]}', "It")
    assert [entry.has_resource for entry in bundle.entry] == [True, False]
    with pytest.raises(NotFhirError):
        read_header(bundle.entry[0].resource, "It")


def test_the_next_link_is_found_among_others():
    assert read_bundle(json.dumps(searchset(next_link="there")).encode(), "It").next == "there"
    assert read_bundle(json.dumps(searchset()).encode(), "It").next is None


@given(st.permutations([version(str(n), f"2026-01-01T00:00:{n:02}Z") for n in (1, 2, 3, 10)]))
def test_of_one_resource_the_newest_version_is_kept_in_whatever_order_they_come(versions):
    assert [resource.version_id for resource in newest(versions)] == ["10"]


@given(st.permutations([version(str(n)) for n in (1, 2, 3, 10)]))
def test_without_a_moment_the_number_of_the_version_decides(versions):
    assert [resource.version_id for resource in newest(versions)] == ["10"]


def test_where_nothing_tells_the_later_one_counts():
    first, second = version("abc", content=b"1"), version("abd", content=b"2")
    assert newest([first, second]) == (second,)
    assert newest([second, first]) == (first,)
    assert newest([version("a", "yesterday", b"1"), version("b", "2026-01-01", b"2")])[0].content == b"2"


def test_moments_are_compared_over_time_zones():
    early, late = version("a", "2026-01-01T12:00:00+02:00"), version("b", "2026-01-01T11:00:00Z")
    assert newest([late, early]) == (late,)
