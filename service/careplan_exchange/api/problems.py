"""Every error as `application/problem+json` (RFC 9457), with nothing in it that the client sent."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from careplan_exchange.errors import CareplanError, UnavailableError
from careplan_exchange.model.codec import encode
from careplan_exchange.model.issue import Issue

from .schemas import Problem

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:careplan-exchange:problem:"
RETRY_AFTER_SECONDS = "5"

_MENDS = {
    400: "Compare the request with /openapi.json.",
    404: "Check the address; /openapi.json lists what there is.",
    405: "Use a method that the Allow header names.",
    413: "Send less than 1 MB.",
    415: "Send JSON with Content-Type: application/json.",
}


class ProblemError(Exception):
    """An error of the HTTP layer itself, ready to be sent."""

    def __init__(
        self,
        status: int,
        key: str,
        detail: str,
        *,
        mend: str,
        title: str | None = None,
        issues: Sequence[Issue] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`title` is the status's own phrase if left out."""
        super().__init__(detail)
        self.status = status
        self.key = key
        self.title = title or HTTPStatus(status).phrase
        self.detail = detail
        self.mend = mend
        self.issues = tuple(issues)
        self.headers = dict(headers or {})


def of_error(error: CareplanError) -> ProblemError:
    """The problem that says what a known error says."""
    headers = {"Retry-After": RETRY_AFTER_SECONDS} if isinstance(error, UnavailableError) else {}
    return ProblemError(
        error.http_status,
        error.key,
        error.detail,
        title=error.title,
        mend=error.mend,
        issues=error.issues,
        headers=headers,
    )


def unforeseen() -> ProblemError:
    return ProblemError(
        500,
        "internal",
        "The service made an error that it does not know by name.",
        mend="Report the X-Request-Id of this answer; the service's log has the class of the error.",
    )


def render(problem: ProblemError, request_id: str) -> Response:
    body = Problem(
        type=TYPE_PREFIX + problem.key,
        title=problem.title,
        status=problem.status,
        detail=problem.detail,
        instance=f"urn:careplan-exchange:request:{request_id}",
        mend=problem.mend,
        issues=problem.issues,
    )
    return Response(encode(body), status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Have every error that leaves a route rendered here."""
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(CareplanError, _careplan_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101 - registered for this class alone
    return render(error, request.state.request_id)


async def _careplan_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, CareplanError)  # noqa: S101 - registered for this class alone
    return render(of_error(error), request.state.request_id)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
    problem = ProblemError(
        422,
        "request.invalid",
        "The request does not have the form that this route takes.",
        mend="Mend what `issues` name; /openapi.json describes the form.",
        issues=[_issue(one) for one in error.errors()],
    )
    return render(problem, request.state.request_id)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
    status = HTTPStatus(error.status_code)
    problem = ProblemError(
        status.value,
        f"http.{status.value}",
        f"{status.description or status.phrase}.",
        mend=_MENDS.get(status.value, "Compare the request with /openapi.json."),
        headers=error.headers,
    )
    return render(problem, request.state.request_id)


def _issue(error: Mapping[str, Any]) -> Issue:
    """One complaint of the validator without the value. An unknown key is the client's own text: unnamed."""
    kind = str(error["type"])
    where = list(error["loc"])
    if kind == "extra_forbidden":
        where = where[:-1]
    if kind == "json_invalid":
        where = where[:1]
    return Issue(
        severity="error",
        code={"missing": "required", "json_invalid": "structure", "extra_forbidden": "structure"}.get(
            kind, "value"
        ),
        key=f"request.{kind.replace('_', '-')}",
        detail=_sentence(kind, str(error["msg"])),
        expression=".".join(str(part) for part in where),
    )


def _sentence(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "There is a field that this route does not know."
    if kind == "json_invalid":
        return "The body is not JSON."
    return message.removeprefix("Value error, ")
