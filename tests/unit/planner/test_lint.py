"""The linter: one valid protocol, and what it says of each way to break it, with the file and the line."""

import copy
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange import knowledge, planner
from careplan_exchange.errors import KnowledgeError
from tests.cases.snapshots import protocol_documents, vocabulary

ACTIVITY = """\
resourceType: ActivityDefinition
id: walk
url: urn:test:walk
version: 1.0.0
title: Walk
description: Walk every day.
status: active
extension:
  - {url: urn:careplan-exchange:patient-text, valueString: Walk every day.}
topic:
  - coding: [{system: urn:careplan-exchange:activity-kind, code: lifestyle}]
relatedArtifact:
  - {type: citation, citation: A guideline, url: "https://example.org/a"}
kind: ServiceRequest
intent: proposal
code: {text: Walk}
"""
PLAN = """\
resourceType: PlanDefinition
id: test
url: urn:test:plan
version: 1.0.0
title: Test
status: active
approvalDate: "2026-01-01"
lastReviewDate: "2026-01-01"
effectivePeriod: {start: "2026-01-01", end: "2028-12-31"}
author: [{name: Somebody}]
extension:
  - {url: urn:careplan-exchange:disclaimer, valueString: Not an order.}
relatedArtifact:
  - {type: citation, citation: A guideline, url: "https://example.org/a"}
goal:
  - id: hba1c.adult
    description: {text: HbA1c below 7}
    extension: [{url: urn:careplan-exchange:patient-text, valueString: Your goal is 7.}]
    category: {coding: [{code: dietary}]}
    priority: {coding: [{code: high-priority}]}
    addresses: [{coding: [{system: http://snomed.info/sct, code: "44054006"}]}]
    documentation: [{type: citation, citation: A guideline}]
    target:
      - measure: {coding: [{system: http://loinc.org, code: 4548-4}]}
        detailRange: {high: {value: 7.0, unit: "%", system: http://unitsofmeasure.org, code: "%"}}
        due: {value: 3, unit: mo, system: http://unitsofmeasure.org, code: mo}
action:
  - id: root
    title: Root
    documentation: [{type: citation, citation: A guideline}]
    condition:
      - kind: applicability
        expression: {language: text/fhirpath, expression: "%type_2_diabetes"}
    action:
      - id: walk
        goalId: [hba1c.adult]
        extension: [{url: urn:careplan-exchange:supports, valueId: hba1c}]
        condition:
          - kind: applicability
            extension:
              - {url: urn:careplan-exchange:safety, valueCode: high}
              - {url: urn:careplan-exchange:unknown, valueCode: ask}
            expression: {language: text/fhirpath, expression: "%age >= 18", description: Adults only}
          - kind: stop
            expression: {language: text/fhirpath, expression: "%egfr < 30"}
        definitionCanonical: urn:test:walk|1.0.0
        dynamicValue:
          - {path: description, expression: {language: text/fhirpath, expression: "'eGFR ' & %egfr.toString()"}}
"""
FILES = {"protocols/test/plan.yaml": PLAN, "protocols/test/walk.yaml": ACTIVITY}


def documents(files=FILES):
    return [knowledge.parse(name, text.encode()) for name, text in files.items()]


def findings(files=FILES):
    return planner.lint(documents(files), vocabulary())


def changed(file: str, change) -> tuple[Any, ...]:
    """The findings after a change to the content of one file."""
    found = documents()
    content = next(document for document in found if document.path.endswith(file)).content
    change(content)
    return planner.lint(found, vocabulary())


def test_a_protocol_that_holds_together_has_no_finding_and_loads():
    assert findings() == ()
    assert [protocol.id for protocol in planner.load_protocols(documents(), vocabulary())] == ["test"]


def test_our_own_protocols_have_no_finding():
    assert planner.lint(protocol_documents(), vocabulary()) == ()


