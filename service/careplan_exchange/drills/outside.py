"""The server as another client sees it, past the proxy: patients that a drill makes and removes."""

import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import httpx

from careplan_exchange.errors import RefusedError

from .outages import Outages

Json = dict[str, Any]
T = TypeVar("T")

TAG_SYSTEM = "urn:careplan-exchange:drill"
"""`meta.tag.system` of everything that a drill makes: what is left after a crash can be found by it."""

_TEMPLATE = "05-allergy-and-no-laboratory.json"
"""A synthetic patient with high blood pressure: eleven resources are written, and another reading updates two."""

_TYPES = frozenset({"Patient", "Condition", "Observation"})
"""Of the same form in R4 and R5."""

_ABOUT_A_PATIENT = (
    ("CarePlan", "patient"),
    ("Goal", "patient"),
    ("DetectedIssue", "patient"),
    ("ServiceRequest", "subject"),
    ("MedicationRequest", "subject"),
    ("NutritionOrder", "patient"),
    ("DocumentReference", "patient"),
    ("AuditEvent", "patient"),
    ("Observation", "patient"),
    ("Condition", "patient"),
)
_TARGETS_AT_ONCE = 20


class Stands(NamedTuple):
    """A resource as it stands: `reference` is `Type/id`."""

    reference: str
    version: str
    body: Json


class Outside:
    """A client of its own. `credentials` are the headers that sign it in. While an outage is under way it waits;
    what an outage fell into it does again, and what it may have made it looks for first."""

    def __init__(
        self, base: str, http: httpx.AsyncClient, credentials: dict[str, str], outages: Outages | None = None
    ) -> None:
        self.base = base.rstrip("/")
        self.credentials = credentials
        self._http = http
        self._outages = outages or Outages()

    async def ask(self, method: str, path: str, body: Json | None = None, **headers: str) -> httpx.Response:
        sent = {"accept": "application/fhir+json", "cache-control": "no-cache", **self.credentials, **headers}
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            sent["content-type"] = "application/fhir+json"
        url = path if path.startswith("http") else f"{self.base}/{path}".rstrip("/")
        return await self._http.request(method, url, content=content, headers=sent)

    async def read(self, reference: str) -> Stands | None:
        return await self._outages.undisturbed(lambda: self._read(reference))

    async def search(self, query: str) -> list[Stands]:
        """Every page. A type that the server does not have is no match."""
        return await self._outages.undisturbed(lambda: self._search(query))

    async def search_all(self, queries: Sequence[str]) -> list[list[Stands]]:
        """Several searches in one batch; one by one where the server takes none."""
        return await self._outages.undisturbed(lambda: self._search_all(queries))

    async def _read(self, reference: str) -> Stands | None:
        answer = await self.ask("GET", reference)
        return _stands(answer.json()) if answer.status_code == 200 else None

    async def _search(self, query: str) -> list[Stands]:
        answer = await self.ask("GET", query)
        return await self._pages(answer.json() if answer.status_code == 200 else None)

    async def _search_all(self, queries: Sequence[str]) -> list[list[Stands]]:
        entries = [{"request": {"method": "GET", "url": query}} for query in queries]
        answer = await self.ask("POST", "", {"resourceType": "Bundle", "type": "batch", "entry": entries})
        given = answer.json().get("entry", ()) if answer.status_code == 200 else ()
        if len(given) != len(queries):
            return [await self._search(query) for query in queries]
        return [await self._pages(entry.get("resource")) for entry in given]

    async def _pages(self, bundle: Json | None) -> list[Stands]:
        found: list[Stands] = []
        while bundle is not None and bundle.get("resourceType") == "Bundle":
            found += [_stands(e["resource"]) for e in bundle.get("entry", ()) if "id" in e.get("resource", {})]
            following = next((one["url"] for one in bundle.get("link", ()) if one["relation"] == "next"), None)
            answer = await self.ask("GET", following) if following is not None else None
            bundle = answer.json() if answer is not None and answer.status_code == 200 else None
        return found

    async def make_patient(self, tag: str, *, doubled: bool) -> str:
        """The id of a new synthetic patient. `doubled`: two departments have recorded everything."""
        number = f"{tag}-{secrets.token_hex(4)}"
        mine = f"Patient?identifier={quote(f'{TAG_SYSTEM}|{number}', safe='')}"
        made = _once(lambda: self._make_patient(tag, number, doubled=doubled), lambda: self._id_of(mine))
        return await self._outages.undisturbed(made)

    async def _id_of(self, query: str) -> str | None:
        found = await self._search(query)
        return found[0].reference.split("/")[1] if found else None

    async def _make_patient(self, tag: str, number: str, *, doubled: bool) -> str:
        answer = await self.ask("POST", "", _patient(tag, number, doubled=doubled))
        if answer.status_code >= 300:
            raise RefusedError(
                f"The server did not take the drill's patient: {answer.status_code}.",
                mend="A drill needs a server that takes a transaction of Patient, Condition and Observation.",
            )
        places = [str(entry["response"].get("location", "")) for entry in answer.json()["entry"]]
        return next(place.split("Patient/")[1].split("/")[0] for place in places if "Patient/" in place)

    async def observe(self, patient: str, tag: str, systolic: int, day: str) -> None:
        """A new blood pressure: the record has grown, and a plan that rests on it is due for an update."""
        kinds = (entry["resource"] for entry in _template())
        resource = next(one for one in kinds if one["resourceType"] == "Observation")
        resource["subject"] = {"reference": f"Patient/{patient}"}
        resource["meta"] = _meta(tag)
        resource["effectiveDateTime"] = day
        resource["component"][0]["valueQuantity"]["value"] = systolic

        async def post() -> bool:
            return (await self.ask("POST", "Observation", resource)).status_code < 300

        async def stands() -> bool | None:
            found = await self._search(f"Observation?patient=Patient/{patient}&_count=200")
            return any(one.body.get("effectiveDateTime") == day for one in found) or None

        await self._outages.undisturbed(_once(post, stands))

    async def update(self, now: Stands, body: Json) -> str | None:
        """The version that `body` became in the place of `now`, with `If-Match`; None where it was refused."""
        return await self._outages.undisturbed(
            _once(lambda: self._put(now, body), lambda: self._version_of(now, body))
        )

    async def _put(self, now: Stands, body: Json) -> str | None:
        match = {"if-match": f'W/"{now.version}"', "prefer": "return=representation"}
        answer = await self.ask("PUT", now.reference, body, **match)
        if answer.status_code not in {200, 201}:
            return None
        try:
            return str(answer.json()["meta"]["versionId"])
        except (ValueError, KeyError):
            return answer.headers.get("etag", "").removeprefix("W/").strip('"') or None

    async def _version_of(self, now: Stands, body: Json) -> str | None:
        """The version right after `now`, if it has what `body` changes: `If-Match` lets it stand nowhere else."""
        newest_first = await self._search(f"{now.reference}/_history?_count=200")
        changed = [name for name in body if name != "meta" and body[name] != now.body.get(name)]
        for later, earlier in pairwise(newest_first):
            if earlier.version == now.version and changed:
                return later.version if all(later.body.get(name) == body[name] for name in changed) else None
        return None

    async def delete(self, reference: str) -> bool:
        """Whether it is gone; a server may refuse."""
        answer = await self._outages.undisturbed(lambda: self.ask("DELETE", reference))
        return answer.status_code in {200, 204}

    async def remove_patient(self, patient: str) -> bool:
        """Everything about the patient is deleted, and the patient; False where the server keeps some of it."""
        return await self._outages.undisturbed(lambda: self._remove_patient(patient))

    async def _remove_patient(self, patient: str) -> bool:
        asked = [f"{kind}?{by}=Patient/{patient}&_count=200" for kind, by in _ABOUT_A_PATIENT]
        found = [one.reference for some in await self._search_all(asked) for one in some]
        references = [f"Patient/{patient}", *found]
        chunks = [references[at : at + _TARGETS_AT_ONCE] for at in range(0, len(references), _TARGETS_AT_ONCE)]
        asked = [f"Provenance?target={','.join(chunk)}&_count=200" for chunk in chunks]
        references += [one.reference for some in await self._search_all(asked) for one in some]
        entries = [{"request": {"method": "DELETE", "url": one}} for one in dict.fromkeys(references)]
        answer = await self.ask("POST", "", {"resourceType": "Bundle", "type": "transaction", "entry": entries})
        if answer.status_code < 300:
            return True
        left = list(dict.fromkeys(references))
        for _ in range(4):  # what is referred to can go only after what refers to it
            left = [
                one for one in left if (await self.ask("DELETE", one)).status_code not in {200, 204, 404, 410}
            ]
        return not left


