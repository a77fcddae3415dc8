"""The code systems this product knows by name, and what a well-formed code of each looks like."""

import re

from .checkdigits import loinc_is_well_formed, snomed_is_well_formed

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"

PERMITTED_SNOMED = "urn:careplan-exchange:ValueSet:snomed-permitted"
"""The ValueSet of the SNOMED CT codes that knowledge files may name: a matter of licence, not of meaning."""

_ICD_10_CM = re.compile(r"[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?")
_RXNORM = re.compile(r"[1-9][0-9]{0,7}")


def complaint(system: str, code: str) -> str | None:
    """What is wrong with the spelling of this code, or None. Codes of systems not named above are not judged."""
    if system == SNOMED and not snomed_is_well_formed(code):
        return f"'{code}' is no SNOMED CT identifier: its check digit does not fit."
    if system == LOINC and not loinc_is_well_formed(code):
        return f"'{code}' is no LOINC code: its check digit does not fit."
    if system == ICD_10_CM and not _ICD_10_CM.fullmatch(code):
        return f"'{code}' is not spelt like an ICD-10-CM code (letter, digit, character, point, up to four more)."
    if system == RXNORM and not _RXNORM.fullmatch(code):
        return f"'{code}' is no RxNorm concept identifier: those are numbers."
    return None
