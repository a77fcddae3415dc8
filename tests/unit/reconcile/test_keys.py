"""The alignment of the sides of one list, apart from the merge."""

import pytest

from careplan_exchange.reconcile.keys import align
from careplan_exchange.reconcile.rules import LIST_KEYS
from careplan_exchange.reconcile.values import MISSING

NAMES = ("id", "text", "url")


def item(text=None, **more):
    return {**({"text": text} if text else {}), **more}


def test_what_finds_no_partner_opens_a_slot_side_by_side_and_in_list_order():
    assert align((), [["a", "b"], ["c", "b", "d"]]) == [
        ["a", MISSING],
        ["b", "b"],
        [MISSING, "c"],
        [MISSING, "d"],
    ]


def test_among_items_with_one_key_the_first_meets_the_first():
    first, second, third = item("t", n=1), item("t", n=2), item("t", n=3)

    assert align(NAMES, [[first, second], [third]]) == [[first, third], [second, MISSING]]
    assert align(NAMES, [[third], [first, second]]) == [[third, first], [MISSING, second]]


def test_a_slot_with_an_item_of_the_side_before_comes_first():
    alone, known = item("t", n=1), item("t", id="a")

    assert align(NAMES, [[alone, known], [alone], [item("t", id="a", n=2)], [item("t", n=3)]]) == [
        [alone, alone, MISSING, MISSING],
        [known, MISSING, item("t", id="a", n=2), item("t", n=3)],
    ]


def test_two_slots_that_an_item_fits_are_united_and_found_by_the_keys_of_both():
    walk, swim = item("walk", url="u"), item("swim")
    stored = [item("swim", n=5), {"url": "u", "n": 5}]
    slots = align(NAMES, [[walk, swim], [], [{"id": "a"}], [item("walk", id="a")], stored])

    assert len(slots) == 2
    assert [walk, MISSING, {"id": "a"}, item("walk", id="a"), stored[1]] in slots
    assert [swim, MISSING, MISSING, MISSING, stored[0]] in slots


def test_slots_are_united_by_the_strongest_key_and_the_first_of_several():
    by_url, by_text = item(url="u"), item("t")
    slots = align(NAMES, [[by_url, by_text, item("t", n=2)], [{"id": "a"}], [item("t", id="a", url="u")], []])

    assert [by_text, {"id": "a"}, item("t", id="a", url="u"), MISSING] in slots
    assert [by_url, MISSING, MISSING, MISSING] in slots
    assert len(slots) == 3


def test_slots_that_both_have_an_item_of_one_side_are_not_united():
    slots = align(NAMES, [[item("t"), {"id": "b"}], [{"id": "a"}, {"id": "b"}], [item("t", id="b")], []])

    assert len(slots) == 3


def test_the_last_side_unites_nothing():
    slots = align(NAMES, [[item("t")], [{"id": "a"}], [item("t", id="a")]])

    assert slots == [[item("t"), MISSING, MISSING], [MISSING, {"id": "a"}, item("t", id="a")]]


@pytest.mark.parametrize(
    ("name", "strong", "weak"),
    [
        ("activity", lambda x: {"id": x}, lambda x: {"reference": {"reference": x}}),
        ("activity", lambda x: {"reference": {"reference": x}}, lambda x: {"detail": {"code": {"text": x}}}),
        ("target", lambda x: {"id": x}, lambda x: {"measure": {"text": x}}),
        ("note", lambda x: {"id": x}, lambda x: {"text": x}),
    ],
)
def test_of_two_keys_that_disagree_the_stronger_one_counts(name, strong, weak):
    theirs = [strong("1") | weak("1"), strong("2") | weak("2")]
    ours = [strong("1") | weak("2"), strong("2") | weak("1")]

    assert align(LIST_KEYS[name], [theirs, ours]) == [list(pair) for pair in zip(theirs, ours, strict=True)]


def test_the_code_of_an_activity_is_stronger_than_its_description():
    def activity(code, description):
        return {"detail": {"code": {"text": code}, "description": description}}

    theirs, ours = [activity("1", "1"), activity("2", "2")], [activity("1", "2"), activity("2", "1")]

    assert align(LIST_KEYS["activity"], [theirs, ours]) == [list(pair) for pair in zip(theirs, ours, strict=True)]


def test_an_item_without_a_key_does_not_keep_the_next_one_from_its_partner():
    theirs, bare, ours = item("t", id="b"), {"n": 1}, {"id": "b"}

    assert align(NAMES, [[theirs], [bare, ours]]) == [[theirs, ours], [MISSING, bare]]
