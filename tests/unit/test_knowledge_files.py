"""The content of `profiles/` and `mappings/`: what a clinician would look for, and what the licence allows."""

import csv
import json
import re

import pytest

from careplan_exchange.knowledge import documents
from careplan_exchange.mapping import lint, load_mappings, load_vocabulary
from careplan_exchange.model.snapshot import Coding
from tests.support.shared import require_shared

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"

MEASUREMENTS = {
    "hba1c": "%",
    "systolic_bp": "mm[Hg]",
    "diastolic_bp": "mm[Hg]",
    "egfr": "mL/min/{1.73_m2}",
    "uacr": "mg/g",
    "potassium": "mmol/L",
    "creatinine": "mg/dL",
    "ldl_cholesterol": "mg/dL",
    "body_weight": "kg",
    "bmi": "kg/m2",
}
ALSO_ASKED_FOR = {
    "body_height": "cm",
    "waist_circumference": "cm",
    "heart_rate": "/min",
    "respiratory_rate": "/min",
    "body_temperature": "Cel",
    "oxygen_saturation": "%",
    "pain_severity": "{score}",
    "glucose": "mg/dL",
    "fasting_glucose": "mg/dL",
    "sodium": "mmol/L",
    "calcium": "mg/dL",
    "total_cholesterol": "mg/dL",
    "hdl_cholesterol": "mg/dL",
    "triglycerides": "mg/dL",
    "lipoprotein_a": "nmol/L",
    "hemoglobin": "g/dL",
    "platelets": "10*3/uL",
    "alt": "U/L",
    "ast": "U/L",
    "bilirubin": "mg/dL",
    "albumin": "g/dL",
    "inr": "{INR}",
    "nt_probnp": "pg/mL",
    "lvef": "%",
    "fev1_fvc": "%",
    "phq9": "{score}",
    "gad7": "{score}",
    "audit_c": "{score}",
}
"""What the protocols decide by that come after diabetes and hypertension."""
CLASSES = {
    "metformin": "biguanide",
    "insulin": "insulin",
    "sulfonylurea": "sulfonylurea",
    "sglt2_inhibitor": "sglt2-inhibitor",
    "glp1_ra": "glp1-ra",
    "ace_inhibitor": "ace-inhibitor",
    "arb": "arb",
    "mra": "mra",
    "renin_inhibitor": "renin-inhibitor",
    "arni": "arni",
    "potassium_supplement": "potassium",
    "nsaid": "nsaid",
    "thiazide": "thiazide",
}


@pytest.fixture(scope="module")
def vocabulary():
    return load_vocabulary(documents("profiles"))


@pytest.fixture(scope="module")
def mappings(vocabulary):
    return load_mappings(documents("mappings"), vocabulary)


def codes_of(vocabulary, concept, system):
    value_set = vocabulary.value_sets[vocabulary.concepts[concept].value_set]
    return {code for found, code in value_set.codes if found == system}


# Looked up in public implementation guides, and not in the reference list: what the rules of mappings/derived work from.
FOR_DERIVED_FACTS = {"8302-2", "8301-4", "3137-7", "18043-0", "8664-5", "8663-7", "88029-4"}


def rows_of(name):
    with require_shared(f"reference/{name}").open(newline="") as file:
        return list(csv.DictReader(file))


def test_neither_folder_has_a_finding():
    assert lint(documents("mappings"), documents("profiles")) == ()


def test_every_measurement_is_kept_in_its_unit(vocabulary):
    found = {id_: concept.unit for id_, concept in vocabulary.concepts.items() if concept.kind == "measurement"}
    assert found.items() >= (MEASUREMENTS | ALSO_ASKED_FOR).items()


def test_every_concept_that_protocols_may_name_is_there(vocabulary):
    kinds = {}
    for concept in vocabulary.concepts.values():
        kinds.setdefault(concept.kind, set()).add(concept.id)
    assert kinds["medication"] >= {*CLASSES, "atenolol", "statin", "ssri", "doac", "nitrate", "pde5_inhibitor"}
    assert kinds["allergy"] >= {"metformin_allergy", "ace_inhibitor_allergy", "arb_allergy", "nut_allergy"}
    assert kinds["status"] >= {"pregnancy", "smoking"}
    assert kinds["procedure"] >= {
        "diabetic_foot_exam",
        "retinal_screening",
        "dietitian_referral",
        "nutrition_education",
        "mammography",
        "colonoscopy",
        "cardiac_rehabilitation",
    }
    assert kinds["family-history"] >= {"family_diabetes", "family_premature_chd", "family_breast_cancer"}
    assert kinds["condition"] >= {
        "type_2_diabetes",
        "hypertension",
        "hyperlipidemia",
        "familial_hypercholesterolemia",
        "coronary_disease",
        "heart_failure",
        "chronic_kidney_disease",
        "obesity",
        "breast_cancer",
        "depression",
        "anxiety_disorder",
        "liver_disease",
        "copd",
        "asthma",
    }


