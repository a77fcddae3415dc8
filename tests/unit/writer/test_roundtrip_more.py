"""Which element it is that a server did not keep, where it made something of another shape of it."""

import msgspec
import pytest

from careplan_exchange.writer.roundtrip import Loss, as_issues, losses
from careplan_exchange.writer.sameness import pairs, rewritten, same
from tests.support.writing import an_update, as_written, creates

BASE = "https://ehr.example.org/fhir"


def lost(sent, stored):
    return [
        (loss.kind, loss.path)
        for loss in losses({"resourceType": "Goal", **sent}, {"resourceType": "Goal", **stored}, {}, BASE)
    ]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({"x": {"a": 1}}, {"x": "a"}),
        ({"x": "a"}, {"x": {"a": 1}}),
        ({"x": [1]}, {"x": {"a": 1}}),
        ({"x": {"a": 1}}, {"x": [1]}),
        ({"x": [1]}, {"x": "1"}),
        ({"x": "1"}, {"x": [1]}),
        ({"x": 1}, {"x": None}),
    ],
)
def test_an_element_of_another_shape_is_changed(sent, stored):
    assert lost(sent, stored) == [("changed", "Goal.x")]
    assert not same(sent, stored, {}, BASE)


@pytest.mark.parametrize(
    ("sent", "stored", "expected"),
    [
        ([{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 3}], [("changed", "Goal.x[1].a")]),
        ([{"a": 1}, {"a": 2}], [{"a": 3}, {"a": 2}], [("changed", "Goal.x[0].a")]),
        ([{"a": 1}, {"a": 2}], [{"a": 2}, {"a": 1}], [("reordered", "Goal.x")]),
        ([{"a": 1}, {"a": 2}], [{"a": 2}], [("dropped", "Goal.x[0]")]),
        ([{"a": 1}, {"a": 2}], [{"a": 1}], [("dropped", "Goal.x[1]")]),
        ([{"a": 1}, {"a": 2}], [{"a": 3}], [("changed", "Goal.x[0].a"), ("dropped", "Goal.x[1]")]),
        ([{"a": 1}, {"a": 2, "b": 1}], [{"a": 9}, {"b": 1}], [("changed", "Goal.x[0].a"), ("dropped", "Goal.x[1].a")]),
        ([{"a": 1}, {"a": 2}], [{"a": 2}, {"a": 3}], [("changed", "Goal.x[0].a")]),
        ([{"a": 1}, {"a": 2}, {"a": 3}], [{"a": 3}, {"a": 1}], [("reordered", "Goal.x"), ("dropped", "Goal.x[1]")]),
        ([{"k": 1}, {"k": 2}], [{"z": 1}, {"k": 9}, {"k": 1}], [("changed", "Goal.x[1].k")]),
        ([1, 2], [], [("dropped", "Goal.x[0]"), ("dropped", "Goal.x[1]")]),
        ([1], [1, 2], []),
        ([1, 1], [1], [("dropped", "Goal.x[1]")]),
    ],
)  # fmt: skip
def test_the_item_that_was_lost_is_named_by_its_place(sent, stored, expected):
    assert lost({"x": sent}, {"x": stored}) == expected


def test_an_issue_names_the_resource_and_the_element_and_what_became_of_it():
    found = as_issues(
        (Loss("dropped", "Goal.target[0]"), Loss("changed", "Goal.note[0].text")), "Goal/7/_history/1"
    )
    assert [(one.severity, one.code, one.key, one.source, one.expression) for one in found] == [
        ("error", "incomplete", "write.lost", "Goal/7/_history/1", "Goal.target[0]"),
        ("warning", "value", "write.lost", "Goal/7/_history/1", "Goal.note[0].text"),
    ]


@pytest.mark.parametrize(
    ("sent", "stored", "found"),
    [
        ([{"a": 1}, {"a": 2}], [{"a": 2}, {"a": 1}], (1, 0)),
        ([{"a": 1}, {"a": 1, "b": 2}], [{"a": 1, "b": 2}, {"a": 1}], (0, None)),
        ([{"a": 1}, {"a": 1}], [{"a": 1}, {"a": 1}], (0, 1)),
        ([{"a": 1}, {"a": 2}], [{"a": 3}, {"a": 1}], (1, None)),
        ([1], [2, 3], (None,)),
        ([{"a": 9}, {"a": 1}], [{"a": 1}, {"a": 1}], (None, 1)),
    ],
)
def test_an_item_is_found_in_its_own_place_first_and_no_place_twice(sent, stored, found):
    assert pairs(sent, stored, {}, BASE) == found


def test_a_string_is_no_list_of_its_letters():
    assert not same({"x": ["a"]}, {"x": "a"}, {}, BASE)


def test_what_a_server_stored_otherwise_the_last_time_is_what_it_rewrites():
    update = an_update(as_written(creates()[0]), description={"text": "ours"})
    assert rewritten(update, BASE) == frozenset()
    assert rewritten(msgspec.structs.replace(update, base=None), BASE) == frozenset()
    stored = {name: value for name, value in update.base.stored.items() if name != "note"}
    stored["priority"] = {"text": "another"}
    base = msgspec.structs.replace(update.base, stored=stored)
    assert rewritten(msgspec.structs.replace(update, base=base), BASE) == {"note", "priority"}


def test_beside_a_url_only_data_may_be_missing():
    sent = {"extension": [{"url": "urn:x", "valueString": "y"}]}
    assert not same(sent, {"extension": [{"url": "urn:x"}]}, {}, BASE)
    attachment = {"content": [{"attachment": {"contentType": "application/pdf", "data": "eA=="}}]}
    elsewhere = {"contentType": "application/pdf", "url": "Binary/1"}
    assert same(attachment, {"content": [{"attachment": elsewhere}]}, {}, BASE)
    assert not same(attachment, {"content": [{"attachment": {"url": "Binary/1"}}]}, {}, BASE)
    assert not same(attachment, {"content": [{"attachment": {"contentType": "application/pdf"}}]}, {}, BASE)


@pytest.mark.parametrize(("sent", "stored"), [("Goal/1", None), ("Goal/1", 1), (None, "Goal/1"), (1, "Goal/1")])
def test_a_reference_that_is_no_text_is_the_same_as_none(sent, stored):
    assert not same({"goal": {"reference": sent}}, {"goal": {"reference": stored}}, {}, BASE)


@pytest.mark.parametrize("stored", ["20260101", "2026-01-01T00:00:00", "2026-01-01T00:00:00Z"])
def test_a_day_is_not_an_instant_however_it_is_written(stored):
    assert not same({"x": "2026-01-01"}, {"x": stored}, {}, BASE)
    assert not same({"x": stored}, {"x": "2026-01-01"}, {}, BASE)


def test_an_id_of_an_element_that_is_gone_is_no_loss_beside_one():
    assert lost({"x": [{"id": "t1", "a": 1}]}, {"x": [{"a": 2}]}) == [("changed", "Goal.x[0].a")]
    assert lost({"x": {"id": "t1", "a": 1}}, {"x": {"a": 2}}) == [("changed", "Goal.x.a")]


def test_a_reference_in_other_words_is_no_loss_beside_one():
    sent = {"subject": {"reference": "Patient/1", "display": "a"}}
    stored = {"subject": {"reference": f"{BASE}/Patient/1/_history/3", "display": "b"}}
    assert lost(sent, stored) == [("changed", "Goal.subject.display")]
