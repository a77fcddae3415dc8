"""Where a resource goes that nothing in the plan refers to: its own state decides."""

import itertools

import msgspec
import pytest

from careplan_exchange.writer.order import in_order
from tests.support.writing import an_update, as_written, creates

CHANGES = creates()
GOAL, OTHER = (change for change in CHANGES if change.type == "Goal")
PLAN = an_update(as_written(next(change for change in CHANGES if change.type == "CarePlan")), goal=[])


def ended(change, before="active", after="cancelled", **elements):
    written = as_written(change)
    written = msgspec.structs.replace(written, stored={**written.stored, "lifecycleStatus": before})
    return an_update(written, lifecycleStatus=after, **elements)


def kinds_in_order(*changes):
    """Of every order in which they may be given."""
    (found,) = {tuple(change.identity for change in in_order(given)) for given in itertools.permutations(changes)}
    return found


def test_a_part_that_is_changed_goes_before_the_plan_and_one_that_is_ended_after_it():
    changed = an_update(as_written(GOAL), note=[])
    assert kinds_in_order(PLAN, changed, ended(OTHER)) == (GOAL.identity, PLAN.identity, OTHER.identity)


def test_a_plan_that_ends_goes_before_its_parts_that_end():
    over = msgspec.structs.replace(PLAN, body={**PLAN.body, "status": "revoked"})
    assert kinds_in_order(over, ended(GOAL)) == (PLAN.identity, GOAL.identity)


@pytest.mark.parametrize(("before", "after"), [("completed", "completed"), ("cancelled", "entered-in-error")])
def test_a_part_that_had_ended_before_is_only_changed(before, after):
    assert kinds_in_order(PLAN, ended(GOAL, before, after)) == (GOAL.identity, PLAN.identity)


def test_a_part_that_is_made_is_made_before_the_plan_whatever_its_status():
    made = msgspec.structs.replace(
        GOAL, full_url="urn:uuid:nobody", body={**GOAL.body, "lifecycleStatus": "completed"}
    )
    assert kinds_in_order(PLAN, made) == (GOAL.identity, PLAN.identity)


def test_a_part_of_which_nothing_is_known_from_before_ends_after_the_plan():
    blind = msgspec.structs.replace(ended(GOAL), theirs=None)
    assert kinds_in_order(PLAN, blind) == (PLAN.identity, GOAL.identity)


def test_of_two_parts_the_one_that_is_referred_to_goes_first_even_where_it_ends():
    referring = msgspec.structs.replace(GOAL, body={**GOAL.body, "addresses": [{"reference": OTHER.full_url}]})
    assert kinds_in_order(referring, OTHER) == (OTHER.identity, GOAL.identity)
    end = ended(OTHER)
    onto_an_end = msgspec.structs.replace(GOAL, body={**GOAL.body, "addresses": [{"reference": end.full_url}]})
    assert kinds_in_order(onto_an_end, end) == (OTHER.identity, GOAL.identity)


def test_what_a_reference_of_r5_with_a_code_beside_it_refers_to_goes_first():
    referring = msgspec.structs.replace(
        GOAL, body={**GOAL.body, "addresses": [{"reference": {"reference": OTHER.full_url}}]}
    )
    assert kinds_in_order(referring, OTHER) == (OTHER.identity, GOAL.identity)
