"""The answer of another engine, read as it is."""

from careplan_exchange.planner import actions_of, said_in


def group(name, *actions, kind="RequestGroup"):
    return {"resourceType": kind, "id": name, "action": list(actions)}


TASK = {"resourceType": "Task", "id": "t", "code": {"text": "A task"}}


def test_the_innermost_actions_of_a_care_plan_are_told_in_their_order():
    answer = {
        "resourceType": "CarePlan",
        "contained": [
            group(
                "outer",
                {
                    "title": "Group",
                    "action": [{"title": "One", "description": "Said", "resource": {"reference": "#t"}}],
                },
                {"title": "Nested", "resource": {"reference": "#inner"}},
                {"resource": {"reference": "#t"}},
                {"description": "Only described"},
                {"resource": {"reference": "Task/elsewhere"}},
            ),
            group("inner", {"title": "Two"}),
            TASK,
        ],
    }
    assert [(found.title, found.description, found.resource_kind) for found in actions_of(answer)] == [
        ("One", "Said", "Task"),
        ("Two", None, None),
        ("A task", None, "Task"),
        ("Only described", "Only described", None),
        ("(no title)", None, None),
    ]


def test_a_bundle_of_r5_holds_its_groups_as_entries():
    orchestration = group("g", {"title": "One", "resource": {"reference": "Task/t"}}, kind="RequestOrchestration")
    answer = {
        "resourceType": "Bundle",
        "entry": [{"resource": orchestration}, {"resource": TASK}, {"fullUrl": "urn:x"}],
    }
    assert [(found.title, found.resource_kind) for found in actions_of(answer)] == [("One", "Task")]


def test_a_group_may_be_the_answer_itself():
    assert [found.title for found in actions_of(group("g", {"title": "One"}))] == ["One"]
    assert actions_of({"resourceType": "CarePlan"}) == ()


def test_what_the_engine_says_of_its_errors_is_told():
    outcome = {
        "resourceType": "OperationOutcome",
        "issue": [
            {"code": "a", "diagnostics": "Said"},
            {"code": "b", "details": {"text": "In detail"}},
            {"code": "c"},
        ],
    }
    assert said_in({"resourceType": "CarePlan", "contained": [outcome]}) == ("Said", "In detail", "c")
    assert said_in({"resourceType": "Bundle", "entry": [{"resource": outcome}]}) == ("Said", "In detail", "c")
