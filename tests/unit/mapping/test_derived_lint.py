"""Rules of mappings/derived as they may be written wrongly: each mistake is found, at its line, with a mend."""

import re
from pathlib import Path

import pytest

from careplan_exchange.knowledge import documents, parse
from careplan_exchange.mapping import lint
from careplan_exchange.mapping.derived.lint import findings_of, run_order
from careplan_exchange.mapping.derived.rules import (
    ChronicStaging,
    Duration,
    Equation,
    Mean,
    Previous,
    Staging,
    Trend,
    reads,
)

ROOT = Path(__file__).parents[3]
FILES = {document.path: document for document in documents("mappings") if "derived" in document.content}
PROFILES = documents("profiles")
TEXTS = {name: (ROOT / name).read_text() for name in FILES}
KIDNEY, BODY, PRESSURE, OTHERS = (
    f"mappings/derived/{name}.yaml" for name in ("kidney", "body", "blood-pressure", "heart-and-smoking")
)


def findings_with(name, text):
    """The findings about the rules of our own folder, one file replaced."""
    whole = [document for document in FILES.values() if document.path != name]
    found = lint([*whole, parse(name, text.encode())], PROFILES)
    return [finding for finding in found if finding.file.startswith("mappings/derived/")]


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (KIDNEY, "ageFrom:", "ageForm:", "unknown field `ageForm`"),
        (KIDNEY, "yields: egfr\n", "yields: egrf\n", "'egrf' is no concept"),
        (KIDNEY, "- concept: creatinine", "- concept: creatine", "'creatine' is no concept"),
        (KIDNEY, "notWith: [pregnancy, dialysis]", "notWith: [hba1c]", "'hba1c' is a measurement"),
        (KIDNEY, "unit: mg/dL", "unit: umol/L", "kept in mg/dL, and the rule counts in umol/L"),
        (KIDNEY, "id: uacr-previous", "id: egfr-previous", "'egfr-previous' stands twice"),
        (KIDNEY, "yields: uacr_previous", "yields: egfr_previous", "Two rules yield 'egfr_previous'"),
        (
            KIDNEY,
            "of: creatinine, dividedBy: 0.7, atMost: 1, power: -0.241",
            "of: uacr, power: -0.241",
            "'uacr' is none",
        ),
        (
            KIDNEY,
            "perYearOfAge: 0.9938}\n          - {times",
            "perYearOfAge: 0}\n          - {times",
            "not above zero",
        ),
        (KIDNEY, "dividedBy: 0.7, atMost", "dividedBy: 0, atMost", "not above zero"),
        (KIDNEY, "{times: 1.012}", "{times: 1.012, perYearOfAge: 2}", "A factor is a power of an input"),
        (KIDNEY, "sex: male", "sex: female", "Two equations stand for the same sex"),
        (KIDNEY, "constant: 142", "constant: 0", "The constant is not above zero"),
        (KIDNEY, "atLeast: 45}", "atLeast: 95}", "from the highest down"),
        (KIDNEY, "code: G3b", "code: G3a", "A stage stands twice"),
        (KIDNEY, '(kidney failure)"}', '(kidney failure)", atLeast: 1}', "Every stage but the last"),
        (KIDNEY, "normal: [G1, G2]", "normal: [G1, G9]", "'G9' is no stage of gfr-category-kdigo"),
        (
            KIDNEY,
            "category: gfr_category,",
            "category: lvef_class,",
            "No stage rule yields 'lvef_class' from 'egfr'",
        ),
        (KIDNEY, "damage: [chronic", "damage: [acute", "'acute_kidney_disease' is no concept"),
        (KIDNEY, "apart: {days: 90,", "apart: {days: 900,", "never be shown"),
        (KIDNEY, "points: 3", "points: 1", "No line goes through this"),
        (KIDNEY, "yields: egfr_slope", "yields: egfr_previous_slope", "is no concept"),
        (KIDNEY, "yields: egfr_slope", "yields: hba1c_slope", "counts in mL/min/{1.73_m2}/a"),
        (BODY, "apart: {days: 1825,", "within: {days: 1825,", "unknown field `within`"),
        (
            BODY,
            "inputs:\n      - {concept: body_weight, unit: kg}",
            "inputs:\n      - {concept: body_weight, unit: kg, apart: {days: 1, reason: x}}",
            "Every input but the first",
        ),
        (BODY, "          - {of: body_height, power: -2}\n", "", "'body_height' is asked for and not used"),
        (BODY, "apart: {days: 7,", "apart: {days: -7,", "apart is below zero"),
        (PRESSURE, "of: systolic_bp\n    last: 3", "of: systolic_bp\n    last: 1", "asks for more than it takes"),
        (PRESSURE, "of: hypertension\n", "of: pregnancy\n", "'pregnancy' is a status"),
        (OTHERS, "onlyWith: [heart_failure]", "onlyWith: [hart_failure]", "'hart_failure' is no concept"),
        (OTHERS, "atLeast: 50}", "atLeast: 50, above: 50}", "Every stage but the last has one lower bound"),
    ],
)
def test_a_mistake_in_a_rule_is_found_at_its_place(name, old, new, said):
    assert old in TEXTS[name]
    text = TEXTS[name].replace(old, new, 1)
    found = [finding for finding in findings_with(name, text) if said in finding.message]
    assert found, [finding.message for finding in findings_with(name, text)]
    assert found[0].file == name
    assert found[0].mend
    at = TEXTS[name].index(old)
    begins = TEXTS[name].rindex("  - kind:", 0, at + len(old)) if "- kind" in TEXTS[name][:at] else 0
    ends = TEXTS[name].find("  - kind:", at)
    first, last = (
        TEXTS[name].count("\n", 0, place) for place in (begins, ends if ends > 0 else len(TEXTS[name]))
    )
    assert first < found[0].line <= last + 1, "the finding stands in another rule"


