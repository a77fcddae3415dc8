"""A narrative that is made anew does not speak over what people have changed."""

import pytest

from careplan_exchange.reconcile import not_again
from careplan_exchange.reconcile.narrative import REMARK
from tests.unit.reconcile.world import World, actions, kinds, plan

DIV = '<div xmlns="http://www.w3.org/1999/xhtml">'


def told(words, **more):
    lines = [{"id": key, "detail": {"status": "not-started", "description": key}} for key in ("walk", "swim")]
    text = {"status": "additional", "div": f"{DIV}<p>{words}</p></div>"}
    return plan(**{"text": text, "activity": lines, **more})


def div(world):
    return world.bodies["plan-1"]["text"]["div"]


def edited(how):
    world = World()
    world.sync(told("one"))
    lines = world.bodies["plan-1"]["activity"]
    if how == "taken out":
        world.edit("plan-1", activity=lines[1:])
    elif how == "reworded":
        world.edit("plan-1", title="Theirs")
    elif how == "added":
        world.edit("plan-1", activity=[*lines, {"detail": {"status": "scheduled", "description": "theirs"}}])
    elif how == "taken up":
        world.edit("plan-1", status="active")
    return world


@pytest.mark.parametrize("how", ["taken out", "reworded", "added"])
def test_it_says_that_the_entries_count_where_a_person_changed_them(how):
    world = edited(how)
    assert actions(world.compare(told("one"))) == {"plan-1": "unchanged"}, "it is not made anew for that alone"
    world.sync(told("two"))

    assert div(world) == f"{DIV}{REMARK}<p>two</p></div>"
    assert actions(world.compare(told("two"))) == {"plan-1": "unchanged"}


@pytest.mark.parametrize("how", ["nothing", "taken up"])
def test_it_says_nothing_of_the_kind_where_the_plan_is_as_proposed(how):
    world = edited(how)
    world.sync(told("two"))

    assert div(world) == f"{DIV}<p>two</p></div>"


def test_the_remark_goes_when_the_plan_is_as_proposed_again():
    world = edited("reworded")
    world.sync(told("two", title="Ours"))
    assert REMARK in div(world)
    world.sync(told("three", title="Ours"), accepted=True)

    assert div(world) == f"{DIV}<p>three</p></div>"
    assert actions(world.compare(told("three", title="Ours"))) == {"plan-1": "unchanged"}


def test_agreeing_to_a_conflict_alone_does_not_make_the_narrative_anew():
    world = edited("reworded")
    world.sync(told("two", title="Ours"))
    accepted = world.sync(told("two", title="Ours"), accepted=True)

    assert kinds(accepted, "plan-1") == {"CarePlan.title": "ours"}
    assert actions(world.compare(told("two", title="Ours"))) == {"plan-1": "unchanged"}


def test_it_tells_of_what_a_person_rejected_too():
    world = edited("taken up")
    shown = world.compare(told("two", title="Ours"))
    left = not_again(world.compare(told("two", title="Ours", language="en")), [shown])
    world.write(left)

    assert world.bodies["plan-1"]["title"] == "Plan"
    assert REMARK in div(world)


def test_a_narrative_without_xhtml_is_left_as_it_is():
    world = edited("reworded")
    world.sync(told("two", text={"status": "additional", "div": "two"}))
    assert div(world) == "two"
    world.sync(told("two", text={"status": "empty"}))
    assert world.bodies["plan-1"]["text"] == {"status": "empty"}
