"""A refusal and its OperationOutcome (http://hl7.org/fhir/R4/operationoutcome.html)."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

Json = dict[str, Any]


class Problem(msgspec.Struct, frozen=True):
    """One issue: `code` of http://hl7.org/fhir/R4/valueset-issue-type.html, what is wrong, and the FHIRPath
    of the element where there is one. `detail` names elements and codes, never a patient's values."""

    code: str
    detail: str
    expression: str | None = None
    severity: str = "error"


class RefusalError(Exception):
    """The request is answered with this status and an OperationOutcome; nothing of it is kept."""

    def __init__(
        self, status: int, problems: Sequence[Problem], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status}: {problems[0].detail}")
        self.status = status
        self.problems = tuple(problems)
        self.headers = dict(headers or {})

    def at(self, path: str) -> "RefusalError":
        """The same refusal, each problem placed below `path` (an entry of a Bundle)."""
        placed = [
            msgspec.structs.replace(
                problem, expression=f"{path}.{problem.expression}" if problem.expression else path
            )
            for problem in self.problems
        ]
        return RefusalError(self.status, placed, self.headers)


def refusal(
    status: int,
    code: str,
    detail: str,
    *,
    expression: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> RefusalError:
    """A refusal with one problem."""
    return RefusalError(status, (Problem(code, detail, expression),), headers)


def outcome_of(problems: Sequence[Problem]) -> Json:
    """The OperationOutcome that says it."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": problem.severity,
                "code": problem.code,
                "diagnostics": problem.detail,
                **({"expression": [problem.expression]} if problem.expression else {}),
            }
            for problem in problems
        ],
    }
