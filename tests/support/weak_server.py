"""A FHIR server in memory whose weaknesses can be switched on one by one, behind an httpx transport."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

from careplan_exchange.model.codec import decode, encode

BASE = "https://weak.example.org/fhir"
TYPES = (
    "Patient", "Observation", "Condition", "CarePlan", "Goal", "DetectedIssue", "ServiceRequest",
    "MedicationRequest", "Provenance", "AuditEvent",
)  # fmt: skip


class WeakServer:
    """Honest by default. Every attribute below is one weakness; `log` has every request as it came."""

    def __init__(self) -> None:
        self.takes_transactions = True
        self.types = set(TYPES)
        self.unsearchable: set[str] = set()
        self.checks_versions = True
        self.checks_conditions = True
        self.sends_bodies = True
        self.sends_versions = True
        self.version_of: Callable[[int], str] = str
        self.drops: set[str] = set()  # elements that it does not keep
        self.stale_without_no_cache = False
        self.hides: set[str] = set()  # types that its searches do not find
        self.page_is_cut = False
        self.refuses: dict[str, int] = {}  # type → status of every create of it
        self.when_refused: Callable[[], object] | None = None
        self.deletes = True
        self.sends_twice = False  # the network does; the answer is that to the second
        self.moves = False  # an update makes another resource of it
        self.read_only_after: int | None = None  # so many writes are taken
        self.rewrites: Callable[[dict[str, Any]], dict[str, Any]] = dict
        self.before_write: Callable[[], None] | None = None
        self.after_write: Callable[[], None] | None = None
        self.lost: str | None = None  # "request" or "answer" of the next write
        self.log: list[httpx.Request] = []
        self.versions: dict[str, list[dict[str, Any]]] = {}
        self._cached: dict[str, Any] = {}

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    @property
    def writes(self) -> list[httpx.Request]:
        return [r for r in self.log if r.method in {"POST", "PUT"} and not _is_batch(r)]

    def put(self, body: dict[str, Any]) -> dict[str, Any]:
        """A new version of a resource, or a new resource where it has no id."""
        resource_id = body.get("id") or str(len(self.versions) + 1)
        versions = self.versions.setdefault(f"{body['resourceType']}/{resource_id}", [])
        kept = self.rewrites({name: value for name, value in body.items() if name not in self.drops})
        meta = {"versionId": self.version_of(len(versions) + 1)}
        stored: dict[str, Any] = decode(encode({**kept, "id": resource_id, "meta": meta}))
        versions.append(stored)
        return stored

    def edit(self, reference: str, **elements: Any) -> dict[str, Any]:
        """What a clinician does."""
        return self.put({**self.versions[reference][-1], **elements})

    def delete(self, reference: str) -> None:
        self.versions[reference].append({})

    def of(self, resource_type: str) -> list[dict[str, Any]]:
        return [v[-1] for key, v in self.versions.items() if key.startswith(f"{resource_type}/") and v and v[-1]]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.log.append(request)
        path = unquote(urlsplit(str(request.url)).path).removeprefix("/fhir").strip("/")
        if path == "metadata":
            return httpx.Response(200, json=self._capabilities())
        if request.method == "GET":
            return self._get(path, request)
        if request.method == "DELETE":
            return self._delete(path)
        body = decode(request.content)
        if _is_batch(request):
            entries = [self._as_entry(self._search(entry["request"]["url"])) for entry in body["entry"]]
            return _json(200, {"resourceType": "Bundle", "type": "batch-response", "entry": entries})
        return self._write(path, request, body)

    def _delete(self, place: str) -> httpx.Response:
        if not self.deletes or self.read_only_after is not None:
            return _json(405, {})
        self.delete(place)
        return httpx.Response(204)

    def _write(self, path: str, request: httpx.Request, body: dict[str, Any]) -> httpx.Response:
        if self.read_only_after is not None:
            self.read_only_after -= 1
            if self.read_only_after < 0:
                return _json(405, {})
        lost, self.lost = self.lost, None
        if lost == "request":
            raise httpx.ReadTimeout("lost", request=request)
        if self.before_write is not None:
            self.before_write, hook = None, self.before_write
            hook()
        if self.sends_twice:
            self._direct(path, request, body)
        answer = self._transaction(body) if not path else self._direct(path, request, body)
        if self.after_write is not None:
            self.after_write, hook = None, self.after_write
            hook()
        if lost == "answer":
            raise httpx.ReadTimeout("lost", request=request)
        return answer

    def _transaction(self, bundle: dict[str, Any]) -> httpx.Response:
        before = {key: list(value) for key, value in self.versions.items()}
        links: dict[str, str] = {}
        entries, failed = [], 0
        for entry in bundle["entry"]:
            asked = entry["request"]
            if asked["method"] == "POST":
                existing = self._existing(asked.get("ifNoneExist"), asked["url"])
                if existing is not None:
                    links[entry["fullUrl"]] = f"{asked['url']}/{existing['id']}"
                elif asked["url"] not in self.refuses:
                    new = self.put({"resourceType": asked["url"]})
                    self.versions[f"{asked['url']}/{new['id']}"].clear()
                    links[entry["fullUrl"]] = f"{asked['url']}/{new['id']}"
        for entry in bundle["entry"]:
            asked, resource = entry["request"], _linked(entry["resource"], links)
            if asked["method"] == "PUT":
                status, stored = self._update(asked["url"], resource, asked.get("ifMatch"))
            elif asked["url"] in self.refuses:
                status, stored = self.refuses[asked["url"]], None
            else:
                place = links[entry["fullUrl"]]
                if self.versions[place]:
                    status, stored = 200, self.versions[place][-1]
                else:
                    status, stored = 201, self.put({**resource, "id": place.split("/")[1]})
            failed += status >= 300
            entries.append(self._response(status, stored))
        if failed and self.atomic:
            self.versions = before
            return _json(
                next(int(e["response"]["status"]) for e in entries if int(e["response"]["status"]) >= 300), {}
            )
        return _json(200, {"resourceType": "Bundle", "type": "transaction-response", "entry": entries})

    atomic = True

    def _direct(self, path: str, request: httpx.Request, body: dict[str, Any]) -> httpx.Response:
        if request.method == "PUT":
            status, stored = self._update(path, body, request.headers.get("If-Match"))
        elif path in self.refuses:
            status, stored = self.refuses[path], None
            if self.when_refused is not None:
                self.when_refused()
        else:
            existing = self._existing(request.headers.get("If-None-Exist"), path)
            status, stored = (200, existing) if existing is not None else (201, self.put(body))
        if stored is None:
            return _json(status, {})
        response = self._response(status, stored)["response"]
        headers = {"Location": f"{BASE}/{response['location']}", "ETag": response.get("etag", "")}
        content = encode(stored) if self.sends_bodies else b""
        return httpx.Response(status, headers=headers, content=content)

    def _update(
        self, place: str, body: dict[str, Any], if_match: str | None
    ) -> tuple[int, dict[str, Any] | None]:
        versions = self.versions.get(place) or [{}]
        current = versions[-1].get("meta", {}).get("versionId")
        if self.checks_versions and current is not None and if_match != f'W/"{current}"':
            return 409, None
        if self.moves:
            self.delete(place)
            return 200, self.put({name: value for name, value in body.items() if name != "id"})
        return 200 if current is not None else 201, self.put({**body, "id": place.split("/")[1]})

    def _existing(self, condition: str | None, resource_type: str) -> dict[str, Any] | None:
        if condition is None or not self.checks_conditions:
            return None
        found = self._matching(resource_type, condition)
        return found[0] if found else None

    def _response(self, status: int, stored: dict[str, Any] | None) -> dict[str, Any]:
        if stored is None:
            return {"response": {"status": str(status)}}
        version = stored["meta"]["versionId"]
        location = f"{stored['resourceType']}/{stored['id']}"
        response = {"status": str(status), "location": location}
        if self.sends_versions:
            response |= {"location": f"{location}/_history/{version}", "etag": f'W/"{version}"'}
        return {"response": response} | ({"resource": stored} if self.sends_bodies else {})

    def _get(self, path: str, request: httpx.Request) -> httpx.Response:
        if path.endswith("/_history"):
            versions = [v for v in reversed(self.versions.get(path.removesuffix("/_history"), [])) if v]
            bundle = {"resourceType": "Bundle", "type": "history", "entry": [{"resource": v} for v in versions]}
            return _json(200, bundle)
        if "/_history/" in path:
            place, _, number = path.partition("/_history/")
            deleted = [self.version_of(at) for at, v in enumerate(self.versions.get(place, []), 1) if not v]
            return _json(410 if number in deleted else 404, {})
        if "/" in path:
            versions = self.versions.get(path, [])
            return _json(200, versions[-1]) if versions and versions[-1] else _json(404, {})
        found = self._search(f"{path}?{urlsplit(str(request.url)).query}")
        if self.stale_without_no_cache and request.headers.get("Cache-Control") != "no-cache":
            found = self._cached.setdefault(str(request.url), found)
        return _json(200, found)

    def _search(self, url: str) -> dict[str, Any]:
        resource_type, _, query = url.partition("?")
        found = [] if resource_type in self.hides else self._matching(resource_type, query)
        bundle: dict[str, Any] = {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(found),
            "entry": [{"resource": each} for each in (found[:-1] if self.page_is_cut else found)],
        }
        return bundle

    def _matching(self, resource_type: str, query: str) -> list[dict[str, Any]]:
        tokens = re.split(r"(?<!\\),", parse_qs(query).get("identifier", [""])[0])
        return [
            body
            for body in self.of(resource_type)
            if any(f"{i.get('system')}|{i.get('value')}" in tokens for i in body.get("identifier", ()))
        ]

    def _as_entry(self, bundle: dict[str, Any]) -> dict[str, Any]:
        return {"resource": bundle, "response": {"status": "200"}}

    def _capabilities(self) -> dict[str, Any]:
        interactions = [{"code": code} for code in ("read", "create", "update", "search-type")]
        return {
            "resourceType": "CapabilityStatement",
            "fhirVersion": "4.0.1",
            "rest": [
                {
                    "mode": "server",
                    "interaction": [{"code": "batch"}, *([{"code": "transaction"}] * self.takes_transactions)],
                    "resource": [
                        {
                            "type": name,
                            "interaction": interactions,
                            "searchParam": [{"name": "_id"}, *([{"name": "identifier"}] * (name not in self.unsearchable))],
                        }
                        for name in sorted(self.types)
                    ],
                }
            ],
        }  # fmt: skip


def _is_batch(request: httpx.Request) -> bool:
    return request.method == "POST" and b'"batch"' in request.content[:200]


def _linked(value: Any, links: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _linked(inner, links) for name, inner in value.items()}
    if isinstance(value, list):
        return [_linked(inner, links) for inner in value]
    return links.get(value, value) if isinstance(value, str) else value


def _json(status: int, body: Any) -> httpx.Response:
    return httpx.Response(status, content=encode(body), headers={"Content-Type": "application/fhir+json"})
