"""Our functions in the place of fhirpathpy's, and comparisons worked out here: the same answers as the library's."""

from datetime import date
from decimal import Decimal

import pytest
from fhirpathpy import evaluate
from fhirpathpy.models import models
from hypothesis import given, settings
from hypothesis import strategies as st

from careplan_exchange.planner import expressions
from careplan_exchange.planner.expressions import compiled, truth
from careplan_exchange.planner.fhirpath import Budget, ExpressionRefusedError, run
from careplan_exchange.planner.syntax import parse
from tests.unit.planner.test_expressions import Values

DAY = date(2026, 11, 24)
PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "active": True,
    "gender": "female",
    "birthDate": "1976-05-01",
    "name": [
        {"use": "official", "family": "Doe", "given": ["Jane", "Ann"]},
        {"use": "usual", "given": ["Jane"]},
        {"use": "old", "family": "Roe", "given": []},
    ],
    "telecom": [{"system": "phone", "value": "1", "rank": 1}, {"system": "email", "value": "2", "rank": 2}],
}
QUESTIONS = {
    "resourceType": "QuestionnaireResponse",
    "item": [
        {
            "linkId": "1",
            "item": [
                {"linkId": "1.1", "answer": [{"valueCoding": {"code": "a"}, "item": [{"linkId": "1.1.1"}]}]}
            ],
        },
        {"linkId": "2"},
    ],
}


def ours(expression, resource=PATIENT, **variables):
    return run(parse(expression)[0], resource, variables, day=DAY, release="R4", budget=Budget())


@pytest.mark.parametrize(
    "expression",
    [
        "Patient.name.where(use = 'official').given",
        "Patient.name.where(given.exists()).use",
        "Patient.name.where(family.empty()).use",
        "Patient.name.where(given.where($this = 'Ann').exists()).use",
        "Patient.name.select(given)",
        "Patient.name.select(given.first())",
        "Patient.name.select($index)",
        "Patient.name.where($index > 0).use",
        "Patient.name.all(given.exists())",
        "Patient.name.all(use.exists())",
        "Patient.name.exists(use = 'old')",
        "Patient.name.exists(use = 'nickname')",
        "Patient.photo.exists()",
        "Patient.photo.all(false)",
        "Patient.telecom.where(rank > 1).value",
        "Patient.telecom.rank.aggregate($this + $total, 0)",
        "Patient.name.children().count()",
        "Patient.telecom.descendants().count()",
        "Patient.name.given.combine(Patient.name.family).count()",
        "Patient.name.given.subsetOf(Patient.name.given | 'x')",
        "Patient.name.family.first().matches('^D.e$')",
        "Patient.id.replaceMatches('p', 'q')",
        "Patient.birthDate > @1970-01-01",
        "2.power(10)",
        "2.34567.round(2)",
        "(1 | 2 | 3).intersect(2 | 3)",
        "(1 | 2 | 3).exclude(2)",
        "(1 | 2 | 2).count()",
        "1 in (1 | 2)",
    ],
)
def test_our_functions_give_what_the_librarys_do(expression):
    assert ours(expression) == evaluate(PATIENT, expression, {}, models["r4"])


@pytest.mark.parametrize(
    "expression",
    [
        "repeat(item).linkId",
        "QuestionnaireResponse.repeat(item | answer).linkId.count()",
        "descendants().where(linkId = '1.1').answer.value.code",
    ],
)
def test_nested_items_are_found(expression):
    found = ours(expression, QUESTIONS)
    assert (
        found
        == {
            "repeat(item).linkId": ["1", "2", "1.1"],
            "QuestionnaireResponse.repeat(item | answer).linkId.count()": [4],
            "descendants().where(linkId = '1.1').answer.value.code": ["a"],
        }[expression]
    )


def test_equal_elements_are_one_where_the_library_takes_each_for_another():
    assert ours("Patient.name.given.distinct()") == ["Jane", "Ann"]
    assert ours("Patient.name.given.isDistinct()") == [False]
    assert ours("(Patient.name | Patient.name).count()") == [3]
    assert ours("Patient.name.where(use = 'old').exclude(Patient.name).count()") == [0]
    assert ours("Patient.name.intersect(Patient.name.where(use = 'old')).use") == ["old"]


def test_this_is_what_it_was_after_a_function_with_an_argument():
    assert ours("$this.name.where(use = 'old').exists() and $this.active") == [True]
    assert ours("name.where(use = 'old').exists() and $this is Patient") == [True]


def test_a_resource_in_a_variable_is_typed_alone_or_in_a_list():
    assert ours("%other is QuestionnaireResponse", other=QUESTIONS) == [True]
    assert ours("%others.first() is Patient", others=[PATIENT, QUESTIONS]) == [True]
    assert ours("%number + 1", number=Decimal("1.50")) == [Decimal("2.50")]


def test_a_number_of_the_record_keeps_its_digits():
    resource = {"resourceType": "Observation", "valueQuantity": {"value": Decimal("7.20")}}
    assert [f"{value}" for value in ours("Observation.value.value", resource)] == ["7.20"]


def test_what_is_spent_is_counted_and_settled():
    whole = Budget(1000)
    part = whole.part()
    run(parse("Patient.name.given")[0], PATIENT, {}, day=DAY, release="R4", budget=part)
    whole.settle(part)
    assert 0 < 1000 - whole.left < 50
    with pytest.raises(ExpressionRefusedError):
        run(parse("Patient.name.given")[0], PATIENT, {}, day=DAY, release="R4", budget=Budget(2))


LEAVES = (
    "%a",
    "%b > 7",
    "7 >= %b",
    "%b = 8",
    "%b != 8",
    "%c = 'x'",
    "%c != 'x'",
    "%a = true",
    "%b.exists()",
    "%c.empty()",
    "true",
    "false",
)
TREES = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or", "xor", "implies"]), inner, inner).map(
            lambda t: f"({t[1]} {t[0]} {t[2]})"
        ),
        inner.map(lambda text: f"({text}).not()"),
    ),
    max_leaves=6,
)


@given(
    TREES,
    st.sampled_from([True, False, None]),
    st.sampled_from([Decimal(7), Decimal("7.5"), Decimal(8), None]),
    st.sampled_from(["x", "y", None]),
)
@settings(max_examples=200, deadline=None)
def test_a_comparison_worked_out_here_is_what_the_library_says(source, flag, number, text):
    values = Values(a=flag, b=number, c=text)
    native = truth(compiled(source), values)
    context = {name: [] if value is None else [value] for name, value in values.values.items()}
    found = ours(source, **context)
    assert native == {(): "unknown", (True,): "true", (False,): "false"}[tuple(found)]
    assert values.budget.left == Budget().left  # nothing of it went through the library


@pytest.mark.parametrize("source", ["%b > 'x'", "%c > 7", "%c > 'a'", "%b = 'x'", "%c = 'a\\\\'"])
def test_a_comparison_of_two_kinds_is_left_to_the_library(source):
    tree = compiled(source).tree
    context = {"b": [Decimal(8)], "c": ["x"]}
    assert expressions._decided(tree, context) is None
