"""The form of a plan where the target or the plan that stands there says little."""

import json

import pytest

from careplan_exchange.errors import UnsupportedServerError
from careplan_exchange.fhir.capabilities import capabilities_of, read_statement
from careplan_exchange.model.changes import Held
from careplan_exchange.model.target import Probe, TargetForm
from careplan_exchange.writer import form_of, kept, takes_any


def declaring(*types, version="4.0.1"):
    resources = [
        {
            "type": name,
            "interaction": [{"code": "create"}, {"code": "update"}, {"code": "search-type"}],
            "searchParam": [{"name": "identifier"}],
        }
        for name in types
    ]
    statement = {
        "resourceType": "CapabilityStatement",
        "fhirVersion": version,
        "rest": [{"mode": "server", "resource": resources}],
    }
    return capabilities_of(read_statement(json.dumps(statement).encode()), version)


def a_plan(*activities):
    body = {"resourceType": "CarePlan", "activity": list(activities)}
    return Held(identity="i", type="CarePlan", id="1", version_id="1", body=body)


def test_a_document_goes_without_nothing():
    assert form_of(declaring("DocumentReference")).without == frozenset()
    assert form_of(declaring("CarePlan", "Goal")).without == {"DetectedIssue", "NutritionOrder"}


@pytest.mark.parametrize(
    ("types", "refused", "taken"),
    [
        (("DocumentReference",), (), True),
        (("CarePlan", "Goal"), (), True),
        (("CarePlan",), (), False),
        (("DocumentReference",), ("DocumentReference",), False),
    ],
)
def test_a_target_is_on_the_ladder_where_one_rung_carries_it(types, refused, taken):
    assert takes_any(declaring(*types), Probe(refused=frozenset(refused))) is taken


def test_a_plan_on_the_rung_of_its_target_changes_nothing_of_the_form():
    form = TargetForm(release="R4", rung="detail", why="It takes CarePlan and Goal.")
    assert kept(form, (a_plan({"detail": {"kind": "ServiceRequest"}}),), ()) is form


@pytest.mark.parametrize("odd", [None, "x", {"detail": None}, {"detail": "x"}, {"progress": []}])
def test_an_activity_that_is_none_says_nothing_of_the_rung(odd):
    form = TargetForm(release="R4", rung="references")
    assert kept(form, (a_plan(odd),), ()).rung == "references"
    assert kept(form, (a_plan(odd, {"detail": {"kind": "ServiceRequest"}}),), ()).rung == "detail"


@pytest.mark.parametrize(
    ("version", "lacking", "other"),
    [("4.0.1", "CarePlan create", "ServiceRequest"), ("5.0.0", "MedicationRequest create", "detail")],
)
def test_a_target_below_every_rung_is_told_what_its_plainest_plan_would_need(version, lacking, other):
    with pytest.raises(UnsupportedServerError) as caught:
        form_of(declaring("Patient", version=version))
    assert lacking in caught.value.detail
    assert other not in caught.value.detail
    assert "DocumentReference create" in caught.value.detail
