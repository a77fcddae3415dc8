"""What accepting and remembering leave alone, change by change."""

import msgspec

from careplan_exchange.model.changes import Base, ChangeSet, ElementChange, Held, ResourceChange, WrittenResource
from careplan_exchange.model.identity import nth
from careplan_exchange.reconcile import accept, next_base, not_again
from careplan_exchange.reconcile.after import without_days
from careplan_exchange.reconcile.compare import WITH_THE_PLAN
from careplan_exchange.reconcile.generations import Current, current_plan, generations, numbered
from careplan_exchange.reconcile.modified import modified

from .world import PATIENT, World, actions, because, change_of, goal, plan

PLAN = plan(activity=[{"id": "a1"}]).body
GROUNDS = {"plan-1": "new", "line-1": "new", "line-2": "new"}
BEFORE = Base(
    identity="plan-1",
    type="CarePlan",
    id="1",
    version_id="1",
    ours=PLAN,
    stored=PLAN,
    grounds={"plan-1": "old", "line-1": "old", "line-3": "old"},
)


def change_with(*elements: ElementChange) -> ResourceChange:
    return ResourceChange(
        identity="plan-1",
        type="CarePlan",
        action="update",
        full_url="CarePlan/1",
        body=PLAN,
        ours=PLAN,
        theirs=PLAN,
        base=BEFORE,
        id="1",
        version_id="1",
        elements=elements,
        grounds=GROUNDS,
    )


def remembered(*elements: ElementChange) -> dict[str, str]:
    change = change_with(*elements)
    written = WrittenResource(
        identity="plan-1", type="CarePlan", id="1", version_id="2", action="update", stored=PLAN
    )
    return next_base(change, written).grounds


def test_only_a_line_that_a_person_took_out_keeps_the_reason_under_which_it_stood():
    taken_out = ElementChange(path="CarePlan.activity[0]", kind="theirs", ours={"id": "a1"}, line="line-1")
    assert remembered(taken_out) == {**GROUNDS, "line-1": "old"}
    asked = msgspec.structs.replace(taken_out, kind="conflict")
    assert remembered(asked) == {**GROUNDS, "line-1": "old"}


def test_a_line_that_stands_or_is_taken_again_has_the_reason_that_it_has_now():
    element = ElementChange(path="CarePlan.activity[0]", kind="theirs", ours={"id": "a1"}, line="line-1")
    for other in (
        msgspec.structs.replace(element, kind="ours"),
        msgspec.structs.replace(element, theirs={"id": "a1", "progress": []}),
        msgspec.structs.replace(element, path="CarePlan.activity[0].detail.description"),
        msgspec.structs.replace(element, line="line-2"),
        msgspec.structs.replace(element, line=None),
    ):
        assert remembered(other) == GROUNDS


def test_what_was_left_deleted_is_not_made_by_accepting_the_rest():
    gone = ResourceChange(
        identity="goal-1", type="Goal", action="unchanged", full_url="urn:uuid:1", body={}, ours=PLAN, base=BEFORE
    )
    (same,) = accept(ChangeSet(patient=PATIENT, changes=(gone,))).changes
    assert same is gone


def test_what_a_person_has_accepted_is_no_question_any_more_and_the_rest_keeps_its_kind():
    title = ElementChange(path="CarePlan.title", kind="conflict", theirs="a", ours="Plan", why="Both.")
    status = ElementChange(path="CarePlan.status", kind="theirs", theirs="active", ours="draft", why="Theirs.")
    (change,) = accept(ChangeSet(patient=PATIENT, changes=(change_with(title, status),))).changes
    assert change.elements == (msgspec.structs.replace(title, kind="ours", why=None), status)


def test_without_days_the_narrative_stays_and_the_day_of_the_first_proposal_goes():
    text = {"status": "generated", "div": "<div/>"}
    assert "text" not in without_days("CarePlan", PLAN)
    less = without_days("CarePlan", {**PLAN, "text": text})
    assert less["text"] == text
    assert "created" not in less
    assert less["title"] == "Plan"


def test_a_deleted_goal_that_a_person_is_asked_about_does_not_stop_the_plan_from_being_changed():
    world = World()
    world.sync(goal(), goal("goal-2"), plan("goal-1"), grounds=because(goal_1="g1", goal_2="g2", plan_1="p1"))
    del world.bodies["goal-2"]
    other = because(goal_1="g1", goal_2="another", plan_1="p1")
    changed = goal(description={"text": "New"})
    again = world.compare(changed, goal("goal-2"), plan("goal-1", title="New"), grounds=other)
    assert actions(again) == {"goal-1": "update", "goal-2": "unchanged", "plan-1": "update"}
    assert change_of(again, "goal-2").theirs is None
    assert change_of(again, "plan-1").body["title"] == "New"


