"""The knowledge folders as they may be written wrongly: each mistake is found, with file, line and mend."""

import pytest

from careplan_exchange.errors import KnowledgeError
from careplan_exchange.knowledge import documents, parse
from careplan_exchange.mapping import lint, load_mappings, load_vocabulary
from careplan_exchange.mapping.checkdigits import loinc_is_well_formed, snomed_is_well_formed
from careplan_exchange.mapping.systems import complaint

VALUE_SET = """\
resourceType: ValueSet
url: urn:careplan-exchange:ValueSet:alt
version: 1.0.0
title: ALT
status: active
date: "2026-11-24"
purpose: Looked up.
compose:
  include:
    - system: http://loinc.org
      concept:
        - {code: "1742-6", display: ALT}
"""
CONCEPT = """\
concepts:
  - id: alt
    kind: measurement
    title: ALT
    valueSet: urn:careplan-exchange:ValueSet:alt
    unit: U/L
    plausible: {low: 1, high: 20000, reason: because}
    maxAge: {days: 365, reason: because}
    whenAbsent: {means: unknown, reason: because}
"""
UNITS = """\
units:
  - concept: alt
    to: U/L
    conversions:
      - from: [U/L]
"""
DIAGNOSES = """\
resourceType: ValueSet
url: urn:careplan-exchange:ValueSet:{name}
version: 1.0.0
title: X
status: active
date: "2026-11-24"
purpose: Looked up.
compose:
  include:
    - system: http://hl7.org/fhir/sid/icd-10-cm
      filter: [{{property: concept, op: is-a, value: "{code}"}}]
"""
MORE = """\
concepts:
  - {{id: one, kind: condition, title: One, valueSet: "urn:careplan-exchange:ValueSet:one", {contradicts}whenAbsent: {{means: absent, reason: x}}}}
  - {{id: two, kind: {kind}, title: Two, valueSet: "urn:careplan-exchange:ValueSet:two", whenAbsent: {{means: absent, reason: x}}}}
"""
MAP = """\
resourceType: ConceptMap
url: urn:careplan-exchange:ConceptMap:x
version: 1.0.0
title: X
status: active
date: "2026-11-24"
description: X.
group:
  - source: http://loinc.org
    target: urn:careplan-exchange:concept
    element:
      - code: 1743-4
        target:
          - {code: alt, equivalence: equivalent}
"""


def files(*texts):
    return tuple(parse(f"{number}.yaml", text.encode()) for number, text in enumerate(texts))


def one_finding(mappings, profiles):
    found = lint(files(*mappings), files(*profiles))
    assert len(found) == 1, found
    assert found[0].mend
    return found[0]


def diagnoses(one="I10", two="I11", *, kind="condition", contradicts=""):
    return (
        DIAGNOSES.format(name="one", code=one),
        DIAGNOSES.format(name="two", code=two),
        MORE.format(kind=kind, contradicts=contradicts),
    )


def test_our_own_folders_have_no_finding():
    assert lint(documents("mappings"), documents("profiles")) == ()


def test_a_small_sound_pair_of_folders_has_no_finding():
    assert lint(files(UNITS, MAP), files(VALUE_SET, CONCEPT)) == ()


