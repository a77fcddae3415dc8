"""Knowledge folders of a few lines, sound until a test spoils one, and what the linter finds in them."""

from careplan_exchange.knowledge import parse
from careplan_exchange.mapping import lint

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
