"""What a bad server makes of a request or an answer: the bodies that the proxy spoils. Plain JSON, no model."""

import json
import random
from collections.abc import Sequence
from typing import Any

from .wire import Answered, Asked

Json = dict[str, Any]

EMPTY_SEARCH = b'{"resourceType":"Bundle","type":"searchset","total":0}'

_FORGOTTEN = {
    "CarePlan": ("supportingInfo", "created", "contributor"),
    "Goal": ("statusDate", "expressedBy"),
    "DetectedIssue": ("evidence",),
}
"""What the forgetful server does not keep. A clinician of the drills edits none of these."""


def bundle_in(body: bytes) -> Json | None:
    """The Bundle in a body, if it is one."""
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("resourceType") == "Bundle" else None


def is_transaction(asked: Asked) -> bool:
    return asked.method == "POST" and (bundle_in(asked.body) or {}).get("type") == "transaction"


def is_read(asked: Asked) -> bool:
    """A GET, a search by POST, or a batch of nothing but GETs."""
    if asked.method in {"GET", "HEAD"} or asked.target.partition("?")[0].endswith("/_search"):
        return True
    bundle = bundle_in(asked.body) if asked.method == "POST" else None
    entries = (bundle or {}).get("entry") or ()
    return bool(entries) and all(entry.get("request", {}).get("method") == "GET" for entry in entries)


def without_if_match(asked: Asked) -> Asked:
    """The request as a server takes it that does not look at `If-Match`."""
    headers = {name: value for name, value in asked.headers.items() if name != "if-match"}
    return _changed(asked, headers, "ifMatch")


def without_if_none_exist(asked: Asked) -> Asked:
    """The request as a server takes it whose conditional create always creates."""
    headers = {name: value for name, value in asked.headers.items() if name != "if-none-exist"}
    return _changed(asked, headers, "ifNoneExist")


def _changed(asked: Asked, headers: dict[str, str], left_out: str) -> Asked:
    bundle = bundle_in(asked.body)
    if bundle is None:
        return Asked(asked.method, asked.target, headers, asked.body)
    for entry in bundle.get("entry", ()):
        entry.get("request", {}).pop(left_out, None)
    return Asked(asked.method, asked.target, headers, json.dumps(bundle).encode())


def forgetting(asked: Asked) -> Asked:
    """The write without what this server does not keep, and with its lists of categories turned round."""
    try:
        body = json.loads(asked.body)
    except ValueError:
        return asked
    resources = (
        [entry.get("resource") or {} for entry in body.get("entry", ())]
        if body.get("resourceType") == "Bundle"
        else [body]
    )
    for resource in resources:
        for name in _FORGOTTEN.get(resource.get("resourceType", ""), ()):
            resource.pop(name, None)
        if resource.get("resourceType") in _FORGOTTEN and isinstance(resource.get("category"), list):
            resource["category"].reverse()
    return Asked(asked.method, asked.target, asked.headers, json.dumps(body).encode())


def in_part(asked: Asked, rng: random.Random) -> tuple[Asked, tuple[int, ...]]:
    """The transaction without one of its entries and all that refer to it, and the places of those.

    It stays whole where nothing would be left.
    """
    bundle = bundle_in(asked.body) or {}
    entries: Sequence[Json] = bundle.get("entry", ())
    left_out = {rng.randrange(len(entries))}
    while True:
        gone = [json.dumps(entries[place].get("fullUrl", "")) for place in left_out]
        more = {
            place
            for place, entry in enumerate(entries)
            if place not in left_out and any(url in json.dumps(entry.get("resource")) for url in gone)
        }
        if not more:
            break
        left_out |= more
    if len(left_out) == len(entries):
        return asked, ()
    kept = [entry for place, entry in enumerate(entries) if place not in left_out]
    body = json.dumps({**bundle, "entry": kept}).encode()
    return Asked(asked.method, asked.target, asked.headers, body), tuple(sorted(left_out))


def with_failures(answer: Answered, places: Sequence[int], status: int) -> Answered:
    """The answer to a transaction that was carried out in part, with a failure at each of these places."""
    bundle = bundle_in(answer.body)
    if answer.status >= 300 or bundle is None:
        return answer
    entries = bundle.setdefault("entry", [])
    for place in places:
        entries.insert(place, {"response": {"status": str(status)}})
    return Answered(answer.status, answer.headers, json.dumps(bundle).encode())


def without_body(answer: Answered) -> Answered:
    """The answer of a server that does not honour `Prefer: return=representation`."""
    bundle = bundle_in(answer.body)
    if bundle is None:
        return Answered(answer.status, {k: v for k, v in answer.headers.items() if k != "content-type"})
    for entry in bundle.get("entry", ()):
        entry.pop("resource", None)
    return Answered(answer.status, answer.headers, json.dumps(bundle).encode())


def searches_in(bundle: Json) -> list[Json]:
    """The searchsets in an answer: the answer itself, or the entries of a batch."""
    if bundle.get("type") == "searchset":
        return [bundle]
    inside = (entry.get("resource") for entry in bundle.get("entry", ()))
    return [one for one in inside if isinstance(one, dict) and one.get("type") == "searchset"]


def going_on_at(answer: Answered, foreign: str) -> Answered:
    """A search whose next page is said to be at `foreign`."""
    bundle = bundle_in(answer.body)
    searches = searches_in(bundle) if bundle is not None else []
    if not searches:
        return answer
    links = [link for link in searches[0].get("link", ()) if link.get("relation") != "next"]
    searches[0]["link"] = [*links, {"relation": "next", "url": f"{foreign}/Observation?page=2"}]
    return Answered(answer.status, answer.headers, json.dumps(bundle).encode())


def with_stranger(answer: Answered, resource: Json | None) -> Answered:
    """A search that also brings a resource about another patient, as if it matched."""
    bundle = bundle_in(answer.body)
    if resource is None or bundle is None:
        return answer
    for search in searches_in(bundle):
        own = [entry.get("resource", {}).get("resourceType") for entry in search.get("entry", ())]
        if resource["resourceType"] in own:
            search["entry"].append({"resource": resource, "search": {"mode": "match"}})
            if "total" in search:
                search["total"] += 1
            return Answered(answer.status, answer.headers, json.dumps(bundle).encode())
    return answer


def with_a_failed_search(answer: Answered, rng: random.Random) -> Answered:
    """A batch of searches, one of which failed inside a 200; a single search becomes a failure."""
    bundle = bundle_in(answer.body)
    if bundle is None or bundle.get("type") != "batch-response" or not bundle.get("entry"):
        return Answered(500, answer.headers, b"")
    place = rng.randrange(len(bundle["entry"]))
    bundle["entry"][place] = {"response": {"status": "500"}}
    return Answered(answer.status, answer.headers, json.dumps(bundle).encode())
