"""OperationOutcome: what a server says of a request, in our Issues, without anything that may identify a person.

`diagnostics`, `details.text` and narrative are free text in which servers repeat names, identifiers and search
parameters. None of it is kept: only severity, code, `details.coding.code`, location and expression, and the
message number that HAPI puts in front of its text.
"""

import re
from collections.abc import Iterable

import msgspec

from careplan_exchange.model.issue import Issue, Severity


class _Coding(msgspec.Struct):
    code: str | None = None


class _Details(msgspec.Struct):
    coding: list[_Coding] = []
    text: str | None = None


class OutcomeIssue(msgspec.Struct):
    """`OperationOutcome.issue` (http://hl7.org/fhir/R4/operationoutcome.html), as far as it is used."""

    severity: str = "error"
    code: str = "unknown"
    details: _Details | None = None
    diagnostics: str | None = None
    location: list[str] = []
    expression: list[str] = []


class _Outcome(msgspec.Struct):
    issue: list[OutcomeIssue] = []
    resource_type: str = msgspec.field(default="", name="resourceType")


_decoder = msgspec.json.Decoder(_Outcome)

PARTIAL_RESULT_CODES = frozenset({"4119"})
"""`details.coding.code` of warnings that say a search may be incomplete. 4119 is Epic's: the answer may not hold
the whole record."""

PARTIAL_RESULT_TYPES = frozenset({"incomplete", "timeout", "throttled", "too-costly", "suppressed"})
"""IssueTypes that mean, also as a warning, that content was left out
(http://hl7.org/fhir/R4/valueset-issue-type.html)."""

_MULTIPLE_MATCH_TYPES = frozenset({"multiple-matches", "duplicate"})
_MULTIPLE_MATCH_MESSAGES = frozenset({"HAPI-0958"})
"""HAPI 8.8 answers 412 with code `processing` both to a condition that matched several and to other failed
preconditions; only the message number tells (measured)."""

_MULTIPLE_MATCH_TEXT = re.compile(
    r"match(?:ed|es)?\s+(?:[2-9]|\d{2,}|multiple)\b|multiple (?:matches|resources)", re.IGNORECASE
)
_MESSAGE_NUMBER = re.compile(r"\bHAPI-\d{4}\b")
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_PATH = re.compile(r"[A-Z][A-Za-z]+(?:\[\d+\]|\.[A-Za-z][A-Za-z0-9]*(?:\([A-Za-z]*\))?)*")
_REMARK = re.compile(r"/\*[^*]*\*/")
"""The HL7 validator puts the type and id of an entry's resource between the steps of a path."""
_SEVERITIES: dict[str, Severity] = {
    "fatal": "error",
    "error": "error",
    "warning": "warning",
    "information": "information",
}


def parse_outcome(body: bytes | msgspec.Raw) -> tuple[OutcomeIssue, ...]:
    """The issues of an OperationOutcome; none where the body is something else."""
    try:
        outcome = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    return tuple(outcome.issue) if outcome.resource_type == "OperationOutcome" else ()


def as_issues(outcome: Iterable[OutcomeIssue]) -> tuple[Issue, ...]:
    """The same in our terms, fit for logs, ledger and screen."""
    return tuple(_as_issue(issue) for issue in outcome)


def says_partial(issue: OutcomeIssue) -> bool:
    """Whether this issue of a search means that matches may be missing."""
    if issue.severity in {"error", "fatal"}:
        return True
    return issue.code in PARTIAL_RESULT_TYPES or not PARTIAL_RESULT_CODES.isdisjoint(_codes(issue))


def says_several_match(outcome: Iterable[OutcomeIssue]) -> bool:
    """Whether a failed precondition was a condition that more than one resource meets."""
    return any(
        issue.code in _MULTIPLE_MATCH_TYPES
        or not _MULTIPLE_MATCH_MESSAGES.isdisjoint(_MESSAGE_NUMBER.findall(issue.diagnostics or ""))
        or _MULTIPLE_MATCH_TEXT.search(_text(issue)) is not None
        for issue in outcome
    )


def _as_issue(issue: OutcomeIssue) -> Issue:
    code = issue.code if _TOKEN.fullmatch(issue.code) else "unknown"
    said = [code, *_codes(issue), *_MESSAGE_NUMBER.findall(issue.diagnostics or "")]
    said_paths = (_REMARK.sub("", path) for path in (*issue.expression, *issue.location))
    paths = [path for path in said_paths if _PATH.fullmatch(path)]
    return Issue(
        severity=_SEVERITIES.get(issue.severity, "error"),
        code=code,
        key=f"server.{code}",
        detail=f"The server says: {', '.join(dict.fromkeys(said))}.",
        expression=paths[0] if paths else None,
    )


def _codes(issue: OutcomeIssue) -> list[str]:
    coding = issue.details.coding if issue.details is not None else []
    return [entry.code for entry in coding if entry.code is not None and _TOKEN.fullmatch(entry.code)]


def _text(issue: OutcomeIssue) -> str:
    return f"{issue.diagnostics or ''} {(issue.details.text if issue.details else None) or ''}"
