"""To which line of the plan each element belongs that the walk finds."""

from careplan_exchange.reconcile.merge import Decided, Sides, Walk


def line_of(pattern: str, item: Sides) -> str | None:
    return str(item.theirs["id"]) if pattern == "CarePlan.activity" else None


def test_an_element_belongs_to_the_item_around_it_and_after_the_item_to_the_plan_again():
    ours = {
        "resourceType": "CarePlan",
        "activity": [{"id": "a1", "detail": {"reasonCode": [{"text": "new"}], "description": "new"}}],
        "title": "new",
        "note": [{"text": "new"}],
    }
    theirs = {
        "resourceType": "CarePlan",
        "activity": [{"id": "a1", "detail": {"reasonCode": [{"text": "old"}], "description": "old"}}],
        "title": "old",
        "note": [{"text": "old"}],
    }
    walk = Walk(lambda *_: Decided("ours"), known=True, line="plan", key_of=line_of)
    walk.resource("CarePlan", Sides(ours, theirs, theirs, theirs))
    lines = {element.path: element.line for element in walk.elements}
    assert lines["CarePlan.activity[0].detail.description"] == "a1"
    assert {line for path, line in lines.items() if ".reasonCode" in path} == {"a1"}
    assert lines["CarePlan.title"] == "plan"
    assert {line for path, line in lines.items() if ".note" in path} == {"plan"}
