"""Our `$apply` beside the reference implementation's: every difference is known and stands in docs/apply.md."""

import json
import os
import re
import shutil
import subprocess
from datetime import date

import pytest

from careplan_exchange import knowledge
from careplan_exchange.model.codec import encode
from tests.cases.foreign import applied, plan_file, resources_of
from tests.cases.test_apply_cases import written_out
from tests.support.shared import ROOT, require_shared

CONTENT = knowledge.parse(
    "oracle.yaml", (ROOT / "tests" / "cases" / "apply" / "oracle.yaml").read_bytes()
).content
CASES = CONTENT["cases"]
DIFFERING = [case for case in CASES if "row" in case]
BASE = "http://example.org"
TODAY = date(2026, 11, 24)
PATIENT = {"resourceType": "Patient", "id": "p", "active": True, "gender": "female", "birthDate": "1976-05-01"}


def slug(case):
    return re.sub(r"[^a-z]+", "-", case["case"])


def canonicals(node):
    """`walk|1.0.0` is written for the url of the definition with that id."""
    kinds = {found["id"]: found["resourceType"] for found in CONTENT["definitions"]}
    if isinstance(node, list):
        return [canonicals(item) for item in node]
    if not isinstance(node, dict):
        return node
    filled = {name: canonicals(value) for name, value in node.items()}
    named = node.get("definitionCanonical", "#")
    if not named.startswith("#"):
        filled["definitionCanonical"] = f"{BASE}/{kinds.get(named.split('|')[0], 'ActivityDefinition')}/{named}"
    return filled


def resource(found):
    url = f"{BASE}/{found['resourceType']}/{found['id']}"
    return {"url": url, "version": "1.0.0", "status": "active", **canonicals(written_out(found))}


def plan_of(case):
    elements = {name: case[name] for name in ("action", "goal", "contained") if name in case}
    return resource({"resourceType": "PlanDefinition", "id": slug(case), **elements})


def definitions():
    return [resource(found) for found in CONTENT["definitions"]]


def line(title, kind, priority):
    """An action without a request is a service without a code here."""
    return f"{title} | {kind or 'ServiceRequest'} | {priority or 'routine'}"


def ours(case):
    plan = plan_of(case)
    nested = "inner" in str(case["action"])  # a plan that nobody points at is one of its own
    others = [found for found in definitions() if nested or found["resourceType"] != "PlanDefinition"]
    proposal = applied([plan_file(plan), *(plan_file(found, "other.json") for found in others)], [PATIENT], TODAY)
    return [line(found.title, found.resource_kind, found.priority) for found in proposal.activities]