@pytest.mark.parametrize(
    "concept", ["pregnancy", "angioedema", "frailty", "dementia", "ace_inhibitor_allergy", "hba1c"]
)
def test_silence_about_what_matters_for_safety_is_unknown(vocabulary, concept):
    assert vocabulary.concepts[concept].when_absent == "unknown"


@pytest.mark.parametrize("concept", ["type_2_diabetes", "hypertension", "metformin", "ace_inhibitor"])
def test_silence_about_what_triggers_a_protocol_or_is_ordered_is_absence(vocabulary, concept):
    assert vocabulary.concepts[concept].when_absent == "absent"


def test_every_snomed_code_is_in_the_reference_list_of_the_global_patient_set(vocabulary):
    allowed = {row["code"] for row in rows_of("clinical-codes.csv") if row["in_GPS_20190731"] == "yes"}
    named = {
        code
        for value_set in vocabulary.value_sets.values()
        for system, code in value_set.codes
        if system == SNOMED
    }
    assert named
    assert named <= allowed


def test_every_loinc_code_of_the_first_protocols_is_in_the_reference_list(vocabulary):
    listed = {row["code"] for row in rows_of("clinical-codes.csv") if row["system"] == LOINC}
    named = {code for concept in MEASUREMENTS for code in codes_of(vocabulary, concept, LOINC)}
    assert named
    assert named <= listed | FOR_DERIVED_FACTS


def test_a_loinc_code_is_called_what_records_call_it():
    """Codes are looked up one by one; a slip of a digit would show as another name in a record."""
    ours = dict(_displays(documents("profiles"))) | dict(_displays(documents("mappings")))
    met = {}
    for path in require_shared("fixtures/patients").glob("*.json"):
        for entry in json.loads(path.read_bytes())["entry"]:
            for coding in entry["resource"].get("code", {}).get("coding", ()):
                if coding.get("system") == LOINC:
                    met.setdefault(coding["code"], coding["display"])
    both = ours.keys() & met.keys()
    assert len(both) > 80
    assert not {code: (ours[code], met[code]) for code in both if not _words(ours[code]) & _words(met[code])}


def _displays(found):
    def walk(value, system=None):
        if isinstance(value, dict):
            system = value.get("system") or value.get("source") or system
            if system == LOINC and isinstance(value.get("display"), str):
                yield value["code"], value["display"]
            value = value.values()
        elif not isinstance(value, list):
            return
        for inner in value:
            yield from walk(inner, system)

    for document in found:
        yield from walk(document.content)


_SHORT = {
    "rdw": "erythrocyte",
    "ldl": "density",
    "ldl-c": "density",
    "bmi": "body",
    "egfr": "glomerular",
    "nt-probnp": "natriuretic",
}


def _words(display):
    words = re.findall(r"[a-z0-9/-]{3,}", display.casefold())
    return {word[:6] for word in words} | {_SHORT[word][:6] for word in words if word in _SHORT}


PARTS = {"atenolol": "beta-blocker-selective", "tamoxifen": "serm", "other_antidepressant": "serotonergic-other"}
"""Concepts that name some ingredients of a class."""


@pytest.mark.parametrize(("concept", "class_"), PARTS.items())
def test_a_part_of_a_class_is_verified_ingredients_of_it(vocabulary, concept, class_):
    verified = {row["rxcui"] for row in rows_of("rxnorm-classes.csv") if row["verified"] == "yes"}
    of_class = {row["rxcui"] for row in rows_of("rxnorm-classes.csv") if row["class"] == class_}
    assert codes_of(vocabulary, concept, RXNORM) < of_class & verified


