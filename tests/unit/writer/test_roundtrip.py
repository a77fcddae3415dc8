"""What is told of a body that a server did not keep as it was sent."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.model.codec import encode
from careplan_exchange.writer.roundtrip import as_issues, losses
from tests.support.writing import as_written, creates

BASE = "https://ehr.example.org/fhir"
PLAN = creates()
GOAL = next(change.body for change in PLAN if change.type == "Goal" and "target" in change.body)
CARE_PLAN = PLAN[-1].body


def leaves(value, path=()):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    else:
        yield path


def without(body, path):
    body = copy.deepcopy(body)
    at = body
    for step in path[:-1]:
        at = at[step]
    del at[path[-1]]
    return body


def with_other(body, path):
    body = copy.deepcopy(body)
    at = body
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = "something else"
    return body


def as_path(kind, path):
    return kind + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


OURS = [
    path
    for path in leaves(GOAL)
    if path[0] not in {"text", "resourceType"}  # the narrative is the server's to rewrite
]


@pytest.mark.parametrize("change", PLAN, ids=[change.type for change in PLAN])
def test_a_body_that_came_back_with_more_in_it_has_lost_nothing(change):
    stored = as_written(change).stored
    assert losses(change.body, {**stored, "extension": [{"url": "x"}]}, {}, BASE) == ()


@given(st.sampled_from([path for path in OURS if path[-1] != "id"]))  # many servers drop the ids of elements
def test_every_element_that_is_dropped_is_told_with_its_path(path):
    (loss,) = losses(GOAL, without(GOAL, path), {}, BASE)
    assert (loss.kind, loss.path) == ("dropped", as_path("Goal", path))


@given(st.sampled_from(OURS))
def test_every_element_that_is_changed_is_told_with_its_path(path):
    (loss,) = losses(GOAL, with_other(GOAL, path), {}, BASE)
    assert (loss.kind, loss.path) == ("changed", as_path("Goal", path))


@pytest.mark.parametrize(
    ("path", "matters"),
    [
        ("Goal.lifecycleStatus", True),
        ("Goal.description", True),
        ("Goal.description.text", True),
        ("Goal.target", True),
        ("Goal.target[0].detailQuantity.value", True),
        ("Goal.target[1].measure.coding[0].code", True),
        ("Goal.target[0].measure.coding[0].display", False),
        ("Goal.target[0].dueDate", False),
        ("Goal.subject.reference", True),
        ("Goal.identifier[0].value", True),
        ("Goal.note[0].text", False),
        ("Goal.priority", False),
        ("Goal.extension", False),
        ("Goal.target[0].extension", False),
        ("Goal.note[0].modifierExtension", True),
        ("CarePlan.goal[2]", True),
        ("CarePlan.activity[3]", True),
        ("CarePlan.activity[0].detail.doNotPerform", True),
        ("CarePlan.activity[0].detail.scheduledTiming.repeat.frequency", True),
        ("CarePlan.activity[0].detail.goal[0].reference", False),
        ("CarePlan.title", False),
        ("CarePlan.created", False),
        ("ServiceRequest.doNotPerform", True),
        ("ServiceRequest.code.coding[0].code", True),
        ("ServiceRequest.note", False),
        ("MedicationRequest.medicationCodeableConcept.coding[0].code", True),
        ("MedicationRequest.dosageInstruction[0].text", True),
        ("DetectedIssue.severity", True),
        ("DetectedIssue.detail", False),
    ],
)
def test_what_a_plan_means_matters_and_what_stands_beside_it_does_not(path, matters):
    kind, *steps = path.split(".")
    sent, stored = {"resourceType": kind}, {"resourceType": kind}
    _put(sent, steps, "a")
    _put(stored, steps, "b")
    (loss,) = losses(sent, stored, {}, BASE)
    assert (loss.path, loss.matters) == (path, matters)


def _put(body, steps, value):
    """`value` at the path, and what leads to it."""
    (step, *rest), at = steps, body
    name, _, index = step.partition("[")
    inner = value if not rest else {}
    at[name] = [*({"x": i} for i in range(int(index[:-1]))), inner] if index else inner
    if rest:
        _put(at[name][-1] if index else inner, rest, value)


def test_data_of_a_document_that_the_server_keeps_elsewhere_is_no_loss():
    sent = {"resourceType": "DocumentReference", "content": [{"attachment": {"title": "t", "data": "eA=="}}]}
    stored = {**sent, "content": [{"attachment": {"title": "t", "url": "Binary/1"}}]}
    assert losses(sent, stored, {}, BASE) == ()
    (loss,) = losses(sent, {**sent, "content": [{"attachment": {"title": "t"}}]}, {}, BASE)
    assert (loss.path, loss.matters) == ("DocumentReference.content[0].attachment.data", True)


def test_a_list_in_another_order_is_told_and_never_matters():
    sent = {"resourceType": "CarePlan", "goal": [{"reference": "Goal/1"}, {"reference": "Goal/2"}]}
    (loss,) = losses(sent, {**sent, "goal": sent["goal"][::-1]}, {}, BASE)
    assert (loss.kind, loss.path, loss.matters) == ("reordered", "CarePlan.goal", False)


def test_an_item_that_is_gone_from_a_list_is_told_beside_those_that_moved():
    sent = {"resourceType": "CarePlan", "goal": [{"reference": f"Goal/{number}"} for number in (1, 2, 3)]}
    found = losses(sent, {**sent, "goal": [{"reference": "Goal/3"}, {"reference": "Goal/1"}]}, {}, BASE)
    assert [(loss.kind, loss.path) for loss in found] == [
        ("reordered", "CarePlan.goal"),
        ("dropped", "CarePlan.goal[1]"),
    ]


@pytest.mark.parametrize(
    "stored", ["2026-03-04T05:06:07Z", "2026-03-04T06:06:07+01:00", "2026-03-04T05:06:07.000+00:00"]
)
def test_the_same_instant_is_no_loss(stored):
    sent = {"resourceType": "Goal", "x": "2026-03-04T05:06:07+00:00"}
    assert losses(sent, {**sent, "x": stored}, {}, BASE) == ()


@pytest.mark.parametrize("stored", ["2026-03-04T05:06:08Z", "2026-03-04", "2026-13-44T05:06:07Z", None, 7])
def test_another_instant_or_precision_is(stored):
    sent = {"resourceType": "Goal", "x": "2026-03-04T05:06:07+00:00"}
    assert [loss.kind for loss in losses(sent, {**sent, "x": stored}, {}, BASE)] == ["changed"]


def test_issues_hold_paths_and_no_values():
    found = losses(GOAL, {"resourceType": "Goal"}, {}, BASE)
    issues = as_issues(found, "Goal/7/_history/1")
    assert {issue.severity for issue in issues} == {"error", "warning"}
    assert all(issue.key == "write.lost" and issue.source == "Goal/7/_history/1" for issue in issues)
    assert GOAL["description"]["text"].encode() not in encode(issues)
