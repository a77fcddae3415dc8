"""What is counted of a record: what became of each resource, and which codes, units and texts it held."""

import pytest

from careplan_exchange.knowledge import parse
from careplan_exchange.mapping import nothing, report, skeleton, survey
from careplan_exchange.model.coverage import Unreadable
from careplan_exchange.model.issue import Issue
from tests.unit.mapping.builders import (
    ICD,
    LOINC,
    RXNORM,
    SNOMED,
    TODAY,
    allergy,
    concept,
    condition,
    observation,
    order,
    patient,
    procedure,
    quantity,
    record,
    relative,
)

OURS = [{"system": "urn:careplan-exchange:identity", "value": "abc"}]
LOCAL = "urn:local"
A1C = observation(valueQuantity=quantity(7.2))


@pytest.fixture
def surveyed(mappings, vocabulary):
    def run(*bodies, beside=None, **more):
        found = survey(record(*bodies, **more), mappings, vocabulary, today=TODAY, beside=beside)
        return report(found, patients=1, as_of=TODAY)

    return run


def uses(coverage, type_):
    one = next(one for one in coverage.resources if one.type == type_)
    return one.used, one.not_needed, one.not_understood


def states(coverage):
    return {(one.path, one.code): one.state for one in coverage.codes}


@pytest.mark.parametrize("more", [{"deceasedBoolean": True}, {"active": False}, {}])
def test_every_patient_counts_also_one_for_whom_nothing_is_planned(surveyed, more):
    coverage = surveyed(of=patient(**more))
    assert uses(coverage, "Patient") == (1, 0, 0)
    assert coverage.share_not_understood == 0


def test_a_report_of_nothing_has_no_share():
    assert report(nothing(), patients=0, as_of=TODAY).share_not_understood == 0


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (A1C, (1, 0, 0)),
        (observation(concept((LOCAL, "1"))), (0, 0, 1)),
        (observation(valueQuantity=quantity(7.2, "furlong")), (0, 0, 1)),
        (observation(valueQuantity=quantity(7.2), status="cancelled"), (0, 1, 0)),
        (observation(concept(text="HbA1c")), (0, 0, 1)),
        (observation(None), (0, 0, 1)),
        (observation(valueQuantity="x"), (0, 0, 1)),
        (condition((LOCAL, "1"), (ICD, "E11.9")), (1, 0, 0)),
        (condition((LOCAL, "1")), (0, 0, 1)),
        (condition(code=None), (0, 0, 1)),
        (condition(code=3), (0, 0, 1)),
        (procedure((LOCAL, "1")), (0, 0, 1)),
        (procedure((LOCAL, "1"), status="not-done"), (0, 1, 0)),
        (procedure(code=None), (0, 0, 1)),
        (order((RXNORM, "106258")), (0, 1, 0)),
        (order((RXNORM, "860975")), (1, 0, 0)),
        (order((RXNORM, "1")), (0, 0, 1)),
        (order(status=3), (0, 0, 1)),
        (allergy((LOCAL, "1")), (0, 0, 1)),
        (allergy((RXNORM, "106258")), (0, 1, 0)),
        (allergy(code=None), (0, 0, 1)),
        (relative("MTH", (LOCAL, "1")), (0, 0, 1)),
        (relative("MTH", condition=[{}]), (0, 0, 1)),
        (relative("MTH", condition=3), (0, 0, 1)),
        ({"resourceType": "Claim"}, (0, 1, 0)),
        ({"resourceType": "Basic"}, (0, 0, 1)),
        (condition((ICD, "E11.9"), identifier=OURS), (0, 1, 0)),
    ],
)
def test_a_resource_is_used_or_not_needed_or_not_understood(surveyed, body, expected):
    coverage = surveyed(body)
    assert uses(coverage, body["resourceType"]) == expected
    assert bool(coverage.causes) == (expected == (0, 0, 1))


