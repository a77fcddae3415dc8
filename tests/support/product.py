"""The product under test as its users meet it: the services of bootstrap, or the command in a process of its own."""

import os
import subprocess
import sys
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from careplan_exchange import bootstrap, config
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.identity import IDENTITY_SYSTEM
from careplan_exchange.model.receipt import Receipt

SYNTHETIC_TODAY = "2026-11-24"
FIXTURE_TODAY = "2021-04-01"


def settings_for(folder: Path, url: str, **changes: Any) -> config.Settings:
    """Settings with the endpoint `main` at `url` and a database of its own in `folder`."""
    base = config.Settings(
        endpoints={"main": config.Endpoint(url=url, identity="test")},
        store=config.Store(url=f"sqlite:///{folder / 'careplan.db'}"),
    )
    return base.model_copy(update=changes)


@asynccontextmanager
async def product(folder: Path, url: str, **changes: Any) -> AsyncIterator[bootstrap.Services]:
    async with bootstrap.services(settings_for(folder, url, **changes)) as services:
        yield services


async def sync(
    services: bootstrap.Services, patient: str, *, today: str = SYNTHETIC_TODAY, approve: bool = False
) -> Receipt:
    request = ExchangeRequest(endpoint="main", patient=patient, today=today, approve=approve)
    return await services.run(request, exchange_id=services.ids.new())


def careplan(
    folder: Path, *arguments: str, env: dict[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would, in `folder`, with no setting from outside."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "careplan_exchange", *arguments]


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("CAREPLAN_")}
    return clean | {"COLUMNS": "200"} | (extra or {})


class Server:
    """A FHIR server seen from outside the product, for arranging and checking."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(timeout=60, headers={"Cache-Control": "no-cache"}, follow_redirects=False)
        weakref.finalize(self, self.http.close)

    def post(self, path: str, body: Any, **headers: str) -> dict[str, Any]:
        answer = self.http.post(
            f"{self.url}/{path}".rstrip("/"),
            content=encode(body),
            headers={"Content-Type": "application/fhir+json", **headers},
        )
        assert answer.status_code < 300, f"{answer.status_code}: {answer.text[:2000]}"
        return decode(answer.content) if answer.content else {}

    def load(self, bundle: dict[str, Any]) -> str:
        """Load a transaction Bundle; the id its Patient got."""
        answer = self.post("", bundle)
        for entry in answer["entry"]:
            location = entry["response"]["location"]
            if "Patient/" in location:
                return location.split("Patient/")[1].split("/")[0]
        raise AssertionError("no Patient in the Bundle")

    def get(self, path: str) -> dict[str, Any]:
        answer = self.http.get(f"{self.url}/{path}")
        assert answer.status_code == 200, f"{answer.status_code}: {answer.text[:500]}"
        return decode(answer.content)

    def put(self, resource: dict[str, Any], *, version: str | None = None) -> httpx.Response:
        headers = {"Content-Type": "application/fhir+json"}
        if version is not None:
            headers["If-Match"] = f'W/"{version}"'
        path = f"{self.url}/{resource['resourceType']}/{resource['id']}"
        return self.http.put(path, content=encode(resource), headers=headers)

    def search(self, query: str) -> list[dict[str, Any]]:
        bundle = self.get(query)
        found = [entry["resource"] for entry in bundle.get("entry", ())]
        while link := next((one["url"] for one in bundle.get("link", ()) if one["relation"] == "next"), None):
            bundle = decode(self.http.get(link).content)
            found += [entry["resource"] for entry in bundle.get("entry", ())]
        return found

    def authored(self, resource_type: str, patient: str) -> list[dict[str, Any]]:
        """What the product wrote for this patient."""
        parameter = "patient" if resource_type in {"DetectedIssue", "CarePlan", "Goal"} else "subject"
        return [
            resource
            for resource in self.search(f"{resource_type}?{parameter}=Patient/{patient}&_count=200")
            if any(one.get("system") == IDENTITY_SYSTEM for one in resource.get("identifier", ()))
        ]


def identities(resources: list[dict[str, Any]]) -> list[str]:
    return [
        one["value"]
        for resource in resources
        for one in resource["identifier"]
        if one.get("system") == IDENTITY_SYSTEM
    ]
