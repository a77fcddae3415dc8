"""Golden cases as their authors write them: what is read, what is refused, and how a difference is told."""

import pytest

from careplan_exchange import knowledge
from careplan_exchange.authoring import read_cases, run_case
from careplan_exchange.errors import KnowledgeError
from tests.cases.snapshots import vocabulary
from tests.unit.planner.plans import compiled_of, condition, definition

HEAD = 'today: "2026-11-24"\ncases:\n'
PLAN = {
    "id": "p",
    "action": [
        {
            "id": "top",
            "condition": [condition("%hypertension")],
            "action": [
                {
                    "id": "x",
                    "definitionCanonical": "urn:d",
                    "condition": [condition("%egfr >= 30", safety="high")],
                },
                {"id": "y", "definitionCanonical": "urn:d"},
            ],
        }
    ],
}


def read(text):
    return read_cases(knowledge.parse("cases/p.yaml", text.encode()), vocabulary())


def outcome(text):
    (case,) = read(HEAD + text)
    return run_case(case, compiled_of(PLAN, definitions=[definition("urn:d", title="Do")]), vocabulary())


def test_a_case_whose_plan_is_the_expected_one_has_nothing_wrong():
    found = outcome("- {case: a, why: b, facts: [hypertension, {egfr: 45}], expect: {activities: {p: [x, y]}}}")
    assert found.wrong == ()


@pytest.mark.parametrize(
    ("facts", "expect", "said"),
    [
        (
            "[hypertension, {egfr: 45}]",
            "{activities: {p: [x]}}",
            "activities: p/action/y is there and not expected",
        ),
        ("[hypertension, {egfr: 45}]", "{activities: {p: [x, y, z]}}", "p/action/z is expected and not there"),
        ("[hypertension, {egfr: 22}]", "{activities: {p: [y]}}", "withheld: p/action/x (certain high) is there"),
        (
            "[hypertension, {egfr: 22}]",
            "{activities: {p: [y]}, withheld: {p: {x: unknown high}}}",
            "p/action/x is certain high, expected unknown high",
        ),
        ("[]", "{gaps: [egfr]}", "gaps: egfr is expected and not there"),
        ("[hypertension]", "{activities: {p: [y]}}", "gaps: egfr is there and not expected"),
    ],
)
def test_each_difference_is_told(facts, expect, said):
    found = outcome(f"- {{case: a, why: b, facts: {facts}, expect: {expect}}}")
    assert any(said in text for text in found.wrong), found.wrong


def test_a_case_of_a_protocol_that_is_not_there_is_wrong():
    found = outcome("- {case: a, why: b, protocols: [q], expect: {}}")
    assert found.wrong == ("there is no protocol 'q'",)


def test_names_that_stand_for_several_lines_are_written_out():
    (case,) = read(
        'today: "2026-11-24"\nstanding: {p: {all: [x, y]}}\ncases:\n'
        "- {case: a, why: b, facts: [hypertension, {egfr: 45}], expect: {activities: {p: [all]}}}"
    )
    assert (
        run_case(case, compiled_of(PLAN, definitions=[definition("urn:d", title="Do")]), vocabulary()).wrong == ()
    )


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("- 1", 1, "no file of cases"),
        ("cases: []", 1, "no day"),
        (HEAD + "- {case: a, expect: {}}", 3, "no why"),
        (HEAD + "- {case: a, why: b, expect: {goal: {}}}", 3, "no 'goal'"),
        (HEAD + "- {case: a, why: b, facts: [hypertensoin], expect: {}}", 3, "Did you mean 'hypertension'"),
        (HEAD + "- {case: a, why: b, facts: [{egfr: much}], expect: {}}", 3, "no number"),
        (HEAD + "- {case: a, why: b, facts: [{hypertension: 3}], expect: {}}", 3, "write present, absent"),
        (HEAD + "- {case: a, why: b, facts: [{egfr: 3, unit: x}], expect: {}}", 3, "no 'unit'"),
    ],
)
def test_what_is_no_case_is_refused_at_its_line(text, line, said):
    with pytest.raises(KnowledgeError) as refused:
        read(text)
    assert any(said in f.message and f.line == line for f in refused.value.findings), refused.value.findings
