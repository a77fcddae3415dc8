import pytest

from tests.unit.mapping.builders import ICD, SNOMED, concept, condition, keys, only, procedure, states, status

T2D = (SNOMED, "44054006")


@pytest.mark.parametrize(
    ("coding", "expected"),
    [
        (T2D, {"type_2_diabetes"}),
        ((ICD, "E11.9"), {"type_2_diabetes"}),
        ((ICD, "E119"), {"type_2_diabetes"}),
        ((ICD, "E11.22"), {"type_2_diabetes", "chronic_kidney_disease", "diabetic_kidney_disease"}),
        ((ICD, "I13.2"), {"hypertension", "chronic_kidney_disease", "ckd_stage_5", "heart_failure"}),
        ((ICD, "I10"), {"hypertension"}),
        ((ICD, "N18.4"), {"chronic_kidney_disease", "ckd_stage_4"}),
        ((SNOMED, "431857002"), {"chronic_kidney_disease", "ckd_stage_4"}),
        ((SNOMED, "77386006"), {"pregnancy"}),
        ((ICD, "Z34.90"), {"pregnancy"}),
        ((ICD, "Z83.3"), {"family_diabetes"}),
        ((SNOMED, "134439009"), {"family_premature_chd"}),
        (("urn:oid:2.16.840.1.113883.6.96", "44054006"), {"type_2_diabetes"}),
    ],
)
def test_a_diagnosis_is_every_concept_that_its_code_means(mapped, coding, expected):
    snapshot = mapped(condition(coding))
    assert states(snapshot) == dict.fromkeys(expected, "present")
    assert snapshot.issues == ()


@pytest.mark.parametrize("code", ["E11X", "E1", "E10", "O80", "O03.9", "Z33.2", "I15.0"])
def test_a_code_beside_the_hierarchy_is_not_in_it(mapped, code):
    found = states(mapped(condition((ICD, code))))
    assert "type_2_diabetes" not in found or code == "E11X"
    assert "pregnancy" not in found
    assert "hypertension" not in found


def test_a_condition_carries_its_onset_and_kind(mapped):
    fact = only(mapped(condition(T2D)), "type_2_diabetes")
    assert (fact.kind, fact.effective, fact.coding.code) == ("condition", "2020-03-01", "44054006")
    assert only(mapped(condition((SNOMED, "77386006"))), "pregnancy").kind == "status"


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ({"onsetDateTime": None, "onsetPeriod": {"start": "2019"}}, "2019"),
        ({"onsetDateTime": None, "recordedDate": "2021-05"}, "2021-05"),
        ({"onsetDateTime": None}, None),
    ],
)
def test_the_onset_may_be_a_period_or_else_when_it_was_recorded(mapped, dates, expected):
    assert only(mapped(condition(T2D, **dates)), "type_2_diabetes").effective == expected


def test_an_onset_in_the_future_leaves_the_diagnosis_undated(mapped):
    snapshot = mapped(condition(T2D, onsetDateTime="2031-01-01"))
    assert only(snapshot, "type_2_diabetes").effective is None
    assert keys(snapshot) == ["date.future"]


@pytest.mark.parametrize("code", ["inactive", "remission", "resolved"])
def test_an_ended_condition_is_present_in_the_past_only(mapped, code):
    assert states(mapped(condition(T2D, clinicalStatus=status(code)))) == {"type_2_diabetes": "ended"}


@pytest.mark.parametrize("code", ["active", "recurrence", "relapse"])
def test_a_condition_that_came_back_is_active(mapped, code):
    assert states(mapped(condition(T2D, clinicalStatus=status(code)))) == {"type_2_diabetes": "present"}


def test_a_status_may_be_told_by_its_text(mapped):
    told = {"coding": [{"display": "x"}], "text": " Resolved "}
    assert states(mapped(condition(T2D, clinicalStatus=told))) == {"type_2_diabetes": "ended"}


