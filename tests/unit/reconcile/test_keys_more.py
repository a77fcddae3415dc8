"""The short way of aligning lists, where the strongest key tells all items apart, beside the long one."""

from itertools import permutations, product

import pytest

from careplan_exchange.reconcile import keys

ITEMS = (
    {"id": "a", "reference": "r"},
    {"id": "a", "reference": "s"},
    {"id": "b", "reference": "r"},
    {"reference": "r"},
)
LISTS = [list(items) for length in range(3) for items in permutations(ITEMS, length)]


@pytest.mark.parametrize("names", [("id", "reference"), ("reference",), ()])
def test_the_short_way_comes_to_the_same_slots_in_the_same_order(names, monkeypatch):
    short = {}
    for number, sides in enumerate(product(LISTS, repeat=3)):
        if (told := keys._told_apart(names, sides)) is not None:
            short[number] = told
    monkeypatch.setattr(keys, "_told_apart", lambda *_: None)
    for number, sides in enumerate(product(LISTS, repeat=3)):
        if number in short:
            assert keys.align(names, sides) == short[number]
    assert bool(short) is bool(names)