def test_what_the_source_left_out_or_aside_is_counted_too(surveyed):
    left = Issue(severity="warning", code="incomplete", key="source.subject.unnamed", detail="x", source="Goal/1")
    lacking = Issue(severity="information", code="not-supported", key="source.category.missing", detail="x")
    coverage = surveyed(issues=(left, lacking), beside={"Claim": 3, "Basic": 2})
    assert uses(coverage, "Goal") == (0, 0, 1)
    assert uses(coverage, "Claim") == (0, 3, 0)
    assert uses(coverage, "Basic") == (0, 0, 2)
    assert coverage.resources[0].type == "Claim"
    assert (coverage.total.used, coverage.total.not_needed, coverage.total.not_understood) == (1, 3, 3)


def test_a_code_beside_a_known_one_or_a_known_text_is_not_missing(surveyed):
    coverage = surveyed(condition((LOCAL, "1"), (ICD, "E11.9")), order((LOCAL, "2"), (RXNORM, "106258")))
    assert states(coverage) == {
        ("Condition.code", "1"): "beside",
        ("Condition.code", "E11.9"): "mapped",
        ("MedicationRequest.medication", "2"): "beside",
        ("MedicationRequest.medication", "106258"): "judged",
    }


def test_codes_in_panels_answers_relatives_and_medicines_are_met(surveyed):
    panel = observation(
        "85354-9",
        component=[
            {"code": concept((LOINC, "8480-6")), "valueQuantity": quantity(120, "mm[Hg]")},
            {"code": concept((LOCAL, "c"))},
            {},
        ],
    )
    smoking = observation("72166-2", valueCodeableConcept=concept((LOCAL, "a"), text="Hildegard"))
    other = observation(valueCodeableConcept=concept((LOCAL, "b")))
    inner = {"resourceType": "Medication", "id": "m", "code": concept((LOCAL, "m"))}
    contained = order(contained=[inner, {"resourceType": "Basic"}, 3], medicationReference={"reference": "#m"})
    separate = {"resourceType": "Medication", "id": "x", "code": concept((RXNORM, "860975"))}
    r5 = order(medication={"concept": concept((LOCAL, "r5"))})
    parent = relative("MTH", (LOCAL, "f"), (ICD, "E11.9"))
    found = states(
        surveyed(panel, smoking, other, contained, separate, r5, parent, {"resourceType": "Medication"})
    )
    assert found["Observation.code", "85354-9"] == found["Observation.component.code", "8480-6"] == "mapped"
    assert found["Observation.component.code", "c"] == "unmapped"
    assert found["Observation.value", "a"] == "unmapped"
    assert ("Observation.value", "b") not in found
    assert found["Medication.code", "m"] == "unmapped"
    assert found["Medication.code", "860975"] == "mapped"
    assert found["MedicationRequest.medication", "r5"] == "unmapped"
    assert found["FamilyMemberHistory.condition.code", "E11.9"] == "mapped"
    assert found["FamilyMemberHistory.condition.code", "f"] == "beside"


def test_no_known_allergies_is_known(surveyed):
    assert states(
        surveyed(allergy(("http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips", "no-known-allergies")))
    ) == {("AllergyIntolerance.code", "no-known-allergies"): "mapped"}


def test_the_components_of_a_judged_code_are_not_looked_for(mappings, vocabulary):
    import msgspec

    judged = msgspec.structs.replace(mappings, judged={**mappings.judged, (LOCAL, "j"): "Nobody asks."})
    body = observation(concept((LOCAL, "j")), component=[{"code": concept((LOCAL, "c"))}])
    family = relative("MTH", (LOCAL, "j"))
    found = report(survey(record(body, family), judged, vocabulary, today=TODAY), patients=1, as_of=TODAY)
    assert states(found) == {
        ("Observation.code", "j"): "judged",
        ("FamilyMemberHistory.condition.code", "j"): "judged",
    }
    assert found.total.not_understood == 0


