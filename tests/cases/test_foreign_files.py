"""Files of third-party plans: R5 beside R4, bundles, what points at what, and what is refused."""

from datetime import date

import pytest

from careplan_exchange import knowledge
from careplan_exchange.errors import KnowledgeError
from careplan_exchange.planner import compile_foreign
from tests.cases.foreign import DAILY_MOST, PATIENT, R5_PLAN, applied, plan, plan_file


def in_r4():
    """The same plan as R4 writes it."""
    first, second = R5_PLAN["action"]
    definition = {**R5_PLAN["contained"][0]}
    definition["dosage"] = [
        {"asNeededBoolean": True},
        {"asNeededCodeableConcept": {"text": "pain"}},
        {"maxDosePerPeriod": DAILY_MOST},
    ]
    return {
        **{name: value for name, value in R5_PLAN.items() if name != "subjectCanonical"},
        "subjectCodeableConcept": {"coding": [{"code": "Patient"}]},
        "relatedArtifact": [{"type": "citation", "label": "G", "url": "https://example.org/g"}],
        "action": [
            {**first, "code": [first["code"]]},
            {**second, "relatedAction": [{"actionId": "a", "relationship": "after-end"}]},
        ],
        "contained": [definition],
    }


@pytest.mark.parametrize("release", ["R4", "R5"])
def test_a_plan_of_r5_comes_to_the_same_as_in_r4(release):
    new, old = (
        applied([plan_file(content)], [PATIENT], date(2026, 11, 24), release) for content in (R5_PLAN, in_r4())
    )
    assert new == old
    (first, second) = new.activities
    assert (first.goals, [coding.code for coding in first.codings]) == (("p/goal/g",), ["1"])
    assert "To be done as needed: pain." in [reason.text for reason in first.reasons]
    assert list(first.dosage) == R5_PLAN["contained"][0]["dosage"]
    assert second.reasons[-1].text == "After end 'A'."
    assert [citation.url for citation in first.citations] == ["https://example.org/g"]
    assert [issue.detail for issue in new.issues] == ["Plan 'p' is from elsewhere: it was not reviewed here."]


def test_a_bundle_brings_its_plans_with_what_they_point_at():
    inner = {
        "resourceType": "PlanDefinition",
        "url": "urn:inner",
        "status": "active",
        "action": [{"id": "x", "definitionCanonical": "urn:d"}],
    }
    outer = {
        "resourceType": "PlanDefinition",
        "id": "o",
        "status": "active",
        "action": [{"id": "a", "definitionCanonical": "urn:inner"}],
    }
    other = {
        "resourceType": "PlanDefinition",
        "id": "z",
        "status": "draft",
        "useContext": [{"code": {"code": "age"}, "valueCodeableConcept": {"text": "child"}}],
        "experimental": True,
        "subjectCodeableConcept": {"coding": [{"code": "Group"}]},
        "action": [{"id": "a", "title": "Z"}],
    }
    definition = {
        "resourceType": "ActivityDefinition",
        "url": "urn:d",
        "status": "active",
        "kind": "ServiceRequest",
        "title": "D",
    }
    library = {"resourceType": "Library", "url": "urn:l"}
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"resource": found}
            for found in (
                inner,
                outer,
                definition,
                library,
                {"resourceType": "Bundle", "entry": [{"resource": other}]},
            )
        ]
        + [{"fullUrl": "urn:none"}],
    }
    found = applied([plan_file(bundle)], [PATIENT], date(2026, 11, 24))
    assert [line.key for line in found.activities] == ["o/action/a/x", "z/action/a"]
    assert found.activities[0].title == "D"
    assert found.issues[-1].detail == (
        "Plan 'z' is from elsewhere: it was not reviewed here, its status is draft, it is experimental, it names no "
        "source, it is made for a Group and applied to a patient, whether the patient is in its useContext was not checked."
    )


def test_definitions_may_stand_in_another_file():
    definition = {
        "resourceType": "ActivityDefinition",
        "url": "urn:d",
        "status": "active",
        "kind": "ServiceRequest",
        "title": "D",
    }
    found = applied(
        [plan({"id": "a", "definitionCanonical": "urn:d"}), plan_file(definition, "d.json")],
        [PATIENT],
        date(2026, 11, 24),
    )
    assert [line.title for line in found.activities] == ["D"]