def run(folder, *, plan, subject, content, data, extra=()):
    """The CarePlan of the reference implementation. Its start takes most of the time."""
    program = require_shared("oracle/apply/run")
    if shutil.which("java") is None:
        pytest.skip("the reference implementation needs Java")
    for kind, found in (("content", content), ("data", data)):
        (folder / kind).mkdir()
        for one in found:
            (folder / kind / f"{one['resourceType']}-{one['id']}.json").write_bytes(encode(one))
    arguments = ["--plan", plan, "--subject", subject, "--content", folder / "content", "--data", folder / "data"]
    # One short run: the quick compiler is done before the thorough one has begun.
    quick = {**os.environ, "APPLY_ORACLE_JAVA_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
    done = subprocess.run([program, *arguments, *extra], capture_output=True, check=False, timeout=570, env=quick)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return json.loads(done.stdout)


ROOT_GOALS = [
    {"id": "whole", "description": {"text": "Root goal that no action names"}},
    {"id": "named", "description": {"text": "Root goal of an action that does not apply"}},
]


def whole(cases):
    """One plan in which each case is nested, with goals of its own."""
    nested = [
        {"title": case["case"], "definitionCanonical": f"{BASE}/PlanDefinition/{slug(case)}"} for case in cases
    ]
    never = [{"kind": "applicability", "expression": {"language": "text/fhirpath", "expression": "false"}}]
    return {
        "resourceType": "PlanDefinition",
        "id": "oracle",
        "url": f"{BASE}/PlanDefinition/oracle",
        "version": "1.0.0",
        "status": "active",
        "goal": ROOT_GOALS,
        "action": [*nested, {"title": "Always"}, {"title": "Never", "goalId": ["named"], "condition": never}],
    }


def opensrp():
    """The plans of the shared fixtures in FHIRPath, under ids and urls that the one above can name."""
    folder = require_shared("fixtures/plans-fhirpath")
    found = sorted(path for path in folder.rglob("*.json") if re.search(r"plan.?definition\.json$", path.name))
    plans = [(re.sub(r"[^a-z]+", "-", path.parent.name), json.loads(path.read_bytes())) for path in found]
    return [
        {
            **plan,
            "id": name,
            "url": f"{BASE}/PlanDefinition/{name}",
            "version": "1.0.0",
            "action": list(_of_each_condition(plan["action"])),
        }
        for name, plan in plans
    ]


def _of_each_condition(actions):
    """The first action with each condition: the same one again would only take the reference time."""
    seen = []
    for action in actions:
        if action.get("condition") is None or action["condition"] not in seen:
            seen.append(action.get("condition"))
            yield action


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """The CarePlan for all cases: one plan in which each of them is nested."""
    outer = whole([*CASES, *({"case": found["id"]} for found in opensrp())])
    content = [outer, *(plan_of(case) for case in CASES), *definitions(), *opensrp()]
    folder = tmp_path_factory.mktemp("oracle")
    return run(
        folder, plan=outer["url"], subject="Patient/p", content=content, data=[PATIENT], extra=("--prime",)
    )


def theirs(case, care_plan):
    contained = {f"#{found['id']}": found for found in care_plan["contained"]}

    def walk(actions):
        for action in actions:
            request = contained.get(action.get("resource", {}).get("reference"), {})
            if request.get("resourceType") == "RequestGroup":
                yield from walk(request.get("action", []))
            elif "action" in action:
                yield from walk(action["action"])
            else:
                yield line(action.get("title"), request.get("resourceType"), request.get("priority"))

    return list(walk(contained.get(f"#{slug(case)}", {}).get("action", [])))


@pytest.mark.oracle
@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_both_engines_come_to_the_same_but_for_the_documented_differences(case, reference):
    mine, other = ours(case), theirs(case, reference)
    assert other == case.get("reference", mine)


@pytest.mark.parametrize("case", DIFFERING, ids=[case["case"] for case in DIFFERING])
def test_where_they_differ_ours_is_what_the_case_says_and_the_page_says_why(case):
    assert ours(case) == case["ours"] != case["reference"]
    page = (ROOT / "docs" / "apply.md").read_text()
    assert f"\n| {case['row']} |" in page


def test_there_are_enough_cases_each_under_its_own_name():
    assert len({slug(case) for case in CASES}) == len(CASES) >= 30
    assert f"the {len(CASES)} plans of" in (ROOT / "docs" / "apply.md").read_text()


@pytest.mark.oracle
@pytest.mark.slow
def test_goals_of_the_plan_itself_are_proposed_whatever_applies_and_ours_follow_their_actions(reference):
    made = {found["description"]["text"] for found in reference["contained"] if found["resourceType"] == "Goal"}
    assert {goal["description"]["text"] for goal in ROOT_GOALS} <= made
    # Those of nested plans share the id 1 with each other: not all of them are left.
    assert not {goal["description"]["text"] for case in CASES for goal in case.get("goal", [])} <= made
    proposal = applied([plan_file(whole(()))], [PATIENT], TODAY)
    assert [goal.description for goal in proposal.goals] == ["Root goal that no action names"]


@pytest.mark.oracle
@pytest.mark.slow
def test_both_report_what_cannot_be_evaluated_or_found(reference):
    """Of the conditions and definitions that only the reference cannot use, ours has no issue."""
    outcomes = [found for found in reference["contained"] if found["resourceType"] == "OperationOutcome"]
    theirs_of_plans = {f"apply-outcome-{plan['id']}" for plan in opensrp()}
    assert {
        found["id"].removeprefix("apply-outcome-") for found in outcomes if found["id"] not in theirs_of_plans
    } == {
        "a-broken-condition",
        "a-path-on-the-patient-with-exists",
        "a-definition-of-a-version-that-is-not-there",
        "a-definition-that-is-not-there",
    }


CQF = {
    "anc-visit": ("anc_visit_plan_definition.json", "anc_visit_patient.json", "anc_visit_careplan.json"),
    "child-routine-visit": (
        "child_routine_visit_plan_definition.json",
        "child_routine_visit_patient.json",
        "child_routine_visit_careplan.json",
    ),
}


@pytest.mark.parametrize("case", CQF)
def test_third_party_plans_come_to_the_recorded_actions_and_goals(case):
    folder = require_shared(f"fixtures/apply-cqf/{case}")
    plan, patient, care_plan = (folder / name for name in CQF[case])
    expected_plan = json.loads(care_plan.read_bytes())
    proposal = applied([knowledge.read(plan)], resources_of(patient), TODAY)

    (group,) = (found for found in expected_plan["contained"] if found["resourceType"] == "RequestGroup")
    assert len(proposal.activities) == len(group["action"])
    for activity, action in zip(proposal.activities, group["action"], strict=True):
        assert activity.title == action.get("title", activity.title)
        assert activity.priority == action["priority"]
        # The plan gives some numbers as text; both read them as numbers.
        if "timingTiming" in action:
            assert activity.timing == action["timingTiming"]
    goals = [found for found in expected_plan["contained"] if found["resourceType"] == "Goal"]
    for name, read in (("priority", lambda goal: goal.priority), ("category", lambda goal: goal.category)):
        concepts = [found[name] if isinstance(found[name], dict) else found[name][0] for found in goals]
        assert [read(goal) for goal in proposal.goals] == [found["coding"][0]["code"] for found in concepts]


@pytest.mark.parametrize(
    "plan",
    [
        "cds-hooks-multiple-actions/cds_hooks_multiple_actions_plan_definition.json",
        "hello-world/PlanDefinition-hello-world-patient-view.json",
    ],
)
def test_a_plan_in_cql_is_told_to_be_one_and_never_guessed(plan):
    path = require_shared("fixtures/apply-cqf") / plan
    proposal = applied([knowledge.read(path)], [PATIENT], TODAY)
    assert any("text/cql" in issue.detail for issue in proposal.issues)
    told = [reason.text for found in (*proposal.activities, *proposal.not_applied) for reason in found.reasons]
    assert any("could not be evaluated" in text or "is in text/cql" in text for text in told)


@pytest.mark.oracle
@pytest.mark.slow
def test_the_reference_evaluates_no_condition_of_the_plans_in_fhirpath(reference):
    """It compiles FHIRPath as CQL. What ours makes of them stands in tests/cases/apply/foreign.yaml."""
    outcomes = {found["id"] for found in reference["contained"] if found["resourceType"] == "OperationOutcome"}
    for plan in opensrp():
        conditions = [action.get("condition") for action in plan["action"]]
        assert len(theirs({"case": plan["id"]}, reference)) == conditions.count(None), plan["id"]
        assert f"apply-outcome-{plan['id']}" in outcomes
    assert "\n| OpenSRP's plans |" in (ROOT / "docs" / "apply.md").read_text()
