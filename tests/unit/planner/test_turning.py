"""What would turn a condition's answer: the smallest changes, and only those that do turn it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.expressions import compiled
from careplan_exchange.planner.turning import _changed, _holds, _ways, turns
from tests.cases.snapshots import fact, snapshot, vocabulary

FACTS = [fact("egfr", "22"), fact("hba1c", "8.1"), fact("hypertension"), fact("pregnancy", state="absent")]


def bindings(*facts, **patient):
    return Bindings(snapshot(*(facts or FACTS), **patient), vocabulary())


def turned(source, to="true", **patient):
    return turns(compiled(source), bindings(**patient), to=to)


@pytest.mark.parametrize(
    ("source", "to", "expected"),
    [
        ("%egfr >= 30", "true", ["estimated glomerular filtration rate at or above 30 mL/min/1.73 m2"]),
        ("%egfr < 30", "false", ["estimated glomerular filtration rate not below 30 mL/min/1.73 m2"]),
        ("%hypertension.not()", "true", ["hypertension absent"]),
        ("%hypertension", "false", ["hypertension absent"]),
        ("%frailty", "true", ["frailty present"]),
        ("%frailty = false", "true", ["frailty absent"]),
        ("%egfr >= 30 and %hba1c < 7", "true", ["below 7 %", "at or above 30 mL"]),
        ("%pregnancy implies %egfr > 90", "false", ["pregnancy present"]),
        ("%pregnancy xor %hypertension", "false", ["hypertension absent", "pregnancy present"]),
    ],
)
def test_a_change_is_named_by_the_value_that_it_needs(source, to, expected):
    found = " | ".join(turned(source, to))
    for words in expected:
        assert words in found


def test_what_the_value_is_now_stands_beside_it():
    assert turned("%egfr >= 30") == (
        "estimated glomerular filtration rate at or above 30 mL/min/1.73 m2 (now 22 mL/min/1.73 m2 (2026-10-02))",
    )
    assert turned("%frailty") == ("frailty present (now not known)",)


def test_what_holds_already_needs_no_change():
    assert turned("%egfr < 30") == ()


def test_any_one_side_of_an_or_is_enough_and_no_larger_change_is_named():
    assert len(turned("%egfr >= 30 or %hba1c < 7")) == 2
    assert turned("%egfr >= 30 or (%egfr >= 30 and %frailty)") == turned("%egfr >= 30")


def test_a_change_that_upsets_another_part_of_the_condition_is_not_named():
    assert turned("%egfr >= 30 and %egfr < 25") == ()
    assert [*turned("%age >= 65 and (%age < 40 or %frailty)")] == [
        "age at or above 65 years (now 50 years) and frailty present (now not known)"
    ]


def test_what_cannot_be_taken_apart_names_nothing():
    assert turned("%diabetic_foot_exam_days.exists()") == ()
    assert turned("true and false") == ()


NAMES = st.sampled_from(["%egfr", "%hba1c", "%age"])
ATOMS = st.one_of(
    st.sampled_from(["%hypertension", "%pregnancy", "%frailty", "true", "false"]),
    st.builds("{} {} {}".format, NAMES, st.sampled_from(["<", "<=", ">", ">=", "="]), st.integers(5, 60)),
)
SOURCES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or", "xor", "implies"]), inner),
        st.builds("({}).not()".format, inner),
    ),
    max_leaves=5,
)


@given(SOURCES, st.sampled_from(["true", "false"]))
def test_every_change_that_is_named_does_turn_the_answer(source, to):
    expression, patient = compiled(source), bindings()
    named = turns(expression, patient, to=to)
    if patient.truth(expression) == to:
        assert named == ()
    kept = [
        way
        for way in (_changed(way, patient) for way in _ways(expression.tree, answer=to == "true"))
        if way and _holds(expression, way, patient, to)
    ]
    assert bool(named) == bool([way for way in kept if len(way) <= 3] and patient.truth(expression) != to)
    assert len(set(named)) == len(named)
