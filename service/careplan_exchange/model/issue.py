"""What could not be used, and why: the record of everything this product did not do with a value."""

from typing import Literal

import msgspec

Severity = Literal["error", "warning", "information"]


class Issue(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One thing a person should know, in the terms of `OperationOutcome.issue`.

    `code` is an IssueType (http://hl7.org/fhir/R4/valueset-issue-type.html), `key` our own dotted and
    stable name for the cause (`mapping.unit.unknown`), `source` the versioned reference of the resource it
    is about (`Observation/12/_history/3`), `expression` the FHIRPath of the element, `mend` what to do.
    `detail` is for a person's screen: it may name codes and units, never a name, address or free text of
    the patient's. Where the same is true of several resources there is one issue: `sources` then lists them all.
    """

    severity: Severity
    code: str
    key: str
    detail: str
    source: str | None = None
    expression: str | None = None
    mend: str | None = None
    sources: tuple[str, ...] = ()


class Finding(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One complaint of the knowledge linter: where, what, and the mend."""

    file: str
    line: int
    message: str
    mend: str
