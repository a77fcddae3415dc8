"""What becomes of the URLs of our own resources inside a body, and that nothing else in it is touched."""

from decimal import Decimal

import pytest

from careplan_exchange.reconcile.references import Resolver, mentions, without
from careplan_exchange.reconcile.values import MISSING
from tests.unit.reconcile.world import World, goal, link, plan

URL, OTHER = "urn:uuid:1", "urn:uuid:2"


def test_every_url_is_the_reference_that_it_stands_for_and_the_rest_is_as_it_was():
    body = {
        "goal": [{"reference": URL}, {"reference": OTHER}],
        "instantiatesUri": ["http://example.org/one", URL],
        "activity": [{"detail": {"prohibited": False, "quantity": {"value": Decimal("7.20"), "unit": "%"}}}],
        "count": 3,
        "nothing": None,
    }
    resolved = Resolver({URL: "Goal/1"})(body)

    assert resolved == {
        **body,
        "goal": [{"reference": "Goal/1"}, {"reference": OTHER}],
        "instantiatesUri": ["http://example.org/one", "Goal/1"],
    }
    assert str(resolved["activity"][0]["detail"]["quantity"]["value"]) == "7.20"
    assert body["goal"][0] == {"reference": URL}


@pytest.mark.parametrize(
    "known", [{"https://ours/Goal/1": "Goal/1"}, {"https://ours/Goal/1": "Goal/1", URL: "Goal/2"}]
)
def test_a_url_that_is_no_urn_is_found_as_well(known):
    assert Resolver(known)({"reference": "https://ours/Goal/1"}) == {"reference": "Goal/1"}


def test_a_body_without_any_such_url_is_handed_on_as_it_is():
    body = {"goal": [{"reference": OTHER}]}
    assert Resolver({URL: "Goal/1"})(body) == Resolver({})(body) == body


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ({"reference": URL, "display": "D", "type": "Goal", "id": "i"}, MISSING),
        ({"url": "u", "valueReference": {"reference": URL}}, MISSING),
        ({"description": "walk", "goal": [{"reference": URL}]}, {"description": "walk"}),
        ([{"reference": URL}, {"reference": OTHER}], [{"reference": OTHER}]),
        ([{"reference": URL}], MISSING),
        ({"reference": OTHER, "value": 3}, {"reference": OTHER, "value": 3}),
    ],
)
def test_what_held_nothing_but_such_a_reference_falls_away_with_it(value, left):
    assert without(value, {URL}) == left
    assert mentions(value, {URL}) is (left != value)
    assert without(value, ()) == value
    assert mentions(value, ()) is False


def test_a_plan_with_numbers_and_addresses_beside_its_goals_is_no_change_the_second_time():
    detail = {"description": "walk", "prohibited": False, "dailyAmount": {"value": Decimal("2.50")}}
    proposal = (
        goal(),
        plan(goal=[link("goal-1")], instantiatesUri=["http://example.org/one"], activity=[{"detail": detail}]),
    )
    world = World()
    world.sync(*proposal)

    assert world.compare(*proposal).to_write == ()
    assert world.bodies["plan-1"]["instantiatesUri"] == ["http://example.org/one"]