def test_loading_stops_with_all_findings():
    broken = {
        **FILES,
        "protocols/test/plan.yaml": PLAN.replace("%age >= 18", "%agee >= 18").replace("code: mo}", "code: h}"),
    }
    with pytest.raises(KnowledgeError) as caught:
        planner.load_protocols(documents(broken), vocabulary())
    assert len(caught.value.findings) == 2


def test_a_finding_names_file_and_line():
    broken = {**FILES, "protocols/test/plan.yaml": PLAN.replace("%age >= 18", "%agee >= 18")}
    (found,) = findings(broken)
    assert (found.file, found.line) == ("protocols/test/plan.yaml", 1 + PLAN[: PLAN.index("%age >=")].count("\n"))
    assert found.message == "There is no variable '%agee'."
    assert found.mend


def in_condition(**expression):
    def change(content):
        content["action"][0]["action"][0]["condition"][0]["expression"].update(expression)

    return change


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("%age >=", "This is not FHIRPath"),
        ("%age >= 18 %egfr", "This is not FHIRPath"),
        ("%frailty.exists()", "turns 'unknown' into an answer"),
        ("%frailty.empty()", "turns 'unknown' into an answer"),
        ("%hba1c.exists()", "turns 'unknown' into an answer"),
        ("%metformin_days.exists()", "turns 'unknown' into an answer"),
        ("%age.exists()", "turns 'unknown' into an answer"),
        ("%pregnancy.exists()", "turns 'unknown' into an answer"),
        ("iif(%age > 18, true, false)", "'iif()' may not stand in a condition"),
        ("today() > @2026-01-01", "'today()' may not stand in a condition"),
        ("%age + 1 > 18", "not a comparison of one variable with one literal"),
        ("%age ~ 18", "not a comparison of one variable with one literal"),
        ("%hba1c > %egfr", "not a comparison of one variable with one literal"),
        ("Patient.active", "not a comparison of one variable with one literal"),
        ("%hba1c", "'%hba1c' is a number, not true or false"),
        ("%sex", "'%sex' is a text, not true or false"),
        ("%pregnancy > 7", "'%pregnancy' is a boolean and is compared with a number"),
        ("%hba1c > 'high'", "'%hba1c' is a number and is compared with a text"),
        ("%pregnancy_days = true", "'%pregnancy_days' is a number and is compared with a boolean"),
        ("%sex = 'f'", "'f' is no recorded sex"),
        ("%hba1c_ever", "There is no variable '%hba1c_ever'"),
    ],
)
def test_a_condition_that_could_guess_is_refused(expression, message):
    found = changed("plan.yaml", in_condition(expression=expression))
    assert [message in finding.message for finding in found].count(True) == 1


@pytest.mark.parametrize(
    "expression",
    [
        "%metformin.exists()",
        "%metformin_ever.empty()",
        "%sex = 'female'",
        "%pregnancy = true",
        "%frailty_ever or %dementia",
        "true",
        "%retinal_screening_days > 365",
    ],
)
def test_a_condition_that_cannot_guess_is_let_through(expression):
    assert changed("plan.yaml", in_condition(expression=expression)) == ()


def without_policy(content):
    del content["action"][0]["action"][0]["condition"][0]["extension"]


@pytest.mark.parametrize(
    ("expression", "needed"),
    [
        ("%age >= 18", True),
        ("%sex = 'male'", True),
        ("%hba1c < 7", True),
        ("%frailty", True),
        ("%pregnancy", True),
        ("%diabetic_foot_exam", True),
        ("%metformin_days > 30", True),
        ("%metformin", False),
        ("%metformin and %type_1_diabetes.not()", False),
        ("%hyperkalemia_ever", False),
        ("%metformin and %age >= 18", True),
    ],
)
def test_a_policy_for_unknown_is_asked_for_where_it_can_be(expression, needed):
    def change(content):
        in_condition(expression=expression)(content)
        without_policy(content)

    found = changed("plan.yaml", change)
    assert [f.message for f in found] == (
        ["The record may not decide this condition, and nothing says what then."] if needed else []
    )


