"""Errors to plant in a copy of the knowledge folders: those of protocols, safety rules and the review policy."""

from tests.support.planted import Planted

IN_PROTOCOLS = {
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
