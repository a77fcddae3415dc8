"""Code systems under any name that servers give them, and a site's own codes laid over ours."""

import pytest

from careplan_exchange.knowledge import documents
from careplan_exchange.mapping import load_mappings, load_vocabulary, map_record
from tests.unit.mapping.builders import (
    ICD,
    RXNORM,
    SNOMED,
    TODAY,
    concept,
    condition,
    keys,
    observation,
    order,
    procedure,
    quantity,
    record,
    states,
)

ICD_9 = "http://hl7.org/fhir/sid/icd-9-cm"


@pytest.mark.parametrize(
    ("system", "code", "concept_id"),
    [
        ("urn:oid:2.16.840.1.113883.6.96", "195967001", "asthma"),
        ("http://snomed.info/sct/900000000000207008", "195967001", "asthma"),
        ("urn:oid:2.16.840.1.113883.6.90", "J45.909", "asthma"),
        ("urn:oid:2.16.840.1.113883.6.103", "493.90", "asthma"),
        ("http://terminology.hl7.org/CodeSystem/icd9cm", "49390", "asthma"),
        (ICD_9, "401.9", "hypertension"),
        (ICD_9, "428.0", "heart_failure"),
        (ICD_9, "250.01", "type_1_diabetes"),
        (ICD_9, "585.4", "chronic_kidney_disease"),
        (ICD_9, "272.4", "hyperlipidemia"),
        (ICD, "E66.01", "obesity"),
        (ICD, "Z68.41", "obesity"),
        (ICD, "F33.1", "depression"),
        (ICD, "F33.41", "depression"),
        (ICD, "K760", "fatty_liver"),
        (ICD, "I48.91", "atrial_fibrillation"),
        (ICD, "K76.0", "fatty_liver"),
        (ICD, "E78.01", "familial_hypercholesterolemia"),
    ],
)
def test_a_diagnosis_is_read_by_any_name_of_its_code_system(mapped, system, code, concept_id):
    assert states(mapped(condition((system, code))))[concept_id] == "present"


@pytest.mark.parametrize(
    ("code", "concept_id"), [("E66.3", "obesity"), ("D56.3", "anemia"), ("R03.0", "hypertension")]
)
def test_a_code_near_a_concept_is_not_it(mapped, code, concept_id):
    assert concept_id not in states(mapped(condition((ICD, code))))


def test_diabetes_of_icd_9_whose_type_may_be_unspecified_is_unknown(mapped):
    snapshot = mapped(condition((ICD_9, "250.00")))
    assert (states(snapshot), keys(snapshot)) == ({"type_2_diabetes": "unknown"}, ["code.wider"])


@pytest.mark.parametrize(
    ("system", "code", "concept_id"),
    [
        ("urn:oid:2.16.840.1.113883.6.285", "G0121", "colonoscopy"),
        ("http://hl7.org/fhir/sid/icd-10-pcs", "0210093", "coronary_revascularization"),
        (SNOMED, "71651007", "mammography"),
    ],
)
def test_a_procedure_is_read_by_any_name_of_its_code_system(mapped, system, code, concept_id):
    assert states(mapped(procedure((system, code)))) == {concept_id: "present"}


def test_a_medicine_counts_in_every_class_of_its_ingredients(mapped):
    assert states(mapped(order((RXNORM, "83367")))).get("statin") == "present"


@pytest.mark.parametrize(
    ("code", "value", "unit", "expected"),
    [
        ("8302-2", 70, "[in_i]", "177.80"),
        ("2345-7", 10, "mmol/L", "180.1560"),
        ("8310-5", "98.6", "[degF]", "37.0000000000"),
        ("38265-5", "-2.5", "{T-score}", "-2.5"),
        ("72106-8", 23, "(score)", "23"),
        ("44261-6", 4, "{score}", "4"),
        ("718-7", 140, "g/L", "14.0"),
        ("19926-5", "0.65", "1", "65.00"),
        ("14749-6", 5, "mmol/L", "90.0780"),
    ],
)
def test_a_measurement_comes_in_its_own_unit(mapped, code, value, unit, expected):
    from decimal import Decimal

    (fact,) = mapped(observation(code, valueQuantity=quantity(Decimal(str(value)), unit))).facts
    assert f"{fact.value}" == expected


@pytest.mark.parametrize(
    ("code", "value", "unit"),
    [("718-7", 140, "g/dL"), ("2951-2", -1, "mmol/L"), ("8302-2", "1.7", "cm"), ("19926-5", 110, "%")],
)
def test_a_value_that_nobody_has_is_refused(mapped, code, value, unit):
    from decimal import Decimal

    snapshot = mapped(observation(code, valueQuantity=quantity(Decimal(str(value)), unit)))
    assert snapshot.facts == ()
    assert keys(snapshot)[0] in ("value.implausible", "value.negative")


SITE = """\
resourceType: ConceptMap
url: urn:careplan-exchange:ConceptMap:st-elsewhere
version: 1.0.0
title: St Elsewhere's codes
status: active
date: "2026-11-24"
description: From its own catalogue.
group:
  - source: urn:st-elsewhere
    target: urn:careplan-exchange:concept
    element:
      - code: GLYC-7
        target:
          - {code: hba1c, equivalence: equal}
      - code: LUNG
        target:
          - {code: copd, equivalence: narrower, comment: Any disease of the lung.}
      - code: FLU
        target:
          - {equivalence: unmatched, comment: An infection.}
"""


def test_a_sites_own_codes_are_laid_over_ours(tmp_path):
    (tmp_path / "mappings/codes").mkdir(parents=True)
    (tmp_path / "mappings/codes/st-elsewhere.yaml").write_text(SITE)
    (tmp_path / "mappings/situations.yaml").write_text(
        'situations:\n  - {means: suspected, before: ["v.a."], source: The house style of St Elsewhere.}\n'
    )
    vocabulary = load_vocabulary(documents("profiles"))
    mappings = load_mappings(documents("mappings", tmp_path), vocabulary)
    bodies = (
        observation(concept(("urn:st-elsewhere", "GLYC-7")), valueQuantity=quantity(7)),
        condition(("urn:st-elsewhere", "LUNG")),
        condition(("urn:st-elsewhere", "FLU")),
        condition(code={"text": "v.a. asthma"}),
        condition(code={"text": "suspected stroke"}),
        condition((ICD, "E11.9")),
    )
    snapshot = map_record(record(*bodies), mappings, vocabulary, today=TODAY)
    assert states(snapshot) == {
        "hba1c": "present",
        "copd": "unknown",
        "asthma": "unknown",
        "type_2_diabetes": "present",
    }
    assert keys(snapshot) == ["code.not-used", "code.text-only", "code.wider", "status.uncertain", "text.used"]
