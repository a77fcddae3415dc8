"""The linter: one valid protocol, and what it says of each way to break its plan or its activity."""

import copy
from pathlib import Path

import pytest

from careplan_exchange import planner
from careplan_exchange.errors import KnowledgeError
from tests.cases.snapshots import protocol_documents, vocabulary
from tests.unit.planner.linted import FILES, PLAN, changed, documents, findings, in_condition


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


def test_each_finding_is_told_with_its_place_and_its_mend_to_the_last_word():
    folder = Path(__file__).parent / "faulty"
    files = {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*.yaml"))}
    told = [f"{found.file}:{found.line} {found.message} | {found.mend}" for found in findings(files)]
    assert told == (folder / "findings.txt").read_text().splitlines()


def test_a_retired_protocol_is_not_loaded():
    retired = {**FILES, "protocols/test/plan.yaml": PLAN.replace("status: active", "status: retired")}
    assert planner.load_protocols(documents(retired), vocabulary()) == ()
