import itertools

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.writer.order import in_order
from tests.support.writing import an_update, as_written, creates

PLAN = creates()


def references(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "reference":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


@given(st.permutations(PLAN))
def test_what_is_referred_to_is_made_before_what_refers_to_it(changes):
    ordered = in_order(changes)
    assert sorted(each.full_url for each in ordered) == sorted(each.full_url for each in changes)
    made = set()
    for change in ordered:
        assert {url for url in references(change.body) if url.startswith("urn:uuid:")} <= made
        made.add(change.full_url)


@given(st.permutations(PLAN))
def test_a_part_that_is_ended_comes_after_the_plan_and_one_that_is_changed_before_it(changes):
    updates = [
        an_update(as_written(change), **({"lifecycleStatus": "cancelled"} if ended else {"note": []}))
        for change, ended in zip(changes, itertools.cycle([True, False]), strict=False)
        if change.type == "Goal"
    ]
    plan = next(an_update(as_written(change), title="x") for change in changes if change.type == "CarePlan")
    ordered = [
        (each.type, each.body.get("lifecycleStatus") == "cancelled") for each in in_order([*updates, plan])
    ]
    place = ordered.index(("CarePlan", False))
    assert not any(ended for _, ended in ordered[:place])
    assert all(ended for _, ended in ordered[place + 1 :])


def test_a_circle_of_references_ends():
    one, other = (
        msgspec.structs.replace(change, body={**change.body, "basedOn": [{"reference": to.full_url}]})
        for change, to in ((PLAN[0], PLAN[1]), (PLAN[1], PLAN[0]))
    )
    assert {each.full_url for each in in_order([one, other])} == {one.full_url, other.full_url}
