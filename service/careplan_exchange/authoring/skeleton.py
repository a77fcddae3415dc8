"""A protocol that works from its first minute, and that its author then makes true: plan, one activity, cases."""

import re
from collections.abc import Mapping
from datetime import date

from careplan_exchange.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9-]{1,40}")
_YEARS_VALID = 2


def skeleton(name: str, trigger: str, *, today: date) -> Mapping[str, str]:
    """Text by path below an overlay folder. `trigger` is the condition concept that the protocol is for.

    Raises UsageError for a name that is no id (lower case, digits, hyphens).
    """
    if not _NAME.fullmatch(name):
        raise UsageError("That is no name for a protocol.", mend="Use lower case, digits and hyphens: gout.")
    title = name.replace("-", " ").capitalize()
    until = today.replace(year=today.year + _YEARS_VALID, day=min(today.day, 28))
    values = {
        "name": name,
        "title": title,
        "trigger": trigger,
        "today": today.isoformat(),
        "until": until.isoformat(),
    }
    values["born"] = today.replace(year=today.year - 50, day=min(today.day, 28)).isoformat()
    files = {
        f"protocols/{name}/plan.yaml": _PLAN,
        f"protocols/{name}/activities/{name}-follow-up.yaml": _ACTIVITY,
        f"protocols/{name}/README.md": _README,
        f"cases/{name}.yaml": _CASES,
    }
    return {path: _filled(text, values) for path, text in files.items()}


def _filled(text: str, values: Mapping[str, str]) -> str:
    for key, value in values.items():
        text = text.replace(f"<{key}>", value)
    return text.lstrip("\n")


_PLAN = """
# <title>. NEEDS CLINICAL ADOPTION: a clinician must review and adopt it before it is used for care.
resourceType: PlanDefinition
id: <name>
url: urn:careplan-exchange:PlanDefinition:<name>
version: 0.1.0
title: "<title>"
type:
  coding: [{system: http://terminology.hl7.org/CodeSystem/plan-definition-type, code: clinical-protocol}]
status: active
experimental: true
date: "<today>"
publisher: TODO the name of your organisation
purpose: TODO what this protocol is for.
usage: TODO to whom it applies. Developed without outside funding.
approvalDate: "<today>"
lastReviewDate: "<today>"
effectivePeriod: {start: "<today>", end: "<until>"}  # the end is the day to review it by
author:
  - name: TODO role of the author
useContext:
  - code: {system: http://terminology.hl7.org/CodeSystem/usage-context-type, code: focus}
    valueCodeableConcept: {text: "<title>"}
  - code: {system: http://terminology.hl7.org/CodeSystem/usage-context-type, code: age}
    valueRange: {low: {value: 18, unit: a, system: http://unitsofmeasure.org, code: a}}
extension:
  - url: urn:careplan-exchange:disclaimer
    valueString: A starting point for review, not medical advice. A clinician decides on every line.

relatedArtifact:
  - &source
    type: citation
    label: TODO short name and year
    citation: TODO guideline, year.
    url: https://example.org/TODO

goal:
  - id: followed.all
    description: {text: "<title> followed up"}
    extension:
      - {url: urn:careplan-exchange:patient-text, valueString: "We see you at set times."}
      - {url: urn:careplan-exchange:patient-text-es, valueString: "Lo vemos en fechas fijas."}
    category: {coding: [{system: http://terminology.hl7.org/CodeSystem/goal-category, code: nursing}]}
    priority: {coding: [{system: http://terminology.hl7.org/CodeSystem/goal-priority, code: medium-priority}]}
    documentation: [*source]

action:
  - id: <name>
    title: "<title>"
    documentation: [*source]
    condition:
      - kind: applicability
        expression: {language: text/fhirpath, expression: "%<trigger>"}
      - kind: applicability
        extension:
          - {url: urn:careplan-exchange:unknown, valueCode: ask}
        expression: {language: text/fhirpath, expression: "%age >= 18"}
    action:
      - id: follow-up
        title: "Follow-up visit"
        documentation: [*source]
        extension:
          - {url: urn:careplan-exchange:benefit, valueInteger: 3}
        goalId: [followed.all]
        definitionCanonical: urn:careplan-exchange:ActivityDefinition:<name>-follow-up|0.1.0
"""

_ACTIVITY = """
resourceType: ActivityDefinition
id: <name>-follow-up
url: urn:careplan-exchange:ActivityDefinition:<name>-follow-up
version: 0.1.0
title: "Follow-up visit"
status: active
experimental: true
date: "<today>"
publisher: TODO the name of your organisation
description: A visit every six months. TODO what is looked at.
extension:
  - {url: urn:careplan-exchange:patient-text, valueString: "Come and see us twice a year."}
  - {url: urn:careplan-exchange:patient-text-es, valueString: "Venga a vernos dos veces al año."}
topic:
  - coding: [{system: urn:careplan-exchange:activity-kind, code: monitoring}]
relatedArtifact:
  - {type: citation, citation: "TODO guideline, year.", url: https://example.org/TODO}
kind: ServiceRequest
intent: proposal
code: {text: "Follow-up visit"}
timingTiming: {repeat: {frequency: 1, period: 6, periodUnit: mo}}
"""

_README = """
# <title> (`<name>` 0.1.0): needs clinical adoption

TODO to whom it applies, the goals, the activities, what is withheld and when; what to confirm on adoption.
"""

_CASES = """
# Golden cases for protocols/<name>: a patient, exactly the lines that must come out, and why.
today: "<today>"
cases:
  - case: an adult with the disease
    why: Everybody with it is followed up.
    patient: {birth: "<born>", gender: male}
    facts: [<trigger>]
    expect:
      goals: {<name>: {followed: []}}
      activities: {<name>: [follow-up]}

  - case: an adult without it
    why: Nothing is proposed for a disease that nobody has recorded.
    patient: {birth: "<born>", gender: male}
    facts: []
    expect: {}
"""
