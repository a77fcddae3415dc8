"""First values, statuses and profiles of diets and documents, and their place in the order of writing."""

from typing import Any

import pytest

from tests.unit.reconcile.world import World, actions, because, change_of, goal, kinds, plan, rendered, written

KINDS = ("NutritionOrder", "DocumentReference")
OVER = [
    *(("NutritionOrder", code) for code in ("completed", "revoked", "entered-in-error")),
    *(("DocumentReference", code) for code in ("superseded", "entered-in-error")),
]


@pytest.mark.parametrize(
    ("kind", "element", "first", "later"),
    [
        ("NutritionOrder", "dateTime", "2026-01-01", "2026-02-02"),
        ("DocumentReference", "date", "2026-01-01", "2026-02-02"),
        ("DocumentReference", "author", [{"display": "1.0"}], [{"display": "1.1"}]),
        ("DocumentReference", "content", [{"attachment": {"data": "YQ=="}}], [{"attachment": {"data": "Yg=="}}]),
        ("DocumentReference", "relatesTo", [{"code": "replaces"}], None),
    ],
)
def test_what_says_how_it_began_keeps_its_first_value(kind: str, element: str, first: Any, later: Any):
    def proposed(value, **more):
        return rendered(kind, "one", **({element: value} if value else {}), **more)

    world = written(proposed(first))
    assert actions(world.compare(proposed(later))) == {"one": "unchanged"}
    world.sync(proposed(later, language="en"))

    assert world.bodies["one"][element] == first
    assert world.bodies["one"]["language"] == "en"


@pytest.mark.parametrize(("kind", "status"), OVER)
def test_what_a_person_has_ended_is_never_changed_again(kind, status):
    world = written(rendered(kind, "one", status="active", language="en"))
    world.edit("one", status=status)

    for proposal in ((), (rendered(kind, "one", status="active", language="fr"),)):
        changes = world.compare(*proposal)
        assert actions(changes) == {"one": "unchanged"}
        assert change_of(changes, "one").elements == ()


@pytest.mark.parametrize(
    ("kind", "first", "retired"), [("NutritionOrder", "draft", "revoked"), ("DocumentReference", "current", "superseded")]
)  # fmt: skip
def test_what_is_no_longer_proposed_says_so_and_stays(kind, first, retired):
    world = written(rendered(kind, "one", status=first))
    world.sync()

    assert world.bodies["one"]["status"] == retired
    assert "statusReason" not in world.bodies["one"]
    assert actions(world.compare()) == {"one": "unchanged"}


def test_a_draft_that_nobody_remembers_is_nobodys_decision_and_a_document_has_none():
    world = written(rendered("NutritionOrder", "diet", status="draft"), rendered("DocumentReference", "document"))
    world.edit("document", status="current")
    world.bases.clear()
    changes = world.compare()

    assert kinds(changes, "diet") == {"NutritionOrder.status": "ours"}
    assert kinds(changes, "document") == {"DocumentReference.status": "conflict"}


@pytest.mark.parametrize("kind", KINDS)
def test_our_profile_is_kept_beside_that_of_others(kind):
    world = written(rendered(kind, "one", meta={"profile": ["http://ours|1"]}))
    world.bodies["one"]["meta"]["profile"] = ["http://theirs", "http://ours|1"]
    world.sync(rendered(kind, "one", meta={"profile": ["http://ours|2"]}))

    assert world.bodies["one"]["meta"]["profile"] == ["http://theirs", "http://ours|2"]


def test_what_is_referred_to_is_written_before_what_refers_to_it():
    order = (
        "Goal", "ServiceRequest", "NutritionOrder", "MedicationRequest", "DetectedIssue", "CarePlan", "DocumentReference"
    )  # fmt: skip
    changes = World().compare(*(rendered(kind, kind) for kind in reversed(order)))

    assert [change.type for change in changes.changes] == list(order)


def test_a_plan_goes_on_naming_the_one_before_it_although_no_later_rendering_does():
    world = written(plan(replaces=[{"reference": "CarePlan/1"}]))
    world.sync(plan(title="New"))

    assert world.bodies["plan-1"]["replaces"] == [{"reference": "CarePlan/1"}]
    assert world.bodies["plan-1"]["title"] == "New"


@pytest.mark.parametrize(("element", "theirs"), [("status", "on-hold"), ("created", "2027-01-01")])
def test_a_narrative_says_nothing_of_what_it_does_not_tell(element, theirs):
    def told(words):
        return plan(text={"status": "generated", "div": f"<div>{words}</div>"})

    world = written(told("one"))
    world.edit("plan-1", **{element: theirs})
    world.sync(told("two"), accepted=True)

    assert world.bodies["plan-1"]["text"]["div"] == "<div>two</div>"


def test_agreeing_settles_the_notice_of_what_was_deleted():
    world = World()
    world.sync(goal(), plan("goal-1"), grounds=because(goal_1="g1"))
    del world.bodies["goal-1"]
    changes = world.sync(goal(), plan("goal-1"), grounds=because(goal_1="g2"), accepted=True)

    assert changes.issues == ()
