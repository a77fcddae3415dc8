"""A protocol that holds together, in two files, and what the linter says after a change to one."""

from typing import Any

from careplan_exchange import knowledge, planner
from tests.cases.snapshots import vocabulary

ACTIVITY = """\
resourceType: ActivityDefinition
id: walk
url: urn:test:walk
version: 1.0.0
title: Walk
description: Walk every day.
status: active
extension:
  - {url: urn:careplan-exchange:patient-text, valueString: Walk every day.}
topic:
  - coding: [{system: urn:careplan-exchange:activity-kind, code: lifestyle}]
relatedArtifact:
  - {type: citation, citation: A guideline, url: "https://example.org/a"}
kind: ServiceRequest
intent: proposal
code: {text: Walk}
"""
PLAN = """\
resourceType: PlanDefinition
id: test
url: urn:test:plan
version: 1.0.0
title: Test
status: active
approvalDate: "2026-01-01"
lastReviewDate: "2026-01-01"
effectivePeriod: {start: "2026-01-01", end: "2028-12-31"}
author: [{name: Somebody}]
extension:
  - {url: urn:careplan-exchange:disclaimer, valueString: Not an order.}
relatedArtifact:
  - {type: citation, citation: A guideline, url: "https://example.org/a"}
goal:
  - id: hba1c.adult
    description: {text: HbA1c below 7}
    extension: [{url: urn:careplan-exchange:patient-text, valueString: Your goal is 7.}]
    category: {coding: [{code: dietary}]}
    priority: {coding: [{code: high-priority}]}
    addresses: [{coding: [{system: http://snomed.info/sct, code: "44054006"}]}]
    documentation: [{type: citation, citation: A guideline}]
    target:
      - measure: {coding: [{system: http://loinc.org, code: 4548-4}]}
        detailRange: {high: {value: 7.0, unit: "%", system: http://unitsofmeasure.org, code: "%"}}
        due: {value: 3, unit: mo, system: http://unitsofmeasure.org, code: mo}
action:
  - id: root
    title: Root
    documentation: [{type: citation, citation: A guideline}]
    condition:
      - kind: applicability
        expression: {language: text/fhirpath, expression: "%type_2_diabetes"}
    action:
      - id: walk
        goalId: [hba1c.adult]
        extension: [{url: urn:careplan-exchange:supports, valueId: hba1c}]
        condition:
          - kind: applicability
            extension:
              - {url: urn:careplan-exchange:safety, valueCode: high}
              - {url: urn:careplan-exchange:unknown, valueCode: ask}
            expression: {language: text/fhirpath, expression: "%age >= 18", description: Adults only}
          - kind: stop
            expression: {language: text/fhirpath, expression: "%egfr < 30"}
        definitionCanonical: urn:test:walk|1.0.0
        dynamicValue:
          - {path: description, expression: {language: text/fhirpath, expression: "'eGFR ' & %egfr.toString()"}}
"""
FILES = {"protocols/test/plan.yaml": PLAN, "protocols/test/walk.yaml": ACTIVITY}


def documents(files=FILES):
    return [knowledge.parse(name, text.encode()) for name, text in files.items()]


def findings(files=FILES):
    return planner.lint(documents(files), vocabulary())


def changed(file: str, change) -> tuple[Any, ...]:
    """The findings after a change to the content of one file."""
    found = documents()
    content = next(document for document in found if document.path.endswith(file)).content
    change(content)
    return planner.lint(found, vocabulary())


def in_condition(**expression):
    def change(content):
        content["action"][0]["action"][0]["condition"][0]["expression"].update(expression)

    return change