def test_of_a_plan_that_was_deleted_the_question_is_about_the_plan_and_the_rest_waits_with_it():
    world = World()
    world.sync(goal(), plan("goal-1"), grounds=because(goal_1="g1", plan_1="p1"))
    del world.bodies["plan-1"]
    proposal = (goal(description={"text": "New"}), goal("goal-2"), plan("goal-1", "goal-2"))
    asked = world.compare(*proposal, grounds=because(goal_1="g1", goal_2="g2", plan_1="p2"))
    assert set(actions(asked).values()) == {"unchanged"}
    (about_plan,) = change_of(asked, "plan-1").elements
    (about_goal,) = change_of(asked, "goal-2").elements
    assert about_goal.why == WITH_THE_PLAN
    assert about_plan.why != WITH_THE_PLAN
    assert change_of(asked, "goal-1").elements == ()


def waiting(line: str, ground: str) -> ChangeSet:
    element = ElementChange(
        path="CarePlan.title", kind="conflict", theirs="a", ours="Plan", why="Both.", line=line, ground=ground
    )
    return ChangeSet(patient=PATIENT, changes=(change_with(element),))


def test_a_rejected_line_is_asked_about_again_under_another_reason_and_the_plan_as_a_whole_is_not():
    assert not_again(waiting("walk", "w2"), [waiting("walk", "w1")]) == waiting("walk", "w2")
    assert not_again(waiting("walk", "w1"), [waiting("walk", "w1")]).conflicts == ()
    assert not_again(waiting("plan-1", "p2"), [waiting("plan-1", "p1")]).conflicts == ()


def test_what_a_person_wants_otherwise_is_written_also_where_nothing_else_was_to_be():
    unchanged = msgspec.structs.replace(change_with(), action="unchanged")
    wanted = {**PLAN, "title": "Hers"}
    change = modified(unchanged, wanted)
    assert (change.action, change.body) == ("update", wanted)
    assert change.base is not None
    assert change.base.stored["title"] != "Hers"
    made = msgspec.structs.replace(change_with(), action="create", theirs=None, base=None, id=None)
    assert modified(made, wanted).action == "create"


def test_what_a_person_took_out_of_a_change_is_told_as_nothing():
    title = ElementChange(path="CarePlan.title", kind="ours", theirs="Plan", ours="New")
    change = msgspec.structs.replace(
        change_with(title), body={**PLAN, "title": "New"}, ours={**PLAN, "title": "New"}
    )
    without_title = {name: value for name, value in PLAN.items() if name != "title"}
    (element,) = modified(change, without_title).elements
    assert element.theirs is None


ENDED = Held(
    identity="plan-1",
    type="CarePlan",
    id="1",
    version_id="2",
    body={"resourceType": "CarePlan", "status": "completed"},
)
NUMBERS = numbered("plan-1", (), ahead=2)
SAME = because(plan_1="old")["plan-1"]


def base_with(status: str) -> Base:
    body = {**PLAN, "status": status}
    return msgspec.structs.replace(BEFORE, ours=body, stored=body)


def test_a_plan_that_we_completed_is_followed_by_another_even_for_the_same_reason():
    bases = {"plan-1": base_with("completed")}
    assert current_plan(NUMBERS, [ENDED], bases, SAME, again=False) == Current(2, ENDED)


def test_a_plan_that_a_person_ended_is_followed_by_another_unless_the_reason_is_known_to_be_the_same():
    bases = {"plan-1": base_with("active")}
    assert current_plan(NUMBERS, [ENDED], bases, SAME, again=False) == Current(1)
    assert current_plan(NUMBERS, [ENDED], bases, SAME, again=True) == Current(2, ENDED)
    assert current_plan(NUMBERS, [ENDED], {}, SAME, again=False) == Current(2, ENDED)


def test_a_part_has_the_latest_generation_that_stands_or_is_remembered():
    second, third = nth("goal-1", 2), nth("goal-1", 3)
    standing = msgspec.structs.replace(ENDED, identity=second, type="Goal", body={"lifecycleStatus": "active"})
    assert generations(["goal-1"], [standing], {}, Current(3)) == {"goal-1": 2}
    assert generations(["goal-1"], [], {third: BEFORE}, Current(3)) == {"goal-1": 3}
    assert generations(["goal-1"], [standing], {third: BEFORE}, Current(3)) == {"goal-1": 3}
    assert generations(["goal-1"], [], {third: BEFORE}, Current(2)) == {}
