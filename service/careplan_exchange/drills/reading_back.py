"""The server as the checker reads it: searches and histories, as plain JSON."""

import json
from collections.abc import Collection, Sequence
from typing import Any

import httpx

Json = dict[str, Any]

_IDENTITY = "urn:careplan-exchange:identity"


class Server:
    """Asks for many things in one batch, and for each by itself where the server takes none."""

    def __init__(self, base: str, credentials: dict[str, str], http: httpx.AsyncClient) -> None:
        self._base = base
        self._http = http
        self._headers = {"accept": "application/fhir+json", "cache-control": "no-cache", **credentials}

    async def get_all(self, paths: Sequence[str]) -> list[list[Json]]:
        """The resources of each search or history, every page of it; none where the server refuses it."""
        if not paths:
            return []
        entries = [{"request": {"method": "GET", "url": path}} for path in paths]
        asked = json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries})
        headers = {**self._headers, "content-type": "application/fhir+json"}
        answer = await self._http.post(self._base, content=asked, headers=headers)
        given = answer.json().get("entry", ()) if answer.status_code == 200 else ()
        if len(given) != len(paths):
            return [await self._pages(await self._get(path)) for path in paths]
        return [await self._pages(entry.get("resource")) for entry in given]

    async def _get(self, path: str) -> Json | None:
        url = path if path.startswith("http") else f"{self._base}/{path}"
        answer = await self._http.get(url, headers=self._headers)
        return answer.json() if answer.status_code == 200 else None

    async def _pages(self, bundle: Json | None) -> list[Json]:
        found: list[Json] = []
        while bundle is not None and bundle.get("resourceType") == "Bundle":
            found += [entry["resource"] for entry in bundle.get("entry", ()) if "id" in entry.get("resource", {})]
            following = next((one["url"] for one in bundle.get("link", ()) if one["relation"] == "next"), None)
            bundle = await self._get(following) if following is not None else None
        return found

    async def histories(self, references: Collection[str]) -> dict[str, list[Json]]:
        """Of each its versions, oldest first; of what was deleted those before. Empty where there was none."""
        ordered = sorted(references)
        found = await self.get_all([f"{one}/_history?_count=200" for one in ordered])
        return {
            one: await self._without_gaps(one, versions) for one, versions in zip(ordered, found, strict=True)
        }

    async def _without_gaps(self, reference: str, versions: list[Json]) -> list[Json]:
        """HAPI now and then leaves a version out of a history that is read in a batch: each is asked for."""
        there = {version_of(body): body for body in versions}
        numbers = [int(version) for version in there if version.isdigit()]
        for number in range(1, max(numbers, default=0)):
            if str(number) not in there:
                body = await self._get(f"{reference}/_history/{number}")
                if body is not None:
                    there[str(number)] = body
        return sorted(there.values(), key=_number)


def identity_in(body: Json) -> str | None:
    found = (one.get("value") for one in body.get("identifier", ()) if one.get("system") == _IDENTITY)
    return next(found, None)


def reference_to(body: Json) -> str:
    return f"{body['resourceType']}/{body['id']}"


def version_of(body: Json) -> str:
    return str(body.get("meta", {}).get("versionId", ""))


def _number(body: Json) -> tuple[int, str]:
    version = version_of(body)
    return (int(version), "") if version.isdigit() else (0, str(body.get("meta", {}).get("lastUpdated", "")))
