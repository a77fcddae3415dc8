"""Protocols and patients that make no sense: a clear message, nothing rather than half, and the others go on."""

import re
from datetime import date, timedelta

import pytest

from careplan_exchange import knowledge, planner
from careplan_exchange.errors import KnowledgeError
from careplan_exchange.model.codec import encode
from careplan_exchange.planner import fhirpath, isolation
from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.expressions import EvaluationError, compiled, evaluated, truth
from careplan_exchange.planner.protocol import MOST_ACTIONS, MOST_LEVELS
from careplan_exchange.planner.raw import RawRecord
from careplan_exchange.planner.syntax import SyntaxProblemError
from tests.cases.foreign import applied, plan_file, record
from tests.cases.snapshots import fact, snapshot, vocabulary
from tests.unit.planner.plans import condition, plan_of

GOOD = {"id": "z", "title": "Good", "action": [{"id": "a", "title": "A"}]}
PATIENT = {"resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "1976-05-01"}
TODAY = date(2026, 11, 24)


def nested(depth):
    action = {"title": "Innermost"}
    for level in range(depth - 1):
        action = {"title": f"Level {level}", "action": [action]}
    return {"id": "p", "action": [action]}


def chain(length):
    """Plans each of which stands in the one before."""
    plans = [
        {
            "resourceType": "PlanDefinition",
            "url": f"urn:{number}",
            "action": [{"id": "a", "title": "A", "definitionCanonical": f"urn:{number + 1}"}],
        }
        for number in range(1, length)
    ]
    return [
        *plans,
        {"resourceType": "PlanDefinition", "url": f"urn:{length}", "action": [{"id": "a", "title": "A"}]},
    ]


def branching(width, depth):
    """Plans each of which stands in the one before several times: width ** depth actions from a few lines."""
    return [
        {
            "resourceType": "PlanDefinition",
            "url": f"urn:{number}",
            "action": [{"definitionCanonical": f"urn:{number + 1}"} for _ in range(width)],
        }
        for number in range(1, depth)
    ] + [{"resourceType": "PlanDefinition", "url": f"urn:{depth}", "action": [{"title": "A"}]}]


OUTER = {"id": "p", "url": "urn:0", "action": [{"id": "a", "title": "A", "definitionCanonical": "urn:1"}]}


@pytest.mark.parametrize(
    ("plan", "definitions", "said"),
    [
        (
            OUTER,
            [{"resourceType": "PlanDefinition", "url": "urn:1", "action": [{"definitionCanonical": "urn:0"}]}],
            "action 'p/action/a/urn:0' leads back to urn:0, in which it stands",
        ),
        (
            {"id": "p", "action": [{"id": "a", "title": "A", "definitionCanonical": "urn:x|3"}]},
            [
                {"resourceType": "ActivityDefinition", "url": "urn:x", "version": v, "kind": "ServiceRequest"}
                for v in "12"
            ],
            "action 'p/action/a' asks for urn:x|3, and there is only urn:x|1, urn:x|2",
        ),
        (nested(MOST_LEVELS + 1), [], f"its actions are nested deeper than {MOST_LEVELS}"),
        (OUTER, chain(MOST_LEVELS), f"its actions are nested deeper than {MOST_LEVELS}"),
        (OUTER, branching(10, 8), f"it has more than {MOST_ACTIONS} actions"),
        ({"id": "p", "action": [{"id": "a"}, {"id": "a"}]}, [], "the id 'a' stands on more than one action"),
        (
            {"id": "p", "goal": [{"id": "g"}, {"id": "g"}], "action": [{"id": "a"}]},
            [],
            "the id 'g' stands on more than one goal",
        ),
        (
            {
                "id": "p",
                "goal": [{"id": "g", "target": [{"detailRange": {"high": {"value": 7}}}]}],
                "action": [{}],
            },
            [],
            "a target of goal 'g' has a value and does not say of what",
        ),
    ],
    ids=["circle", "version", "levels", "chain", "branching", "action-id", "goal-id", "measure"],
)
def test_a_protocol_that_is_unfit_proposes_nothing_and_the_others_do(plan, definitions, said):
    proposal = plan_of(plan, GOOD, definitions=definitions)
    assert [line.key for line in proposal.activities] == ["z/action/a"]
    assert [protocol.title for protocol in proposal.protocols] == ["Good"]
    assert [line.key for line in proposal.not_applied] == ["p"]
    (issue,) = proposal.issues
    assert (issue.severity, issue.key) == ("error", "planner.protocol.fault")
    assert issue.detail == f"Nothing of protocol 'p' is proposed: {said}."
    assert issue.mend
    assert proposal.not_applied[0].reasons[0].text == issue.detail


def test_as_many_levels_and_actions_as_are_allowed_are_applied():
    assert len(plan_of(nested(MOST_LEVELS)).activities) == 1
    assert len(plan_of(OUTER, definitions=chain(MOST_LEVELS - 1)).activities) == 1
    many = {"id": "p", "action": [{"title": "A"} for _ in range(MOST_ACTIONS)]}
    assert len(plan_of(many).activities) == MOST_ACTIONS


@pytest.mark.parametrize("end", ["circle", "deep", "citation", "measure"])
def test_our_own_linter_refuses_such_a_protocol_with_its_place(end):
    document = {
        "circle": {"action": [{"id": "a", "definitionCanonical": "urn:p"}]},
        "deep": nested(MOST_LEVELS + 1),
        "citation": {"action": [{"id": "a", "title": "A"}]},
        "measure": {
            "goal": [{"id": "g", "description": {"text": "G"}, "target": [{"detailQuantity": {"value": 7}}]}]
        },
    }[end]
    said = {
        "circle": "back to this protocol|comes back|circle",
        "deep": "nested deeper",
        "citation": "no citation",
        "measure": "measures nothing",
    }[end]
    plan = {"resourceType": "PlanDefinition", "id": "p", "url": "urn:p", "status": "active", **document}
    findings = planner.lint([knowledge.parse("protocols/p/plan.json", encode(plan))], vocabulary())
    found = [finding for finding in findings if re.search(said, finding.message)]
    assert found, [finding.message for finding in findings]
    assert all((finding.file, finding.line >= 1) == ("protocols/p/plan.json", True) for finding in found)


@pytest.mark.parametrize(
    "shape",
    [
        {"action": ["text"]},
        {"action": [{"id": "a", "condition": ["%age > 1"]}]},
        {"action": [{"id": "a", "condition": [{"expression": "true"}]}]},
        {"action": [{"id": "a", "code": ["text"]}]},
        {"action": [{"id": "a", "relatedAction": ["text"]}]},
        {"action": [{"id": ["a"]}]},
        {"action": [{"id": "a", "definitionCanonical": {"a": 1}}]},
        {"goal": ["text"], "action": [{"id": "a"}]},
        {"goal": [{"target": [{"measure": {}, "detailQuantity": {"value": "many"}}]}], "action": [{"id": "a"}]},
        {"effectivePeriod": "always", "action": [{"id": "a"}]},
    ],
)
def test_a_plan_of_another_shape_than_fhirs_takes_nothing_else_with_it(shape):
    bad = plan_file({"resourceType": "PlanDefinition", "id": "p", "status": "active", **shape})
    good = plan_file({"resourceType": "PlanDefinition", "status": "active", **GOOD})
    proposal = applied([bad, good], [PATIENT], TODAY)
    assert [line.key for line in proposal.activities] == ["z/action/a"]
    (fault,) = [issue for issue in proposal.issues if issue.severity == "error"]
    assert fault.detail.startswith(
        "Nothing of protocol 'p' is proposed: what stands at plan.json, line 1 has not the shape that FHIR gives it:"
    )
    assert "`$." in fault.detail


def test_a_retired_plan_is_not_applied():
    retired = plan_file({"resourceType": "PlanDefinition", **GOOD, "status": "retired"})
    proposal = applied([retired], [PATIENT], TODAY)
    assert proposal.activities == ()
    assert "its status is retired" in proposal.issues[-1].detail


def test_a_file_that_is_nested_without_end_is_refused():
    text = b'{"a":' * 3000 + b"1" + b"}" * 3000
    with pytest.raises(KnowledgeError, match="nested too deeply"):
        knowledge.parse("plan.json", text)


def bindings(*resources):
    found = record(PATIENT, *resources)
    return Bindings(snapshot(), vocabulary(), raw=RawRecord(found))


def observations(count):
    return [
        {
            "resourceType": "Observation",
            "id": f"o{number}",
            "status": "final",
            "subject": {"reference": "Patient/p"},
            "category": [{"coding": [{"code": "laboratory"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
            "effectiveDateTime": (date(2026, 11, 1) - timedelta(days=number)).isoformat(),
            "valueQuantity": {"value": 6 + number % 30 / 10, "system": "http://unitsofmeasure.org", "code": "%"},
        }
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("'a'.repeat($this & 'a').exists()", "takes more steps"),
        ("'a'.repeat($this & $this).exists()", "takes more steps"),
        ("%resource.entry.select(%resource.entry.select(%resource.entry)).count() > 1", "takes more steps"),
        (
            "%resource.entry.where(%resource.entry.where(%resource.entry.exists()).exists()).exists()",
            "takes more steps",
        ),
        ("%resource.entry.resource.id.first().matches('(a+)+$')", "without end"),
        (
            "%resource.entry.resource.id.first().matches('.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*x')",
            "takes more steps",
        ),
        ("2.power(99999999) > 1", "exponent is too large"),
        ("2.5.round(99999999) > 1", "too many digits"),
        ("timeOfDay() > @T12:00", "no time of day"),
        ("2.repeat($this * $this).count() > 1", "fails with ValueError"),
        ("resolve().exists()", "fails with Exception"),
        ("%resource.entry.single().exists()", None),
        ("'a' > 1", "fails with"),
    ],
)
def test_an_expression_that_loops_or_costs_too_much_is_stopped_by_a_count_and_not_by_a_clock(expression, said):
    values = bindings(*observations(100))
    if said is None:
        assert truth(compiled(expression), values) == "true"
        return
    with pytest.raises(EvaluationError, match=said):
        truth(compiled(expression), values)


def test_the_count_is_the_same_every_time():
    spent = []
    for _ in range(2):
        values = bindings(*observations(50))
        before = values.budget.left
        truth(compiled("%resource.entry.resource.descendants().where(code = 'laboratory').exists()"), values)
        spent.append(before - values.budget.left)
    assert spent[0] == spent[1] > 0


def test_all_expressions_of_a_patient_share_one_budget():
    values = bindings(*observations(100))
    endless = compiled("'a'.repeat($this & 'a').exists()")
    for _ in range(fhirpath.MOST_STEPS_FOR_A_PATIENT // fhirpath.MOST_STEPS):
        with pytest.raises(EvaluationError):
            truth(endless, values)
    assert values.budget.left == 0
    with pytest.raises(EvaluationError, match="takes more steps"):
        truth(compiled("Patient.active.exists()"), values)
    assert truth(compiled("%age > 18"), values) == "true"  # what is worked out here costs nothing


def test_an_expression_that_is_stopped_takes_only_its_own_action():
    looping = {"id": "a", "title": "A", "condition": [condition("'a'.repeat($this & 'a').exists()")]}
    filled = {
        "id": "b",
        "title": "B",
        "dynamicValue": [{"path": "title", "expression": condition("'a'.repeat($this & 'a')")["expression"]}],
    }
    proposal = plan_of({"id": "p", "action": [looping, filled, {"id": "c", "title": "C"}]})
    assert [line.title for line in proposal.activities] == ["B", "C"]
    assert [issue.key for issue in proposal.issues] == ["planner.apply.condition", "planner.apply.dynamic-value"]
    assert all("more steps than are allowed" in issue.detail for issue in proposal.issues)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 50 + "true" + ")" * 50,
        " and ".join(["true"] * 600),
        "%age > 1 or " * 2000 + "true",
        "a." * 400 + "b",
    ],
    ids=["brackets", "chain", "long", "path"],
)
def test_an_expression_that_is_too_long_or_too_deep_is_refused_when_it_is_read(text):
    with pytest.raises(SyntaxProblemError, match=r"longer than|too deeply"):
        compiled(text)


def test_trace_writes_nothing(capfd):
    assert evaluated(compiled("Patient.birthDate.trace('birth')"), bindings()) == ["1976-05-01"]
    assert capfd.readouterr() == ("", "")


def test_today_is_the_day_of_the_plan_and_now_its_end():
    assert evaluated(compiled("today()"), bindings()) == ["2026-11-24"]
    assert evaluated(compiled("now().toString().startsWith('2026-11-24T23:59:59')"), bindings()) == [True]


def test_five_thousand_observations_are_walked_in_steps_that_grow_with_their_number():
    spent = {}
    for count in (500, 5000):
        values = bindings(*observations(count))
        before = values.budget.left
        expression = (
            "%resource.entry.resource.ofType(Observation).where(code.coding.code = '4548-4').count() > 400"
        )
        assert truth(compiled(expression), values) == "true"
        spent[count] = before - values.budget.left
    assert spent[5000] < 11 * spent[500]


def test_five_thousand_observations_give_the_plan_that_the_latest_gives():
    latest, *older = [
        fact("hba1c", f"{6 + number % 30 / 10}", date=(date(2026, 11, 1) - timedelta(days=number)).isoformat())
        for number in range(5000)
    ]
    plan = {"id": "p", "action": [{"id": "a", "title": "A", "condition": [condition("%hba1c < 6.5")]}]}
    many, one = (plan_of(plan, facts=facts) for facts in ([*older, latest], [latest]))
    assert many == one
    assert [line.key for line in many.activities] == ["p/action/a"]


@pytest.mark.parametrize("birth", [None, "not a date", "1976-13-45"])
def test_a_patient_of_nobodys_age_is_asked_for_it(birth):
    plan = {
        "id": "p",
        "action": [
            {"id": "a", "title": "A", "condition": [condition("%age >= 18", "ask")]},
            {"id": "b", "title": "B", "condition": [condition("%age >= 18")]},
        ],
    }
    proposal = plan_of(plan, birth=birth)
    assert [(line.key, line.questions) for line in proposal.activities] == [
        ("p/action/a", ("What is the patient's full date of birth?",))
    ]
    assert [line.key for line in proposal.not_applied] == ["p/action/b"]
    assert [gap.concept for gap in proposal.gaps] == ["age"]


def test_facts_that_contradict_each_other_are_unknown_and_asked():
    plan = {"id": "p", "action": [{"id": "a", "title": "A", "condition": [condition("%pregnancy.not()", "ask")]}]}
    facts = [fact("pregnancy", state="present"), fact("pregnancy", state="absent", id="other")]
    proposal = plan_of(plan, facts=facts)
    assert [gap.concept for gap in proposal.gaps] == ["pregnancy"]
    assert proposal.activities[0].questions
    values = [fact("hba1c", "6.0"), fact("hba1c", "9.0", id="other")]
    rule = {"id": "p", "action": [{"id": "a", "title": "A", "condition": [condition("%hba1c > 7", "ask")]}]}
    assert [gap.concept for gap in plan_of(rule, facts=values).gaps] == ["hba1c"]


def test_nothing_is_planned_for_a_day_before_the_birth():
    proposal = plan_of(GOOD, birth="2026-11-25")
    assert (proposal.activities, proposal.goals, proposal.protocols, proposal.not_applied) == ((), (), (), ())
    (issue,) = proposal.issues
    assert (issue.severity, issue.key) == ("error", "planner.patient.unborn")
    assert "2026" not in issue.detail
    assert plan_of(GOOD, birth="2026-11-24").activities
    assert plan_of(GOOD, birth="2026-11").activities


def test_a_failure_that_nobody_foresaw_takes_its_protocol_alone(monkeypatch):
    whole = isolation.lines

    def failing(protocol, *arguments):
        if protocol.id == "p":
            raise ZeroDivisionError("a patient's value")
        return whole(protocol, *arguments)

    monkeypatch.setattr(isolation, "lines", failing)
    proposal = plan_of({"id": "p", "title": "Bad", "action": [{"id": "a", "title": "A"}]}, GOOD)
    assert [line.key for line in proposal.activities] == ["z/action/a"]
    assert [line.key for line in proposal.not_applied] == ["p"]
    (issue,) = proposal.issues
    assert (issue.severity, issue.key) == ("error", "planner.protocol.failed")
    assert "ZeroDivisionError" in issue.detail
    assert "patient's value" not in f"{proposal}"
