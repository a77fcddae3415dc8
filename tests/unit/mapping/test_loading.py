"""Value sets, concepts and units as they may be written wrongly: each mistake is found, at its line, with a mend."""

import pytest

from careplan_exchange.errors import KnowledgeError
from careplan_exchange.knowledge import documents
from careplan_exchange.mapping import lint, load_mappings, load_vocabulary
from tests.unit.mapping.folders import (
    CONCEPT,
    DIAGNOSES,
    MAP,
    MORE,
    UNITS,
    VALUE_SET,
    diagnoses,
    files,
    one_finding,
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
    ("text", "suggested"),
    [
        ("resourceType: Valueset\n", "Did you mean 'ValueSet'?"),
        ("concept:\n  - {id: x}\n", "Did you mean 'concepts'?"),
        ("banana: 1\n", "README.md)."),
    ],
)
def test_a_misspelt_kind_of_profile_is_told_what_it_was_meant_to_be(text, suggested):
    assert one_finding((UNITS,), (VALUE_SET, CONCEPT, text)).mend.endswith(suggested)


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
