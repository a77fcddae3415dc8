"""Bundles and the few words in front of a resource, decoded without touching the resources themselves.

`Bundle.entry.resource` stays raw JSON: what a source hands on is the server's own bytes. Only resourceType, id
and the version are looked at.
"""

import codecs
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from careplan_exchange.errors import IncompleteRecordError, NotFhirError
from careplan_exchange.model.record import Resource

from .outcome import as_issues, parse_outcome

T = TypeVar("T")

_TOO_DEEP = "with more levels inside each other than any resource has"

ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
"""A FHIR id (http://hl7.org/fhir/R4/datatypes.html#id)."""

MAX_DEPTH = 100
"""Objects and arrays inside each other. No resource comes near: what does is not FHIR."""

_NUMBER = re.compile(r"[0-9]{1,64}", re.ASCII)


class Link(msgspec.Struct, frozen=True):
    relation: str = ""
    url: str = ""


class SearchMode(msgspec.Struct, frozen=True):
    mode: str | None = None


class Request(msgspec.Struct, frozen=True):
    method: str = ""
    url: str = ""


class Response(msgspec.Struct, frozen=True):
    status: str = ""

    @property
    def code(self) -> int:
        """The number in front of `Bundle.entry.response.status`; 0 where there is none."""
        first = self.status[:3]
        return int(first) if first.isascii() and first.isdigit() else 0


_NOTHING = msgspec.Raw()


class Entry(msgspec.Struct, frozen=True, rename="camel"):
    full_url: str | None = None
    resource: msgspec.Raw = _NOTHING
    search: SearchMode | None = None
    request: Request | None = None
    response: Response | None = None

    @property
    def has_resource(self) -> bool:
        return self.resource is not _NOTHING


class Bundle(msgspec.Struct, frozen=True, rename="camel"):
    """`Bundle` (http://hl7.org/fhir/R4/bundle.html), its resources undecoded."""

    resource_type: str
    type: str = ""
    total: int | None = None
    link: list[Link] = []
    entry: list[Entry] = []

    @property
    def next(self) -> str | None:
        return next((link.url for link in self.link if link.relation == "next"), None)


class _Meta(msgspec.Struct, frozen=True, rename="camel"):
    version_id: str | None = None
    last_updated: str | None = None


class Header(msgspec.Struct, frozen=True, rename="camel"):
    """What every resource starts with, in whichever order the server writes it."""

    resource_type: str
    id: str | None = None
    meta: _Meta | None = None


_bundles = msgspec.json.Decoder(Bundle)
_headers = msgspec.json.Decoder(Header)

NOT_FHIR_MEND = (
    "Check that the endpoint's URL is the FHIR base URL and that nothing (a login page, a proxy) answers for it."
)


def read_bundle(body: bytes | msgspec.Raw, what: str) -> Bundle:
    """The Bundle in `body`. `what` names the answer in the NotFhirError that is raised for anything else, and in
    the IncompleteRecordError for an OperationOutcome: that is a server's way to say that it has no Bundle for us.
    """
    bundle = _decode(_bundles, body, what)
    refuse_outcome(bundle.resource_type, body, what)
    if bundle.resource_type != "Bundle":
        raise NotFhirError(f"{what} is not a Bundle.", mend=NOT_FHIR_MEND)
    return bundle


def refuse_outcome(resource_type: str, body: bytes | msgspec.Raw, what: str) -> None:
    """Raises IncompleteRecordError with the issues where an OperationOutcome came instead of what was asked for,
    also with status 200."""
    if resource_type == "OperationOutcome":
        raise IncompleteRecordError(
            f"{what} is an OperationOutcome instead of what was asked for.",
            mend="The issues hold the server's codes. Ask those who run it why it gives them as a success.",
            issues=as_issues(parse_outcome(body)),
        )


def read_header(body: bytes | msgspec.Raw, what: str) -> Header:
    """Type, id and version of the resource in `body`. Raises NotFhirError."""
    return _decode(_headers, body, what)


