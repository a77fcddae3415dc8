"""Why an action does not stand: every word of it, what is asked, and what a group does with its parts."""

from careplan_exchange.model.issue import Issue
from careplan_exchange.model.proposal import Gap, NotApplied, Reason
from tests.cases.snapshots import fact
from tests.unit.planner.plans import condition, plan_of


def action(name, *conditions, **more):
    return {"id": name, "title": name.upper(), "condition": list(conditions), **more}


def group(behaviour, *actions, **more):
    return {
        "id": "p",
        "action": [{"id": "g", "title": "G", "selectionBehavior": behaviour, "action": actions, **more}],
    }


def cannot_be_evaluated(key, source, problem):
    return Issue(
        severity="error",
        code="processing",
        key="planner.apply.condition",
        detail=f"Action '{key}' does not apply: a condition cannot be evaluated ({problem}).",
        expression=source,
        mend="Mend the condition in the protocol, or let a server with its language apply the plan.",
    )


def test_a_condition_that_cannot_be_evaluated_says_which_and_why():
    proposal = plan_of(
        {
            "id": "p",
            "action": [
                action("number", condition("%hba1c")),
                action("typo", condition("%hba1cc > 7")),
                action("cut", condition("%hba1c > 7 %age")),
                action("cql", condition("Is Adult", language="text/cql")),
                action("good"),
            ],
        },
        facts=[fact("hba1c", "8.1")],
    )
    assert proposal.issues == (
        cannot_be_evaluated("p/action/number", "%hba1c", "it does not come to true or false"),
        cannot_be_evaluated("p/action/typo", "%hba1cc > 7", "there is no variable '%hba1cc'"),
        cannot_be_evaluated(
            "p/action/cut", "%hba1c > 7 %age", "it is not FHIRPath: nothing is expected after column 11"
        ),
        cannot_be_evaluated(
            "p/action/cql", "Is Adult", "its language 'text/cql' is not evaluated here, only text/fhirpath"
        ),
    )
    assert proposal.not_applied[0] == NotApplied(
        key="p/action/number",
        title="NUMBER",
        reasons=(Reason(text="The condition '%hba1c' could not be evaluated.", rule="%hba1c", result="unknown"),),
    )


def test_a_condition_without_an_expression_takes_only_its_own_action():
    proposal = plan_of({"id": "p", "action": [action("a", {"kind": "applicability"}), action("b")]})
    assert [line.key for line in proposal.activities] == ["p/action/b"]
    assert [issue.key for issue in proposal.issues] == ["planner.apply.condition"]


def test_a_start_or_stop_condition_is_told_with_what_it_comes_to():
    conditions = [
        condition("%metformin", kind="start"),
        condition("%nothing", kind="stop"),
        condition("%insulin", kind="stop", description="insulin is given"),
    ]
    proposal = plan_of({"id": "p", "action": [action("a", *conditions)]}, facts=[fact("metformin")])
    reasons = proposal.activities[0].reasons
    assert [(reason.text, reason.rule, reason.result) for reason in reasons] == [
        ("To be started when %metformin. Now: Metformin is present (2026-10-02).", "%metformin", "true"),
        (
            "To be stopped when %nothing. Now: The condition '%nothing' could not be evaluated.",
            "%nothing",
            "unknown",
        ),
        (
            "To be stopped when insulin is given. Now: Insulin is not recorded.",
            "%insulin",
            "false",
        ),
    ]


def test_nothing_is_asked_where_the_answer_is_no_anyway():
    proposal = plan_of({"id": "p", "action": [action("a", condition("%insulin"), condition("%hba1c > 7"))]})
    assert proposal.gaps == ()
    assert [reason.rule for reason in proposal.not_applied[0].reasons] == ["%insulin"]


def test_what_holds_an_action_back_is_told_in_one_line():
    held = action("a", condition("%frailty.not()", "ask", "low"), condition("%angioedema.not()", "ask", "high"))
    (line,) = plan_of({"id": "p", "action": [held]}, facts=[fact("frailty"), fact("angioedema")]).withheld
    assert line.detail == "Frailty is present (2026-10-02). Angioedema, ever is present (2026-10-02)."


def test_an_empty_group_is_told_beside_what_else_is_wrong_with_it():
    proposal = plan_of(group("exactly-one", action("a", condition("%insulin")), transform="urn:map"))
    assert [issue.key for issue in proposal.issues] == [
        "planner.apply.not-acted-on",
        "planner.apply.selection-empty",
    ]
    assert proposal.issues[1] == Issue(
        severity="warning",
        code="business-rule",
        key="planner.apply.selection-empty",
        detail="Group 'p/action/g' wants at least one of its actions, and none applies.",
        mend="Choose one by hand, or add the case to the protocol.",
    )


def test_of_an_exclusive_group_one_is_proposed_and_the_others_say_which():
    for behaviour in ("exactly-one", "at-most-one"):
        proposal = plan_of(group(behaviour, action("a"), action("b", condition("%metformin.not()"))))
        assert [line.key for line in proposal.activities] == ["p/action/a"]
        (line,) = proposal.not_applied
        assert line.reasons[0] == Reason(
            text="It applies too; of this group one is proposed: A.",
            rule="selectionBehavior: p/action/a",
            result="false",
        )
        assert [reason.rule for reason in line.reasons[1:]] == ["%metformin.not()"]


def test_of_several_with_a_question_the_first_in_the_plan_is_proposed():
    first, second = (action(name, condition("%frailty", "ask", question=name)) for name in ("z", "a"))
    proposal = plan_of(group("exactly-one", first, second))
    assert [line.key for line in proposal.activities] == ["p/action/z"]


def test_an_action_without_parts_is_no_empty_group():
    proposal = plan_of({"id": "p", "action": [action("a", selectionBehavior="exactly-one")]})
    assert ([line.key for line in proposal.activities], proposal.issues) == (["p/action/a"], ())


def test_a_group_that_is_not_whole_names_the_part_that_is_missing_and_keeps_its_own_lines():
    parts = [
        action("a"),
        action("b", condition("%insulin")),
        action("c", condition("%frailty.not()", "withhold", "low")),
        action("d"),
    ]
    proposal = plan_of(group("all-or-none", *parts))
    why = Reason(
        text="This group is proposed whole or not at all, and one part is not: B.",
        rule="selectionBehavior: all-or-none",
        result="false",
    )
    lines = {line.key: line.reasons for line in proposal.not_applied}
    assert lines["p/action/a"] == lines["p/action/d"] == (why,)
    assert [reason.rule for reason in lines["p/action/b"]] == ["%insulin"]
    assert [line.key for line in proposal.withheld] == ["p/action/c"]


def test_one_thing_that_is_missing_is_asked_once_in_the_words_of_the_first():
    first = action("a", condition("%frailty", "ask", question="Is he frail?"))
    second = action("b", condition("%frailty", "ask", question="Is he weak?"))
    assert plan_of({"id": "p", "action": [first, second]}).gaps == (
        Gap(concept="frailty", ask="Is he frail?", needed_by=("p/action/a", "p/action/b")),
    )