def test_what_cannot_be_loaded_is_an_error_with_every_finding():
    bad = files(VALUE_SET, CONCEPT.replace("unit: U/L", "unti: U/L"))
    with pytest.raises(KnowledgeError) as caught:
        load_vocabulary(bad)
    assert caught.value.findings[0].line == 6
    assert "Did you mean 'unit'?" in caught.value.findings[0].mend
    vocabulary = load_vocabulary(files(VALUE_SET, CONCEPT))
    with pytest.raises(KnowledgeError) as caught:
        load_mappings(files("panels: []\n"), vocabulary)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("1742-6", "1742-5", 12, "check digit"),
        ('code: "1742-6"', "code: 1742", 12, "Expected `str`"),
        ("url: urn:careplan-exchange:ValueSet:alt", "url: http://example.org/alt", 2, "not a canonical of ours"),
        ("purpose: Looked up.\n", "", 1, "purpose"),
        ("purpose: Looked up.", 'purpose: " "', 7, "This text is blank"),
        ('date: "2026-11-24"\n', "", 1, "date"),
        ("status: active", "status: banana", 5, "banana"),
        ('      concept:\n        - {code: "1742-6", display: ALT}\n', "", 10, "whole code system"),
        ("concept:", "concepts:", 11, "unknown field"),
        ("        - {code", '        - {code: "1742-6"}\n        - {code', 13, "twice"),
        (
            "http://loinc.org\n      concept:",
            "http://loinc.org\n      filter: [{property: concept, op: is-a, value: 1742-6}]\n      concept:",
            11,
            "cannot be carried out",
        ),
    ],
)
def test_a_mistake_in_a_value_set_is_found(old, new, line, said):
    found = lint(files(UNITS), files(VALUE_SET.replace(old, new), CONCEPT))
    assert any(
        finding.file == "0.yaml" and finding.line == line and said in finding.message for finding in found
    ), found


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("id: alt", "id: Alt-1", 2, "FHIRPath variable"),
        ("kind: measurement", "kind: banana", 3, "Invalid enum value"),
        ("ValueSet:alt", "ValueSet:alanine", 5, "There is no ValueSet"),
        ("    unit: U/L\n", "", 2, "has no unit"),
        ("    maxAge: {days: 365, reason: because}\n", "", 2, "has no maxAge"),
        ("    plausible: {low: 1, high: 20000, reason: because}\n", "", 2, "has no plausible"),
        ("low: 1,", "low: 20000,", 7, "reversed"),
        ("low: 1,", 'low: "1,0",', 7, "Invalid decimal"),
        ("days: 365", "days: 0", 8, "less than a day"),
        ("days: 365, reason: because", "days: 365", 8, "reason"),
        ("means: unknown, reason: because", "means: unknown", 9, "reason"),
        ("means: unknown", "means: negative", 9, "Invalid enum value"),
        ("kind: measurement", "kind: condition", 2, "mean nothing"),
        ("    unit: U/L\n", "    unit: U/L\n    contradicts: [ast]\n", 7, "'ast' is no concept"),
    ],
)
def test_a_mistake_in_a_concept_is_found(old, new, line, said):
    text = CONCEPT.replace(old, new)
    found = lint(files(), files(VALUE_SET, text))
    assert any(
        said in finding.message and finding.line == line and finding.file == "1.yaml" for finding in found
    ), found
    assert all(finding.mend for finding in found)


def test_two_of_a_name_are_found():
    assert "stands in two files" in one_finding((UNITS,), (VALUE_SET, VALUE_SET, CONCEPT)).message
    again = CONCEPT + CONCEPT.partition("\n")[2]
    assert "'alt' stands twice" in one_finding((UNITS,), (VALUE_SET, again)).message


@pytest.mark.parametrize("text", ["- a list\n", "banana: 1\n", "concepts: {}\n", "concepts: []\n"])
def test_a_file_that_is_no_profile_is_found(text):
    assert lint(files(UNITS), files(VALUE_SET, CONCEPT, text))[0].file == "2.yaml"


@pytest.mark.parametrize("text", ["- a list\n", "banana: 1\n", "{}\n", "units: {}\n"])
def test_a_file_that_is_no_mapping_is_found(text):
    assert one_finding((UNITS, text), (VALUE_SET, CONCEPT)).file == "1.yaml"


def test_a_value_set_that_nothing_uses_is_found():
    finding = one_finding((UNITS,), (VALUE_SET, CONCEPT, DIAGNOSES.format(name="spare", code="I10")))
    assert (finding.file, finding.line) == ("2.yaml", 2)
    used = "familyHistory:\n  - {concept: two, conditions: 'urn:careplan-exchange:ValueSet:spare', source: x}\n"
    folders = (*diagnoses(kind="family-history"), DIAGNOSES.format(name="spare", code="I10"))
    assert lint(files(used), files(*folders)) == ()


