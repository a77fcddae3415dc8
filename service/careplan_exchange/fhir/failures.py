"""What went wrong, as one of our errors with a mend of its own. No text of the server's is repeated."""

import socket
import ssl
from collections.abc import Iterator

import httpx

from careplan_exchange.errors import (
    AuthenticationRefusedError,
    CareplanError,
    DuplicateError,
    EndpointOverloadedError,
    EndpointUnreachableError,
    NotFhirError,
    OutcomeUnknownError,
    RefusedError,
    UnsupportedServerError,
    VersionConflictError,
)

from .outcome import OutcomeIssue, as_issues, parse_outcome, says_several_match
from .retry import LONGEST_RETRY_AFTER

OUTCOME_UNKNOWN_MEND = (
    "Run the same command again: what became of the write is looked up before anything is sent."
)

_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
"""The connection was not made: the request never left."""


def nothing_was_sent(error: Exception) -> bool:
    return isinstance(error, _NOTHING_SENT)


def unreachable(error: Exception, where: str) -> tuple[str, EndpointUnreachableError]:
    """The reason in one word, for logs and metrics, and the error, for a failure below HTTP."""
    causes = tuple(_causes(error))
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        reason, detail = "tls", f"No secure connection to {where}: its certificate or TLS is not accepted."
        mend = "Check the certificate's name and date; for a private authority set ca_bundle to its PEM file."
    elif any(isinstance(cause, socket.gaierror) for cause in causes):
        reason, detail = "dns", f"The name of {where} cannot be found."
        mend = "Check the host name in the endpoint's URL, and this machine's DNS."
    elif any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        reason, detail = "refused", f"Nothing answers at {where}: the connection was refused."
        mend = "Check the port in the endpoint's URL, and that the server runs."
    elif isinstance(error, httpx.ConnectTimeout):
        reason, detail = "connect-timeout", f"No connection to {where} could be made in time."
        mend = "Check the host, and that no firewall stands between."
    elif isinstance(error, httpx.TimeoutException | TimeoutError):
        reason, detail = "timeout", f"{where} took the request but did not answer in time."
        mend = "Raise timeout_seconds of the endpoint, or try when the server is less busy."
    elif isinstance(error, httpx.ProxyError):
        reason, detail = "proxy", f"The proxy on the way to {where} did not let the request through."
        mend = "Check `proxy` of the endpoint, or HTTPS_PROXY, HTTP_PROXY and NO_PROXY."
    else:
        reason, detail = "connection", f"The connection to {where} broke."
        mend = "Try again; if it stays so, look at the server's log and at any proxy between."
    return reason, EndpointUnreachableError(detail, mend=mend)


def busy(status: int, where: str, attempt_limit: int, wait: float | None) -> CareplanError:
    """The error for an answer of 408, 429 or 5xx when no other attempt is made."""
    if status in {502, 504}:
        return EndpointUnreachableError(
            f"A gateway in front of {where} does not reach the server (it says {status}).",
            mend="Check that the FHIR server behind the gateway runs.",
        )
    if wait is not None and wait > LONGEST_RETRY_AFTER:
        return EndpointOverloadedError(
            f"{where} answers {status} and wants to be left alone for {wait:.0f} seconds.",
            mend="Run the same command again after that time.",
        )
    return EndpointOverloadedError(
        f"{where} answers {status}, also after {attempt_limit} attempt(s).",
        mend="Try again later; lower `concurrency` of the endpoint if this happens often.",
    )


def outcome_unknown(why: str) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"It is not known whether the write was carried out: {why}.", mend=OUTCOME_UNKNOWN_MEND
    )


def refused(
    status: int, body: bytes, what: str, *, writing: bool = False, conditional: bool = False
) -> CareplanError:
    """The error for an answer that is no success and will be the same the next time.

    `what` names the request without values. For a write: 409 and 412 are a version conflict, except where a
    condition matched several resources (DuplicateError); `conditional` says that no version was sent, so that 412
    can only mean that.
    """
    outcome = parse_outcome(body)
    issues = as_issues(outcome)
    if status == 401:
        return AuthenticationRefusedError(
            f"{what}: the server does not accept the credentials (401).",
            mend="Check the endpoint's auth, and that the token or password is not expired.",
            issues=issues,
        )
    if status == 403:
        return AuthenticationRefusedError(
            f"{what}: the credentials do not allow this (403).",
            mend="Ask those who run the server for the scope or role that allows it.",
            issues=issues,
        )
    if writing and status in {409, 412}:
        return _precondition(status, outcome, what, conditional=conditional)
    if 300 <= status < 400:
        return _redirected(status, what, writing=writing)
    if status in {405, 501}:
        unsupported = UnsupportedServerError(
            f"{what}: the server does not support this ({status}).",
            mend="Compare with the server's CapabilityStatement; another target may take it.",
            issues=issues,
        )
        unsupported.status = status
        return unsupported
    said = f": {issues[0].detail.removeprefix('The server says: ').rstrip('.')}" if issues else ""
    error = RefusedError(
        f"{what}: the server refused ({status}{said}).", mend=_mend(status, writing=writing), issues=issues
    )
    error.status = status
    return error


def _precondition(
    status: int, outcome: tuple[OutcomeIssue, ...], what: str, *, conditional: bool
) -> CareplanError:
    issues = as_issues(outcome)
    if status == 412 and (conditional or says_several_match(outcome)):
        return DuplicateError(
            f"{what}: more than one resource on the server has the same one of our identifiers (412).",
            mend="Find them by the identifier, keep one and delete the others, then run the same command again.",
            issues=issues,
        )
    return VersionConflictError(
        f"{what}: a resource was changed since it was read ({status}); nothing was written.",
        mend="Run the same command again: it reads and merges anew.",
        issues=issues,
    )


def _redirected(status: int, what: str, *, writing: bool) -> CareplanError:
    detail = f"{what}: the server answers with a redirect ({status}), which is not followed."
    mend = "Set the endpoint's URL to the final FHIR base URL (https for http, no login page)."
    return RefusedError(detail, mend=mend) if writing else NotFhirError(detail, mend=mend)


def _mend(status: int, *, writing: bool) -> str:
    if status in {404, 410}:
        return "Check the endpoint's base URL and the id: the server has nothing under this address."
    if writing and status == 413:
        return "Have the size that a request may have raised, on the server and on any proxy before it."
    if writing and status in {400, 422}:
        return (
            "The issues say which element the server does not take; its profile may ask for more than base FHIR."
        )
    return "The issues say what the server objects to."


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything that led to it, also through exception groups."""
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting.extend(cause for cause in (current.__cause__, current.__context__) if cause is not None)
        if isinstance(current, BaseExceptionGroup):
            waiting.extend(current.exceptions)
