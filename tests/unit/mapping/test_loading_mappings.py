"""Concept maps and the other mappings as they may be written wrongly: each mistake is found, with a mend."""

import pytest

from careplan_exchange.mapping import lint
from tests.unit.mapping.folders import CONCEPT, MAP, UNITS, VALUE_SET, diagnoses, files, one_finding


@pytest.mark.parametrize("text", ["- a list\n", "banana: 1\n", "{}\n", "units: {}\n"])
def test_a_file_that_is_no_mapping_is_found(text):
    assert one_finding((UNITS, text), (VALUE_SET, CONCEPT)).file == "1.yaml"


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


def test_a_misspelt_conceptmap_is_told_what_it_was_meant_to_be():
    assert (
        "Did you mean 'ConceptMap'?"
        in one_finding((UNITS, "resourceType: Conceptmap\n"), (VALUE_SET, CONCEPT)).mend
    )
