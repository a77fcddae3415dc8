"""A FHIR server as the contract suite sees it: plain requests, and what is expected of each server where they differ."""

import uuid
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from careplan_exchange.model.codec import decode, encode

SYSTEM = "urn:test:contract"
Json = dict[str, Any]


@dataclass(frozen=True)
class Expected:
    """What servers are free to do differently, and what this one does.

    The product copes with each of these answers; the suite holds each server to its own.
    """

    describes_its_types: bool = True
    """Its CapabilityStatement has `rest`; otherwise it says no more than its FHIR version."""
    advertises_batch: bool = True
    """Its CapabilityStatement lists `batch`. Every server of the suite takes them."""
    numbers_versions: bool = True
    """A version is 1, 2, 3, …; otherwise it is opaque."""
    keeps_decimal_places: bool = True
    """7.20 is read back as 7.20, and not as 7.2."""
    keeps_deletions: bool = True
    """A deleted resource is 410 and has a history; otherwise it is as if it had never been."""
    conditional_read: bool = True
    """`If-None-Match` is answered 304 where nothing changed."""
    finds_by_bare_id: bool = True
    """`patient=<id>` is taken for `patient=Patient/<id>`."""
    pages: bool = True
    """A search with more than `_count` matches has a next link; otherwise only `total` tells that it is cut."""
    expired_page: int = 410
    unknown_parameter: Literal["refused", "matches nothing"] = "refused"
    minimal_answers: bool = True
    """`Prefer: return=minimal` is answered without a body."""
    stale_version: int = 412
    """An update whose `If-Match` names an older version."""
    update_of_unknown_id: int = 405
    """PUT under an id that the client made up."""
    idle_update_makes_version: bool = True
    """PUT of exactly what is there."""
    refuses_delete_of_what_is_referred_to: bool = True
    code_outside_its_value_set: int = 400
    dangling_reference: int = 422
    external_reference: int = 422
    wrong_reference_type: int = 422
    """CarePlan.subject to a Goal."""
    broken_invariant: int = 422
    """cpl-3 in R4, gol-1 in both."""
    always_says_total: bool = True
    """Bundle.total on every page; otherwise only where the server happens to know it."""
    lenient: bool = True
    """`Prefer: handling=lenient` passes over an unknown search parameter."""
    reuses_searches: bool = False
    """Without `Cache-Control: no-cache` a search may be answered from one of the last minute."""
    atomic: bool = True
    """A transaction that is refused wrote nothing; otherwise what came before the bad entry stays."""
    same_condition_twice: Literal["refused", "second dropped"] = "refused"
    """Two entries of one transaction create under one condition."""
    versions_in_transaction_response: bool = True
    """`response.etag`, and a version in `response.location`."""
    batch_with_unreadable_entry: Literal["entry refused", "whole refused", "taken"] = "entry refused"
    """A batch with an entry whose code is outside its value set."""
    delete_of_unknown_id: int = 204


SANDBOX = Expected()
HAPI = Expected(
    advertises_batch=False,
    stale_version=409,
    update_of_unknown_id=201,
    idle_update_makes_version=False,
    dangling_reference=400,
    external_reference=400,
    broken_invariant=201,
    always_says_total=False,
    lenient=False,
    reuses_searches=True,
    same_condition_twice="second dropped",
    batch_with_unreadable_entry="whole refused",
    delete_of_unknown_id=200,
)


MEDPLUM = Expected(
    describes_its_types=False,
    numbers_versions=False,
    keeps_decimal_places=False,
    keeps_deletions=False,
    conditional_read=False,
    finds_by_bare_id=False,
    pages=False,
    expired_page=400,
    unknown_parameter="matches nothing",
    minimal_answers=False,
    update_of_unknown_id=200,
    refuses_delete_of_what_is_referred_to=False,
    code_outside_its_value_set=201,
    dangling_reference=201,
    external_reference=201,
    wrong_reference_type=201,
    broken_invariant=201,
    lenient=False,
    atomic=False,
    same_condition_twice="second dropped",
    versions_in_transaction_response=False,
    batch_with_unreadable_entry="taken",
    delete_of_unknown_id=404,
)
"""The router of Medplum over its memory (4.5, measured): it checks little, and a transaction of it is none."""


def fresh() -> str:
    """A value that no other test uses: the servers keep what earlier tests wrote."""
    return uuid.uuid4().hex


def patient(value: str | None = None, **more: Any) -> Json:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": SYSTEM, "value": value or fresh()}],
        **more,
    }


