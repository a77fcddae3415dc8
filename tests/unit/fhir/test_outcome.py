import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.fhir.outcome import as_issues, parse_outcome, says_partial, says_several_match

from .wire import outcome


def parsed(body):
    return parse_outcome(json.dumps(body).encode())


def test_codes_and_places_of_an_outcome_are_kept():
    body = {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "fatal",
                "code": "required",
                "details": {"coding": [{"system": "urn:x", "code": "59100"}], "text": "Mrs Miller lacks it"},
                "diagnostics": "HAPI-1094: Resource Patient/none not found",
                "expression": ["Goal.subject"],
            }
        ],
    }
    (issue,) = as_issues(parsed(body))
    assert (issue.severity, issue.code, issue.key) == ("error", "required", "server.required")
    assert issue.detail == "The server says: required, 59100, HAPI-1094."
    assert issue.expression == "Goal.subject"


def test_an_older_server_says_the_place_in_location():
    body = {
        "resourceType": "OperationOutcome",
        "issue": [{"code": "value", "location": ["Goal.target[0].dueDate"]}],
    }
    assert as_issues(parsed(body))[0].expression == "Goal.target[0].dueDate"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Bundle.entry[2].resource.ofType(Goal).target[0]", "Bundle.entry[2].resource.ofType(Goal).target[0]"),
        ("Bundle.entry[2].Goal.target[0]", "Bundle.entry[2].Goal.target[0]"),
        ("Bundle.entry[0].resource/*Goal/g1*/.target[0]", "Bundle.entry[0].resource.target[0]"),
    ],
)
def test_the_place_in_a_transaction_is_kept_however_it_is_written(said, kept):
    body = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "expression": [said]}]}
    assert as_issues(parsed(body))[0].expression == kept


@given(st.text(alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x4FFF), min_size=3, max_size=30))
def test_no_free_text_of_the_server_gets_into_an_issue(secret):
    body = {
        "resourceType": "OperationOutcome",
        "text": {"status": "generated", "div": secret},
        "issue": [
            {
                "severity": secret,
                "code": secret,
                "diagnostics": secret,
                "details": {"text": secret, "coding": [{"code": secret}]},
                "location": [secret],
                "expression": [secret, f"Patient.name.where(family = '{secret}')"],
            }
        ],
    }
    (issue,) = as_issues(parsed(body))
    assert secret not in repr(issue)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"resourceType":"Bundle"}', b'{"issue":[{"code":5}]}', b"[" * 100_000, b"\xff"],
)
def test_what_is_no_outcome_has_no_issues(body):
    assert parse_outcome(body) == ()


@pytest.mark.parametrize(
    ("body", "partial"),
    [
        (outcome("error", "processing"), True),
        (outcome("fatal", "exception"), True),
        (outcome("warning", "processing", coding="4119"), True),
        (outcome("warning", "incomplete"), True),
        (outcome("warning", "suppressed"), True),
        (outcome("warning", "informational", coding="4101"), False),
        (outcome("information", "informational"), False),
    ],
)
def test_only_what_says_that_matches_are_missing_counts_as_partial(body, partial):
    assert says_partial(parsed(body)[0]) is partial


@pytest.mark.parametrize(
    ("body", "several"),
    [
        (outcome(code="multiple-matches"), True),
        (outcome(diagnostics='HAPI-0958: Failed to CREATE Goal with match URL "identifier=x|y"'), True),
        (outcome(diagnostics="because this search matched 2 resources"), True),
        (outcome(diagnostics="matched 12 resources"), True),
        (outcome(diagnostics="matched 1 resource of version 2"), False),
        (outcome(code="conflict", diagnostics="HAPI-0989: this is not the current version"), False),
    ],
)
def test_a_condition_that_matched_several_is_told_from_a_stale_version(body, several):
    assert says_several_match(parsed(body)) is several
