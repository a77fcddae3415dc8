"""One request and one answer, the same for HTTP and for an entry of a Bundle."""

import re
from collections.abc import Sequence
from typing import Literal
from urllib.parse import parse_qsl, unquote

import msgspec

from careplan_exchange.model.record import FhirRelease

from .outcomes import Json, refusal
from .parameters import types_of
from .scopes import Scopes, need
from .store import Version

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
_ETAG = re.compile(r'(?:W/)?"([^"]+)"')

Wish = Literal["minimal", "representation", "OperationOutcome"]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One interaction that is asked for. `path` is below the base URL, without a query. `scopes`:
    what the caller may do; None where nobody is asked."""

    method: str
    path: str
    base_url: str
    query: str = ""
    body: Json | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    if_none_exist: str | None = None
    wish: Wish | None = None
    lenient: bool = False
    scopes: Scopes | None = None

    @property
    def segments(self) -> tuple[str, ...]:
        return tuple(unquote(part) for part in self.path.split("/") if part)

    @property
    def pairs(self) -> Sequence[tuple[str, str]]:
        return parse_qsl(self.query, keep_blank_values=True)

    @property
    def url(self) -> str:
        """`path?query`, as faults see it."""
        return f"{self.path}?{self.query}" if self.query else self.path


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """`stored` is the version that a read or write is about; its JSON is the body where `body` is None and
    `shown`."""

    status: int
    body: Json | None = None
    stored: Version | None = None
    shown: bool = False
    located: bool = False

    def location(self, base_url: str) -> str | None:
        if self.stored is None or not self.located:
            return None
        return f"{base_url}/{self.stored.reference}/_history/{self.stored.number}"

    @property
    def etag(self) -> str | None:
        return f'W/"{self.stored.number}"' if self.stored is not None else None

    @property
    def content(self) -> Json | msgspec.Raw | None:
        if self.body is None and self.shown and self.stored is not None and self.stored.body is not None:
            return msgspec.Raw(self.stored.body)
        return self.body


def require_scope(call: Call) -> None:
    """Raises RefusalError (403) where the caller's scopes do not allow the interaction."""
    needed = need(call.method, call.segments)
    if call.scopes is None or needed is None or call.scopes.allow(*needed):
        return
    challenge = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}
    raise refusal(403, "forbidden", "The scopes of the token do not allow this.", headers=challenge)


def known_type(name: str, release: FhirRelease) -> str:
    """Raises RefusalError (404) for a resource type that the sandbox does not take in this release."""
    if name not in types_of(release):
        raise refusal(404, "not-supported", "There is no such resource type here.")
    return name


def known_id(text: str) -> str:
    """Raises RefusalError (400) for what cannot be an id."""
    if not _ID.fullmatch(text):
        raise refusal(400, "value", "This is not the form of a FHIR id.")
    return text


def version_in(etag: str, header: str) -> str:
    """The version in `W/"3"`. Raises RefusalError (400) for another form."""
    match = _ETAG.fullmatch(etag.strip())
    if match is None:
        raise refusal(400, "value", f'{header} has the form W/"<version>".')
    return match[1]


def number(text: str) -> int | None:
    """A count, offset or version that is written as digits; None for anything else, and beyond nine of them."""
    return int(text) if text.isdecimal() and len(text) <= 9 else None
