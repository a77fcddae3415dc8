import pytest

from tests.unit.mapping.builders import ICD, SNOMED, concept, condition, keys, only, quantity, relative, states

CHD, DIABETES = (SNOMED, "53741008"), (SNOMED, "73211009")


def of(role, *, onset=None, coding=CHD, **more):
    return relative(role, condition=[{"code": concept(coding), **(onset or {})}], **more)


def age(value, unit="a", **more):
    return {"onsetAge": quantity(value, unit, **more)}


@pytest.mark.parametrize("role", ["FTH", "NMTH", "SIS", "SON", "PRN"])
def test_diabetes_of_a_first_degree_relative_counts(mapped, role):
    fact = only(mapped(relative(role, DIABETES)), "family_diabetes")
    assert (fact.kind, fact.state, fact.effective) == ("family-history", "present", "2026-02-02")


@pytest.mark.parametrize("coding", [(ICD, "E11.9"), (SNOMED, "44054006")])
def test_any_code_of_diabetes_counts(mapped, coding):
    assert states(mapped(relative("MTH", coding))) == {"family_diabetes": "present"}


def test_a_disease_told_as_text_counts_and_is_told(mapped):
    snapshot = mapped(relative("MTH", condition=[{"code": {"text": "Diabetes"}}]))
    assert (states(snapshot), keys(snapshot)) == ({"family_diabetes": "present"}, ["text.used"])


@pytest.mark.parametrize("role", ["GRMTH", "UNCLE", "HBRO"])
def test_other_relatives_do_not_count(mapped, role):
    snapshot = mapped(relative(role, DIABETES))
    assert (snapshot.facts, keys(snapshot)) == ((), ["family.relative"])


def test_a_relative_of_no_role_does_not_count(mapped):
    assert keys(mapped(relative("FTH", DIABETES, relationship=None))) == ["family.relative"]


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (of("FTH", onset=age(54)), "present"),
        (of("FTH", onset=age(55)), None),
        (of("MTH", onset=age(64)), "present"),
        (of("MTH", onset=age(65)), None),
        (of("FTH", onset=age(640, "mo")), "present"),
        (of("FTH", onset={"onsetAge": {"value": 50, "unit": "years"}}), "present"),
        (of("FTH", onset=age(54, comparator="<")), "present"),
        (of("FTH", onset=age(40, comparator=">")), "unknown"),
        (of("FTH", onset=age(54, "wk")), "unknown"),
        (of("FTH", onset={"onsetAge": {"value": "NaN", "unit": "a"}}), "unknown"),
        (of("FTH", onset={"onsetAge": {"unit": "a"}}), "unknown"),
        (of("FTH", onset={"onsetRange": {"low": quantity(40, "a"), "high": quantity(54, "a")}}), "present"),
        (of("FTH", onset={"onsetRange": {"low": quantity(50, "a"), "high": quantity(60, "a")}}), None),
        (of("FTH", onset={"onsetRange": {"low": quantity(40, "a")}}), "unknown"),
        (of("FTH", onset={"onsetString": "in his fifties"}), "unknown"),
        (of("FTH"), "unknown"),
        (of("PRN", onset=age(54)), "present"),
        (of("PRN", onset=age(60)), "unknown"),
        (of("PRN", onset=age(60), sex=concept(("urn:x", "female"))), "present"),
        (of("PRN", onset=age(60), sex=concept(("urn:x", "male"))), None),
        (of("PRN", onset=age(65)), None),
    ],
)
def test_premature_coronary_disease_depends_on_age_and_sex(mapped, body, state):
    snapshot = mapped(body)
    assert states(snapshot) == ({} if state is None else {"family_premature_chd": state})
    assert snapshot.facts or keys(snapshot) == ["family.late"]
    assert state != "unknown" or keys(snapshot) == ["family.onset"]


def test_no_condition_is_not_a_negative_history(mapped):
    for body in (relative("FTH", condition=None), relative("FTH", condition=None, status="health-unknown")):
        snapshot = mapped(body)
        assert (snapshot.facts, keys(snapshot)) == ((), ["family.nothing"])


def test_a_history_entered_in_error_says_nothing(mapped):
    assert keys(mapped(relative("FTH", DIABETES, status="entered-in-error"))) == ["status.entered-in-error"]


def test_other_diseases_of_relatives_are_listed(mapped):
    assert keys(mapped(relative("FTH", (SNOMED, "195967001")))) == ["code.no-concept"]
    assert keys(mapped(relative("FTH", condition=[{}]))) == ["code.missing"]
    assert keys(mapped(relative("FTH", condition=[{"code": {"text": "something"}}]))) == ["code.text-only"]


BREAST, ROLE_ADOPTED = (ICD, "C50.9"), "ADOPTF"


FIRST_DEGREE = "family_breast_ovarian_first_degree"


@pytest.mark.parametrize(
    ("role", "onset", "found"),
    [
        ("MTH", 45, {"family_breast_cancer", "family_breast_cancer_under_50", FIRST_DEGREE}),
        ("SIS", 64, {"family_breast_cancer", FIRST_DEGREE}),
        ("MAUNT", 45, {"family_breast_cancer"}),
        ("PGRMTH", 45, {"family_breast_cancer"}),
        ("HSIS", 45, {"family_breast_cancer"}),
        (ROLE_ADOPTED, 45, set()),
        ("COUSN", 45, set()),
    ],
)
def test_the_degree_of_the_relative_decides_for_which_concept_it_counts(mapped, role, onset, found):
    snapshot = mapped(of(role, coding=BREAST, onset=age(onset)))
    assert set(states(snapshot)) == found
    for fact in snapshot.facts:
        assert (fact.state, fact.answer.code, fact.value, fact.unit) == ("present", role, onset, "a")


def test_who_died_before_the_limit_had_it_before_the_limit(mapped):
    assert states(mapped(of("FTH", deceasedAge=quantity(50, "a")))) == {"family_premature_chd": "present"}
    assert states(mapped(of("FTH", deceasedAge=quantity(70, "a")))) == {"family_premature_chd": "unknown"}
    assert states(mapped(of("FTH", deceasedBoolean=True))) == {"family_premature_chd": "unknown"}


def test_colorectal_cancer_of_a_young_first_degree_relative_counts(mapped):
    coding = (ICD, "C18.9")
    assert states(mapped(of("SON", coding=coding, onset=age(59)))) == {
        "family_colorectal_cancer_under_60": "present"
    }
    assert mapped(of("SON", coding=coding, onset=age(60))).facts == ()
    assert keys(mapped(of("UNCLE", coding=coding, onset=age(40)))) == ["family.relative"]


def test_a_cancer_of_the_patient_is_none_of_the_family(mapped):
    assert states(mapped(condition((ICD, "C50.911")))) == {"breast_cancer": "present"}
    assert FIRST_DEGREE not in states(mapped(condition((ICD, "Z80.3"))))
