"""Errors planted in a copy of the knowledge folders: each is found, at its file and line, and nothing else is."""

import shutil
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest

from careplan_exchange import config, curation, knowledge
from careplan_exchange.mapping import checkdigits

TODAY = date(2026, 11, 26)
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


class Planted(NamedTuple):
    """In the first file of `where` that holds `old`, `old` becomes `new` once; without `old`, `new` is put at the
    end. The finding is due at the line of the change, or at the last line up to it that holds `at`."""

    where: str
    old: str
    new: str
    says: str
    mend: str
    at: str = ""
    others: int = 0
    """How many more findings the same error rightly makes."""


def appended_map(*elements: str, source: str = "http://loinc.org", target: str = "urn:careplan-exchange:concept"):
    rows = "".join(f"      - {element}\n" for element in elements)
    return f"  - source: {source}\n    target: {target}\n    element:\n{rows}"


PLANTED = {
    # --- profiles
    "a LOINC code whose check digit is wrong": Planted(
        "profiles/valuesets/*", '"4548-4"', '"4548-5"', "'4548-5' is no LOINC code", "Look the code up again"
    ),
    "a SNOMED CT code whose check digit is wrong": Planted(
        "profiles/valuesets/type-2-diabetes.yaml", "44054006", "44054007", "check digit", "copy it"
    ),
    "a SNOMED CT code without a licence": Planted(
        "profiles/valuesets/type-2-diabetes.yaml", "44054006", "1151000175103", "licence", "Global Patient Set"
    ),
    "an ICD-10-CM code that is not spelt like one": Planted(
        "profiles/valuesets/type-2-diabetes.yaml", 'value: "E11"', 'value: "E1l"', "'E1l'", "copy it"
    ),
    "two filters that no code passes together": Planted(
        "profiles/valuesets/type-2-diabetes.yaml",
        'value: "E11"}',
        'value: "E11"}\n        - {property: concept, op: is-a, value: "E13"}',
        "joins the filters",
        "an include of its own",
        at="filter:",
    ),
    "a misspelt code system": Planted(
        "profiles/valuesets/hba1c.yaml",
        "system: http://loinc.org",
        "system: http://loinc.og",
        "'http://loinc.og' is no code system",
        "Did you mean 'http://loinc.org'?",
    ),
    "a misspelt key of a ValueSet": Planted(
        "profiles/valuesets/hba1c.yaml", "purpose: >-", "purpos: >-", "'purpos'", "Did you mean 'purpose'?"
    ),
    "a misspelt key of a concept": Planted(
        "profiles/concepts/*",
        "maxAge: {days: 365, reason: As for the glom",
        "maxAgee: {days: 365, reason: As for the glom",
        "unknown field `maxAgee`",
        "Did you mean 'maxAge'?",
    ),
    "a misspelt key inside a concept's bounds": Planted(
        "profiles/concepts/*", "{low: 0.2, high: 700,", "{low: 0.2, hihg: 700,", "`hihg`", "Did you mean 'high'?"
    ),
    "a misspelt kind": Planted(
        "profiles/concepts/*",
        "kind: measurement\n    title: Potassium",
        "kind: mesurement\n    title: Potassium",
        "'mesurement'",
        "Did you mean 'measurement'?",
    ),
    "a concept of a ValueSet that is not there": Planted(
        "profiles/concepts/*",
        "valueSet: urn:careplan-exchange:ValueSet:dementia",
        "valueSet: urn:careplan-exchange:ValueSet:dementa",
        "There is no ValueSet",
        "Did you mean 'urn:careplan-exchange:ValueSet:dementia'?",
    ),
    "bounds that are reversed": Planted(
        "profiles/concepts/*", "{low: 7, high: 210,", "{low: 210, high: 7,", "reversed", "lower bound"
    ),
    "a bound without a reason": Planted(
        "profiles/concepts/*",
        ", reason: From the smallest surviving newborns to the heaviest person on record.}",
        "}",
        "missing required field `reason`",
        "README",
    ),
    "a canonical unit that nothing converts to": Planted(
        "profiles/concepts/*",
        "unit: kg\n",
        "unit: kgg\n",
        "'body_weight' in its own unit kgg",
        "Mend the unit",
        others=3,
    ),
    "two concepts of one id": Planted(
        "profiles/concepts/statuses.yaml",
        "",
        "  - {id: mra, kind: medication, title: MRA, valueSet: urn:careplan-exchange:ValueSet:mra, "
        "whenAbsent: {means: absent, reason: Again.}}\n",
        "'mra' stands twice",
        "Remove one",
    ),
    "a ValueSet that nothing uses": Planted(
        "profiles/valuesets/snomed-permitted.yaml",
        "url: urn:careplan-exchange:ValueSet:snomed-permitted",
        "url: urn:careplan-exchange:ValueSet:snomed-allowed",
        "uses the ValueSet urn:careplan-exchange:ValueSet:snomed-allowed",
        "remove the file",
    ),
    # --- mappings
    "a conversion to another unit than the concept's": Planted(
        "mappings/**/*", "to: kg/m2", "to: kg/m^2", "is kept in kg/m2", "agree"
    ),
    "a conversion of a misspelt concept": Planted(
        "mappings/units.yaml", "concept: body_weight", "concept: body_wieght", "'body_wieght'", "'body_weight'?"
    ),
    "a misspelt key of a conversion": Planted(
        "mappings/**/*", "factor: 38.67", "faktor: 38.67", "`faktor`", "Did you mean 'factor'?"
    ),
    "a factor without a source": Planted(
        "mappings/**/*",
        'source: "The international avoirdupois',
        'assumes: "The international avoirdupois',
        "no source",
        "Cite",
        at="- from:",
    ),
    "a unit that stands twice": Planted("mappings/**/*", '"Kg", "KG"', '"Kg", "Kg"', "'Kg'", "Remove one"),
    "a mapped code whose check digit is wrong": Planted(
        "mappings/codes/*", "59261-8", "59261-9", "'59261-9' is no LOINC code", "Look the code up again"
    ),
    "a misspelt code system of a map": Planted(
        "mappings/codes/*",
        "source: http://loinc.org\n",
        "source: http://loinc.org/\n",
        "'http://loinc.org/' is no code system",
        "Did you mean 'http://loinc.org'?",
    ),
    "a mapping of a code that the ValueSet has": Planted(
        "mappings/codes/*",
        "",
        appended_map('{code: "4548-4", target: [{code: hba1c, equivalence: equivalent}]}'),
        "the mapping is dead",
        "Remove it",
    ),
    "a mapping that says not what differs": Planted(
        "mappings/codes/*", ", comment: The type is not stated.", "", "needs a comment", "leaves open"
    ),
    "products that lead back to each other": Planted(
        "mappings/medications/*",
        "",
        appended_map(
            '{code: "99999901", target: [{code: "99999902", equivalence: wider}]}',
            '{code: "99999902", target: [{code: "99999901", equivalence: wider}]}',
            source=RXNORM,
            target=RXNORM,
        ),
        "a cycle",
        "ingredients themselves",
        others=1,
    ),
    "code systems that are aliases of each other": Planted(
        "mappings/systems.yaml",
        "",
        '  - {canonical: "https://loinc.org", aliases: ["http://loinc.org"]}\n',
        "a cycle",
        "canonical",
        others=1,
    ),
    "a text that stands twice": Planted(
        "mappings/text/*",
        "[hypertension, ",
        "[hypertension, Hypertension, ",
        "'hypertension' stands twice",
        "Remove",
    ),
    "a misspelt answer": Planted(
        "mappings/answers/*", "means: absent}", "means: abset}", "'abset'", "Did you mean 'absent'?"
    ),
    "a relative that stands twice": Planted(
        "mappings/**/*", "{code: NFTH,", "{code: FTH,", "relative 'FTH' stands twice", "the first is in"
    ),
    "a misspelt kind of mapping": Planted(
        "mappings/*", "panels:", "panel:", "no kind of mapping", "Did you mean 'panels'?"
    ),
    # --- protocols
    "a misspelt variable": Planted(
        "protocols/t2dm/*",
        '"%hba1c < 7"',
        '"%hba1cc < 7"',
        "There is no variable '%hba1cc'",
        "Did you mean 'hba1c'?",
    ),
    "an action for a goal that is not there": Planted(
        "protocols/t2dm/*",
        "goalId: [hba1c.kidney]",
        "goalId: [hba1c.kidny]",
        "no goal 'hba1c.kidny'",
        "Did you mean 'hba1c.kidney'?",
    ),
    "an action without its definition": Planted(
        "protocols/t2dm/*",
        "definitionCanonical: urn:careplan-exchange:ActivityDefinition:t2dm-foot-exam",
        "definitionCanonical: urn:careplan-exchange:ActivityDefinition:t2dm-feet-exam",
        "Nothing has the canonical",
        "t2dm-foot-exam|1.0.0'?",
    ),
    "a goal without a citation": Planted(
        "protocols/t2dm/*",
        "documentation: [*kdigo-diabetes-2022]\n    target:",
        "target:",
        "The goal has no citation",
        "type citation",
        at="- id: hba1c.kidney",
    ),
    "an activity without a citation": Planted(
        "protocols/t2dm/activities/*",
        "type: citation",
        "type: documentation",
        "relatedArtifact of type citation",
        "README",
        at="relatedArtifact:",
    ),
    "a review that is due": Planted(
        "protocols/t2dm/*",
        'end: "2028-12-31"',
        'end: "2026-11-23"',
        "to be reviewed by 2026-11-23",
        "lastReviewDate",
    ),
    "a review in the future": Planted(
        "protocols/t2dm/*",
        'lastReviewDate: "2026-11-24"',
        'lastReviewDate: "2027-11-24"',
        "after today",
        "the day on which",
    ),
    "a condition that can never hold": Planted(
        "protocols/hypertension/*", '"%bmi >= 25"', '"%bmi >= 2500"', "is dead: it is false", "Mend the number"
    ),
    "a condition that contradicts itself": Planted(
        "protocols/t2dm/*",
        "%metformin and %egfr >= 30 and %egfr < 45",
        "%metformin and %egfr >= 45 and %egfr < 30",
        "The condition is dead",
        "Mend it",
    ),
    "a target in another unit": Planted(
        "protocols/t2dm/*",
        'detailRange: {high: {value: 8.0, unit: "%", system: http://unitsofmeasure.org, code: "%"}}',
        "detailRange: {high: {value: 64, unit: mmol/mol, system: http://unitsofmeasure.org, code: mmol/mol}}",
        "The target is in 'mmol/mol'",
        "Give the value in %",
    ),
    "a misspelt element of FHIR": Planted(
        "protocols/t2dm/*",
        "goalId: [hba1c.kidney]",
        "goalID: [hba1c.kidney]",
        "goalID",
        "Did you mean 'goalId'?",
    ),
    "a misspelt extension": Planted(
        "protocols/t2dm/*",
        "{url: urn:careplan-exchange:question,",
        "{url: urn:careplan-exchange:qestion,",
        "There is no extension",
        "Did you mean 'urn:careplan-exchange:question'?",
    ),
    "a key that stands twice": Planted(
        "protocols/t2dm/plan.yaml", "status: active", "title: active", "The key 'title' stands twice", "Remove"
    ),
    # --- query plans of vendors
    "a misspelt key of a query plan": Planted(
        "mappings/vendors/epic.yaml", "reviewed:", "reviewd:", "`reviewd`", "Did you mean 'reviewed'?"
    ),
    "a resource type that no record holds": Planted(
        "mappings/vendors/epic.yaml",
        "type: Observation",
        "type: Observatio",
        "Did you mean 'Observation'?",
        "Mend the name",
    ),
    "a search parameter that the type has not": Planted(
        "mappings/vendors/epic.yaml",
        "parameter: category\n      values: [vital-signs",
        "parameter: categry\n      values: [vital-signs",
        "'categry' is no search parameter of Observation",
        "FHIR registry",
    ),
    "a pattern for a server's name that is none": Planted(
        "mappings/vendors/epic.yaml", '"^Epic"', '"[Epic"', "no regular expression", "looked for in the software"
    ),
    # --- safety rules
    "a misspelt medicine of a safety rule": Planted(
        "protocols/safety/drug-drug.yaml",
        "first: [nitrate]",
        "first: [nitrat]",
        "There is no medication concept 'nitrat'",
        "Did you mean 'nitrate'?",
    ),
    "a safety rule whose source is not there": Planted(
        "protocols/safety/drug-drug.yaml",
        "source: [label-sildenafil",
        "source: [label-sildenafill",
        "There is no source 'label-sildenafill'",
        "Did you mean 'label-sildenafil'?",
    ),
    "a red flag that can never be raised": Planted(
        "protocols/safety/red-flags.yaml",
        '"%potassium >= 6.0"',
        '"%potassium >= 6.0 and %potassium < 6.0"',
        "`when` can never hold",
        "Mend the comparison",
    ),
    # --- the review policy
    "a conflict that needs nobody": Planted(
        "protocols/review/policy.yaml",
        "{change: [conflict, deleted], needs: one}",
        "{change: [conflict, deleted], needs: auto}",
        "without a person",
        "one, two or never",
    ),
    "two rules that contradict each other": Planted(
        "protocols/review/policy.yaml",
        "",
        "  - {change: [recheck], needs: one}\n",
        "says 'auto' of the same",
        "Remove one",
    ),
}


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the knowledge folders, in their place."""
    for folder in knowledge.FOLDERS:
        shutil.copytree(knowledge.root() / folder, tmp_path / folder, dirs_exist_ok=True)
    monkeypatch.setattr(knowledge, "root", lambda: tmp_path)
    return tmp_path


def lint():
    return curation.lint_knowledge(config.Settings(), TODAY).findings


def plant(root: Path, planted: Planted) -> tuple[str, int]:
    """Change the file; its name, and the line where the finding is due."""
    files = [path for path in sorted(root.glob(planted.where)) if path.suffix == ".yaml"]
    file = next(path for path in files if planted.old in path.read_text())
    text = file.read_text()
    if planted.old:
        before, after = text.split(planted.old, 1)
        same = len(planted.new) - len(planted.new.lstrip("\n"))
        changed = before + planted.new + after
        line = before.count("\n") + 1 + same
    else:
        changed = text.rstrip("\n") + "\n" + planted.new
        line = changed.count("\n")
    file.write_text(changed)
    if planted.at:
        line = max(n for n, found in enumerate(changed.split("\n")[:line], 1) if planted.at in found)
    return file.relative_to(root).as_posix(), line


def test_the_untouched_copy_has_no_finding(copy):
    assert lint() == ()


def test_more_than_twenty_errors_are_planted_in_every_folder():
    folders = [planted.where.split("/")[0] for planted in PLANTED.values()]
    assert len(folders) > 20
    assert all(folders.count(folder) >= 10 for folder in ("mappings", "profiles", "protocols"))


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_found_where_it_is(copy, name):
    planted = PLANTED[name]
    place = plant(copy, planted)
    found = lint()
    at_place = [finding for finding in found if (finding.file, finding.line) == place]
    assert [f for f in at_place if planted.says in f.message and planted.mend in f.mend], (place, found)
    assert len(found) == 1 + planted.others, found


def test_errors_in_all_folders_are_told_in_one_run(copy):
    names = ("a LOINC code whose check digit is wrong", "a misspelt key of a conversion", "a misspelt variable")
    places = [plant(copy, PLANTED[name]) for name in names]
    assert [(finding.file, finding.line) for finding in lint()] == places


def test_the_code_without_a_licence_is_well_spelt():
    assert checkdigits.snomed_is_well_formed(PLANTED["a SNOMED CT code without a licence"].new)
