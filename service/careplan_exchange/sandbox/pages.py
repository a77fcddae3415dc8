"""Bundles of matches, page by page. A search is carried out once; its further pages show what was found then."""

import secrets
from collections.abc import Sequence
from urllib.parse import urlencode

import msgspec

from .outcomes import Json, Problem, outcome_of, refusal
from .store import Version

_KEPT = 500


class Result(msgspec.Struct, frozen=True):
    """What one search or history found, to be shown in pages of `count`."""

    kind: str
    versions: tuple[Version, ...]
    count: int
    self_url: str
    ignored: tuple[Problem, ...] = ()


class Pages:
    """The results whose pages may still be asked for; the oldest go first, and their pages are 410 then."""

    def __init__(self) -> None:
        self._results: dict[str, Result] = {}

    def first(self, result: Result, base_url: str, *, lose_next: bool = False) -> Json:
        """The first page. `lose_next` leaves out its link to the next one."""
        token = None
        if len(result.versions) > result.count and not lose_next:
            token = secrets.token_urlsafe(12)
            self._results[token] = result
            while len(self._results) > _KEPT:
                del self._results[next(iter(self._results))]
        return _page(result, 0, token, base_url)

    def further(self, token: str, offset: str, base_url: str, *, lose_next: bool = False) -> Json:
        """A page that a `next` link named. Raises RefusalError: 410 where it has expired, 400."""
        result = self._results.get(token)
        if result is None:
            raise refusal(410, "not-found", "This page has expired; begin the search again.")
        if not offset.isdecimal() or int(offset) >= len(result.versions):
            raise refusal(400, "invalid", "There is no such page.")
        return _page(result, int(offset), None if lose_next else token, base_url)


def has_next(result: Result, offset: int) -> bool:
    return offset + result.count < len(result.versions)


def _page(result: Result, offset: int, token: str | None, base_url: str) -> Json:
    links = [{"relation": "self", "url": result.self_url}]
    if token is not None and has_next(result, offset):
        query = urlencode({"_getpages": token, "_offset": offset + result.count})
        links.append({"relation": "next", "url": f"{base_url}?{query}"})
    shown = result.versions[offset : offset + result.count]
    entries = [_entry(version, result.kind, base_url) for version in shown]
    if result.ignored:
        entries.append({"resource": outcome_of(result.ignored), "search": {"mode": "outcome"}})
    return bundle(result.kind, entries, total=len(result.versions), links=links)


def bundle(kind: str, entries: Sequence[Json], *, total: int | None = None, links: Sequence[Json] = ()) -> Json:
    """A Bundle; FHIR has no empty lists."""
    return {
        "resourceType": "Bundle",
        "type": kind,
        **({"total": total} if total is not None else {}),
        **({"link": list(links)} if links else {}),
        **({"entry": list(entries)} if entries else {}),
    }


def _entry(version: Version, kind: str, base_url: str) -> Json:
    entry: Json = {"fullUrl": f"{base_url}/{version.reference}"}
    if version.body is not None:
        entry["resource"] = msgspec.Raw(version.body)
    if kind == "searchset":
        return {**entry, "search": {"mode": "match"}}
    url = version.type if version.method == "POST" else version.reference
    status = {"POST": "201 Created", "DELETE": "204 No Content"}.get(version.method, "200 OK")
    return {
        **entry,
        "request": {"method": version.method, "url": url},
        "response": {"status": status, "etag": f'W/"{version.number}"', "lastModified": version.updated},
    }