def policy(**values):
    def change(content):
        for found in content["action"][0]["action"][0]["condition"][0]["extension"]:
            name = found["url"].rsplit(":", 1)[-1]
            found["valueCode"] = values.get(name, found["valueCode"])

    return change


def action(**elements):
    return lambda content: content["action"][0]["action"][0].update(elements)


def goal(**elements):
    return lambda content: content["goal"][0].update(elements)


def root(**elements):
    return lambda content: content.update(elements)


def target(**elements):
    return lambda content: content["goal"][0]["target"][0].update(elements)


def without(*names):
    def change(content):
        for name in names:
            del content[name]

    return change


def twice(content):
    content["action"].append(copy.deepcopy(content["action"][0]["action"][0]))


def quantity(code, value=7):
    return {"value": value, "unit": code, "system": "http://unitsofmeasure.org", "code": code}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (policy(unknown="guess"), "'guess' is no policy for unknown."),
        (policy(unknown="go-on"), "A contraindication that is not known to be absent is passed over."),
        (policy(safety="grave"), "A safety condition is of kind applicability"),
        (in_condition(description=None), "A contraindication does not say in words what it is."),
        (in_condition(language="text/cql"), "An expression in 'text/cql' is not evaluated here."),
        (action(goalId=["hba1c"]), "There is no goal 'hba1c'."),
        (action(relatedAction=[{"actionId": "x", "relationship": "after"}]), "There is no action 'x'."),
        (action(selectionBehavior="two"), "There is no selectionBehavior 'two'."),
        (action(priority="soon"), "There is no priority 'soon'."),
        (action(precheckBehavior="yes"), "The core does not act on precheckBehavior"),
        (action(requiredBehavior="must"), "The core does not act on requiredBehavior"),
        (action(timingDateTime="2026-01-01"), "The core does not act on timingDateTime"),
        (action(definitionCanonical="urn:test:walk|2.0.0"), "Nothing has the canonical 'urn:test:walk|2.0.0'."),
        (action(definitionCanonical="urn:test:plan"), "The plan comes back to itself."),
        (lambda c: c["action"][0].pop("id"), "The action has no id of its own."),
        (
            lambda c: c["action"].append({"id": "idle", "documentation": c["relatedArtifact"]}),
            "The action does nothing.",
        ),
        (lambda c: c["action"].append({"id": "goal", "goalId": ["hba1c.adult"]}), "The action has no citation."),
        (
            lambda c: c["action"][0]["action"][0]["extension"][0].update(valueId="weight"),
            "There is no goal 'weight'.",
        ),
        (
            lambda c: c["action"][0]["action"][0]["condition"][1].update(kind="pause"),
            "There is no condition of kind 'pause'.",
        ),
        (
            lambda c: c["action"][0]["action"][0]["dynamicValue"][0].update(path="status"),
            "dynamicValue cannot fill 'status'.",
        ),
        (
            lambda c: c["action"][0]["action"][0]["dynamicValue"][0]["expression"].update(
                expression="%egfrr & %subject.id"
            ),
            "There is no variable '%egfrr'.",
        ),
        (
            lambda c: c["action"][0]["action"][0]["dynamicValue"][0]["expression"].update(expression="'eGFR"),
            "This is not FHIRPath",
        ),
        (goal(documentation=[]), "The goal has no citation."),
        (goal(extension=[]), "The goal has no text for the patient."),
        (goal(category={"text": "diet"}), "The goal has no category."),
        (goal(priority={"coding": [{"code": "high"}]}), "The goal has no priority."),
        (
            goal(addresses=[{"coding": [{"system": "http://snomed.info/sct", "code": "1"}]}]),
            "No condition of profiles/",
        ),
        (
            goal(addresses=[{"coding": [{"system": "http://loinc.org", "code": "4548-4"}]}]),
            "No condition of profiles/",
        ),
        (lambda c: c["goal"].append(copy.deepcopy(c["goal"][0])), "A goal has no id of its own."),
        (
            target(measure={"coding": [{"system": "http://loinc.org", "code": "1"}]}),
            "The target measures nothing",
        ),
        (target(detailRange={"high": quantity("mmol/mol", 53)}), "The target is in 'mmol/mol', hba1c in '%'."),
        (target(detailRange={"low": quantity("1")}), "The target is in '1', hba1c in '%'."),
        (target(due={"value": 3, "code": "h"}), "The target's due is no calendar interval."),
        (lambda c: c["goal"][0]["target"][0].pop("detailRange"), "The target has no value."),
        (without("version"), "The protocol has no version."),
        (without("approvalDate"), "The protocol has no approvalDate."),
        (without("lastReviewDate"), "The protocol has no lastReviewDate."),
        (without("title"), "The protocol has no title."),
        (without("author"), "The protocol has no author."),
        (without("extension"), "The protocol has no disclaimer."),
        (without("relatedArtifact"), "The protocol names no source."),
        (without("id"), "The protocol's id 'None' is not one of its own."),
        (root(effectivePeriod={"start": "2026-01-01"}), "The protocol never expires."),
        (root(banana=1), "Not valid FHIR at banana"),
        (root(date="tomorrow"), "Not valid FHIR at date"),
        (
            lambda c: c["extension"].append({"url": "urn:careplan-exchange:disclaimr", "valueString": "x"}),
            "There is no extension 'urn:careplan-exchange:disclaimr'.",
        ),
    ],
)
def test_a_plan_with_this_fault_is_refused(change, message):
    found = changed("plan.yaml", change)
    assert [message in finding.message for finding in found].count(True) == 1, found
    assert all(finding.mend and finding.line >= 1 for finding in found)