def test_a_source_without_an_address_is_found():
    text = TEXTS[BODY].replace("https://www.who.int/data/gho", "the pages of WHO", 1)
    (finding,) = findings_with(BODY, text)
    assert "neither a DOI nor a URL" in finding.message
    assert text.splitlines()[finding.line - 1].strip().startswith("source:")


CYCLE = """\
derived:
  - kind: previous
    id: there
    title: There
    source: "doi:10.1000/x"
    yields: hba1c_previous
    of: egfr_previous
    apart: {days: 1, reason: x}
  - kind: previous
    id: back
    title: Back
    source: "doi:10.1000/x"
    yields: egfr_previous
    of: hba1c_previous
    apart: {days: 1, reason: x}
"""


def test_rules_that_wait_for_each_other_are_found_and_neither_runs(vocabulary):
    said = {finding.message for finding in lint([parse("cycle.yaml", CYCLE.encode())], PROFILES)}
    assert {message for message in said if "waits for" in message} == {
        f"'{name}' waits for what it yields itself, or for a rule that does." for name in ("there", "back")
    }
    rules = [
        Previous(id=name, title="x", source="doi:10.1000/x", yields=yields, of=of, apart=None)
        for name, yields, of in (("there", "a", "b"), ("back", "b", "a"), ("free", "c", "d"))
    ]
    assert [rule.id for rule in run_order(rules)] == ["free"]


def test_each_rule_runs_after_those_that_it_builds_on(mappings):
    order = [rule.yields for rule in mappings.derived]
    for rule in mappings.derived:
        for concept in reads(rule):
            if concept in order:
                assert order.index(concept) < order.index(rule.yields), rule.id


def test_our_own_rules_have_no_finding_and_every_kind_is_used(vocabulary, mappings):
    assert {type(rule) for rule in mappings.derived} == {
        Equation,
        Mean,
        Previous,
        Trend,
        Staging,
        ChronicStaging,
        Duration,
    }
    found = [(next(iter(FILES.values())), (), rule) for rule in mappings.derived]
    assert list(findings_of(found, vocabulary.concepts)) == []


def address_of(rule):
    return re.search(r"(?:doi:|https?://)[^\s,;]+", rule.source).group().rstrip(".:)")


def test_the_page_of_rules_has_each_of_them_as_it_is(mappings, vocabulary):
    page = (ROOT / "docs/derived.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `") and " | `%" in line]
    expected = sorted(
        f"| `{rule.id}` | `%{rule.yields}` | {vocabulary.concepts[rule.yields].title} "
        f"| {', '.join(f'`{concept}`' for concept in dict.fromkeys(reads(rule)))} "
        f"| {address_of(rule)} |"
        for rule in mappings.derived
    )
    assert rows == expected, "\n".join(expected)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("atHome: home_systolic_bp", "atHome: home_sistolic_bp", "'home_sistolic_bp' is no concept"),
        ("atHome: home_systolic_bp", "atHome: hba1c", "'hba1c' cannot hold what is measured at home"),
        ("atHome: home_systolic_bp", "atHome: diastolic_bp", "'diastolic_bp' cannot hold"),
        ("atHome: home_systolic_bp", "atHome: pregnancy", "'pregnancy' cannot hold"),
    ],
)
def test_a_home_of_a_measurement_is_another_one_in_its_unit(old, new, said):
    name = "profiles/concepts/measurements.yaml"
    text = (ROOT / name).read_text()
    whole = [document for document in PROFILES if document.path != name]
    found = lint(documents("mappings"), [*whole, parse(name, text.replace(old, new, 1).encode())])
    (finding,) = [finding for finding in found if said in finding.message]
    assert (finding.file, text.splitlines()[finding.line - 1].strip()) == (name, "atHome: home_systolic_bp")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("texts: [home,", "texts: [Home,", "'Home' never matches"),
        ("    texts: [clinic,", "    text: [clinic,", "unknown field `text`"),
        ("origin: clinic", "origin: klinik", "Invalid enum value"),
        ("code: non-clinical-environment}", "code: ' '}", "blank"),
    ],
)
def test_a_mistake_in_a_setting_is_found(old, new, said):
    name = "mappings/measurement-settings.yaml"
    text = (ROOT / name).read_text()
    assert old in text
    found = lint([parse(name, text.replace(old, new, 1).encode())], PROFILES)
    assert any(said in finding.message and finding.file == name and finding.mend for finding in found), found


def test_a_setting_that_nothing_says_is_found():
    text = "measurementSettings:\n  - {origin: home, source: x, extensions: ['urn:x']}\n"
    found = lint([parse("settings.yaml", text.encode())], PROFILES)
    assert "Neither a code nor a text says this setting." in {finding.message for finding in found}
