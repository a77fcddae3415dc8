"""What a protocol that loads should be reviewed for."""

from datetime import date

import pytest

from careplan_exchange import knowledge, planner
from tests.cases.snapshots import protocol_documents, vocabulary

TODAY = date(2026, 11, 24)


def reviewed(text, today=TODAY):
    return planner.review([knowledge.parse("plan.yaml", text.encode())], vocabulary(), today=today)


def actions(*related):
    """Actions a, b, c, each with its `relatedAction`."""
    rows = [f"  - id: {name}\n{_related(found)}" for name, found in zip("abc", related, strict=True)]
    return f"resourceType: PlanDefinition\naction:\n{''.join(rows)}"


def _related(found):
    if found is None:
        return ""
    relationship, other = found
    return f"    relatedAction:\n      - {{actionId: {other}, relationship: {relationship}}}\n"


def condition(expression):
    return (
        "resourceType: PlanDefinition\naction:\n  - condition:\n"
        f'      - expression: {{language: text/fhirpath, expression: "{expression}"}}\n'
    )


def test_our_own_protocols_have_nothing_to_review_today():
    assert planner.review(protocol_documents(), vocabulary(), today=date(2026, 11, 26)) == ()


@pytest.mark.parametrize(
    ("related", "found"),
    [
        ((("before-start", "b"), ("before-start", "a"), None), 2),
        ((("before-start", "b"), ("after-end", "a"), None), 0),
        ((("after", "b"), ("after-start", "c"), ("after", "a")), 3),
        ((("before", "a"), None, None), 1),
        ((("before", "b"), ("before", "c"), None), 0),
        ((("concurrent", "b"), ("concurrent", "a"), None), 0),
        ((("before", "b"), ("before", "c"), ("before", "b")), 2),
    ],
)
def test_actions_that_wait_for_each_other_are_found(related, found):
    findings = reviewed(actions(*related))
    assert ["a cycle" in finding.message for finding in findings] == [True] * found
    assert len({finding.line for finding in findings}) == found


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("%hba1c > 30", "false"),
        ("%hba1c < 30", "true"),
        ("%hba1c >= 7", None),
        ("%pregnancy or %hba1c > 30", "false"),
        ("%age >= 0", "true"),
        ("%age >= 18 and %age < 10", "false"),
        ("%age >= 18 and %age < 90", None),
        ("%age >= 18 or %age < 18", "true"),
        ("%diabetic_foot_exam_days >= 365", None),
        ("%diabetic_foot_exam_days < 0", "false"),
        ("%pregnancy", None),
        ("%sex = 'male'", None),
        ("true", None),
        ("%hba1c.toString() = '7'", None),
        ("%nothing > 7", None),
    ],
)
def test_a_condition_that_decides_nothing_is_found(expression, answer):
    findings = reviewed(condition(expression))
    assert len(findings) == (answer is not None), findings
    assert all(f"it is {answer} for every" in finding.message and finding.line == 4 for finding in findings)


def test_what_is_no_fhirpath_is_left_to_the_linter():
    assert reviewed(condition("%hba1c >>")) == ()
    assert reviewed(condition("%hba1c > 30").replace("text/fhirpath", "text/cql")) == ()


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        ('effectivePeriod: {end: "2026-11-23"}', "was to be reviewed by 2026-11-23"),
        ('effectivePeriod: {end: "2026-11-24"}', None),
        ('effectivePeriod: {start: "2026-01-01"}', None),
        ('effectivePeriod: {end: "2026"}', None),
        ('approvalDate: "2026-11-25"', "approvalDate is 2026-11-25"),
        ('lastReviewDate: "2026-11-24"', None),
    ],
)
def test_a_day_that_has_passed_or_has_not_come_is_found(dates, said):
    findings = reviewed(f"resourceType: ActivityDefinition\n{dates}\n")
    assert [(finding.line, said in finding.message) for finding in findings] == ([(2, True)] if said else [])


def test_what_is_no_definition_has_nothing_to_review():
    assert reviewed("- a list\n") == ()