def _once(
    make: Callable[[], Awaitable[T]], stands: Callable[[], Awaitable[T | None]]
) -> Callable[[], Awaitable[T]]:
    """`make`; from the second time on only where what it makes does not stand there already."""
    tried = False

    async def work() -> T:
        nonlocal tried
        there = await stands() if tried else None
        tried = True
        return await make() if there is None else there

    return work


def _meta(tag: str) -> Json:
    test_data = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
    return {"tag": [{"system": TAG_SYSTEM, "code": tag}, test_data]}


def _template() -> list[Json]:
    """Fresh every time: the caller may change it."""
    bundle = json.loads(_template_file())
    return [entry for entry in bundle["entry"] if entry["resource"]["resourceType"] in _TYPES]


@cache
def _template_file() -> bytes:
    return (files("careplan_exchange.sandbox") / "patients" / _TEMPLATE).read_bytes()


def _patient(tag: str, number: str, *, doubled: bool) -> Json:
    entries = _template()
    for entry in entries:
        entry["resource"]["meta"] = _meta(tag)
        if entry["resource"]["resourceType"] == "Patient":
            entry["resource"]["identifier"] = [{"system": TAG_SYSTEM, "value": number}]
    again = [one for one in entries if one["resource"]["resourceType"] != "Patient"] if doubled else []
    second = [{"resource": one["resource"], "request": one["request"]} for one in again]
    return {"resourceType": "Bundle", "type": "transaction", "entry": [*entries, *second]}


def _stands(resource: Json) -> Stands:
    version = str(resource.get("meta", {}).get("versionId", ""))
    return Stands(f"{resource['resourceType']}/{resource['id']}", version, resource)
