"""What was asked of a server, told to whoever listens: the record of every read and write.

A listener hears of a request once, after its last attempt. It gets references, versions and what was asked; never
a body, and of an OperationOutcome its codes only. It counts for the tasks that are started while it listens.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

import httpx
import msgspec

from careplan_exchange.errors import CareplanError
from careplan_exchange.model.changes import Json
from careplan_exchange.model.requested import Act, Interaction, Requested

from .ask import Answer, Ask
from .failures import refused

Listener = Callable[[Requested], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)

COMPANIONS = frozenset({"AuditEvent", "Provenance"})
"""What is written about a write is no further write to tell of."""

_PLACE = re.compile(r"(?:^|/)([A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64})(/_history/[A-Za-z0-9\-.]{1,64})?/?$", re.ASCII)
_VERSION = re.compile(r"^(?:W/)?\"?([A-Za-z0-9\-.]{1,64})\"?$", re.ASCII)
_PLACED = frozenset({"read", "create", "update"})
_BY_METHOD: dict[str, Interaction] = {"GET": "read", "PUT": "update", "DELETE": "delete"}


class _Response(msgspec.Struct, frozen=True):
    status: str = ""
    location: str | None = None
    etag: str | None = None


class _Entry(msgspec.Struct, frozen=True):
    response: _Response | None = None


class _Answer(msgspec.Struct, frozen=True):
    entry: list[_Entry] = []


class _Claims(msgspec.Struct, frozen=True):
    jti: str | None = None


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """For as long as this lasts `listener` hears of every request that is made here."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def listener() -> Listener | None:
    return _listener.get()


class Telling(msgspec.Struct, kw_only=True):
    """One request that is under way, and what will be told of it."""

    ask: Ask
    base_url: str
    request_id: str
    at: datetime
    authorization: str | None = None

    def answered(self, answer: Answer) -> Requested | None:
        """What is told once an answer came; None for what concerns no resource."""
        if answer.ok:
            told = self._told(_after(self.ask, acts_of(self.ask, self.base_url), answer), status=answer.status)
            if told is not None and told.told and not _all_done(answer.body):
                return msgspec.structs.replace(told, told=False)  # nobody knows what the server kept of it
            return told
        failure = refused(answer.status, answer.body, "", writing=self.ask.kind == "write")
        said = tuple(dict.fromkeys(issue.code for issue in failure.issues))
        return self._told(acts_of(self.ask, self.base_url), status=answer.status, error=failure.key, said=said)

    def unanswered(self, error: str) -> Requested | None:
        """What is told where no answer came; `error` is the key of why."""
        return self._told(acts_of(self.ask, self.base_url), error=error)

    def _told(
        self,
        acts: tuple[Act, ...],
        *,
        status: int | None = None,
        error: str | None = None,
        said: tuple[str, ...] = (),
    ) -> Requested | None:
        if not acts:
            return None
        return Requested(
            request_id=self.request_id,
            server=self.base_url,
            method=self.ask.method,
            at=self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            acts=acts,
            status=status,
            error=error,
            said=said,
            jti=jti_of(self.authorization),
            told=self.ask.told and error is None,
        )


def error_key(error: BaseException) -> str:
    """The key under which a request without an answer is told of; one that was cut off was made all the same."""
    return error.key if isinstance(error, CareplanError) else "unavailable.endpoint"


def acts_of(ask: Ask, base_url: str) -> tuple[Act, ...]:
    """What a request asks for; nothing where it concerns no resource (`/metadata`) or is itself a record."""
    if ask.acts is not None:
        return ask.acts
    if not ask.url.startswith(base_url):  # a page under an address of the server's own making
        return (Act(interaction="search-type", type=ask.label, query=ask.url),)
    relative = ask.url.removeprefix(base_url).lstrip("/")
    parts = [part for part in relative.partition("?")[0].split("/") if part]
    if parts in (["metadata"], ["$versions"]) or (ask.method == "POST" and parts[0] in COMPANIONS):
        return ()
    if len(parts) < 2 or parts[-1].startswith("$"):
        return (_of_type(ask, relative, parts),)
    replaced = _version(dict(ask.headers).get("If-Match"))
    interaction: Interaction = "history-instance" if parts[-1] == "_history" else _BY_METHOD[ask.method]
    return (Act(interaction=interaction, type=parts[0], reference="/".join(parts[:2]), replaced=replaced),)


