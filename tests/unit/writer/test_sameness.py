from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.model.codec import decode, encode
from careplan_exchange.writer.sameness import alike, not_contrary, same

BASE = "https://ehr.example.org/fhir"
names = st.text(alphabet="abcxyz", min_size=1, max_size=4)
values = st.recursive(
    st.one_of(st.text(max_size=5), st.integers(-9, 9), st.booleans(), st.decimals(-9, 9, places=2)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=12,
)
bodies = st.dictionaries(names, values, max_size=5)


@given(bodies)
def test_a_body_that_went_to_a_server_and_back_is_the_same(body):
    stored = {**decode(encode(body)), "id": "7", "meta": {"versionId": "1"}}
    assert same(body, stored, {}, BASE)


@given(bodies, names, values)
def test_what_the_server_adds_beside_ours_does_not_matter(body, name, value):
    assert same(body, {name: value, **body}, {}, BASE)


@given(bodies.filter(bool), st.data())
def test_another_content_of_any_element_does(body, data):
    name = data.draw(st.sampled_from(sorted(body)))
    changed = {**body, name: "longer than any text that is drawn"}
    assert not same(body, changed, {}, BASE)
    assert not not_contrary(body, changed, {}, BASE)


@given(bodies, st.data())
def test_an_element_that_is_missing_is_contrary_to_nothing(body, data):
    kept = {name: value for name, value in body.items() if data.draw(st.booleans())}
    assert not_contrary(body, kept, {}, BASE)
    assert same(body, kept, {}, BASE) == (kept == body)


def test_a_reference_is_the_same_however_it_is_written():
    sent = {"goal": [{"reference": "urn:uuid:1"}], "subject": {"reference": "Patient/1"}}
    stored = {
        "goal": [{"reference": f"{BASE}/Goal/9"}],
        "subject": {"reference": "Patient/1/_history/3"},
    }
    assert same(sent, stored, {"urn:uuid:1": "Goal/9"}, BASE)
    assert not same(sent, stored, {"urn:uuid:1": "Goal/8"}, BASE)


def test_an_item_more_in_a_list_is_somebody_elses():
    assert not same({"note": [{"text": "a"}]}, {"note": [{"text": "a"}, {"text": "b"}]}, {}, BASE)


def test_dropped_element_ids_narrative_and_digits_do_not_tell_versions_apart():
    sent = {"text": {"div": "<div/>"}, "target": [{"id": "t1", "value": Decimal("7.0")}]}
    assert same(sent, {"text": {"div": "<div></div>"}, "target": [{"value": 7}]}, {}, BASE)


def test_two_bodies_are_alike_only_where_neither_has_more():
    less = {"resourceType": "Goal", "description": {"text": "a"}}
    more = {**less, "note": [{"text": "b"}]}
    assert alike(more, {**more, "id": "7", "meta": {"versionId": "2"}}, BASE)
    assert not alike(less, more, BASE)
    assert not alike(more, less, BASE)


def test_only_what_is_a_reference_is_compared_as_one():
    address = f"{BASE}/Goal/1"
    assert same({"goal": [{"reference": address}]}, {"goal": [{"reference": "Goal/1"}]}, {}, BASE)
    assert not same({"note": [{"text": address}]}, {"note": [{"text": "Goal/1"}]}, {}, BASE)
    assert not same(
        {"note": [{"text": "urn:uuid:1"}]}, {"note": [{"text": "Goal/1"}]}, {"urn:uuid:1": "Goal/1"}, BASE
    )


def test_an_instant_in_another_time_zone_is_the_same_however_deep_it_stands():
    sent = {"period": {"start": "2026-03-04T05:06:07Z"}}
    assert same(sent, {"period": {"start": "2026-03-04T06:06:07+01:00"}}, {}, BASE)
    assert not same(sent, {"period": {"start": "2026-03-04T06:06:07Z"}}, {}, BASE)
