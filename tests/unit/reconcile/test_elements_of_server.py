"""What a server adds, drops and rewrites, what of it is never compared, and references as it holds them."""

import msgspec

from careplan_exchange.reconcile import compare
from tests.unit.reconcile.world import World, actions, change_of, goal, keys_of, kinds, link, plan, written


def test_what_the_server_added_on_our_write_is_no_persons_edit():
    world = World(keep=lambda body: {"priority": {"text": "server"}, **body})
    world.sync(goal())
    changes = world.compare(goal(priority={"text": "ours"}))

    assert kinds(changes, "goal-1") == {"Goal.priority": "ours"}


def test_a_default_of_the_server_that_a_person_took_out_stays_out():
    world = World(keep=lambda body: {"priority": {"text": "server"}, **body})
    world.sync(goal())
    world.edit("goal-1", priority=None)
    changes = world.compare(goal(priority={"text": "ours"}))

    assert kinds(changes, "goal-1") == {"Goal.priority": "conflict"}


def test_a_server_that_drops_an_element_is_not_mistaken_for_a_person():
    world = World(keep=lambda body: {key: value for key, value in body.items() if key != "priority"})
    world.sync(goal(priority={"text": "high"}))
    changes = world.compare(goal(priority={"text": "high"}))
    new = world.sync(goal(priority={"text": "low"}))
    again = world.compare(goal(priority={"text": "low"}))

    assert actions(changes) == {"goal-1": "unchanged"}
    assert kinds(new, "goal-1") == {"Goal.priority": "ours"}
    assert actions(again) == {"goal-1": "unchanged"}


def test_a_server_that_rewrites_a_value_is_not_mistaken_for_a_person():
    world = World(keep=lambda body: {**body, "startDate": "2026-01-01T00:00:00Z"})
    world.sync(goal())
    changes = world.compare(goal())

    assert actions(changes) == {"goal-1": "unchanged"}
    assert change_of(changes, "goal-1").elements == ()


def test_a_proposal_that_the_server_made_out_of_the_last_one_already_is_no_change():
    world = World(keep=lambda body: {**body, "description": {"text": "HBA1C"}})
    world.sync(goal())

    assert actions(world.compare(goal(description={"text": "HBA1C"}))) == {"goal-1": "unchanged"}


def test_the_merged_body_keeps_the_servers_order_and_its_meta():
    world = written(goal())
    world.bodies["goal-1"] = dict(reversed(world.bodies["goal-1"].items()))
    world.bodies["goal-1"]["meta"]["tag"] = [{"code": "x"}]
    body = change_of(world.compare(goal(description={"text": "new"}, priority={"text": "p"})), "goal-1").body

    assert list(body) == [*world.bodies["goal-1"], "priority"]
    assert body["meta"] == world.bodies["goal-1"]["meta"]
    assert body["id"] == world.bodies["goal-1"]["id"]


def test_meta_id_and_implicit_rules_are_never_compared():
    world = written(goal())
    world.edit("goal-1", implicitRules="http://example.org/rules")
    world.bodies["goal-1"]["meta"] |= {"source": "#abc", "security": [{"code": "R"}]}
    changes = world.compare(goal(id="mine", implicitRules="http://other", meta={"source": "mine"}))

    assert change_of(changes, "goal-1").elements == ()
    assert change_of(changes, "goal-1").body == world.bodies["goal-1"]


def test_a_profile_that_we_claim_is_kept_beside_those_of_others():
    world = written(goal(meta={"profile": ["http://ours|1"]}))
    world.bodies["goal-1"]["meta"]["profile"] = ["http://theirs", "http://ours|1"]
    unchanged = world.compare(goal(meta={"profile": ["http://ours|1"]}))
    world.sync(goal(meta={"profile": ["http://ours|2"]}))

    assert actions(unchanged) == {"goal-1": "unchanged"}
    assert world.bodies["goal-1"]["meta"]["profile"] == ["http://theirs", "http://ours|2"]


def test_a_resource_without_meta_gets_our_profile():
    world = written(goal())
    held = world.held()[0]
    held.body.pop("meta")
    changes = compare(
        [goal(meta={"profile": ["http://ours"]})], [held], world.bases, approve=False, patient="Patient/1"
    )

    assert kinds(changes, "goal-1") == {"Goal.meta.profile[0]": "ours"}
    assert change_of(changes, "goal-1").body["meta"] == {"profile": ["http://ours"]}


def test_a_narrative_that_the_server_makes_itself_is_no_persons():
    world = World(keep=lambda body: {**body, "text": {"status": "generated", "div": "<div>server</div>"}})
    world.sync(plan(text={"status": "generated", "div": "<div>1</div>"}))

    assert actions(world.compare(plan(text={"status": "generated", "div": "<div>1</div>"}))) == {
        "plan-1": "unchanged"
    }


def test_references_between_ours_are_compared_as_the_server_holds_them():
    world = written(goal(), plan("goal-1"))
    changes = world.compare(goal(), plan("goal-1"))

    assert change_of(changes, "plan-1").ours["goal"] == [{"reference": f"Goal/{world.bodies['goal-1']['id']}"}]
    assert change_of(changes, "plan-1").base.ours["goal"] == [
        {"reference": f"Goal/{world.bodies['goal-1']['id']}"}
    ]


def test_a_reference_to_a_goal_that_is_made_in_the_same_write_stays_a_full_url():
    world = written(goal(), plan("goal-1"))
    changes = world.compare(goal(), goal("goal-2"), plan("goal-1", "goal-2"))

    assert change_of(changes, "plan-1").body["goal"] == [
        {"reference": f"Goal/{world.bodies['goal-1']['id']}"},
        link("goal-2"),
    ]


def test_references_inside_nested_elements_are_resolved():
    activity = {"id": "a", "detail": {"description": "walk", "goal": [link("goal-1")]}}
    world = written(goal(), plan(activity=[activity]))
    changes = world.compare(goal(), plan(activity=[activity]))

    assert actions(changes) == {"goal-1": "unchanged", "plan-1": "unchanged"}
    assert change_of(changes, "plan-1").elements == ()


def test_one_identity_twice_in_a_proposal_is_used_once_and_told():
    changes = World().compare(goal(), goal(description={"text": "other"}))

    assert [change.body["description"]["text"] for change in changes.changes] == ["HbA1c below 7"]
    assert keys_of(changes) == ["reconcile.rendered-twice"]
    assert changes.issues[0].severity == "error"


def test_a_rendering_is_known_by_the_full_url_that_it_came_with():
    def proposed():
        one = msgspec.structs.replace(goal(), full_url="urn:uuid:of-its-own")
        return one, plan(goal=[{"reference": "urn:uuid:of-its-own"}])

    world = written(*proposed())
    changes = world.compare(*proposed())

    assert change_of(changes, "goal-1").full_url == "urn:uuid:of-its-own"
    assert change_of(changes, "plan-1").elements == ()


def test_an_update_of_a_resource_without_meta_sends_none():
    world = written(goal())
    held = world.held()[0]
    held.body.pop("meta")
    changes = compare([goal(language="en")], [held], world.bases, approve=False, patient="Patient/1")

    assert "meta" not in change_of(changes, "goal-1").body
