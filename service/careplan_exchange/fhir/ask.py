"""A request, its answer, and how an answer is taken from the wire: in pieces, up to a limit."""

import re
from typing import NamedTuple, Protocol

import httpx
import msgspec

from careplan_exchange.errors import CareplanError, NotFhirError
from careplan_exchange.model.requested import Act

from .failures import outcome_unknown
from .retry import Kind

NO_CACHE = (("Cache-Control", "no-cache"),)

_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]{1,60}", re.ASCII)

_ERROR_BYTES = 1024 * 1024
"""As much of the body of a failure is read; it is only asked for its OperationOutcome."""


class Asked(Protocol):
    """What is read page by page: where it begins, and how errors and metrics name it."""

    @property
    def url(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def only_counts(self) -> bool: ...


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A request. `what` names it without values, `label` is its type in metrics. `request_id` is made where it
    is not given. `kind` decides about retries: a batch of searches is a read. `acts` is what it asks for, where
    the URL does not say it (heard.py); `told`: what it does is recorded by what it brings."""

    method: str
    url: str
    what: str
    label: str
    kind: Kind = "read"
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    request_id: str | None = None
    acts: tuple[Act, ...] | None = None
    told: bool = False


class Answer(NamedTuple):
    """Any answer but those that a retry is made of; also a refusal."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


def require_json(answer: Answer, what: str) -> None:
    """Raises NotFhirError where a success says that it is something else than JSON. One that does not say what it
    is, is judged by what it holds."""
    said = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said and "json" not in said:
        kind = said if _MEDIA_TYPE.fullmatch(said) else "of no media type"
        raise NotFhirError(
            f"{what} is {kind} by its Content-Type, and not FHIR JSON.",
            mend="Check that the endpoint's URL is the FHIR base URL, that nothing (a login page, a proxy) "
            "answers for it, and that the server gives JSON.",
        )


async def answer_to(ask: Ask, response: httpx.Response, limit: int) -> Answer:
    """The answer, its body unpacked piece by piece and never over `limit` bytes.

    Raises NotFhirError for one that is larger or damaged; where it was a write, OutcomeUnknownError.
    """
    if response.status_code >= 400:
        return Answer(response.status_code, response.headers, await _what_can_be_read(response))
    if not packed_as_asked(response):
        raise _damaged(ask, "packed in a way that was not asked for")
    stated = response.headers.get("content-length", "")
    if stated.isascii() and stated.isdigit() and int(stated[:18]) > limit:
        raise _too_large(ask, limit)
    pieces, size = [], 0
    try:
        async for piece in response.aiter_bytes():
            size += len(piece)
            if size > limit:
                raise _too_large(ask, limit)
            pieces.append(piece)
    except httpx.DecodingError:
        raise _damaged(ask, "packed, and damaged") from None
    body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    return Answer(response.status_code, response.headers, body)


def packed_as_asked(response: httpx.Response) -> bool:
    """Whether it is not compressed, or with gzip, once. A few bytes that are packed twice, or by a denser method,
    can unpack to more than fits into memory before anybody can count it."""
    return response.headers.get("content-encoding", "").strip().lower() in {"", "identity", "gzip"}


def _damaged(ask: Ask, how: str) -> CareplanError:
    if ask.kind == "write":
        return outcome_unknown(f"its answer is {how}")
    return NotFhirError(f"{ask.what}: the answer is {how}.", mend="Look for a proxy that rewrites answers.")


def _too_large(ask: Ask, limit: int) -> CareplanError:
    megabytes = limit / (1024 * 1024)
    if ask.kind == "write":
        return outcome_unknown(f"its answer is larger than {megabytes:g} MB")
    return NotFhirError(
        f"{ask.what}: the answer is larger than {megabytes:g} MB and was not read to its end.",
        mend="Check that the URL is a FHIR base URL; if it is, raise max_response_mb of the endpoint.",
    )


async def _what_can_be_read(response: httpx.Response) -> bytes:
    """The beginning of a failure's body. The status decides; the body only explains, so it may break off."""
    pieces, size = [], 0
    if not packed_as_asked(response):
        return b""
    try:
        async for piece in response.aiter_bytes():
            pieces.append(piece)
            size += len(piece)
            if size > _ERROR_BYTES:
                break
    except (httpx.TransportError, httpx.DecodingError):
        pass
    return b"".join(pieces)