def test_units_are_counted_by_concept_and_beside_the_codes_that_no_mapping_knows(surveyed):
    both = {"low": quantity(6), "high": quantity(7)}
    coverage = surveyed(
        A1C,
        observation(valueRange=both),
        observation(valueQuantity=quantity(7, "furlong")),
        observation(valueQuantity=quantity(7, None)),
        observation(concept((LOCAL, "1"), display="One"), valueQuantity=quantity(7, "g")),
        observation(concept((LOCAL, "1"), display="One"), valueQuantity=quantity(7, "\n")),
    )
    assert {(one.unit, one.state): one.count for one in coverage.units} == {
        ("%", "mapped"): 3,
        ("furlong", "unknown"): 1,
        (None, "missing"): 1,
    }
    (local,) = [one for one in coverage.codes if one.code == "1"]
    assert (local.display, local.units, local.count) == ("One", ("g",), 2)


def test_texts_and_what_does_not_look_like_a_code_are_counted_and_never_kept(surveyed):
    coverage = surveyed(
        observation(concept(text="Hildegard")),
        condition((LOCAL, "Hildegard of Bingen"), code=concept((LOCAL, "Hildegard of B"), display="Hildegard")),
    )
    assert [(one.path, one.known, one.unknown) for one in coverage.texts] == [("Observation.code", 0, 1)]
    assert states(coverage) == {("Condition.code", None): "unmapped"}
    assert "Hildegard" not in repr(coverage)


def test_surveys_add_up(mappings, vocabulary):
    one = record(A1C)
    total = nothing()
    for _ in range(3):
        total.plus(survey(one, mappings, vocabulary, today=TODAY))
    unreadable = (Unreadable(place=4, key="record", detail="x"),)
    coverage = report(total, patients=3, as_of=TODAY, unreadable=unreadable)
    assert uses(coverage, "Observation") == (3, 0, 0)
    assert coverage.unreadable == unreadable


def test_a_skeleton_of_nothing_missing_is_empty(surveyed, vocabulary):
    assert skeleton(surveyed(A1C), vocabulary) == ("", "")


def test_a_skeleton_names_what_can_be_mapped_and_says_why_the_rest_cannot(surveyed, vocabulary):
    coverage = surveyed(
        condition((LOCAL, "1"), code=concept((LOCAL, "1"), display='A "one"\n# two')),
        condition((LOCAL, "2")),
        condition((SNOMED, "195662009")),
        condition((LOINC, "1-1")),
        condition(("", "3")),
        order((RXNORM, "1")),
        observation("72166-2", valueCodeableConcept=concept((LOCAL, "a"))),
        observation(valueQuantity=quantity(7, "furlong")),
        {"resourceType": "Basic"},
    )
    codes, others = skeleton(coverage, vocabulary)
    content = parse("codes.yaml", codes.encode()).content
    named = {e["code"]: e for group in content["group"] for e in group["element"]}
    assert set(named) == {"1", "2"} | {"1"}
    assert {group["target"] for group in content["group"]} == {RXNORM, "urn:careplan-exchange:concept"}
    remarks = [line for line in codes.splitlines() if line.startswith("#   ")]
    assert len(remarks) == 3
    assert any("195662009" in line and "licence" in line for line in remarks)
    assert "\n# two" not in codes
    parsed = parse("others.yaml", others.encode()).content
    assert parsed["units"][0]["conversions"][0]["from"] == ["furlong"]
    assert parsed["notRead"] == [{"type": "Basic", "reason": ""}]
    assert "urn:local a" in others


def test_a_skeleton_of_codes_that_can_all_be_mapped_has_no_remarks(surveyed, vocabulary):
    codes, others = skeleton(surveyed(condition((LOCAL, "1"))), vocabulary)
    assert "Cannot be mapped" not in codes
    assert others == ""


def test_a_skeleton_of_codes_that_cannot_be_mapped_is_only_remarks(surveyed, vocabulary):
    codes, _ = skeleton(surveyed(condition(("", "an odd one"))), vocabulary)
    assert parse("codes.yaml", codes.encode()).content["group"] == []
    assert "(codes that are not shown)" in codes
