"""True, false, unknown: every cell of FHIRPath's tables, ranges, and what the parser would let pass."""

from datetime import date
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careplan_exchange.planner import expressions, reasons
from careplan_exchange.planner.expressions import EvaluationError, alone, compiled, evaluated, truth
from careplan_exchange.planner.fhirpath import Budget
from careplan_exchange.planner.intervals import Interval
from careplan_exchange.planner.syntax import (
    Both,
    Comparison,
    Constant,
    Flag,
    Not,
    Opaque,
    Presence,
    SyntaxProblemError,
    atoms,
)

TRUTHS = {"t": True, "f": False, "u": None}
OPERATORS = ("and", "or", "xor", "implies")
NAMES = {True: "true", False: "false", None: "unknown"}


class Values:
    day = date(2026, 11, 24)
    release = "R4"

    def __init__(self, **values):
        self.values = values
        self.budget = Budget()
        self.resource = {"resourceType": "Patient", "gender": "female"}

    def value(self, variable):
        if variable not in self.values:
            raise EvaluationError("There is no such variable.")
        return self.values[variable]


def answer(source, **values):
    return truth(compiled(source), Values(**values))


def kleene(operator, left, right):
    if operator == "and":
        return False if False in (left, right) else None if None in (left, right) else True
    if operator == "or":
        return True if True in (left, right) else None if None in (left, right) else False
    if operator == "implies":
        return kleene("or", None if left is None else not left, right)
    return None if None in (left, right) else left != right


@pytest.mark.parametrize(("operator", "left", "right"), list(product(OPERATORS, "tfu", "tfu")))
def test_each_operator_follows_three_valued_logic(operator, left, right):
    wanted = NAMES[kleene(operator, TRUTHS[left], TRUTHS[right])]
    assert answer(f"%a {operator} %b", a=TRUTHS[left], b=TRUTHS[right]) == wanted
    # Reasons are told by the same tables.
    assert reasons._joined(operator, NAMES[TRUTHS[left]], NAMES[TRUTHS[right]]) == wanted


@pytest.mark.parametrize(("value", "wanted"), [(True, "false"), (False, "true"), (None, "unknown")])
def test_not_turns_true_and_false_round_and_leaves_unknown(value, wanted):
    assert answer("%a.not()", a=value) == wanted


@pytest.mark.parametrize("operator", [">", "<", ">=", "<=", "=", "!="])
def test_a_comparison_with_an_unknown_is_unknown(operator):
    assert answer(f"%a {operator} 7", a=None) == "unknown"
    assert answer(f"7 {operator} %a", a=None) == "unknown"


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("%a > 7", "true"),
        ("%a > 8.1", "false"),
        ("%a >= 8.1", "true"),
        ("%a < 8.1", "false"),
        ("%a <= 8.1", "true"),
        ("%a = 8.10", "true"),
        ("%a != 8.1", "false"),
        ("7 < %a", "true"),
        ("-1 < %a", "true"),
    ],
)
def test_a_number_is_compared_as_a_decimal(source, wanted):
    assert answer(source, a=Decimal("8.1")) == wanted


def test_a_bare_boolean_is_a_condition():
    assert [answer("%a", a=value) for value in (True, False, None)] == ["true", "false", "unknown"]


def test_the_patient_is_the_root_of_paths():
    assert answer("Patient.gender = 'female'") == "true"
    assert answer("gender = 'male'") == "false"
    assert answer("birthDate.exists()") == "false"
    assert answer("gender is code") == "true"


@pytest.mark.parametrize("source", ["%a", "%a + 1", "'text'", "(1 | 2)"])
def test_what_is_no_boolean_is_an_error(source):
    with pytest.raises(EvaluationError, match="does not come to true or false"):
        answer(source, a=Decimal(7))


def test_the_error_of_an_evaluation_holds_no_value():
    with pytest.raises(EvaluationError) as caught:
        answer("%a > 'x'", a=Decimal("8.1234"))
    assert "8.1234" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_unknown_variable_is_an_error():
    with pytest.raises(EvaluationError):
        answer("%nothing > 7")


@pytest.mark.parametrize(
    "source",
    ["", "%a >", "(%a", "%a > 7 7", "%a > 7)", "%a && %b", "%a = #", "%a > 7 #", "%a > 7 %b", "%a between 1"],
)
def test_what_is_not_fhirpath_to_its_end_is_refused(source):
    with pytest.raises(SyntaxProblemError):
        compiled(source)


