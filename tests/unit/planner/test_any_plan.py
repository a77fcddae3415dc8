"""A plan with anything anywhere: never an exception, and never half of a plan that cannot be read."""

import copy
from datetime import date

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from careplan_exchange import planner
from careplan_exchange.knowledge import Document
from careplan_exchange.mapping import map_record
from tests.cases.foreign import R5_PLAN, fhirpath, mappings, record
from tests.cases.snapshots import vocabulary

PATIENT = {"resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "1976-05-01"}
RECORD = record(PATIENT)
SNAPSHOT = map_record(RECORD, mappings(), vocabulary(), today=date(2026, 11, 24))
WHOLE = {
    **R5_PLAN,
    "version": "1",
    "effectivePeriod": {"start": "2020", "end": "2030"},
    "action": [
        *R5_PLAN["action"],
        {
            "id": "g",
            "title": "G",
            "selectionBehavior": "at-most-one",
            "groupingBehavior": "visual-group",
            "requiredBehavior": "must",
            "timingAge": {"value": 50, "code": "a"},
            "participant": [{"type": "patient", "role": {"text": "x"}}],
            "documentation": [{"type": "citation", "label": "L"}],
            "dynamicValue": [{"path": "title", "expression": fhirpath("'x'")["expression"]}],
            "action": [
                {"id": "h", "condition": [fhirpath("%age > 1")], "timingTiming": {"repeat": {"count": 1}}}
            ],
        },
    ],
}
ODD = st.sampled_from(
    [
        None,
        True,
        7,
        -1.5,
        "",
        "text",
        "a|b",
        "#d",
        [],
        ["x"],
        [[]],
        [None],
        {},
        {"a": 1},
        {"coding": "x"},
        "urn:p",
    ]
)


def places(node, path=()):
    yield path
    if isinstance(node, dict):
        for name, value in node.items():
            yield from places(value, (*path, name))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from places(value, (*path, index))


PLACES = [path for path in places(WHOLE) if path and path != ("resourceType",)]


@given(st.lists(st.tuples(st.sampled_from(PLACES), ODD), min_size=1, max_size=3))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_spoiled_plan_is_applied_or_named_and_spoils_no_other(changes):
    spoiled = copy.deepcopy(WHOLE)
    for path, value in changes:
        node = spoiled
        for step in path[:-1]:
            node = (
                node[step]
                if (isinstance(node, dict) and step in node)
                or (isinstance(node, list) and isinstance(step, int) and step < len(node))
                else None
            )
            if not isinstance(node, dict | list):
                break
        if isinstance(node, dict) or (
            isinstance(node, list) and isinstance(path[-1], int) and path[-1] < len(node)
        ):
            node[path[-1]] = value
    good = {
        "resourceType": "PlanDefinition",
        "id": "z-good",
        "status": "active",
        "action": [{"id": "a", "title": "A"}],
    }
    files = [Document(path=name, content=content, lines={}) for name, content in (("p", spoiled), ("z", good))]
    proposal = planner.plan(SNAPSHOT, planner.compile_foreign(files), vocabulary(), planner.Policies(), RECORD)
    assert "z-good/action/a" in [line.key for line in proposal.activities]
    assert not [issue for issue in proposal.issues if issue.key == "planner.protocol.failed"]
    for line in proposal.activities:
        assert isinstance(line.title, str)
        assert isinstance(line.description, str)
        assert isinstance(line.patient_text, str)
    for issue in proposal.issues:
        assert issue.detail