@pytest.mark.parametrize(
    ("one", "two", "clash"),
    [("I10", "I10", True), ("I13", "I13.2", True), ("I13.2", "I13", True), ("I10", "I11", False)],
)
def test_contradicting_concepts_may_share_no_code(one, two, clash):
    found = lint((), files(*diagnoses(one, two, contradicts="contradicts: [two], ")))
    assert [("contradict each other" in finding.message) for finding in found] == ([True] if clash else [])
    assert lint((), files(*diagnoses(one, two))) == ()


def test_a_contradiction_of_a_concept_without_codes_is_one_finding_only():
    broken = (
        DIAGNOSES.format(name="one", code="I10"),
        MORE.format(kind="condition", contradicts="contradicts: [two], "),
    )
    assert "There is no ValueSet" in one_finding((), broken).message


@pytest.mark.parametrize(("permitted", "found"), [("44054006", False), ("73211009", True)])
def test_a_snomed_code_outside_the_permitted_list_is_found(permitted, found):
    text = VALUE_SET.replace("http://loinc.org", "http://snomed.info/sct")
    licence = text.replace("ValueSet:alt", "ValueSet:snomed-permitted").replace("1742-6", permitted)
    complaints = lint(files(UNITS), files(text.replace("1742-6", "44054006"), CONCEPT, licence))
    assert [("without a licence" in finding.message) for finding in complaints] == ([True] if found else [])
    assert lint(files(UNITS), files(text.replace("1742-6", "44054006"), CONCEPT)) == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("concept: alt", "concept: ast", 2, "no concept"),
        ("to: U/L", "to: ukat/L", 3, "is kept in U/L"),
        ("from: [U/L]", "from: [u/l]", 6, "in its own unit"),
        ("from: [U/L]", "from: [U/L, U/L]", 5, "stands twice"),
        ("from: [U/L]", "from: [U/L]\n        factor: 2\n        source: x", 5, "changes the value"),
        ("from: [U/L]", "from: [U/L]\n      - from: [ukat/L]\n        factor: 60", 6, "no source"),
        (
            "from: [U/L]",
            "from: [U/L]\n      - from: [x]\n        factor: -1\n        source: x",
            6,
            "not above zero",
        ),
        ("from: [U/L]", 'from: [U/L]\n      - from: [x]\n        factor: "6O"', 7, "Invalid decimal"),
        (
            "from: [U/L]",
            "from: [U/L]\n        exceptCodes: [{system: 'http://loinc.org', code: 1742-5, reason: x}]",
            6,
            "check digit",
        ),
        (
            "  - concept: alt",
            "  - {concept: alt, to: U/L, conversions: [{from: [U/L]}]}\n  - concept: alt",
            6,
            "stands twice",
        ),
    ],
)
def test_a_mistake_in_the_units_is_found(old, new, line, said):
    found = lint(files(UNITS.replace(old, new)), files(VALUE_SET, CONCEPT))
    assert any(said in finding.message and finding.line == line for finding in found), found


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("target: urn:careplan-exchange:concept", "target: http://loinc.org", 10, "Nothing reads a map"),
        ("code: 1743-4", "code: 1743-5", 12, "check digit"),
        ("code: alt", "code: ast", 14, "no concept"),
        ("{code: alt, equivalence: equivalent}", "{equivalence: equivalent}", 14, "names no code"),
        ("equivalence: equivalent", "equivalence: inexact", 14, "needs a comment"),
        ("equivalence: equivalent", "equivalence: narrower", 14, "needs a comment"),
        ("equivalence: equivalent", "equivalence: disjoint", 14, "Invalid enum value"),
        ("equivalence: equivalent", "equivalence: unmatched", 14, "unmatched"),
        ("{code: alt, equivalence: equivalent}", "{equivalence: unmatched}", 14, "unmatched"),
        ("      - code", "      - {code: 1743-4, target: []}\n      - code", 12, "stands twice"),
        ("description: X.\n", "", 1, "description"),
    ],
)
def test_a_mistake_in_a_concept_map_is_found(old, new, line, said):
    found = lint(files(UNITS, MAP.replace(old, new)), files(VALUE_SET, CONCEPT))
    assert any(said in finding.message and finding.line == line for finding in found), found