def read_resource(body: bytes | msgspec.Raw, what: str) -> Resource:
    """The resource in `body`, with its own bytes. Raises NotFhirError where it has no valid id."""
    return identified(read_header(body, what), body, what)


def identified(header: Header, body: bytes | msgspec.Raw, what: str) -> Resource:
    """The resource with this header. Raises NotFhirError where it has no valid id, or nests too deep."""
    if header.id is None or not ID.fullmatch(header.id):
        raise NotFhirError(f"{what} holds a resource without a valid id.", mend=NOT_FHIR_MEND)
    resource = as_resource(header, header.id, body)
    if too_deep(resource.content):
        raise NotFhirError(f"{what} holds a resource {_TOO_DEEP}.", mend=NOT_FHIR_MEND)
    return resource


def as_resource(header: Header, resource_id: str, body: bytes | msgspec.Raw) -> Resource:
    meta = header.meta or _Meta()
    return Resource(
        type=header.resource_type,
        id=resource_id,
        version_id=meta.version_id,
        last_updated=meta.last_updated,
        content=bytes(body),
    )


def too_deep(body: bytes) -> bool:
    """Whether there are more than MAX_DEPTH objects and arrays inside each other."""
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return False  # as good as always
    try:
        level: list[Any] = [msgspec.json.decode(body)]
    except RecursionError:
        return True
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False  # whoever reads it says so
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def newest(resources: Iterable[Resource]) -> tuple[Resource, ...]:
    """Each resource once, in order of first appearance, in the newest version that was seen of it."""
    kept: dict[str, Resource] = {}
    for resource in resources:
        held = kept.get(resource.reference)
        if held is None or _is_newer(resource, held):
            kept[resource.reference] = resource
    return tuple(kept.values())


def newest_first(versions: Iterable[Resource]) -> tuple[Resource, ...]:
    """The versions of one resource by number; where they have none, by `meta.lastUpdated`; where not all have
    one, as they came."""
    found = tuple(versions)
    if all(_NUMBER.fullmatch(one.version_id or "") for one in found):
        return tuple(sorted(found, key=lambda one: int(one.version_id or ""), reverse=True))
    timed = [(moment, one) for one in found if (moment := _moment(one.last_updated)) is not None]
    if len(timed) < len(found):
        return found
    return tuple(one for _, one in sorted(timed, key=lambda each: each[0], reverse=True))


def _is_newer(one: Resource, other: Resource) -> bool:
    """By `meta.lastUpdated`, else by a numeric `meta.versionId`; where neither tells, what came later."""
    moments = _moment(one.last_updated), _moment(other.last_updated)
    if moments[0] is not None and moments[1] is not None and moments[0] != moments[1]:
        return moments[0] > moments[1]
    versions = one.version_id or "", other.version_id or ""
    if all(_NUMBER.fullmatch(version) for version in versions):
        return int(versions[0]) >= int(versions[1])
    return True


def _moment(instant: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(instant or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _decode(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw, what: str) -> T:
    try:
        if not isinstance(body, msgspec.Raw) and not body.isascii():
            _check_encoding(body)  # resources are skipped over, and with them the check of their encoding
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise NotFhirError(f"{what} is JSON, but not FHIR.", mend=NOT_FHIR_MEND) from None
    except RecursionError:
        raise NotFhirError(f"{what} is {_TOO_DEEP}.", mend=NOT_FHIR_MEND) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NotFhirError(f"{what} is {_appearance(bytes(body))}.", mend=NOT_FHIR_MEND) from None


def _check_encoding(body: bytes) -> None:
    """Raises UnicodeDecodeError. In pieces: the text of a whole page would take up to four times its bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(body)
    for start in range(0, len(body), 65536):
        decoder.decode(view[start : start + 65536])
    decoder.decode(b"", final=True)


def _appearance(body: bytes) -> str:
    start = body[:256].lstrip().lower()
    if not start:
        return "empty"
    if start.startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    if start.startswith(b"<"):
        return "XML; only FHIR JSON is read"
    return "not valid JSON"