def test_two_actions_with_one_id_are_both_named():
    found = changed("plan.yaml", twice)
    assert [finding.message for finding in found] == ["The action has no id of its own."] * 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("title"), "Every activity has title; this one does not."),
        (without("description"), "Every activity has description; this one does not."),
        (root(kind="Task"), "Every activity has kind ServiceRequest or MedicationRequest"),
        (root(intent="order"), "Every activity has intent proposal"),
        (root(doNotPerform=True), "Every activity has no doNotPerform"),
        (root(kind="MedicationRequest"), "Every activity has a productCodeableConcept where it is a medication"),
        (without("topic"), "Every activity has a topic in urn:careplan-exchange:activity-kind"),
        (without("extension"), "Every activity has urn:careplan-exchange:patient-text"),
        (without("relatedArtifact"), "Every activity has a relatedArtifact of type citation"),
        (
            root(
                dynamicValue=[
                    {"path": "status", "expression": {"language": "text/fhirpath", "expression": "'x'"}}
                ]
            ),
            "cannot fill 'status'",
        ),
        (root(version="2.0.0"), "Nothing has the canonical 'urn:test:walk|1.0.0'."),
        (root(url="http://elsewhere.example.org/run"), "No action points at this definition."),
    ],
)
def test_an_activity_with_this_fault_is_refused(change, message):
    found = changed("walk.yaml", change)
    assert [message in finding.message for finding in found].count(True) == 1, found


def test_the_action_or_its_definition_is_cited():
    def uncited(content):
        del content["relatedArtifact"]

    assert "The action has no citation." in {finding.message for finding in changed("walk.yaml", uncited)}


def test_a_restriction_needs_its_goal_of_avoidance():
    avoid = ACTIVITY.replace(
        "extension:\n", "extension:\n  - {url: urn:careplan-exchange:avoid, valueString: Sugar}\n"
    )
    assert findings({**FILES, "protocols/test/walk.yaml": avoid}) == ()
    (found,) = findings(
        {
            "protocols/test/walk.yaml": avoid,
            "protocols/test/plan.yaml": PLAN.replace("        goalId: [hba1c.adult]\n", ""),
        }
    )
    assert found.message == "A restriction has no goal of avoidance."


