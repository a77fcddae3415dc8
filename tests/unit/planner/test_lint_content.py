"""What a protocol should say besides what it needs to load: each fault found, at its line."""

import pytest

from careplan_exchange import knowledge
from careplan_exchange.planner import review_content

PLAN = """
resourceType: PlanDefinition
url: urn:p
useContext:
  - code: {code: focus}
goal:
  - id: a.all
    extension:
      - {url: "urn:careplan-exchange:patient-text", valueString: "Drink water."}
      - {url: "urn:careplan-exchange:patient-text-es", valueString: "Beba agua."}
    target:
      - measure: {coding: [{system: s, code: m}]}
        detailRange: {high: {value: 7}}
  - id: b.all
    extension:
      - {url: "urn:careplan-exchange:patient-text", valueString: "Drink water."}
      - {url: "urn:careplan-exchange:patient-text-es", valueString: "Beba agua."}
    target:
      - measure: {coding: [{system: s, code: m}]}
        detailRange: {low: {value: 6}}
action:
  - id: x
    extension:
      - {url: "urn:careplan-exchange:benefit", valueInteger: 3}
      - {url: "urn:careplan-exchange:red-flag", valueString: "See somebody"}
    definitionCanonical: urn:d|1
"""
ACTIVITY = """
resourceType: ActivityDefinition
url: urn:d
kind: MedicationRequest
priority: stat
extension:
  - {url: "urn:careplan-exchange:medicine", valueCode: metformin}
  - {url: "urn:careplan-exchange:patient-text", valueString: "Drink water."}
  - {url: "urn:careplan-exchange:patient-text-es", valueString: "Beba agua."}
"""


def findings(plan=PLAN, activity=ACTIVITY):
    files = (("plan.yaml", plan), ("activities/d.yaml", activity))
    documents = [knowledge.parse(name, text.encode()) for name, text in files]
    return review_content(documents)


def test_a_protocol_without_a_fault_has_no_finding():
    assert findings() == ()


HARD = "Individualised antihypertensive pharmacotherapy necessitates evaluation."
HARD_ES = "La farmacoterapia antihipertensiva individualizada requiere evaluación exhaustiva."


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ("code: focus", "code: age", 4, "does not say what it is for"),
        ('valueString: "Drink water."', f'valueString: "{HARD}"', 8, "needs school year"),
        ('valueString: "Beba agua."', f'valueString: "{HARD_ES}"', 8, "Fernández-Huerta"),
        ("patient-text-es", "question", 8, "has no Spanish"),
        ("high: {value: 7}", "high: {value: 5}", 14, "exclude each other"),
        ("valueInteger: 3", "valueInteger: 9", 23, "1 to 5"),
    ],
)
def test_each_fault_of_a_plan_is_found_at_its_line(before, after, line, said):
    found = findings(plan=PLAN.replace(before, after, 1))
    assert [(one.line, said in one.message) for one in found] == [(line, True)]


def test_targets_of_variants_of_one_goal_may_exclude_each_other():
    assert findings(plan=PLAN.replace("high: {value: 7}", "high: {value: 5}").replace("b.all", "a.other")) == ()


def test_a_red_flag_that_is_not_urgent_is_found():
    (found,) = findings(activity=ACTIVITY.replace("priority: stat", "priority: routine"))
    assert "not urgent" in found.message
