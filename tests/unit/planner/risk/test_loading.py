"""What is wrong with a file of equations is found, with its line."""

import pytest

from careplan_exchange import knowledge
from careplan_exchange.planner.risk import lint_models
from tests.cases.snapshots import vocabulary

FILE = """
sources:
  - {id: paper, citation: A paper., url: "https://doi.org/10.1/x"}
models:
  - id: one
    yields: fib4
    title: One
    outcome: something
    source: paper
    limits: none
    unit: "1"
    decimals: 2
    about: "%liver_disease"
    excluded:
      - {when: "%pregnancy", says: no}
    ranges: {age: {low: 1, high: 2}}
    bands:
      - {code: high, title: high, atLeast: 2, source: paper}
      - {code: low, title: low, source: paper}
    product:
      constant: 1
      powers:
        - {of: age, power: 1}
"""


def findings(text):
    return lint_models([knowledge.parse("protocols/risk/x.yaml", text.encode())], vocabulary())


def test_a_file_without_a_fault_has_no_finding():
    assert findings(FILE) == ()


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ("yields: fib4", "yields: fib5", 6, "no measurement in 1"),
        ('unit: "1"', 'unit: "%"', 6, "no measurement in %"),
        ("    source: paper\n", "    source: papre\n", 9, "no source 'papre'"),
        ("atLeast: 2, source: paper", "atLeast: 2, source: x", 18, "no source 'x'"),
        ("%liver_disease", "%liver_diseas", 13, "no variable '%liver_diseas'"),
        ("%pregnancy", "%pregnancy and", 15, "not FHIRPath"),
        ("of: age", "of: agee", 5, "no variable '%agee'"),
        ("ranges: {age:", "ranges: {bmi:", 16, "no part in the equation"),
        ("title: low, source", "title: low, atLeast: 1, source", 17, "last band has a bound"),
        ("    limits: none\n", "", 5, "another shape"),
        ("constant: 1", "constnat: 1", 21, "another shape"),
        (
            "    decimals: 2\n",
            "    decimals: 2\n    points: [{points: 1, when: '%stroke', says: x}]\n",
            5,
            "is one of",
        ),
    ],
)
def test_each_fault_is_found_at_its_line(before, after, line, said):
    found = findings(FILE.replace(before, after, 1))
    assert any(said in one.message for one in found), found
    assert any(one.line in {line, line - 1} for one in found if said in one.message), found


def test_two_models_of_one_name_are_found():
    doubled = FILE + FILE[FILE.index("  - id: one") :]
    assert [one.message for one in findings(doubled)] == ["'one' stands twice.", "'fib4' stands twice."]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('columns: "1 a', 'columns: "1 zz a', "not a number for each column"),
        ('columns: "1 a', 'columns: "1 q', "no term 'q'"),
    ],
)
def test_a_table_whose_columns_do_not_fit_is_found(before, after, said):
    (document,) = [d for d in knowledge.documents("protocols/risk") if d.path.endswith("prevent.yaml")]
    text = (knowledge.root() / document.path).read_text().replace(before, after, 1)
    assert any(said in one.message for one in findings(text))
