"""Which diagnoses switch the blank mental health plan on, and what says thoughts of suicide."""

import pytest

from tests.unit.mapping.builders import ICD, SNOMED, condition, states

ICD_9 = "http://hl7.org/fhir/sid/icd-9-cm"


@pytest.mark.parametrize(
    "coding",
    [(ICD, code) for code in ("F20.9", "F31.81", "F42.2", "F43.10", "F50.00", "F60.3", "F90.0")]
    + [(ICD_9, code) for code in ("295.90", "300.3", "301.83", "309.81", "314.01")],
)
def test_a_mental_disorder_without_a_protocol_is_told_by_its_code(mapped, coding):
    assert states(mapped(condition(coding)))["other_mental_disorder"] == "present"


@pytest.mark.parametrize(
    "coding",
    [(ICD, code) for code in ("F32.1", "F33.0", "F41.1", "F40.10", "F03.90", "F10.20", "F17.210", "F84.0")]
    + [(ICD_9, code) for code in ("296.20", "296.30", "300.02", "311")],
)
def test_depression_anxiety_dementia_substances_and_autism_do_not_switch_it_on(mapped, coding):
    assert "other_mental_disorder" not in states(mapped(condition(coding)))


@pytest.mark.parametrize("text", ["Post-traumatic stress disorder", "PTSD", "Schizophrenia", "Bipolar disorder"])
def test_its_whole_name_counts_where_no_code_does(mapped, text):
    assert states(mapped(condition(code={"text": text})))["other_mental_disorder"] == "present"


@pytest.mark.parametrize(
    "said", [{"text": "Suicidal ideation"}, {"coding": [{"system": ICD, "code": "R45.851"}]}]
)
def test_thoughts_of_suicide_are_told_by_code_or_name(mapped, said):
    assert states(mapped(condition(code=said)))["suicidal_thoughts_recorded"] == "present"
    both = states(mapped(condition((SNOMED, "6471006"))))
    assert both == {"suicidal_ideation": "present", "suicidal_thoughts_recorded": "present"}
