"""Errors to plant in a copy of the knowledge folders: those of profiles and mappings."""

from typing import NamedTuple

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


def appended_map(
    *elements: str, source: str = "http://loinc.org", target: str = "urn:careplan-exchange:concept"
) -> str:
    rows = "".join(f"      - {element}\n" for element in elements)
    return f"  - source: {source}\n    target: {target}\n    element:\n{rows}"


IN_PROFILES = {
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
}
IN_MAPPINGS = {
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
}