def test_two_codes_of_one_thing_are_one_fact_with_the_first_of_them(mapped):
    fact = only(mapped(condition(T2D, (ICD, "E11.9"))), "type_2_diabetes")
    assert fact.coding.code == "44054006"


@pytest.mark.parametrize("clinical", [None, {"text": "Active"}, status("banana"), {}])
def test_a_condition_without_a_status_is_active_and_told(mapped, clinical):
    snapshot = mapped(condition(T2D, clinicalStatus=clinical))
    assert states(snapshot) == {"type_2_diabetes": "present"}
    assert keys(snapshot) == ([] if clinical == {"text": "Active"} else ["status.missing"])


@pytest.mark.parametrize(
    "abatement",
    [
        {"abatementDateTime": "2026-01-01"},
        {"abatementPeriod": {"start": "2025-12-01", "end": "2026-01-01"}},
        {"abatementAge": {"value": 40, "unit": "a"}},
        {"abatementRange": {"low": {"value": 40}}},
        {"abatementString": "after delivery"},
    ],
)
def test_an_abatement_ends_a_condition_whatever_its_status_says(mapped, abatement):
    pregnant = (SNOMED, "77386006")
    snapshot = mapped(condition(pregnant, **abatement))
    assert (states(snapshot), keys(snapshot)) == ({"pregnancy": "ended"}, ["status.conflict"])
    assert keys(mapped(condition(pregnant, clinicalStatus=status("resolved"), **abatement))) == []
    assert keys(mapped(condition(pregnant, clinicalStatus=None, **abatement))) == []


@pytest.mark.parametrize(
    "abatement", [{"abatementDateTime": "2027-02-01"}, {"abatementPeriod": {"start": "2026-01-01"}}]
)
def test_an_abatement_that_has_not_happened_ends_nothing(mapped, abatement):
    snapshot = mapped(condition((SNOMED, "77386006"), **abatement))
    assert states(snapshot) == {"pregnancy": "present"}


@pytest.mark.parametrize("code", ["provisional", "differential", "unconfirmed", "banana"])
def test_a_diagnosis_that_is_not_sure_is_unknown_and_never_present(mapped, code):
    snapshot = mapped(condition(T2D, verificationStatus=status(code)))
    assert (states(snapshot), keys(snapshot)) == ({"type_2_diabetes": "unknown"}, ["status.uncertain"])


def test_a_diagnosis_entered_in_error_is_no_diagnosis(mapped):
    snapshot = mapped(condition(T2D, verificationStatus=status("entered-in-error"), clinicalStatus=None))
    assert (snapshot.facts, keys(snapshot)) == ((), ["status.entered-in-error"])


def test_a_refuted_diagnosis_is_absent(mapped):
    snapshot = mapped(condition(T2D, verificationStatus=status("refuted"), clinicalStatus=None))
    assert states(snapshot)["type_2_diabetes"] == "absent"


def test_to_refute_a_stage_does_not_refute_the_disease(mapped):
    snapshot = mapped(condition((SNOMED, "431857002"), verificationStatus=status("refuted")))
    assert states(snapshot) == {"ckd_stage_4": "absent"}
    assert keys(snapshot) == ["status.refuted"]


def test_a_code_wider_than_the_concept_leaves_it_unknown(mapped):
    snapshot = mapped(condition((SNOMED, "73211009")))
    assert (states(snapshot), keys(snapshot)) == ({"type_2_diabetes": "unknown"}, ["code.wider"])


def test_a_second_code_makes_certain_what_the_first_left_open(mapped):
    snapshot = mapped(condition((SNOMED, "73211009"), (ICD, "E11.9")))
    assert (states(snapshot), keys(snapshot)) == ({"type_2_diabetes": "present"}, [])
    assert states(mapped(condition((ICD, "E11.649")))) == {
        "type_2_diabetes": "present",
        "hypoglycemia_severe": "unknown",
    }


