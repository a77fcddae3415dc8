"""Pages that are spoiled on request: what makes a search look whole when it is not, or longer than it is.

Each fault takes a page as the server would send it and gives it back changed. One that a page gives no hold to
(a last page has no `next` to lose) waits for another.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from careplan_exchange.model.codec import decode, encode

from .faults import Kind
from .outcomes import Json
from .pages import Place, Result, expired, match
from .references import local
from .state import Server

_ELSEWHERE = "http://elsewhere.invalid/fhir"
_STRANGER = "somebody-else"
_EPIC_4119 = {
    "severity": "warning",
    "code": "processing",
    "details": {
        "coding": [
            {
                "system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.657369",
                "code": "4119",
                "display": "The answer may not be the entire record",
            }
        ],
        "text": "The answer may not be the entire record",
    },
}
"""The form in which Epic sends it."""


class _Spoiled(NamedTuple):
    """What a fault may look at, beside the page itself."""

    server: Server
    place: Place
    base_url: str


def in_small_pages(server: Server, result: Result) -> Result:
    """The result, in smaller pages where a fault wants them."""
    fault = server.faults.take({"small_pages"}, "GET", result.url)
    if fault is None or fault.size is None:
        return result
    shape = msgspec.structs.replace(result.shape, count=min(result.shape.count, fault.size))
    return msgspec.structs.replace(result, shape=shape)


def refuse_expired(server: Server, place: Place) -> None:
    """Raises RefusalError (410) where a fault wants this further page to have expired."""
    if server.faults.take({"expired_page"}, "GET", place.result.url) is not None:
        raise expired()


def spoiled(server: Server, place: Place, page: Json, base_url: str) -> Json:
    """The page, as the armed faults want it."""
    around = _Spoiled(server, place, base_url)
    for kind, (applies, change) in _CHANGES.items():
        if applies(around, page) and server.faults.take({kind}, "GET", place.result.url) is not None:
            page = change(around, page)
    return page


def _has_next(_: _Spoiled, page: Json) -> bool:
    return any(link["relation"] == "next" for link in page.get("link", ()))


def _is_further(around: _Spoiled, page: Json) -> bool:
    return around.place.offset > 0 and page["type"] == "searchset"


def _is_searchset(_: _Spoiled, page: Json) -> bool:
    return bool(page["type"] == "searchset")


def _names_a_patient(_: _Spoiled, page: Json) -> bool:
    return _first_of_a_patient(page) is not None


def _without_next(_: _Spoiled, page: Json) -> Json:
    return {**page, "link": [link for link in page["link"] if link["relation"] != "next"]}


def _elsewhere(around: _Spoiled, page: Json) -> Json:
    return _with_next(page, lambda url: url.replace(around.base_url, _ELSEWHERE, 1))


def _to_itself(around: _Spoiled, page: Json) -> Json:
    return _with_next(page, lambda _: around.place.url(around.base_url))


def _with_next(page: Json, change: Callable[[str], str]) -> Json:
    links = [
        {**link, "url": change(link["url"])} if link["relation"] == "next" else link for link in page["link"]
    ]
    return {**page, "link": links}


def _repeated(around: _Spoiled, page: Json) -> Json:
    store, place = around.server.store, around.place
    (last,) = store.versions(place.result.seqs[place.offset - 1 : place.offset])
    again = [match(one, around.base_url) for one in store.history(last.type, last.id) if one.body is not None]
    return {**page, "entry": [*again, *page["entry"]]}


def _one_fewer(_: _Spoiled, page: Json) -> Json:
    return {**page, "total": page["total"] - 1}


def _with_warning(_: _Spoiled, page: Json) -> Json:
    outcome = {"resourceType": "OperationOutcome", "issue": [_EPIC_4119]}
    return {**page, "entry": [*page.get("entry", ()), {"resource": outcome, "search": {"mode": "outcome"}}]}


def _with_a_stranger(around: _Spoiled, page: Json) -> Json:
    found = _first_of_a_patient(page) or {}
    body = {**found, "id": _STRANGER}
    for name in ("subject", "patient"):
        if name in body:
            body[name] = {"reference": f"Patient/{_STRANGER}"}
    entry = {
        "fullUrl": f"{around.base_url}/{body['resourceType']}/{_STRANGER}",
        "resource": msgspec.Raw(encode(body)),
        "search": {"mode": "match"},
    }
    return {**page, "entry": [*page["entry"], entry]}


def _first_of_a_patient(page: Json) -> Json | None:
    """The first match that is a Patient, or names one as its subject."""
    for entry in page.get("entry", ()):
        if entry.get("search", {}).get("mode") == "match" and "resource" in entry:
            body: Json = decode(bytes(entry["resource"]))
            named = local((body.get("subject") or body.get("patient") or {}).get("reference", ""), "")
            if body["resourceType"] == "Patient" or (named is not None and named.type == "Patient"):
                return body
    return None


_CHANGES: Mapping[
    Kind, tuple[Callable[[_Spoiled, Json], bool], Callable[[_Spoiled, Json], Json]]
] = {
    "missing_next": (_has_next, _without_next),
    "foreign_next": (_has_next, _elsewhere),
    "looping_next": (_has_next, _to_itself),
    "repeated_ids": (_is_further, _repeated),
    "shrinking_total": (_is_further, _one_fewer),
    "another_patient": (_names_a_patient, _with_a_stranger),
    "partial_warning": (_is_searchset, _with_warning),
}  # fmt: skip
