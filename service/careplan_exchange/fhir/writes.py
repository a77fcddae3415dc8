"""Writes: sent once, and classified so that the caller always knows whether something was written.

Whatever is raised but OutcomeUnknownError means that nothing was written.
"""

import re
from typing import Any

import msgspec

from careplan_exchange.errors import NotFhirError
from careplan_exchange.model import codec
from careplan_exchange.model.changes import Json

from .ask import Answer, Ask
from .bundle import ID, read_resource
from .failures import outcome_unknown, refused
from .heard import acts_in, tells_of_itself
from .outcome import parse_outcome
from .session import Session

_WHOLE_ANSWER = ("Prefer", "return=representation")
_LOCATION = re.compile(
    r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/([A-Za-z0-9\-.]{1,64}))?$", re.ASCII
)


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one create or update.

    `created`: a resource came to be (201); a conditional create that found one is not (200). `body` is what the
    server stored where it says so: some answer 201 without a body, and then only id and version are known, if at
    all.
    """

    created: bool
    type: str
    id: str | None
    version_id: str | None
    body: Json | None


async def transaction(session: Session, bundle: Json, *, request_id: str) -> Json:
    """The transaction-response, with an entry of status 2xx for each that was sent, in the same order.

    Raises VersionConflictError, DuplicateError, RefusedError, EndpointUnreachableError, EndpointOverloadedError:
    nothing was written. Raises OutcomeUnknownError: look before anything is sent again; this is also raised where
    a server that is not atomic carried out a part.
    """
    what = "The transaction"
    answer = await session.send(
        Ask(
            method="POST",
            url=session.base_url,
            what=what,
            label="transaction",
            kind="write",
            body=codec.encode(bundle),
            headers=(_WHOLE_ANSWER,),
            request_id=request_id,
            acts=acts_in(bundle),
            told=tells_of_itself(bundle),
        )
    )
    if not answer.ok:
        raise refused(answer.status, answer.body, what, writing=True)
    content = _json(answer.body)
    entries = content.get("entry") if content is not None else None
    if content is None or not isinstance(entries, list) or len(entries) != len(bundle.get("entry", ())):
        raise outcome_unknown("the answer to it has not one entry for each that was sent")
    _check_entries(entries)
    return content


async def create(
    session: Session, resource_type: str, body: Json, *, if_none_exist: str | None, request_id: str
) -> Written:
    """POST, conditional on `if_none_exist` (a search without its type). Raises as `transaction` does."""
    condition = () if if_none_exist is None else (("If-None-Exist", if_none_exist),)
    answer = await session.send(
        Ask(
            method="POST",
            url=f"{session.base_url}/{resource_type}",
            what=f"The create of {resource_type}",
            label=resource_type,
            kind="write",
            body=codec.encode(body),
            headers=(_WHOLE_ANSWER, *condition),
            request_id=request_id,
        )
    )
    if not answer.ok:
        raise refused(
            answer.status,
            answer.body,
            f"The create of {resource_type}",
            writing=True,
            conditional=if_none_exist is not None,
        )
    return _written(answer, resource_type)


async def update(
    session: Session, resource_type: str, resource_id: str, body: Json, *, version_id: str, request_id: str
) -> Written:
    """PUT of the version after `version_id` (`If-Match`). Raises as `transaction` does.

    A server may answer 201: the resource was gone, and it ignores `If-Match` then (HAPI 8.8, measured).
    """
    what = f"The update of {resource_type}"
    answer = await session.send(
        Ask(
            method="PUT",
            url=f"{session.base_url}/{resource_type}/{resource_id}",
            what=what,
            label=resource_type,
            kind="write",
            body=codec.encode(body),
            headers=(_WHOLE_ANSWER, ("If-Match", f'W/"{version_id}"')),
            request_id=request_id,
        )
    )
    if not answer.ok:
        raise refused(answer.status, answer.body, what, writing=True)
    return _written(answer, resource_type)


async def delete(
    session: Session, resource_type: str, resource_id: str, *, version_id: str, request_id: str
) -> None:
    """DELETE of this version (`If-Match`); what is gone already is as wished. Raises as `transaction` does.

    Servers may ignore `If-Match` on a delete: whoever must not delete another's version reads it right before.
    """
    what = f"The delete of {resource_type}"
    answer = await session.send(
        Ask(
            method="DELETE",
            url=f"{session.base_url}/{resource_type}/{resource_id}",
            what=what,
            label=resource_type,
            kind="write",
            headers=(("If-Match", f'W/"{version_id}"'),),
            request_id=request_id,
        )
    )
    if not answer.ok and answer.status != 410:
        raise refused(answer.status, answer.body, what, writing=True)
    _require_no_failure(answer)


def _require_no_failure(answer: Answer) -> None:
    """Some servers say 200 and put the failure into the body: nobody knows then what was done."""
    if any(issue.severity in {"error", "fatal"} for issue in parse_outcome(answer.body)):
        raise outcome_unknown("the server answered it with success and an OperationOutcome of an error")


def _written(answer: Answer, resource_type: str) -> Written:
    _require_no_failure(answer)
    place = _LOCATION.search(answer.headers.get("location", ""))
    resource_id, version_id = (place[2], place[3]) if place else (None, None)
    try:
        stored = read_resource(answer.body, "The answer")
    except NotFhirError:
        stored = None
    if stored is not None and stored.type == resource_type:
        resource_id, version_id = stored.id, stored.version_id or version_id
    else:
        stored = None
    return Written(
        created=answer.status == 201,
        type=resource_type,
        id=resource_id,
        version_id=version_id or _version_in(answer.headers.get("etag")),
        body=codec.decode(stored.content) if stored is not None else None,
    )


def _version_in(etag: str | None) -> str | None:
    version = (etag or "").removeprefix("W/").strip('"')
    return version if ID.fullmatch(version) else None


def _json(body: bytes) -> Json | None:
    try:
        content: Any = codec.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _check_entries(entries: list[Any]) -> None:
    """A transaction is all or nothing; a server that is not atomic answers 200 with failures inside."""
    failures = [entry for entry in entries if not 200 <= _status(entry) < 300]
    if not failures:
        return
    if len(failures) < len(entries):
        raise outcome_unknown(f"{len(failures)} of its {len(entries)} entries failed and the others did not")
    if not all(400 <= _status(entry) < 500 for entry in failures):
        raise outcome_unknown("its entries have no status, or one that does not say that nothing was done")
    # Of a conflict and a plain refusal the conflict counts: it can be mended by reading and merging again.
    worst = next((entry for entry in failures if _status(entry) in {409, 412}), failures[0])
    outcome = worst.get("response", {}).get("outcome") if isinstance(worst, dict) else None
    raise refused(_status(worst), codec.encode(outcome), "The transaction", writing=True)


def _status(entry: Any) -> int:
    response = entry.get("response") if isinstance(entry, dict) else None
    text = str(response.get("status", ""))[:3] if isinstance(response, dict) else ""
    return int(text) if text.isascii() and text.isdigit() else 0