def test_a_product_whose_ingredient_is_no_number_is_found():
    rxnorm = "http://www.nlm.nih.gov/research/umls/rxnorm"
    text = MAP.replace("http://loinc.org", rxnorm).replace("urn:careplan-exchange:concept", rxnorm)
    text = text.replace("1743-4", '"12"').replace("code: alt", "code: metformin")
    assert "RxNorm" in one_finding((UNITS, text), (VALUE_SET, CONCEPT)).message


CODE = "{system: 'http://loinc.org', code: %s}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("panels:\n  - {system: 'http://loinc.org', code: 1742-5, source: x}\n", "check digit"),
        ("panels:\n  - {system: 'http://loinc.org', code: 1742-6}\n", "source"),
        (f"answers:\n  - {{question: {CODE % '1742-5'}, concept: two, source: x, options: []}}\n", "check digit"),
        (
            f"answers:\n  - {{question: {CODE % '1742-6'}, concept: one, source: x, options: []}}\n",
            "is a condition",
        ),
        (
            f"answers:\n  - {{question: {CODE % '1742-6'}, concept: two, source: x, options: [{{means: present}}]}}\n",
            "or a text",
        ),
        (
            f"answers:\n  - {{question: {CODE % '1742-6'}, concept: two, source: x, options: [{{means: present, text: x, system: s, code: c}}]}}\n",
            "or a text",
        ),
        (
            f"answers:\n  - {{question: {CODE % '1742-6'}, concept: two, source: x, options: [{{means: present, system: s}}]}}\n",
            "or a text",
        ),
        (
            f"answers:\n  - {{question: {CODE % '1742-6'}, concept: two, source: x, options: [{{means: present, system: 'http://loinc.org', code: LA1-1}}]}}\n",
            "check digit",
        ),
        (
            f"answers:\n  - &a {{question: {CODE % '1742-6'}, concept: two, source: x, options: []}}\n  - *a\n",
            "stands twice",
        ),
        ("texts:\n  - {resource: Procedure, concept: one, texts: [x], source: x}\n", "yields procedure"),
        ("texts:\n  - {resource: Condition, concept: one, texts: [x, ' X '], source: x}\n", "stands twice"),
        ("texts:\n  - {resource: Condition, concept: one, texts: [x]}\n", "source"),
        (
            "absences:\n  - {statement: x, concepts: [one], denies: [food], source: x, texts: [x]}\n",
            "yields allergy",
        ),
        ("absences:\n  - {statement: x, concepts: [], denies: [food], source: x}\n", "Neither a code nor a text"),
        (
            f"absences:\n  - {{statement: x, concepts: [], denies: [food], source: x, codes: [{CODE % '1742-5'}]}}\n",
            "check digit",
        ),
        ("judged:\n  - {resource: Condition, reason: x, source: x}\n", "judges nothing"),
        ("judged:\n  - {resource: Condition, reason: x, texts: [x]}\n", "source"),
        ("judged:\n  - {resource: Goal, reason: x, source: x, texts: [x]}\n", "Invalid enum"),
        ("judged:\n  - {resource: Observation, reason: x, source: x, texts: [x]}\n", "never read from its text"),
        (
            f"judged:\n  - {{resource: Observation, reason: x, source: x, codes: [{CODE % '1742-5'}]}}\n",
            "check digit",
        ),
        (
            f"judged:\n  - {{resource: Observation, reason: x, source: x, codes: [{CODE % '1742-6'}, {CODE % '1742-6'}]}}\n",
            "judged twice",
        ),
        ("judged:\n  - {resource: Condition, reason: x, source: x, texts: [x, ' X ']}\n", "judged twice"),
        (
            "judged:\n  - {resource: Condition, reason: x, source: x, codes: [{system: 'http://hl7.org/fhir/sid/icd-10-cm', code: I10.1}]}\n",
            "means 'one'",
        ),
        (
            "texts:\n  - {resource: Condition, concept: one, texts: [x], source: x}\njudged:\n  - {resource: Condition, reason: x, source: x, texts: [X]}\n",
            "means 'one'",
        ),
        (
            "judged:\n  - {resource: Condition, reason: x, source: x, below: [{system: 'http://hl7.org/fhir/sid/icd-10-cm', code: I10}]}\n",
            "means 'one'",
        ),
        (
            "judged:\n  - {resource: Condition, reason: x, source: x, below: [{system: 'http://loinc.org', code: 1742-6}]}\n",
            "hierarchy is not in the codes",
        ),
        ("situations:\n  - {means: ended, source: x}\n", "No words"),
        ("situations:\n  - {means: gone, source: x, before: [x]}\n", "Invalid enum"),
        ("situations:\n  - {means: ended, source: x, before: [x, 'X ']}\n", "stand twice"),
        ("histories:\n  - {concept: three, source: x, codes: []}\n", "no condition"),
        (f"histories:\n  - {{concept: one, source: x, codes: [{CODE % '1742-5'}]}}\n", "check digit"),
        ("refutations:\n  - {concept: one}\n", "refutes nothing"),
        ("refutations:\n  - {concept: one, texts: [x]}\n", "never used"),
        (f"refutations:\n  - {{concept: three, codes: [{CODE % '1742-6'}]}}\n", "no concept"),
        (f"refutations:\n  - {{concept: one, codes: [{CODE % '1742-5'}]}}\n", "check digit"),
        ("demographics:\n  - {concept: two, excludedFor: {}, reason: x}\n", "excludes nobody"),
        (
            "demographics:\n  - {concept: two, excludedFor: {agesBelow: 60, agesAbove: 12}, reason: x}\n",
            "excludes everybody",
        ),
        ("demographics:\n  - {concept: two, excludedFor: {genders: [male]}}\n", "reason"),
        (
            "familyHistory:\n  - {concept: two, conditions: 'urn:careplan-exchange:ValueSet:one', source: x}\n",
            "yields family-history",
        ),
        ("systems:\n  - {canonical: a, aliases: [b]}\n  - {canonical: c, aliases: [b]}\n", "stands twice"),
        ("notRead:\n  - {type: Claim, reason: x}\n  - {type: Claim, reason: y}\n", "stands twice"),
        ("relatives:\n  - {code: FTH}\n  - {code: FTH}\n", "stands twice"),
        ("onsetUnits:\n  - {from: [a]}\n", "perYear"),
        (
            "systems:\n  - {canonical: a, aliases: [b]}\n  - {canonical: c, aliases: [a]}\n",
            "canonical name itself",
        ),
        (
            (
                f"answers:\n  - {{question: {CODE % '1742-6'}, concept: two, source: x, "
                "options: [{means: present, text: x}, {means: absent, text: ' X'}]}\n"
            ),
            "stands twice",
        ),
        (
            "panels:\n  - &a {system: 'http://loinc.org', code: 1742-6, source: x}\n  - *a\n",
            "panel '1742-6' stands twice",
        ),
        (
            (
                "texts:\n  - {resource: Condition, concept: one, texts: [x], source: x}\n"
                "  - {resource: Condition, concept: one, texts: [X], source: y}\n"
            ),
            "stands twice",
        ),
        (
            (
                f"refutations:\n  - {{concept: one, codes: [{CODE % '1742-6'}]}}\n"
                f"  - {{concept: one, codes: [{CODE % '1742-6'}]}}\n"
            ),
            "refutation '1742-6 of one' stands twice",
        ),
        (
            (
                "demographics:\n  - {concept: two, excludedFor: {genders: [male]}, reason: x}\n"
                "  - {concept: two, excludedFor: {agesBelow: 9}, reason: x}\n"
            ),
            "stands twice",
        ),
        ("panels:\n  - {system: 'http://loinc.or', code: 1742-6, source: x}\n", "no code system that is known"),
    ],
)
def test_a_mistake_in_another_mapping_is_found(text, said):
    finding = one_finding((text,), diagnoses(kind="status"))
    assert said in finding.message
    assert (finding.file, finding.line > 1) == ("0.yaml", True)


