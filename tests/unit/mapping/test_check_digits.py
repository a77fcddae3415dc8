"""How a code is spelt: the check digits of SNOMED CT and LOINC, and the form that each other system has."""

import pytest

from careplan_exchange.mapping.checkdigits import loinc_is_well_formed, snomed_is_well_formed
from careplan_exchange.mapping.systems import complaint


@pytest.mark.parametrize("code", ["44054006", "716186003", "443402002", "1151000175103", "22298006"])
def test_a_snomed_check_digit_is_judged(code):
    assert snomed_is_well_formed(code)
    last = int(code[-1])
    assert not any(snomed_is_well_formed(code[:-1] + str(digit)) for digit in range(10) if digit != last)


@pytest.mark.parametrize("code", ["4405", "044054006", "4405400600000000000000", "44054OO6", ""])
def test_what_is_no_snomed_identifier_is_refused(code):
    assert not snomed_is_well_formed(code)


@pytest.mark.parametrize("code", ["4548-4", "8480-6", "98979-8", "2089-1", "LA15173-0", "LA4489-6", "LA18978-9"])
def test_a_loinc_check_digit_is_judged(code):
    assert loinc_is_well_formed(code)
    last = int(code[-1])
    assert not any(loinc_is_well_formed(code[:-1] + str(digit)) for digit in range(10) if digit != last)


@pytest.mark.parametrize("code", ["4548", "4548-44", "X-1", "", "LB12-3"])
def test_what_is_no_loinc_code_is_refused(code):
    assert not loinc_is_well_formed(code)


@pytest.mark.parametrize(
    ("system", "code", "wrong"),
    [
        ("http://snomed.info/sct", "44054005", True),
        ("http://loinc.org", "4548-5", True),
        ("http://hl7.org/fhir/sid/icd-10-cm", "E11.9", False),
        ("http://hl7.org/fhir/sid/icd-10-cm", "O9A", False),
        ("http://hl7.org/fhir/sid/icd-10-cm", "E11.", True),
        ("http://hl7.org/fhir/sid/icd-10-cm", "11.9", True),
        ("http://hl7.org/fhir/sid/icd-9-cm", "250.00", False),
        ("http://hl7.org/fhir/sid/icd-9-cm", "V10.3", False),
        ("http://hl7.org/fhir/sid/icd-9-cm", "E880.9", False),
        ("http://hl7.org/fhir/sid/icd-9-cm", "E11.9", True),
        ("http://hl7.org/fhir/sid/icd-9-cm", "25", True),
        ("http://www.cms.gov/Medicare/Coding/ICD10", "0210093", False),
        ("http://www.cms.gov/Medicare/Coding/ICD10", "021O093", True),
        ("http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "G0121", False),
        ("http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "99213", True),
        ("http://hl7.org/fhir/sid/cvx", "140", False),
        ("http://hl7.org/fhir/sid/cvx", "flu", True),
        ("http://www.genenames.org", "HGNC:1100", False),
        ("http://www.genenames.org", "BRCA1", True),
        ("http://www.nlm.nih.gov/research/umls/rxnorm", "6809", False),
        ("http://www.nlm.nih.gov/research/umls/rxnorm", "metformin", True),
        ("urn:local", "anything", False),
    ],
)
def test_codes_are_judged_by_the_spelling_of_their_system(system, code, wrong):
    assert (complaint(system, code) is not None) is wrong