def test_a_syntax_error_says_where_it_is():
    with pytest.raises(SyntaxProblemError, match=r"^line 1, column 4: mismatched input '<EOF>'"):
        compiled("%a >")
    with pytest.raises(SyntaxProblemError, match=r"^nothing is expected after column 7$"):
        compiled("%a > 7 %b")


@pytest.mark.parametrize("source", ["%a > 7 #", "%a >"])
def test_a_syntax_error_is_raised_and_printed_nowhere(source, capfd):
    with pytest.raises(SyntaxProblemError):
        compiled(source)
    assert capfd.readouterr() == ("", "")


def test_what_an_expression_names_twice_is_listed_once():
    found = compiled("%a.not() and %b.not() or %a")
    assert (found.variables, found.functions) == (("a", "b"), ("not",))


def test_an_expression_is_parsed_once():
    assert compiled("%a > 7 and %b") is compiled("%a > 7 and %b")


def test_the_parts_of_an_expression_are_found():
    found = compiled("(%a >= 7 or true) implies (%b.not() and 'male' = %sex and %c_days.exists() xor %d = false)")
    assert list(atoms(found.tree)) == [
        Comparison("a", ">=", Decimal(7)),
        Constant(value=True),
        Flag("b"),
        Comparison("sex", "=", "male"),
        Presence("c_days", "exists"),
        Comparison("d", "=", False),
    ]
    assert [atom.source for atom in atoms(found.tree)] == [
        "%a >= 7",
        "true",
        "%b",
        "%sex = 'male'",
        "%c_days.exists()",
        "%d = false",
    ]
    assert found.variables == ("a", "b", "sex", "c_days", "d")
    assert found.functions == ("not", "exists")
    assert isinstance(found.tree, Both)
    assert found.thresholds == {"a": {7}, "b": set(), "sex": set(), "c_days": set(), "d": set()}


@pytest.mark.parametrize(
    "source",
    [
        "%a + 1 > 7",
        "%a > %b",
        "%a ~ 7",
        "7 > 6",
        "%a.toInteger() > 7",
        "%a.exists(true)",
        "iif(%a, %b, %c)",
        "%a in (1 | 2)",
        "-%a > 1",
        "%a > 7 + 1",
        "%a > 7 - 1",
        "gender.exists()",
        "{}",
    ],
)
def test_what_is_no_simple_comparison_is_left_whole(source):
    assert compiled(source).tree == Opaque(source)


@pytest.mark.parametrize("source", ["%a ~ 7 and %b", "%b and %a ~ 7", "%b or (%a ~ 7)", "(%a ~ 7).not() and %b"])
def test_a_part_that_is_no_simple_comparison_stands_as_the_whole_condition(source):
    assert set(atoms(compiled(source).tree)) == {Opaque(source), Flag("b")}


@pytest.mark.parametrize(
    ("source", "variable", "operator", "literal"),
    [
        ("7 > %a", "a", "<", "7"),
        ("7 < %a", "a", ">", "7"),
        ("7 >= %a", "a", "<=", "7"),
        ("7 <= %a", "a", ">=", "7"),
        ("+7 = %a", "a", "=", "7"),
        ("7 != %a", "a", "!=", "7"),
        ("%a != -7.5", "a", "!=", "-7.5"),
    ],
)
def test_a_comparison_is_read_with_its_variable_first(source, variable, operator, literal):
    assert compiled(source).tree == Comparison(variable, operator, Decimal(literal))


def test_not_of_a_group_keeps_the_group():
    assert compiled("(%a or %b).not()").tree == Not(Both("or", Flag("a"), Flag("b")))


