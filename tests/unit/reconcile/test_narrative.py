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


def test_it_is_not_made_anew_only_because_the_plan_is_as_proposed_again():
    world = edited("reworded")
    world.sync(told("two", title="Ours"))
    assert REMARK in div(world)

    (change,) = world.compare(told("two", title="Theirs")).changes
    assert (change.action, change.elements, change.body) == ("unchanged", (), change.theirs)
    world.sync(told("three", title="Theirs"))
    assert div(world) == f"{DIV}<p>three</p></div>"


def test_where_none_is_proposed_any_more_it_is_taken_out_also_of_a_plan_that_people_have_changed():
    world = edited("reworded")
    proposal = told("two")
    del proposal.body["text"]
    world.sync(proposal)

    assert "text" not in world.bodies["plan-1"]


def test_what_stands_is_sent_with_another_change_and_keeps_what_others_attached_to_it():
    world = edited("reworded")
    world.sync(told("two", title="Ours"))
    world.edit("plan-1", text={**world.bodies["plan-1"]["text"], "id": "theirs"})
    world.bases["plan-1"].stored["text"]["id"] = "theirs"
    stood = world.bodies["plan-1"]["text"]
    world.sync(told("two", title="Theirs", language="en"))

    assert world.bodies["plan-1"]["language"] == "en"
    assert world.bodies["plan-1"]["text"] == stood
    world.sync(told("three", title="Ours"))
    assert world.bodies["plan-1"]["text"]["id"] == "theirs"
    assert REMARK in div(world)


def test_the_remark_stays_when_a_person_agrees_to_one_of_several_things_that_differ():
    world = edited("added")
    world.edit("plan-1", title="Theirs")
    world.sync(told("two", title="Ours"), accepted=True)

    assert world.bodies["plan-1"]["title"] == "Ours"
    assert div(world) == f"{DIV}{REMARK}<p>two</p></div>"
    assert world.bases["plan-1"].ours["text"]["div"] == div(world)


def test_a_plan_that_had_none_gets_one():
    proposal = told("one")
    without = told("one")
    del without.body["text"]
    world = World()
    world.sync(without)
    world.sync(proposal)

    assert div(world) == f"{DIV}<p>one</p></div>"


@pytest.mark.parametrize("name", ["goal", "addresses"])
def test_it_says_that_the_entries_count_where_a_person_added_a_goal_or_a_problem(name):
    world = edited("nothing")
    world.edit("plan-1", **{name: [{"reference": "Goal/theirs"}]})
    world.sync(told("two"))

    assert div(world) == f"{DIV}{REMARK}<p>two</p></div>"


@pytest.mark.parametrize("moved", [{"start": "2026-02-01"}, {"start": "2026-01-01", "end": "2026-12-31"}])
def test_it_says_nothing_where_a_person_moved_the_period_which_it_does_not_tell(moved):
    def with_period(words):
        rendered = told(words)
        rendered.body["period"] = {"start": "2026-01-01"}
        return rendered

    world = World()
    world.sync(with_period("one"))
    world.edit("plan-1", period=moved)
    world.sync(with_period("two"))

    assert div(world) == f"{DIV}<p>two</p></div>"
