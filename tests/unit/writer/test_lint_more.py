"""What is found of a plan that goes as a document, and below the elements of one that does not."""

import base64
from typing import Any

import pytest

from careplan_exchange.errors import InvalidResourceError
from careplan_exchange.model.changes import Json
from careplan_exchange.model.codec import encode
from careplan_exchange.model.target import TargetForm
from careplan_exchange.writer import render
from careplan_exchange.writer.lint import attached_bundles, lint, require_valid
from tests.support.plans import a_context, a_proposal

FHIR = "application/fhir+json"


def a_document() -> Json:
    return render(a_proposal(), a_context(), TargetForm(release="R4", rung="document"))[-1].body


def a_plan() -> Json:
    rendered = render(a_proposal(), a_context(), TargetForm(release="R4", rung="detail"))
    links = {each.full_url: f"{each.type}/1" for each in rendered}
    return as_linked(rendered[-1].body, links)


def as_linked(value: Any, links: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: as_linked(inner, links) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_linked(inner, links) for inner in value]
    return links.get(value, value) if isinstance(value, str) else value


def carrying(bundle: Json, **elements: Any) -> Json:
    attachment = {"contentType": FHIR, "data": base64.b64encode(encode(bundle)).decode(), **elements}
    return {**a_document(), "content": [{"attachment": attachment}]}


def problems(body: Json, **links: str) -> list[str | None]:
    try:
        require_valid([body], "R4", links)
    except InvalidResourceError as error:
        return [issue.expression for issue in error.issues]
    return []


def test_a_document_is_valid_with_all_that_is_in_it():
    (bundle,) = attached_bundles(a_document())
    assert {entry["resource"]["resourceType"] for entry in bundle["entry"]} >= {"CarePlan", "Goal"}
    assert problems(a_document()) == []


def test_what_is_wrong_inside_of_a_document_is_found():
    (bundle,) = attached_bundles(a_document())
    (plan,) = [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "CarePlan"]
    plan["status"] = "banana"
    assert problems(carrying(bundle)) == ["CarePlan.status"]
    assert problems({**carrying(bundle), "status": "banana"}) == ["DocumentReference.status", "CarePlan.status"]


def test_a_reference_inside_of_a_document_is_checked_by_what_is_there_and_then_by_what_is_sent_with_it():
    (bundle,) = attached_bundles(a_document())
    (plan,) = [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == "CarePlan"]
    issue = next(e for e in bundle["entry"] if e["resource"]["resourceType"] == "DetectedIssue")
    plan["goal"] = [{"reference": issue["fullUrl"]}]
    assert problems(carrying(bundle)) == ["CarePlan.goal"]
    plan["goal"] = [{"reference": "urn:uuid:sent-beside"}]
    assert problems(carrying(bundle), **{"urn:uuid:sent-beside": "Condition"}) == ["CarePlan.goal"]
    assert problems(carrying(bundle), **{"urn:uuid:sent-beside": "Goal"}) == []


@pytest.mark.parametrize(
    "body",
    [
        carrying({"entry": [{}]}, contentType="application/json"),
        {**a_document(), "content": [{"attachment": {"contentType": FHIR, "url": "Binary/1"}}]},
        {**a_document(), "content": [{"attachment": {"title": "on paper"}}]},
        {**a_document(), "content": [{}]},
        {"resourceType": "DocumentReference"},
        {**carrying({"entry": [{}]}), "resourceType": "Other"},
    ],
)
def test_what_is_no_fhir_document_is_not_looked_into(body):
    assert list(attached_bundles(body)) == []


def test_a_document_without_entries_has_nothing_wrong_in_it():
    assert problems(carrying({"resourceType": "Bundle"})) == []


def test_all_that_is_wrong_is_told_at_once_and_the_first_is_named():
    other = {**a_plan(), "status": "banana", "intent": "maybe"}
    with pytest.raises(InvalidResourceError, match=r"3 problem\(s\) .* the first at CarePlan.status") as caught:
        require_valid([{**a_plan(), "status": "banana"}, other], "R4", {})
    assert [(one.severity, one.key, one.expression) for one in caught.value.issues] == [
        ("error", "write.invalid", "CarePlan.status"),
        ("error", "write.invalid", "CarePlan.status"),
        ("error", "write.invalid", "CarePlan.intent"),
    ]


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"goal": [{"reference": "Goal/1"}, {"reference": "Patient/1"}]}, "CarePlan.activity.detail.goal"),
        ({"location": {"reference": "Goal/1"}}, "CarePlan.activity.detail.location"),
        ({"location": {"type": "Goal"}}, "CarePlan.activity.detail.location"),
    ],
)
def test_a_reference_deep_below_is_found_by_its_path(wrong, path):
    body = a_plan()
    body["activity"][0]["detail"] |= wrong
    assert [issue.expression for issue in lint(body, "R4", {})] == [path]


@pytest.mark.parametrize(
    "right",
    [
        {"supportingInfo": [{"reference": "Patient/1"}, {"reference": "DetectedIssue/1"}]},
        {"goal": [{"reference": "https://ehr.example.org/fhir/Goal/1"}, {"type": "Goal"}]},
        {"goal": [{"reference": "urn:uuid:nobody"}]},
    ],
)
def test_a_reference_that_the_element_may_hold_passes(right):
    assert lint({**a_plan(), **right}, "R4", {}) == ()


def test_what_a_reference_says_of_its_type_counts_only_where_its_text_does_not():
    said = {"goal": [{"reference": "Goal/1", "type": "Patient"}]}
    assert lint({**a_plan(), **said}, "R4", {}) == ()
    hidden = {"goal": [{"reference": "urn:uuid:nobody", "type": "Patient"}]}
    assert [issue.expression for issue in lint({**a_plan(), **hidden}, "R4", {})] == ["CarePlan.goal"]


def test_r4b_has_the_structure_and_codes_of_r4():
    assert lint(a_plan(), "R4B", {}) == ()
    assert [issue.expression for issue in lint({**a_plan(), "intent": "directive"}, "R4B", {})] == [
        "CarePlan.intent"
    ]