def test_a_family_history_of_no_value_set_is_found():
    text = "familyHistory:\n  - {concept: two, conditions: 'urn:careplan-exchange:ValueSet:gone', source: x}\n"
    assert "no ValueSet" in one_finding((text,), diagnoses(kind="family-history")).message


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


def test_a_mapping_that_says_what_the_value_set_says_is_dead_and_one_against_it_is_told():
    dead = MAP.replace("1743-4", "1742-6")
    assert "dead" in one_finding((UNITS, dead), (VALUE_SET, CONCEPT)).message
    against = dead.replace("equivalence: equivalent", "equivalence: narrower, comment: x")
    assert "uncertain" in one_finding((UNITS, against), (VALUE_SET, CONCEPT)).message


def test_a_code_that_two_files_map_to_one_concept_is_found_with_both_places():
    finding = one_finding((UNITS, MAP, MAP), (VALUE_SET, CONCEPT))
    assert (finding.file, finding.line) == ("2.yaml", 14)
    assert "1.yaml, line 14" in finding.mend


def test_a_product_of_products_is_found():
    rxnorm = "http://www.nlm.nih.gov/research/umls/rxnorm"
    text = MAP.replace("http://loinc.org", rxnorm).replace("urn:careplan-exchange:concept", rxnorm)
    chain = text.replace("1743-4", '"1"').replace("code: alt", 'code: "2"') + (
        '      - {code: "2", target: [{code: "3", equivalence: wider}]}\n'
        '      - {code: "4", target: [{code: "4", equivalence: wider}]}\n'
    )
    assert "not looked up again" in one_finding((UNITS, chain), (VALUE_SET, CONCEPT)).message