def test_every_other_class_of_medicine_is_its_verified_ingredients_too(vocabulary):
    verified = {}
    for row in rows_of("rxnorm-classes.csv"):
        if row["verified"] == "yes":
            verified.setdefault(row["class"], set()).add(row["rxcui"])
    others = {
        concept.id
        for concept in vocabulary.concepts.values()
        if concept.kind == "medication" and concept.id not in {*CLASSES, *PARTS}
    }
    assert len(others) > 80
    # What only the safety rules tell apart (one medicine of a class, two classes together) has no class of its own
    # in the table; its ingredients stand there.
    ingredients = set().union(*verified.values())
    for concept in others:
        class_ = concept.replace("_", "-")
        if class_ in verified:
            assert codes_of(vocabulary, concept, RXNORM) == verified[class_], concept
        else:
            assert codes_of(vocabulary, concept, RXNORM) <= ingredients, concept


@pytest.mark.parametrize(("concept", "class_"), CLASSES.items())
def test_a_class_of_medicine_is_its_verified_ingredients(vocabulary, concept, class_):
    verified = {
        row["rxcui"]
        for row in rows_of("rxnorm-classes.csv")
        if row["class"] == class_ and row["verified"] == "yes"
    }
    assert codes_of(vocabulary, concept, RXNORM) == verified


def test_every_ingredient_of_a_product_is_a_verified_one(mappings):
    verified = {row["rxcui"] for row in rows_of("rxnorm-classes.csv") if row["verified"] == "yes"}
    assert {code for ingredients in mappings.products.values() for _, code in ingredients} <= verified


def test_the_ingredient_of_a_product_is_in_its_name():
    (products,) = [
        document for document in documents("mappings") if document.path.endswith("rxnorm-products.yaml")
    ]
    brands = {
        # By the label: what each brand holds.
        "315971": {"furosemide"},
        "106892": {"insulin isophane"},
        "748856": {"ethinyl estradiol"},
        "748879": {"ethinyl estradiol"},
        "749762": {"ethinyl estradiol"},
        "751905": {"ethinyl estradiol"},
        "1367439": {"ethinyl estradiol"},
    }
    for element in products.content["group"][0]["element"]:
        names = {target["display"] for target in element["target"] if "code" in target}
        strangers = {name for name in names if name not in element["display"].lower()}
        assert strangers <= brands.get(element["code"], set()), element["code"]


@pytest.mark.parametrize(
    ("concept", "code", "is_it"),
    [
        ("hypertension", "I13.11", True),
        ("hypertension", "I15.0", False),
        ("pregnancy", "O09.90", True),
        ("pregnancy", "O9A.211", True),
        ("pregnancy", "O03.9", False),
        ("pregnancy", "O80", False),
        ("pregnancy", "Z33.2", False),
        ("ckd_stage_4", "N18.4", True),
        ("ckd_stage_4", "N18.5", False),
        ("hypoglycemia_severe", "E11.649", False),
        ("hypoglycemia_severe", "E11.641", True),
        ("dementia", "G30.9", True),
        ("smoking", "F17.210", True),
        ("smoking", "F17.220", False),
    ],
)
def test_an_icd_10_cm_code_means_what_its_title_says(vocabulary, concept, code, is_it):
    value_set = vocabulary.value_sets[vocabulary.concepts[concept].value_set]
    assert value_set.contains(Coding(system=ICD, code=code)) is is_it
    assert value_set.contains(Coding(system=ICD, code=code.replace(".", ""))) is is_it or code in {
        found for _, found in value_set.codes
    }


def test_a_referral_is_not_an_examination(vocabulary):
    assert codes_of(vocabulary, "retinal_screening", SNOMED) == {"134395001"}


def test_every_reason_and_source_says_something():
    def texts(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                if key in {"reason", "source", "purpose", "comment"} and isinstance(inner, str):
                    yield inner
                else:
                    yield from texts(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from texts(inner)

    found = [
        text
        for folder in ("profiles", "mappings")
        for document in documents(folder)
        for text in texts(document.content)
    ]
    assert len(found) > 150
    assert not [text for text in found if len(text) < 4]


def test_each_folder_explains_itself_on_one_screen():
    from careplan_exchange.knowledge import root

    for folder in ("profiles", "mappings"):
        text = (root() / folder / "README.md").read_text()
        assert len(text.splitlines()) < 80
        assert "```yaml" in text
