"""The mappings of questionnaires, genes, consent and origins as they may be written wrongly."""

import pytest

from careplan_exchange.mapping import lint
from tests.unit.mapping.folders import CONCEPT, VALUE_SET, diagnoses, files

LOINC = "system: 'http://loinc.org', code"
SCORES = (
    "questionnaires:\n  - title: X\n    concept: {concept}\n    total: {{"
    + LOINC
    + ": {total}}}\n    source: x\n"
    "    items: [{{" + LOINC + ": 44250-9}}{more}]\n    scores: [{{" + LOINC + ": LA6568-5, value: 0}}]\n"
)
GENE = "genes:\n  - {id: 'HGNC:1100', symbol: BRCA1}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SCORES.format(concept="nothing", total="44261-6", more=""), "is no concept"),
        (SCORES.format(concept="two", total="44261-6", more=""), "yields measurement"),
        (SCORES.format(concept="two", total="44261-5", more=""), "check digit"),
        (SCORES.format(concept="two", total="44261-6", more=", {" + LOINC + ": 44250-9}"), "stands twice"),
        (GENE + "  - {id: 'HGNC:1101', symbol: BRCA1}\n", "'BRCA1' stands twice"),
        (GENE + "  - {id: 'HGNC:1100', symbol: BRCA2}\n", "'HGNC:1100' stands twice"),
        ("genes:\n  - {id: 'HGNC:1', symbol: A, phenotype: {" + LOINC + ": 1-1}}\n", "check digit"),
        ("genes:\n  - {id: 'HGNC:1'}\n", "symbol"),
        ("significances:\n  - {" + LOINC + ": LA6668-3, means: banana}\n", "Invalid enum value"),
        ("significances:\n  - &a {" + LOINC + ": LA6668-3, means: benign}\n  - *a\n", "stands twice"),
        ("phenotypes:\n  - {" + LOINC + ": LA9657-4}\n", "check digit"),
        ("consents:\n  - {system: s, code: c, denied: two, source: x}\n", "yields circumstance"),
        ("consents:\n  - {system: s, code: c, recorded: gone, source: x}\n", "is no concept"),
        ("refusals:\n  - {system: s, code: c, concept: two, source: x}\n", "yields circumstance"),
        ("told:\n  - {question: {" + LOINC + ": 1742-6}, concept: two, source: x}\n", "yields circumstance"),
        ("told:\n  - {question: {" + LOINC + ": 1742-6}, concept: two}\n", "source"),
        ("origins:\n  - {origin: banana, source: x, texts: [x]}\n", "Invalid enum value"),
        (
            "origins:\n  - &a {origin: home, source: x, codes: [{" + LOINC + ": 1742-6}]}\n  - *a\n",
            "stands twice",
        ),
    ],
)
def test_a_mistake_is_found_with_file_line_and_mend(text, said):
    found = [
        finding for finding in lint(files(text), files(*diagnoses(kind="status"))) if said in finding.message
    ]
    assert found
    assert {finding.file for finding in found} == {"0.yaml"}
    assert all(finding.line > 1 and finding.mend for finding in found)


def test_sound_ones_have_no_finding():
    value_set = VALUE_SET.replace(":alt", ":phq")
    concept = CONCEPT.replace("alt", "phq").replace("unit: U/L", 'unit: "{score}"')
    units = 'units:\n  - concept: phq\n    to: "{score}"\n    conversions: [{from: ["{score}"]}]\n'
    text = SCORES.format(concept="phq", total="44261-6", more="")
    assert lint(files(text, units, GENE), files(value_set, concept)) == ()


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        ("condition", "", "Only a visit lies ahead"),
        ("visit", "    maxAge: {days: 365, reason: because}\n", "has no age"),
        ("visit", "", None),
    ],
)
def test_only_a_visit_lies_ahead_and_has_no_age(kind, more, said):
    text = (
        f"concepts:\n  - id: alt\n    kind: {kind}\n    title: X\n    ahead: true\n"
        "    valueSet: urn:careplan-exchange:ValueSet:alt\n"
        + more
        + "    whenAbsent: {means: unknown, reason: x}\n"
    )
    found = lint(files(), files(VALUE_SET, text))
    assert [said in finding.message for finding in found] == ([True] if said else [])
    assert all(finding.line == 5 for finding in found)