def goal(subject: str, value: str, **more: Any) -> Json:
    return {
        "resourceType": "Goal",
        "identifier": [{"system": SYSTEM, "value": value}],
        "lifecycleStatus": "proposed",
        "description": {"text": "Walk every day"},
        "subject": {"reference": subject},
        **more,
    }


def care_plan(subject: str, value: str, **more: Any) -> Json:
    return {
        "resourceType": "CarePlan",
        "identifier": [{"system": SYSTEM, "value": value}],
        "status": "draft",
        "intent": "plan",
        "subject": {"reference": subject},
        **more,
    }


def post(resource: Json, *, full_url: str | None = None, once: bool = False) -> Json:
    """A transaction entry that creates; `once`: unless the resource's identifier is there already."""
    request = {"method": "POST", "url": resource["resourceType"]}
    if once:
        request["ifNoneExist"] = condition(resource["identifier"][0]["value"])
    return {"fullUrl": full_url or f"urn:uuid:{uuid.uuid4()}", "resource": resource, "request": request}


def put(resource: Json, version: str | None = None) -> Json:
    request = {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
    if version is not None:
        request["ifMatch"] = f'W/"{version}"'
    return {"resource": resource, "request": request}


def get(url: str) -> Json:
    return {"request": {"method": "GET", "url": url}}


def condition(value: str) -> str:
    return f"identifier={SYSTEM}|{value}"


@dataclass(frozen=True)
class Rest:
    """Requests to one server; every read asks past its caches."""

    url: str
    expected: Expected
    http: httpx.Client

    def send(self, method: str, path: str, body: Json | None = None, **headers: str) -> httpx.Response:
        content = None if body is None else encode(body)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent["Content-Type"] = "application/fhir+json"
        url = path if path.startswith("http") else f"{self.url}/{path}".rstrip("/")
        return self.http.request(method, url, content=content, headers=sent)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.send("GET", path, **{"Cache_Control": "no-cache", **headers})

    def refuses(self, answer: httpx.Response, status: int) -> bool:
        """Whether it was refused, as `status` says it must be; an answer of 201 is no refusal and has no outcome."""
        assert answer.status_code == status, answer.text[:500]
        if status >= 400:
            outcome(answer)
        return status >= 400

    def create(self, resource: Json) -> Json:
        answer = self.send("POST", resource["resourceType"], resource, Prefer="return=representation")
        assert answer.status_code == 201, answer.text[:500]
        return decode(answer.content)

    def read(self, reference: str) -> Json:
        answer = self.get(reference)
        assert answer.status_code == 200, answer.text[:500]
        return decode(answer.content)

    def update(self, resource: Json, version: str | None = None) -> httpx.Response:
        headers = {} if version is None else {"If_Match": f'W/"{version}"'}
        return self.send("PUT", f"{resource['resourceType']}/{resource['id']}", resource, **headers)

    def bundle(self, kind: str, *entries: Json, **headers: str) -> httpx.Response:
        body: Json = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
        return self.send("POST", "", body, **headers)

    def transaction(self, *entries: Json) -> list[Json]:
        answer = self.bundle("transaction", *entries, Prefer="return=representation")
        assert answer.status_code == 200, answer.text[:500]
        return decode(answer.content)["entry"]

    def search(self, query: str, **headers: str) -> list[Json]:
        """Every match over all pages."""
        page = decode(self.get(query, **headers).content)
        found = _matches(page)
        while (following := link(page, "next")) is not None:
            page = decode(self.get(following).content)
            found += _matches(page)
        return found

    def held(self, resource_type: str, value: str) -> list[Json]:
        """What carries this identifier now."""
        return self.search(f"{resource_type}?{condition(value)}")


def _matches(page: Json) -> list[Json]:
    """A server that includes nothing need not say that a match is one."""
    entries = page.get("entry", ())
    return [one["resource"] for one in entries if one.get("search", {}).get("mode", "match") == "match"]


def version(resource: Json) -> str:
    return resource["meta"]["versionId"]


def link(bundle: Json, relation: str) -> str | None:
    return next((one["url"] for one in bundle.get("link", ()) if one["relation"] == relation), None)


def reference(resource: Json) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def outcome(answer: httpx.Response) -> Json:
    """The OperationOutcome that every refusal has."""
    body = decode(answer.content)
    assert body["resourceType"] == "OperationOutcome", body
    assert body["issue"], body
    return body