@pytest.mark.parametrize(
    ("interval", "source", "wanted"),
    [
        (Interval(None, Decimal(7), high_open=True), "%a < 7", "true"),
        (Interval(None, Decimal(7)), "%a < 7", "unknown"),
        (Interval(None, Decimal(7)), "%a <= 7", "true"),
        (Interval(Decimal(7), None, low_open=True), "%a > 7", "true"),
        (Interval(Decimal(7), None), "%a > 7", "unknown"),
        (Interval(Decimal(7), None), "%a >= 7", "true"),
        (Interval(Decimal("6.5"), None, low_open=True), "%a < 6.5", "false"),
        (Interval(Decimal(5), Decimal(6)), "%a >= 7", "false"),
        (Interval(Decimal(70), Decimal(71)), "%a >= 71", "unknown"),
        (Interval(Decimal(5), Decimal(6)), "%a = 5.5", "unknown"),
        (Interval(Decimal(5), Decimal(6)), "%a < 5.5 or %a >= 5.5", "true"),
        (Interval(Decimal(5), Decimal(6)), "%a < 5.5 and %b", "unknown"),
        (Interval(Decimal(5), Decimal(6)), "%a + 1 > 2", "unknown"),
        (Interval(Decimal(5), Decimal(6)), "%a < 7 and (%a * 2 > 1)", "unknown"),
        (Interval(Decimal(5), Decimal(6)), "%a.exists()", "true"),
        (Interval(Decimal(7), Decimal(7), low_open=True), "%a > 7", "unknown"),
        (Interval(None, None), "%a.exists()", "true"),
    ],
)
def test_a_range_decides_only_where_every_value_in_it_agrees(interval, source, wanted):
    assert answer(source, a=interval, b=True) == wanted


def test_two_ranges_are_asked_together():
    narrow, wide = Interval(Decimal(5), Decimal(6)), Interval(Decimal(1), Decimal(9))
    assert answer("%a < 7 and %b > 5", a=narrow, b=wide) == "unknown"
    assert answer("%a < 7 or %b > 5", a=narrow, b=wide) == "true"


def test_too_many_ranges_at_once_are_unknown():
    names = [f"v{number}" for number in range(9)]
    source = " and ".join(f"(%{name} > 0 and %{name} < 9)" for name in names)
    assert answer(source, **dict.fromkeys(names, Interval(Decimal(1), Decimal(8)))) == "unknown"


def test_as_many_combinations_as_are_allowed_are_still_reasoned_about(monkeypatch):
    monkeypatch.setattr(expressions, "_MOST_COMBINATIONS", 4)
    two_points = Interval(Decimal(1), Decimal(8), low_open=True)
    assert answer("%a <= 8 and %b <= 8", a=two_points, b=two_points) == "true"
    assert answer("%a <= 8 and %b <= 8 and %c <= 8", a=two_points, b=two_points, c=two_points) == "unknown"


numbers = st.integers(-20, 20).map(lambda n: Decimal(n) / 2)
operators = st.sampled_from([">", "<", ">=", "<=", "=", "!="])


@settings(deadline=None)
@given(
    numbers,
    numbers,
    st.booleans(),
    st.booleans(),
    st.lists(st.tuples(operators, numbers), min_size=1, max_size=3),
)
def test_a_decided_range_agrees_with_every_value_inside(one, other, low_open, high_open, comparisons):
    interval = Interval(min(one, other), max(one, other), low_open, high_open)
    source = " and ".join(f"%a {operator} {literal}" for operator, literal in comparisons)
    found = answer(source, a=interval)
    steps = [interval.low + (interval.high - interval.low) * step / 16 for step in range(17)]
    inside = {answer(source, a=value) for value in steps if value in interval}
    if found != "unknown":
        assert inside <= {found}
    if len(inside) > 1:
        assert found == "unknown"


names = st.sampled_from(["a", "hba1c", "c_days"])
literals = st.one_of(numbers, st.booleans(), st.text('abc \\"é%>0', max_size=4).filter(lambda t: "\\" not in t))
parts = st.one_of(
    st.builds(Comparison, names, operators, literals),
    st.builds(Flag, names),
    st.builds(Presence, names, st.sampled_from(["exists", "empty"])),
    st.builds(Constant, st.booleans()),
    st.just(Opaque("%a + 1 > 7 and %b")),
)


@settings(deadline=None)
@given(parts)
def test_a_part_alone_is_what_its_own_text_compiles_to(part):
    assert alone(part) == compiled(part.source)


def test_a_number_and_a_boolean_that_equal_each_other_are_different_parts():
    assert alone(Comparison("a", "=", True)).source == "%a = true"
    assert alone(Comparison("a", "=", Decimal(1))).source == "%a = 1"


def test_a_dynamic_value_sees_a_range_as_unknown():
    values = Values(a=Interval(Decimal(5), Decimal(6)), b=Decimal(3), c=None)
    assert evaluated(compiled("%a"), values) == []
    assert evaluated(compiled("%b + 1"), values) == [4]
    assert evaluated(compiled("%c"), values) == []