def test_two_files_with_one_canonical_or_one_id_are_refused():
    messages = {f.message for f in findings({**FILES, "protocols/other/plan.yaml": PLAN})}
    assert messages == {
        "'urn:test:plan|1.0.0' stands in more than one file.",
        "The protocol's id 'test' is not one of its own.",
    }


def test_a_circle_over_two_plans_is_refused():
    inner = PLAN.replace("urn:test:plan", "urn:test:inner").replace("urn:test:walk|1.0.0", "urn:test:plan")
    outer = PLAN + "  - {id: inner, title: Inner, definitionCanonical: 'urn:test:inner'}\n"
    found = findings({**FILES, "protocols/test/plan.yaml": outer, "protocols/test/inner.yaml": inner})
    assert {f.file for f in found if f.message == "The plan comes back to itself."} == {
        "protocols/test/plan.yaml",
        "protocols/test/inner.yaml",
    }


def test_a_circle_over_three_plans_is_refused_in_each():
    plans = {
        name: PLAN.replace("urn:test:plan", f"urn:test:{name}").replace(
            "urn:test:walk|1.0.0", f"urn:test:{following}"
        )
        for name, following in (("a", "b"), ("b", "c"), ("c", "a"))
    }
    found = findings({f"protocols/test/{name}.yaml": text for name, text in plans.items()})
    circles = [f.file for f in found if f.message == "The plan comes back to itself."]
    assert circles == [f"protocols/test/{name}.yaml" for name in "abc"]


def test_a_definition_inside_a_plan_is_found_also_from_a_plan_around_it():
    contained = "contained:\n  - " + ACTIVITY.rstrip().replace("\n", "\n    ") + "\n"
    inner = PLAN.replace("urn:test:plan", "urn:test:inner").replace("urn:test:walk|1.0.0", "'#walk'") + contained
    assert findings({"protocols/inner/plan.yaml": inner}) == ()
    outer = PLAN.replace("urn:test:walk|1.0.0", "urn:test:inner")
    assert findings({"protocols/test/plan.yaml": outer, "protocols/test/inner.yaml": inner}) == ()


def test_a_circle_elsewhere_does_not_hang_the_linter():
    inner = PLAN.replace("urn:test:plan", "urn:test:inner").replace("urn:test:walk|1.0.0", "urn:test:inner")
    outer = PLAN + "  - {id: inner, title: Inner, definitionCanonical: 'urn:test:inner'}\n"
    found = findings({**FILES, "protocols/test/plan.yaml": outer, "protocols/test/inner.yaml": inner})
    assert {f.file for f in found if f.message == "The plan comes back to itself."} == {
        "protocols/test/inner.yaml"
    }


def test_a_nested_plan_without_a_circle_is_let_through():
    inner = PLAN.replace("urn:test:plan", "urn:test:inner")
    outer = PLAN + "  - {id: inner, title: Inner, definitionCanonical: 'urn:test:inner'}\n"
    assert findings({**FILES, "protocols/test/plan.yaml": outer, "protocols/test/inner.yaml": inner}) == ()


def test_a_file_that_is_no_definition_is_refused():
    found = findings({**FILES, "protocols/test/other.yaml": "resourceType: Library\n"})
    assert "This is neither a PlanDefinition nor an ActivityDefinition." in {f.message for f in found}
    listed = findings({**FILES, "protocols/test/list.yaml": "- a\n"})
    assert [f.message for f in listed] == ["This is neither a PlanDefinition nor an ActivityDefinition."]


def test_each_finding_is_told_with_its_place_and_its_mend_to_the_last_word():
    folder = Path(__file__).parent / "faulty"
    files = {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*.yaml"))}
    told = [f"{found.file}:{found.line} {found.message} | {found.mend}" for found in findings(files)]
    assert told == (folder / "findings.txt").read_text().splitlines()


def test_a_retired_protocol_is_not_loaded():
    retired = {**FILES, "protocols/test/plan.yaml": PLAN.replace("status: active", "status: retired")}
    assert planner.load_protocols(documents(retired), vocabulary()) == ()
