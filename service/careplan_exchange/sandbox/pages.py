"""Bundles of matches, page by page. A search is carried out once; its further pages show what was found then."""

import secrets
from array import array
from collections.abc import Sequence
from urllib.parse import urlencode

import msgspec

from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.record import FhirRelease

from .calls import number
from .outcomes import Json, Problem, outcome_of, refusal
from .shaping import Shape, subset
from .store import Store, Version

_KEPT = 500


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one search, history or operation found: the numbers of versions, to be shown in pages. `url` is what
    was asked, below the base URL."""

    kind: str
    seqs: "array[int]"
    url: str
    shape: Shape
    ignored: tuple[Problem, ...] = ()

    @property
    def total(self) -> int:
        return len(self.seqs)

    def on_page(self, offset: int) -> Sequence[int]:
        return self.seqs[offset : offset + self.shape.count]

    def has_next(self, offset: int) -> bool:
        return offset + self.shape.count < self.total


class Place(msgspec.Struct, frozen=True):
    """One page of a result: where it begins, and the token that leads to it and on from it."""

    result: Result
    offset: int
    token: str | None

    def url(self, base_url: str) -> str:
        """The address of this page."""
        return page_url(base_url, self.token, self.offset) if self.offset else f"{base_url}/{self.result.url}"

    def next_url(self, base_url: str) -> str | None:
        if self.token is None or not self.result.has_next(self.offset):
            return None
        return page_url(base_url, self.token, self.offset + self.result.shape.count)


def page_url(base_url: str, token: str | None, offset: int) -> str:
    return f"{base_url}?{urlencode({'_getpages': token, '_offset': offset})}"


class Pages:
    """The results whose pages may still be asked for; the oldest go first, and their pages are 410 then."""

    def __init__(self) -> None:
        self._results: dict[str, Result] = {}

    def first(self, result: Result) -> Place:
        """The first page; the result is kept where it has another."""
        if not result.has_next(0):
            return Place(result, 0, None)
        token = secrets.token_urlsafe(12)
        self._results[token] = result
        while len(self._results) > _KEPT:
            del self._results[next(iter(self._results))]
        return Place(result, 0, token)

    def further(self, token: str, offset: str) -> Place:
        """A page that a `next` link named. Raises RefusalError: 410 where it has expired, 400."""
        result = self._results.get(token)
        if result is None:
            raise expired()
        start = number(offset)
        if start is None or start >= result.total:
            raise refusal(400, "invalid", "There is no such page.")
        return Place(result, start, token)


def expired() -> Exception:
    return refusal(410, "not-found", "This page has expired; begin the search again.")


def shown(store: Store, place: Place, base_url: str, release: FhirRelease) -> Json:
    """The page as a Bundle: its matches, what they include, what was passed over."""
    result = place.result
    versions = store.versions(place.result.on_page(place.offset))
    entries = [_entry(version, result, base_url, release) for version in versions]
    entries += [_included(one, base_url) for one in _targets(store, versions, result.shape, base_url)]
    if result.ignored:
        entries.append({"resource": outcome_of(result.ignored), "search": {"mode": "outcome"}})
    links = [{"relation": "self", "url": f"{base_url}/{result.url}"}]
    if (following := place.next_url(base_url)) is not None:
        links.append({"relation": "next", "url": following})
    return bundle(result.kind, entries, total=result.total, links=links)


def bundle(kind: str, entries: Sequence[Json], *, total: int | None = None, links: Sequence[Json] = ()) -> Json:
    """A Bundle; FHIR has no empty lists."""
    return {
        "resourceType": "Bundle",
        "type": kind,
        **({"total": total} if total is not None else {}),
        **({"link": list(links)} if links else {}),
        **({"entry": list(entries)} if entries else {}),
    }


def match(version: Version, base_url: str) -> Json:
    """A version as a match of a search."""
    return {**_located(version, base_url), "search": {"mode": "match"}}


def _entry(version: Version, result: Result, base_url: str, release: FhirRelease) -> Json:
    if result.kind == "searchset":
        entry = match(version, base_url)
        if result.shape.elements and version.body is not None:
            part = subset(decode(version.body), result.shape.elements, release)
            entry["resource"] = msgspec.Raw(encode(part))
        return entry
    url = version.type if version.method == "POST" else version.reference
    status = {"POST": "201 Created", "DELETE": "204 No Content"}.get(version.method, "200 OK")
    return {
        **_located(version, base_url),
        "request": {"method": version.method, "url": url},
        "response": {"status": status, "etag": f'W/"{version.number}"', "lastModified": version.updated},
    }


def _located(version: Version, base_url: str) -> Json:
    entry: Json = {"fullUrl": f"{base_url}/{version.reference}"}
    if version.body is not None:
        entry["resource"] = msgspec.Raw(version.body)
    return entry


def _included(version: Version, base_url: str) -> Json:
    return {**_located(version, base_url), "search": {"mode": "include"}}


def _targets(store: Store, matches: Sequence[Version], shape: Shape, base_url: str) -> list[Version]:
    """What the matches of a page refer to by the parameters that were asked to include, each once."""
    if not shape.includes:
        return []
    seen = {one.reference for one in matches}
    found = []
    for one in matches:
        body = decode(one.body or b"{}")
        for target in (each for include in shape.includes for each in include.targets(body, base_url)):
            reference = f"{target.type}/{target.id}"
            held = store.current(target.type, target.id) if reference not in seen else None
            seen.add(reference)
            if held is not None and held.body is not None:
                found.append(held)
    return found
