"""What the safety rules ask for beyond the protocols is read from a record, in each way it may be told."""

import pytest

from tests.unit.mapping.builders import (
    LOINC,
    RXNORM,
    allergy,
    concept,
    condition,
    observation,
    order,
    patient,
    states,
)

ICD = "http://hl7.org/fhir/sid/icd-10-cm"


@pytest.mark.parametrize(
    ("question", "answer", "name", "state"),
    [
        ("63895-7", "LA29252-6", "lactation", "present"),
        ("63895-7", "LA29253-4", "lactation", "absent"),
        ("63895-7", "LA4489-6", "lactation", "unknown"),
        ("50956-2", "LA9633-4", "hla_b_5701", "present"),
        ("50956-2", "LA9634-2", "hla_b_5701", "absent"),
        ("57979-7", "LA9633-4", "hla_b_1502", "present"),
    ],
)
def test_a_coded_answer_tells_the_state(mapped, question, answer, name, state):
    body = observation(question, valueCodeableConcept=concept((LOINC, answer)), valueQuantity=None)
    assert states(mapped(body))[name] == state


def test_a_phenotype_of_tpmt_is_its_answer(mapped):
    body = observation("79713-4", valueCodeableConcept=concept((LOINC, "LA9657-3")), valueQuantity=None)
    (fact,) = mapped(body).of("tpmt_phenotype")
    assert fact.answer.code == "LA9657-3"


@pytest.mark.parametrize(
    ("ingredient", "names"),
    [
        ("36567", {"simvastatin", "statin"}),
        ("8183", {"phenytoin", "cyp3a4_inducer", "aromatic_anticonvulsant"}),
        ("1116632", {"ticagrelor", "p2y12_inhibitor"}),
        ("190376", {"linezolid", "serotonergic_other"}),
    ],
)
def test_an_ingredient_is_itself_and_its_classes(mapped, ingredient, names):
    assert states(mapped(order((RXNORM, ingredient)))) == dict.fromkeys(names, "present")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Simvastatin", {"simvastatin", "statin"}),
        ("tirzepatide", {"glp1_gip_ra"}),
        ("finerenone", {"finerenone", "mra"}),
    ],
)
def test_a_medicine_told_by_name_alone_is_read(mapped, text, names):
    assert states(mapped(order(medicationCodeableConcept={"text": text}))) == dict.fromkeys(names, "present")


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("I20.0", "unstable_angina"),
        ("I25.110", "unstable_angina"),
        ("I50.23", "heart_failure_acute"),
        ("I26.99", "venous_thromboembolism"),
        ("K90.0", "celiac_disease"),
        ("F50.02", "anorexia_or_bulimia"),
        ("E11.10", "diabetic_ketoacidosis"),
        ("D84.821", "immunosuppression"),
        ("Z39.1", "lactation"),
    ],
)
def test_a_diagnosis_is_read_by_its_icd_10_cm_code(mapped, code, name):
    assert states(mapped(condition((ICD, code))))[name] == "present"


@pytest.mark.parametrize("text", ["deep vein thrombosis", "Pulmonary embolism"])
def test_a_diagnosis_told_by_name_alone_is_read(mapped, text):
    body = condition(code={"text": text})
    assert states(mapped(body, of=patient())) == {"venous_thromboembolism": "present"}


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (allergy((RXNORM, "10180")), "sulfonamide_antibiotic_allergy"),
        (allergy(code={"text": "sulfa drugs"}), "sulfonamide_antibiotic_allergy"),
        (allergy(code={"text": "opioids"}), "opioid_allergy"),
        (allergy((RXNORM, "39786")), "snri_allergy"),
    ],
)
def test_an_allergy_is_read_by_ingredient_and_by_the_name_of_the_class(mapped, body, name):
    assert states(mapped(body))[name] == "present"
