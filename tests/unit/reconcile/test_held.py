"""Our own resources among everything that a record holds."""

import pytest

from careplan_exchange.errors import DuplicateError
from careplan_exchange.model import codec
from careplan_exchange.model.identity import IDENTITY_SYSTEM
from careplan_exchange.model.record import Resource
from careplan_exchange.reconcile import held_in


def resource(kind="Goal", number="1", identifiers=(("ours", IDENTITY_SYSTEM),), version="3", **elements):
    body = {
        "resourceType": kind,
        "id": number,
        "identifier": [{"system": system, "value": value} for value, system in identifiers],
        **elements,
    }
    return Resource(type=kind, id=number, version_id=version, last_updated=None, content=codec.encode(body))


def test_a_resource_with_our_identifier_is_ours():
    (held,) = held_in([resource(identifiers=(("x", "urn:other"), ("ours", IDENTITY_SYSTEM)))])

    assert (held.identity, held.type, held.id, held.version_id) == ("ours", "Goal", "1", "3")
    assert held.body["resourceType"] == "Goal"


@pytest.mark.parametrize("kind", ["Goal", "ServiceRequest", "MedicationRequest", "DetectedIssue", "CarePlan"])
def test_every_type_that_we_author_is_looked_at(kind):
    assert [one.type for one in held_in([resource(kind)])] == [kind]


def test_other_resources_are_not_ours():
    bare = Resource(type="Goal", id="1", version_id="1", last_updated=None, content=b'{"resourceType":"Goal"}')
    empty = Resource(
        type="Goal",
        id="2",
        version_id="1",
        last_updated=None,
        content=codec.encode({"identifier": [{"system": IDENTITY_SYSTEM}, {"value": "ours"}]}),
    )

    others = [resource("Condition"), resource(identifiers=(("ours", "urn:other"),)), bare, empty]
    assert held_in(others) == ()
    assert [one.id for one in held_in([*others, resource(number="7")])] == ["7"]


def test_numbers_keep_their_digits():
    (held,) = held_in([resource(target=[{"detailQuantity": {"value": 7}}])])
    assert held.body["target"] == [{"detailQuantity": {"value": 7}}]

    content = b'{"identifier":[{"system":"%s","value":"ours"}],"x":7.20}' % IDENTITY_SYSTEM.encode()
    (held,) = held_in([Resource(type="Goal", id="1", version_id="1", last_updated=None, content=content)])
    assert str(held.body["x"]) == "7.20"


def test_only_the_identities_asked_for_are_returned():
    resources = [
        resource(number="1", identifiers=(("a", IDENTITY_SYSTEM),)),
        resource(number="2", identifiers=(("b", IDENTITY_SYSTEM),)),
        resource("CarePlan", number="3", identifiers=(("a", IDENTITY_SYSTEM),)),
    ]

    assert [one.id for one in held_in(resources, {"Goal": {"a"}})] == ["1"]
    assert [one.id for one in held_in(resources, {"Goal": {"a", "b"}, "CarePlan": {"a"}})] == ["1", "2", "3"]
    assert [one.id for one in held_in(resources, {"Goal": {"b"}})] == ["2"]
    assert held_in(resources, {}) == ()


def test_a_resource_with_two_identifiers_of_ours_counts_once():
    two = resource(identifiers=(("other", IDENTITY_SYSTEM), ("a", IDENTITY_SYSTEM)))

    assert [one.identity for one in held_in([two], {"Goal": {"a"}})] == ["a"]
    assert [one.identity for one in held_in([two])] == ["other"]


def test_one_identity_on_two_resources_is_an_error_that_names_both():
    with pytest.raises(DuplicateError, match="Goal/1 and Goal/2") as caught:
        held_in([resource(number="1"), resource(number="2")])

    assert "delete" in caught.value.mend
    assert "ours" not in caught.value.detail.replace("of ours", "")


def test_one_identity_on_two_types_and_one_resource_listed_twice_is_no_error():
    assert len(held_in([resource(number="1"), resource("CarePlan", number="2")])) == 2
    assert [one.version_id for one in held_in([resource(version="1"), resource(version="2")])] == ["2"]


def test_a_server_without_versions_gives_an_empty_one():
    assert held_in([resource(version=None)])[0].version_id == ""