def _of_type(ask: Ask, relative: str, parts: list[str]) -> Act:
    if parts and parts[-1].startswith("$"):
        return Act(interaction="operation", type=ask.label, query=relative)
    if parts and ask.method == "POST":
        return Act(interaction="create", type=parts[0])
    return Act(interaction="search-type", type=ask.label, query=relative)


def acts_in(bundle: Json) -> tuple[Act, ...]:
    """What a transaction asks for, without what it says of itself."""
    return tuple(act for entry in bundle.get("entry", ()) if (act := _entry_act(entry)).type not in COMPANIONS)


def tells_of_itself(bundle: Json) -> bool:
    """Whether the AuditEvents of a transaction are in it."""
    return any(entry["request"]["url"] == "AuditEvent" for entry in bundle.get("entry", ()))


def jti_of(authorization: str | None) -> str | None:
    """The id of a bearer token that is a JWT, as it says it: nobody here has to trust it."""
    parts = (authorization or "").removeprefix("Bearer ").split(".")
    if len(parts) != 3 or not (authorization or "").startswith("Bearer "):
        return None
    try:
        claims = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(claims, type=_Claims).jti or None
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None


def _entry_act(entry: Json) -> Act:
    request: Json = entry["request"]
    url = str(request["url"])
    if request["method"] == "POST":
        return Act(interaction="create", type=url)
    return Act(
        interaction=_BY_METHOD[request["method"]],
        type=url.partition("/")[0].partition("?")[0],
        reference=url,
        replaced=_version(request.get("ifMatch")),
    )


def _after(ask: Ask, acts: tuple[Act, ...], answer: Answer) -> tuple[Act, ...]:
    """The same acts with what the answer says of each: the version that came of it, or how it was refused."""
    if ask.acts is None:
        headers: httpx.Headers = answer.headers
        location, etag = headers.get("location"), headers.get("etag")
        return tuple(_placed(act, location, etag, None) if act.interaction in _PLACED else act for act in acts)
    try:
        entries = msgspec.json.decode(answer.body, type=_Answer).entry
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return acts
    said = [entry.response or _Response() for entry in entries]
    return (
        tuple(
            _placed(act, response.location, response.etag, _number(response.status))
            for act, response in zip(acts, said, strict=False)
        )
        or acts
    )


def _all_done(body: bytes) -> bool:
    """Whether a transaction-response says of each entry that it was done: some say 200 with failures inside."""
    try:
        entries = msgspec.json.decode(body, type=_Answer).entry
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    statuses = [_number(entry.response.status) if entry.response is not None else None for entry in entries]
    return bool(statuses) and all(status is not None and 200 <= status < 300 for status in statuses)


def _placed(act: Act, location: str | None, etag: str | None, status: int | None) -> Act:
    place = _PLACE.search(location or "")
    reference = place[1] if place and place[1].startswith(f"{act.type}/") else act.reference
    version = place[2].removeprefix("/_history/") if place and place[2] else _version(etag)
    if reference is not None and version is not None and "/_history/" not in reference:
        reference = f"{reference}/_history/{version}"
    error = refused(status, b"", "").key if status is not None and status >= 400 else None
    return msgspec.structs.replace(act, reference=reference, status=status, error=error)


def _version(etag: str | None) -> str | None:
    found = _VERSION.match(etag or "")
    return found[1] if found else None


def _number(status: str) -> int | None:
    return int(status[:3]) if status[:3].isascii() and status[:3].isdigit() else None
