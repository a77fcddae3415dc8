"""History, suspicion, absence and relatives: each its own meaning, by code and by the words around a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.mapping.builders import ICD, SNOMED, concept, condition, keys, only, procedure, states, status

ICD_9 = "http://hl7.org/fhir/sid/icd-9-cm"


def told(text, **more):
    return condition(code={"text": text}, **more)


@pytest.mark.parametrize(
    "text",
    [
        "History of stroke",
        "stroke, resolved",
        "H/O stroke",
        "Personal history of Stroke (situation)",
        "s/p stroke",
    ],
)
def test_history_of_a_disease_is_a_presence_that_has_ended(mapped, text):
    snapshot = mapped(told(text))
    assert (states(snapshot), keys(snapshot)) == ({"stroke": "ended"}, ["text.used"])


def test_history_under_a_code_that_may_not_be_named_is_read_by_its_display(mapped):
    body = condition(code=concept((SNOMED, "429007001"), display="History of cardiac arrest (situation)"))
    assert states(mapped(body)) == {"cardiac_arrest": "ended"}


def test_an_old_infarction_has_ended_and_its_coronary_disease_has_not(mapped):
    expected = {"myocardial_infarction": "ended", "coronary_disease": "present"}
    assert states(mapped(told("History of myocardial infarction (situation)"))) == expected
    assert states(mapped(condition((ICD, "I25.2")))) == expected
    assert states(mapped(condition((ICD_9, "412")))) == expected


@pytest.mark.parametrize(
    ("code", "concept_id"),
    [
        ((SNOMED, "415076002"), "breast_cancer"),
        ((ICD, "Z85.3"), "breast_cancer"),
        ((ICD_9, "V10.3"), "breast_cancer"),
        ((ICD, "Z85.46"), "prostate_cancer"),
        ((ICD, "Z86.74"), "cardiac_arrest"),
        ((ICD, "Z86.32"), "gestational_diabetes"),
        ((ICD, "Z87.891"), "smoking"),
        ((ICD, "F32.5"), "depression"),
        ((ICD, "F325"), "depression"),
        ((ICD, "Z853"), "breast_cancer"),
        ((ICD, "F11.21"), "opioid_use_disorder"),
    ],
)
def test_codes_of_personal_history_are_of_the_past(mapped, code, concept_id):
    snapshot = mapped(condition(code))
    assert (states(snapshot), snapshot.issues) == ({concept_id: "ended"}, ())


def test_a_history_code_of_several_diseases_leaves_each_unknown(mapped):
    snapshot = mapped(condition((ICD, "Z86.73")))
    assert states(snapshot) == {"stroke": "unknown", "transient_ischemic_attack": "unknown"}


@pytest.mark.parametrize(
    ("code", "concept_id", "state"),
    [
        ((ICD, "Z80.42"), "family_prostate_cancer", "present"),
        ((ICD_9, "V16.42"), "family_prostate_cancer", "present"),
        ((ICD, "Z83.42"), "family_hypercholesterolemia", "present"),
        ((ICD, "Z82.3"), "family_stroke", "present"),
        ((ICD, "Z82.49"), "family_premature_chd", "unknown"),
        ((ICD_9, "V18.0"), "family_diabetes", "present"),
    ],
)
def test_codes_of_family_history_are_never_the_patients_own(mapped, code, concept_id, state):
    assert states(mapped(condition(code))) == {concept_id: state}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Family history of prostate cancer", {"family_prostate_cancer": "present"}),
        ("FHx of prostate cancer", {"family_prostate_cancer": "present"}),
        ("Family history: stroke", {"family_stroke": "present"}),
        ("Family history of coronary artery disease", {"family_premature_chd": "unknown"}),
        ("No family history of prostate cancer", {"family_prostate_cancer": "absent"}),
        ("No family history of type 1 diabetes", {}),
        ("Family history of asthma", {}),
    ],
)
def test_a_disease_of_a_relative_is_family_history_or_an_issue(mapped, text, expected):
    snapshot = mapped(told(text))
    assert states(snapshot) == expected
    assert keys(snapshot)


def test_a_relatives_disease_that_no_concept_asks_for_says_whose_it_is(mapped):
    assert keys(mapped(told("Family history of asthma"))) == ["situation.family", "text.used"]


@pytest.mark.parametrize(
    "text", ["Suspected asthma", "asthma?", "Possible asthma", "r/o asthma", "Asthma (suspected)"]
)
def test_a_suspected_disease_is_unknown(mapped, text):
    snapshot = mapped(told(text))
    assert (states(snapshot), keys(snapshot)) == ({"asthma": "unknown"}, ["status.uncertain", "text.used"])


@pytest.mark.parametrize(
    "text", ["No asthma", "No history of asthma", "Denies asthma", "asthma ruled out", "Asthma absent"]
)
def test_a_denied_disease_is_absent(mapped, text):
    snapshot = mapped(told(text))
    assert (states(snapshot), keys(snapshot)) == ({"asthma": "absent"}, ["text.used"])


def test_to_deny_a_kind_of_a_disease_leaves_the_others_open(mapped):
    snapshot = mapped(told("No heart failure with reduced ejection fraction"))
    assert (snapshot.facts, keys(snapshot)) == ((), ["status.refuted", "text.used"])


def test_what_is_denied_and_refuted_says_nothing(mapped):
    snapshot = mapped(told("No asthma", verificationStatus=status("refuted")))
    assert (snapshot.facts, keys(snapshot)) == ((), ["status.refuted", "text.used"])


def test_a_name_in_text_can_be_refuted_like_a_code(mapped):
    snapshot = mapped(told("Asthma", verificationStatus=status("refuted")))
    assert states(snapshot) == {"asthma": "absent"}


def test_an_unconfirmed_absence_is_unknown(mapped):
    assert states(mapped(told("No asthma", verificationStatus=status("provisional")))) == {"asthma": "unknown"}


@pytest.mark.parametrize(
    "text", ["No asthma medication", "normal pregnancy", "Nonasthma", "historyofasthma", "no", "?"]
)
def test_words_around_anything_else_are_not_read(mapped, text):
    found = states(mapped(told(text)))
    assert "asthma" not in found
    assert set(found) <= {"pregnancy"}


@pytest.mark.parametrize(
    "text",
    [
        "History of type 2 diabetes",
        "Suspected type 2 diabetes",
        "No type 2 diabetes",
        "Family history of type 2 diabetes",
    ],
)
def test_a_code_and_a_text_that_say_different_things_make_it_unknown(mapped, text):
    snapshot = mapped(condition(code=concept((ICD, "E11.9"), text=text)))
    assert states(snapshot) == {"type_2_diabetes": "unknown"}
    assert keys(snapshot) == ["code.conflict"]
    assert text not in snapshot.issues[0].detail


def test_two_texts_that_say_different_things_make_it_unknown(mapped):
    body = condition(code=concept((SNOMED, "1"), display="Asthma", text="Suspected asthma"))
    assert states(mapped(body)) == {"asthma": "unknown"}
    assert "code.conflict" in keys(mapped(body))


def test_a_code_of_the_past_beside_one_of_today_makes_it_unknown(mapped):
    snapshot = mapped(condition((ICD, "C50.911"), (ICD, "Z85.3")))
    assert (states(snapshot), keys(snapshot)) == ({"breast_cancer": "unknown"}, ["code.conflict"])


def test_a_code_and_a_text_of_the_same_situation_agree(mapped):
    past = condition(code=concept((ICD, "Z85.3"), text="History of breast cancer"))
    of_relative = condition(code=concept((ICD, "Z80.42"), text="Family history of prostate cancer"))
    assert states(mapped(past)) == {"breast_cancer": "ended"}
    assert states(mapped(of_relative)) == {"family_prostate_cancer": "present"}
    assert keys(mapped(past, of_relative)) == []


def test_a_text_that_may_mean_a_concept_leaves_it_unknown(mapped):
    snapshot = mapped(told("Neoplasm of prostate"))
    assert (states(snapshot), keys(snapshot)) == ({"prostate_cancer": "unknown"}, ["code.wider", "text.used"])


def test_situations_are_read_in_conditions_only(mapped):
    snapshot = mapped(procedure(code={"text": "History of colonoscopy"}))
    assert (snapshot.facts, keys(snapshot)) == ((), ["code.text-only"])


@given(data=st.data())
def test_no_words_ever_make_a_disease_of_today_out_of_another_situation(mappings, mapped, data):
    texts = mappings.texts["Condition"]
    wording = data.draw(st.sampled_from(mappings.wordings))
    name = data.draw(st.sampled_from(sorted(texts)))
    between = data.draw(st.sampled_from([" ", ": ", " - ", ", "]))
    text = f"{wording.words}{between}{name}" if wording.is_before else f"{name}{between}{wording.words}"
    by_itself = {meaning.concept for meaning in texts.get(text, ())}
    snapshot = mapped(told(text.title()))
    assert keys(snapshot)
    for fact in snapshot.facts:
        if fact.concept in by_itself or fact.kind == "family-history":
            continue
        assert wording.means not in ("family", "no-family")
        assert not (fact.state == "present" and fact.active)


@given(data=st.data())
def test_family_words_only_ever_yield_family_history(mappings, mapped, data):
    name = data.draw(st.sampled_from(sorted(mappings.texts["Condition"])))
    snapshot = mapped(told(f"Family history of {name}"))
    assert {fact.kind for fact in snapshot.facts} <= {"family-history"}


def test_the_fact_keeps_what_the_record_said(mapped):
    fact = only(mapped(told("History of stroke")), "stroke")
    assert fact.coding.display == "history of stroke"
