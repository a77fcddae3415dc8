"""Two codings of one element that name different things: an issue, and the safer reading, for each kind of resource.
docs/mapping.md says why each is the safer one. Conditions and situations have tests of their own."""

from tests.unit.mapping.builders import (
    ICD,
    LOINC,
    SNOMED,
    concept,
    condition,
    keys,
    observation,
    order,
    procedure,
    quantity,
    relative,
    states,
)

PRODUCT = ("http://www.nlm.nih.gov/research/umls/rxnorm", "860975")
METFORMIN = ("http://www.nlm.nih.gov/research/umls/rxnorm", "6809")


def test_a_diagnosis_of_two_diseases_makes_both_unknown(mapped):
    snapshot = mapped(condition((ICD, "J45.909"), (ICD, "J44.9")))
    assert (states(snapshot), keys(snapshot)) == ({"asthma": "unknown", "copd": "unknown"}, ["code.conflict"])


def test_a_measurement_of_two_things_is_not_used(mapped):
    body = observation(concept((LOINC, "2951-2"), (LOINC, "2823-3")), valueQuantity=quantity(4, "mmol/L"))
    snapshot = mapped(body)
    assert (snapshot.facts, keys(snapshot)) == ((), ["code.conflict"])


def test_a_procedure_of_two_things_was_perhaps_neither(mapped):
    snapshot = mapped(procedure((SNOMED, "134395001"), (SNOMED, "401191002")))
    assert states(snapshot) == {"retinal_screening": "unknown", "diabetic_foot_exam": "unknown"}
    assert keys(snapshot) == ["code.conflict"]


def test_a_condition_of_a_relative_of_two_diseases_makes_both_unknown(mapped):
    snapshot = mapped(relative("MTH", (ICD, "E11.9"), (ICD, "C61")))
    assert states(snapshot) == {"family_diabetes": "unknown", "family_prostate_cancer": "unknown"}
    assert "code.conflict" in keys(snapshot)


def test_an_answer_of_two_meanings_is_unknown(mapped):
    value = concept((LOINC, "LA18976-3"), (LOINC, "LA18978-9"))
    snapshot = mapped(observation("72166-2", valueCodeableConcept=value))
    assert (states(snapshot), keys(snapshot)) == ({"smoking": "unknown"}, ["answer.conflict"])


def test_a_product_and_its_ingredient_agree(mapped):
    snapshot = mapped(order(PRODUCT, METFORMIN))
    assert (states(snapshot), keys(snapshot)) == ({"metformin": "present"}, [])


def test_a_wider_and_a_narrower_code_of_one_disease_agree(mapped):
    snapshot = mapped(condition((ICD, "E78.5"), (ICD, "E78.1")))
    assert states(snapshot) == {"hyperlipidemia": "present", "hypertriglyceridemia": "present"}
    assert keys(snapshot) == []