def test_codes_that_disagree_make_everything_they_name_unknown(mapped):
    snapshot = mapped(condition(T2D, (ICD, "E10.9")))
    assert states(snapshot) == {"type_2_diabetes": "unknown", "type_1_diabetes": "unknown"}
    assert keys(snapshot) == ["code.conflict"]
    assert "E10.9" in snapshot.issues[0].detail


def test_a_display_stands_for_a_code_that_may_not_be_used_and_is_told(mapped):
    snapshot = mapped(
        condition(
            (SNOMED, "26929004"), code=concept((SNOMED, "26929004"), display="Alzheimer's disease (disorder)")
        )
    )
    assert (states(snapshot), keys(snapshot)) == ({"dementia": "present"}, ["text.used"])
    assert "26929004" in snapshot.issues[0].detail


@pytest.mark.parametrize("text", ["Hypertension", "  HYPERTENSION ", "hypertension (disorder)"])
def test_a_diagnosis_told_as_text_alone_is_understood_as_a_whole(mapped, text):
    assert states(mapped(condition(code={"text": text}))) == {"hypertension": "present"}


@pytest.mark.parametrize(
    "text", ["Hypertension and gout", "No longer hypertension", "Pregnancy test", "white coat hypertension"]
)
def test_a_text_that_only_contains_a_diagnosis_is_not_one(mapped, text):
    snapshot = mapped(condition(code={"text": text}))
    assert (snapshot.facts, keys(snapshot)) == ((), ["code.text-only"])
    assert text not in snapshot.issues[0].detail


def test_a_code_that_does_not_look_like_one_is_not_repeated(mapped):
    snapshot = mapped(condition(code=concept((SNOMED, "Jane Doe, born 1980"))))
    assert "Jane" not in snapshot.issues[0].detail


@pytest.mark.parametrize("code", [None, {}])
def test_a_condition_without_a_code_is_an_issue(mapped, code):
    snapshot = mapped(condition(code=code))
    assert (snapshot.facts, keys(snapshot)) == ((), ["code.missing"])


def test_a_condition_of_no_concept_is_an_issue(mapped):
    snapshot = mapped(condition((ICD, "L40.0")), condition((ICD, "L40.0")))
    assert [issue.key for issue in snapshot.issues] == ["mapping.code.no-concept"]
    assert len(snapshot.issues[0].sources) == 2


def test_a_completed_procedure_is_done_on_its_last_day(mapped):
    fact = only(mapped(procedure((SNOMED, "401191002"))), "diabetic_foot_exam")
    assert (fact.kind, fact.effective) == ("procedure", "2026-06-01")
    period = {"start": "2026-05-01", "end": "2026-05-02"}
    for when in ({"performedPeriod": period}, {"occurrencePeriod": period}, {"occurrenceDateTime": "2026-05-02"}):
        snapshot = mapped(procedure((SNOMED, "401191002"), performedDateTime=None, **when))
        assert only(snapshot, "diabetic_foot_exam").effective == "2026-05-02"


@pytest.mark.parametrize("code", ["in-progress", "not-done", "preparation", "banana", None])
def test_a_procedure_that_is_not_completed_is_not_done(mapped, code):
    snapshot = mapped(procedure((SNOMED, "134395001"), status=code))
    assert (snapshot.facts, keys(snapshot)) == ((), ["status.not-done"])


def test_bad_procedures_are_issues(mapped):
    assert keys(mapped(procedure((SNOMED, "134395001"), status="entered-in-error"))) == [
        "status.entered-in-error"
    ]
    assert keys(mapped(procedure((SNOMED, "134395001"), performedDateTime="2027-01-01"))) == ["date.future"]
    undated = mapped(procedure((SNOMED, "134395001"), performedDateTime=None))
    assert (states(undated), keys(undated)) == ({"retinal_screening": "present"}, ["date.missing"])


def test_a_referral_to_an_eye_doctor_is_not_the_examination(mapped):
    snapshot = mapped(procedure((SNOMED, "308479007")))
    assert (snapshot.facts, keys(snapshot)) == ((), ["code.no-concept"])
