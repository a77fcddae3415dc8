"""Goals in the patient's own words, and the circumstances that change a plan."""

import pytest

from careplan_exchange.errors import WrongPatientError
from careplan_exchange.model.identity import IDENTITY_SYSTEM
from careplan_exchange.model.snapshot import Evidence, Wish
from tests.unit.mapping.builders import ICD, LOINC, condition, keys, observation, patient, states
from tests.unit.mapping.care_builders import of


def goal(text="Dance at the wedding", by="Patient/me", **more):
    body = {
        "status": None,
        "lifecycleStatus": "active",
        "description": {"text": text},
        "expressedBy": {"reference": by},
        "startDate": "2026-10-01",
    }
    return of("Goal", **(body | more))


def test_a_goal_that_the_patient_expressed_is_kept_in_the_patients_words(mapped):
    snapshot = mapped(goal())
    evidence = Evidence(reference="Goal/1", version_id="3", date="2026-10-01")
    assert snapshot.wishes == (Wish(text="Dance at the wedding", by="patient", evidence=evidence),)
    assert not [issue for issue in snapshot.issues if "Goal" in (issue.source or "")]
    assert snapshot.facts == mapped().facts


@pytest.mark.parametrize(
    ("more", "by"),
    [
        ({"by": "https://ehr.example/fhir/Patient/me/_history/2"}, "patient"),
        ({"by": "RelatedPerson/9"}, "related-person"),
        ({"by": "PractitionerRole/9"}, "professional"),
        ({"expressedBy": None, "source": {"reference": "Patient/me"}}, "patient"),
        ({"lifecycleStatus": "proposed"}, "patient"),
        ({"lifecycleStatus": "on-hold"}, "patient"),
        ({"description": {"coding": [{"display": "Dance at the wedding"}]}}, "patient"),
    ],
)
def test_who_said_it_is_told(mapped, more, by):
    (wish,) = mapped(goal(**more)).wishes
    assert (wish.text, wish.by) == ("Dance at the wedding", by)


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"by": "Practitioner/9"}, "type.not-read"),
        ({"expressedBy": None}, "type.not-read"),
        ({"lifecycleStatus": "completed"}, "status.not-used"),
        ({"lifecycleStatus": "cancelled"}, "status.not-used"),
        ({"lifecycleStatus": "entered-in-error"}, "status.entered-in-error"),
        ({"description": {"text": "  "}}, "wish.no-text"),
        ({"description": None}, "wish.no-text"),
        ({"subject": None}, "subject.unclear"),
        ({"subject": {"reference": "Group/1"}}, "subject.unclear"),
        ({"modifierExtension": [{"url": "urn:x"}]}, "resource.modified"),
    ],
)
def test_what_is_no_wish_is_told_as_an_issue_without_its_words(mapped, more, key):
    snapshot = mapped(goal(**more))
    assert snapshot.wishes == ()
    assert key in keys(snapshot)
    assert "Dance" not in str(snapshot.issues)


def test_a_goal_of_another_patient_ends_the_run(mapped):
    with pytest.raises(WrongPatientError):
        mapped(goal(subject={"reference": "Patient/other"}))


def test_what_we_wrote_ourselves_is_nobodys_wish(mapped):
    snapshot = mapped(goal(identifier=[{"system": IDENTITY_SYSTEM, "value": "x"}]))
    assert snapshot.wishes == ()
    assert "type.not-read" not in keys(snapshot)


def test_the_order_of_the_record_is_of_no_account(mapped):
    bodies = [goal("One", id="b"), goal("Two", id="a")]
    assert [wish.text for wish in mapped(*bodies).wishes] == ["Two", "One"]
    assert mapped(*bodies).wishes == mapped(*bodies[::-1]).wishes


@pytest.mark.parametrize(
    ("body", "concept"),
    [
        (condition((ICD, "Z99.3")), "mobility_difficulty"),
        (condition((ICD, "G47.26")), "night_work"),
        (condition((ICD, "Z59.12")), "no_refrigeration"),
        (condition((ICD, "Z59.12")), "housing_insecurity"),
        (condition((ICD, "Z55.0")), "low_health_literacy"),
        (condition((ICD, "Z55.6")), "low_health_literacy"),
        (condition((ICD, "Z53.20")), "treatment_declined"),
    ],
)
def test_a_circumstance_is_read_from_a_diagnosis(mapped, body, concept):
    assert states(mapped(body))[concept] == "present"


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        (
            "74159-5",
            ("http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "NS"),
            {"night_work": "present"},
        ),
        (
            "74159-5",
            ("http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "DS"),
            {"night_work": "absent"},
        ),
        (
            "74159-5",
            ("http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "VS"),
            {"night_work": "unknown"},
        ),
        ("96779-4", (LOINC, "LA32002-0"), {"no_refrigeration": "present"}),
        ("96779-4", (LOINC, "LA33-6"), {"no_refrigeration": "unknown"}),
    ],
)
def test_a_circumstance_is_read_from_an_answer(mapped, question, answer, expected):
    coded = {"coding": [{"system": answer[0], "code": answer[1]}]}
    snapshot = mapped(observation(question, valueCodeableConcept=coded))
    assert {name: states(snapshot)[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("code", "concepts"),
    [
        ("vegetarian", {"diet_preference", "vegetarian_diet"}),
        ("vegan", {"diet_preference", "vegetarian_diet", "vegan_diet", "dairy_free_diet"}),
        ("halal", {"diet_preference", "halal_diet"}),
    ],
)
def test_a_diet_that_a_visit_tells_is_each_diet_that_it_means(mapped, code, concepts):
    diet = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/diet", "code": code}]}
    visit = of(
        "Encounter",
        status="finished",
        period={"end": "2026-10-01"},
        hospitalization={"dietPreference": [diet]},
        **{"class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}},
    )
    found = states(mapped(visit))
    assert {name for name in found if name.endswith(("_diet", "diet_preference"))} == concepts


def test_the_language_is_the_preferred_one(mapped):
    spoken = [
        {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "en"}]}},
        {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "es"}]}, "preferred": True},
    ]
    assert mapped(of=patient(communication=spoken)).patient.language == "es"
