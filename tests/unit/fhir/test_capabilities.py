import json

import pytest

from careplan_exchange.errors import NotFhirError, UnsupportedServerError
from careplan_exchange.fhir.capabilities import capabilities_of, read_statement

from .wire import statement


def read(body):
    statement = read_statement(json.dumps(body).encode())
    return capabilities_of(statement, statement.fhir_version)


@pytest.mark.parametrize(
    ("version", "release"),
    [("4.0.0", "R4"), ("4.0.1", "R4"), ("4.3.0", "R4B"), ("5.0.0", "R5"), ("5.0.0-ballot", "R5")],
)
def test_the_release_follows_from_the_version(version, release):
    capabilities = read(statement("Goal", version=version))
    assert (capabilities.release, capabilities.fhir_version) == (release, version)


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("1.0.2", "DSTU2"),
        ("3.0.2", "STU3"),
        ("4.1.0", "preview"),
        ("4.6.0", "preview"),
        ("6.0.0", "R6"),
        ("R4", "R4"),
        ("40.0.1", "40.0.1"),
    ],
)
def test_another_version_is_refused_and_named(version, name):
    with pytest.raises(UnsupportedServerError) as caught:
        read(statement("Goal", version=version))
    assert f"speaks FHIR {version}" in caught.value.detail
    assert name in caught.value.detail
    assert "base URL" in caught.value.mend


def test_stu3_is_refused_with_a_clear_message():
    with pytest.raises(UnsupportedServerError, match=r"3\.0\.2 \(STU3\); this product reads 4\.0 \(R4\)"):
        read(statement("Goal", version="3.0.2"))


@pytest.mark.parametrize("stated", [{"fhirVersion": "1.0.2"}, {}])
def test_dstu2_which_calls_its_statement_conformance_is_refused_with_a_clear_message(stated):
    with pytest.raises(UnsupportedServerError, match="DSTU2"):
        read({"resourceType": "Conformance", **stated})


def test_a_version_that_is_no_version_is_not_repeated():
    with pytest.raises(UnsupportedServerError) as caught:
        read(statement("Goal", version="<script>" * 10))
    assert "script" not in caught.value.detail


@pytest.mark.parametrize("rest", [{}, {"rest": []}])
def test_a_statement_without_rest_says_nothing_of_interactions_and_everything_may_be_tried(rest):
    capabilities = read({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", **rest})
    assert capabilities.says_nothing
    assert capabilities.batch
    assert not capabilities.transaction  # it may not be atomic: that must be said


def test_a_statement_that_lists_a_type_says_something():
    assert not read(statement("Goal")).says_nothing


def test_interactions_and_parameters_are_those_that_are_listed():
    capabilities = read(statement("Goal"))
    assert capabilities.supports("Goal", "search-type")
    assert capabilities.searchable("Goal", "patient")
    assert not capabilities.supports("Goal", "create")
    assert not capabilities.searchable("Goal", "identifier")
    assert not capabilities.searchable("CarePlan", "patient")
    assert capabilities.software == "Test 1"


@pytest.mark.parametrize(
    ("whole", "batch", "transaction"),
    [
        ((), False, False),
        (("batch",), True, False),
        (("transaction",), True, True),
        (("batch", "transaction"), True, True),
    ],
)
def test_where_a_transaction_is_taken_a_batch_is_tried(whole, batch, transaction):
    capabilities = read(statement("Goal", whole=whole))
    assert (capabilities.batch, capabilities.transaction) == (batch, transaction)


@pytest.mark.parametrize("body", [{}, [], {"resourceType": "Patient", "id": "1"}, {"resourceType": 1}, "x"])
def test_what_is_no_capability_statement_is_not_fhir(body):
    with pytest.raises(NotFhirError):
        read(body)


def test_a_page_of_html_is_not_fhir():
    with pytest.raises(NotFhirError):
        read_statement(b"<html>Sign in</html>")


def test_a_statement_that_describes_a_client_is_refused():
    body = statement("Goal")
    body["rest"][0]["mode"] = "client"
    with pytest.raises(UnsupportedServerError):
        read(body)


def test_software_may_be_unnamed():
    body = statement("Goal")
    del body["software"]
    assert read(body).software is None


def test_the_types_whose_ids_a_client_may_choose_are_those_that_say_so():
    body = statement("AuditEvent", "Goal")
    body["rest"][0]["resource"][0]["updateCreate"] = True
    assert read(body).client_ids == {"AuditEvent"}
    assert read(statement("AuditEvent")).client_ids == frozenset()
