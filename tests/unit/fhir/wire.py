"""A FHIR server made of one function, and a client that talks to it without a network and without waiting."""

import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx

from careplan_exchange.fhir import Connection, Pacing, Query, connect

BASE = "https://fhir.example.org/r4"
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
GOALS = Query("Goal", (("patient", "Patient/p1"), ("_count", "2")))


class CountingIds:
    """Ids that a test can foresee: id-1, id-2, …"""

    def __init__(self):
        self.made = 0

    def new(self):
        self.made += 1
        return f"id-{self.made}"


class Pauses(list):
    """Sleeps that take no time and are kept."""

    async def __call__(self, seconds):
        self.append(seconds)


class Server:
    """Answers with what `handler` gives, and keeps the requests. A list is answered one by one, its last for ever."""

    def __init__(self, handler):
        self.handler = handler
        self.requests = []

    async def __call__(self, request):
        self.requests.append(request)
        answer = self.handler
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def paths(self):
        return [request.url.raw_path.decode().removeprefix("/r4") for request in self.requests]


def fhir(body=None, status=200, **headers):
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=content, headers={"content-type": "application/fhir+json", **names})


def goal(number=1, version="1", **elements):
    return {"resourceType": "Goal", "id": f"g{number}", "meta": {"versionId": version}, **elements}


def searchset(*resources, next_link=None, total=None, mode="match"):
    bundle = {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": resource, "search": {"mode": mode}} for resource in resources],
    }
    if next_link is not None:
        bundle["link"] = [{"relation": "self", "url": "x"}, {"relation": "next", "url": next_link}]
    if total is not None:
        bundle["total"] = total
    return bundle


def outcome(severity="error", code="processing", diagnostics=None, coding=None):
    issue = {"severity": severity, "code": code}
    if diagnostics:
        issue["diagnostics"] = diagnostics
    if coding:
        issue["details"] = {"coding": [{"code": coding}]}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def statement(*types, whole=("batch", "transaction"), version="4.0.1"):
    kinds = [
        {
            "type": kind,
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "searchParam": [{"name": "patient", "type": "reference"}],
        }
        for kind in types
    ]
    return {
        "resourceType": "CapabilityStatement",
        "fhirVersion": version,
        "software": {"name": "Test", "version": "1"},
        "rest": [{"mode": "server", "interaction": [{"code": code} for code in whole], "resource": kinds}],
    }


def batch_response(*entries):
    return {"resourceType": "Bundle", "type": "batch-response", "entry": list(entries)}


@asynccontextmanager
async def client_of(server, *, pauses=None, chance=lambda: 1.0, **settings):
    pacing = Pacing(sleep=pauses if pauses is not None else Pauses(), now=lambda: NOW, chance=chance)
    connection = Connection(base_url=BASE, **settings)
    transport = httpx.MockTransport(server)
    async with connect(connection, ids=CountingIds(), transport=transport, pacing=pacing) as client:
        yield client


async def search(*answers, query=GOALS, **settings):
    server = Server(list(answers))
    async with client_of(server, **settings) as client:
        return await client.search(query), server


def ids(resources):
    return [resource.id for resource in resources]


async def read_goal(server, **settings):
    async with client_of(server, **settings) as client:
        return await client.read("Goal", "g1")
