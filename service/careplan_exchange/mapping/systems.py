"""The code systems this product knows by name, and what a well-formed code of each looks like.

Their names are those of http://hl7.org/fhir/R4/terminologies-systems.html; other names that servers send stand in
`mappings/systems.yaml`.
"""

import re

from careplan_exchange.spelling import nearest

from .checkdigits import loinc_is_well_formed, snomed_is_well_formed

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_9_CM = "http://hl7.org/fhir/sid/icd-9-cm"
ICD_10_PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
CVX = "http://hl7.org/fhir/sid/cvx"
HGNC = "http://www.genenames.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"

_WELL_KNOWN = frozenset(
    {
        SNOMED,
        LOINC,
        ICD_10_CM,
        RXNORM,
        UCUM,
        "http://hl7.org/fhir/sid/icd-10",
        ICD_9_CM,
        ICD_10_PCS,
        HCPCS,
        "http://hl7.org/fhir/sid/cvx",
        "http://hl7.org/fhir/sid/ndc",
        "http://www.ama-assn.org/go/cpt",
        "http://www.genenames.org",
        "http://www.genenames.org/geneId",
        "urn:careplan-exchange:concept",
    }
)
"""Canonical names of code systems (http://hl7.org/fhir/R4/terminologies-systems.html). Only to find one that is
misspelt: a site has others of its own."""
_MISSPELT = 0.9

PERMITTED_SNOMED = "urn:careplan-exchange:ValueSet:snomed-permitted"
"""The ValueSet of the SNOMED CT codes that knowledge files may name: a matter of licence, not of meaning."""

_ICD_10_CM = re.compile(r"[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?")
_RXNORM = re.compile(r"[1-9][0-9]{0,7}")
_SPELLINGS = {
    ICD_9_CM: (
        re.compile(r"(?:[0-9]{3}|V[0-9]{2})(?:\.[0-9]{1,2})?|E[0-9]{3}(?:\.[0-9])?"),
        "an ICD-9-CM code (three digits, or V and two, or E and three; a point, up to two more)",
    ),
    ICD_10_PCS: (
        re.compile(r"[0-9B-DF-HX][0-9A-HJ-NP-Z]{1,6}"),
        "an ICD-10-PCS code (up to seven characters, without I and O)",
    ),
    HCPCS: (re.compile(r"[A-V][0-9]{4}"), "an HCPCS level II code (a letter and four digits)"),
    CVX: (re.compile(r"[0-9]{1,3}"), "a CVX code (up to three digits)"),
    HGNC: (re.compile(r"HGNC:[1-9][0-9]{0,5}"), "an HGNC identifier (HGNC: and a number)"),
}

HIERARCHIES = frozenset({ICD_10_CM, ICD_9_CM, ICD_10_PCS})
"""Code systems where a longer code that begins with another one is a kind of it."""


def misspelt(system: str) -> str | None:
    """The well-known code system that this one was probably meant to be; None for one that is spelt well, or that
    is like none."""
    return None if system in _WELL_KNOWN else nearest(system, _WELL_KNOWN, likeness=_MISSPELT)


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
    spelling = _SPELLINGS.get(system)
    if spelling is not None and not spelling[0].fullmatch(code):
        return f"'{code}' is not spelt like {spelling[1]}."
    return None