def test_two_plans_with_one_id_are_told_apart_from_none_other():
    found = applied(
        [
            plan({"id": "a", "title": "A"}),
            plan({"id": "b", "title": "B"}),
            plan({"id": "c", "title": "C"}, id="q"),
        ],
        [PATIENT],
        date(2026, 11, 24),
    )
    assert [line.key for line in found.activities] == ["q/action/c"]
    assert [issue.key for issue in found.issues].count("planner.protocol.fault") == 2


def test_plans_that_point_at_each_other_only_are_each_a_fault():
    one = plan({"id": "a", "definitionCanonical": "urn:q"}, id="p", url="urn:p")
    other = plan({"id": "a", "definitionCanonical": "urn:p"}, id="q", url="urn:q")
    found = applied([one, other], [PATIENT], date(2026, 11, 24))
    assert found.activities == ()
    assert [line.key for line in found.not_applied] == ["p", "q"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "This is no FHIR resource."),
        ({"a": 1}, "This is no FHIR resource."),
        ({"resourceType": "Patient"}, "There is no PlanDefinition here."),
        ({"resourceType": "Bundle", "type": "collection"}, "There is no PlanDefinition here."),
    ],
)
def test_a_file_without_a_plan_is_refused(content, said):
    with pytest.raises(KnowledgeError) as caught:
        compile_foreign([plan_file(content)])
    assert caught.value.findings[0].message == said


def test_a_file_of_json_may_be_indented_by_tabs(tmp_path):
    path = tmp_path / "plan.json"
    path.write_bytes(b'{\n\t"resourceType":\t"PlanDefinition",\n\t"id": "p"\n}')
    assert knowledge.read(path).content == {"resourceType": "PlanDefinition", "id": "p"}


def test_a_condition_in_cql_is_refused_with_its_file_and_line(tmp_path):
    (tmp_path / "nested.yaml").write_text(
        "resourceType: PlanDefinition\nurl: urn:n\naction:\n  - id: a\n    condition:\n"
        "      - kind: applicability\n        expression: {language: text/cql, expression: X}\n"
    )
    outer = plan({"id": "a", "definitionCanonical": "urn:n"})
    other = plan({"id": "b", "title": "B"}, id="q")
    found = applied([outer, other, knowledge.read(tmp_path / "nested.yaml")], [PATIENT], date(2026, 11, 24))
    assert [line.key for line in found.activities] == ["q/action/b"]
    (fault,) = [issue for issue in found.issues if issue.severity == "error"]
    assert "the condition at nested.yaml, line 6 is in text/cql" in fault.detail
    assert "--apply-at" in fault.mend


def test_bundles_that_are_nested_without_end_are_refused():
    inner = {
        "resourceType": "PlanDefinition",
        "id": "deep",
        "status": "active",
        "action": [{"id": "a", "title": "A"}],
    }
    for depth in range(1, 6):
        inner = {"resourceType": "Bundle", "entry": [{"resource": inner}]}
        if depth <= 4:
            assert [protocol.id for protocol in compile_foreign([plan_file(inner)])] == ["deep"]
    with pytest.raises(KnowledgeError, match="more than 4 deep"):
        compile_foreign([plan_file(inner)])


@pytest.mark.parametrize(
    "dose",
    [
        "one a day",
        {"text": 5},
        {"asNeededFor": "pain"},
        {"asNeededFor": [{"coding": ["pain"]}]},
        {"doseAndRate": [{"doseRange": {"low": 3}}]},
        {"doseAndRate": [{"doseQuantity": 7}]},
        {"maxDosePerPeriod": "4 g a day"},
        {"maxDosePerPeriod": [{"numerator": 4}]},
    ],
    ids=str,
)
def test_a_dose_that_is_none_is_named_and_nothing_of_the_plan_is_proposed(dose):
    (definition,) = R5_PLAN["contained"]
    content = {**R5_PLAN, "contained": [{**definition, "dosage": [dose]}]}
    proposal = applied([plan_file(content)], [PATIENT], date(2026, 11, 24), "R5")
    assert proposal.activities == ()
    (said,) = [
        issue.detail for issue in proposal.issues if "has not the shape that FHIR gives it" in issue.detail
    ]
    assert "dosage[0]" in said