@pytest.mark.parametrize(
    ("text", "suggested"),
    [
        ("resourceType: Valueset\n", "Did you mean 'ValueSet'?"),
        ("concept:\n  - {id: x}\n", "Did you mean 'concepts'?"),
        ("banana: 1\n", "README.md)."),
    ],
)
def test_a_misspelt_kind_of_profile_is_told_what_it_was_meant_to_be(text, suggested):
    assert one_finding((UNITS,), (VALUE_SET, CONCEPT, text)).mend.endswith(suggested)


def test_a_misspelt_conceptmap_is_told_what_it_was_meant_to_be():
    assert (
        "Did you mean 'ConceptMap'?"
        in one_finding((UNITS, "resourceType: Conceptmap\n"), (VALUE_SET, CONCEPT)).mend
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kind: measurement", "kind: 7"),
        ("unit: U/L", "unit: 7"),
        ("valueSet: urn", "valueset: urn"),
        ("title: ALT", "titel: ALT"),
        ("id: alt", "idd: alt"),
    ],
)
def test_a_concept_that_cannot_be_read_is_told_once_and_not_where_it_is_used(old, new):
    assert one_finding((UNITS, MAP), (VALUE_SET, CONCEPT.replace(old, new))).file == "1.yaml"


@pytest.mark.parametrize("rows", ["  - 7\n", "  - {kind: 7}\n"])
def test_a_concept_without_a_name_is_one_finding_more(rows):
    assert one_finding((UNITS, MAP), (VALUE_SET, CONCEPT + rows)).line == 10


def test_a_value_set_that_cannot_be_read_is_told_once():
    assert one_finding((UNITS, MAP), (VALUE_SET.replace("title:", "titel:"), CONCEPT)).line == 4
    nameless = lint(files(UNITS), files(VALUE_SET.replace("url:", "address:"), CONCEPT))
    assert [finding.file for finding in nameless] == ["0.yaml", "1.yaml"]


def test_conversions_that_cannot_be_read_are_told_once():
    assert one_finding((UNITS.replace("to: U/L", "two: U/L"),), (VALUE_SET, CONCEPT)).line == 3


def test_a_concept_that_contradicts_itself_is_found():
    text = CONCEPT.replace("    unit: U/L\n", "    unit: U/L\n    contradicts: [alt]\n")
    assert "contradicts itself" in one_finding((UNITS,), (VALUE_SET, text)).message
