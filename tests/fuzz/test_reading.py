"""Whatever a server or a file answers: a whole record or one of our errors with its mend, never another exception."""

import asyncio
import json
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.errors import CareplanError, NotFhirError, RecordError
from careplan_exchange.fhir import Query, read_bundle, read_header
from careplan_exchange.fhir.outcome import as_issues, parse_outcome
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.sources import BundleSource
from tests.fuzz.mutation import ANY_JSON, damaged, mutated, unhurried, written
from tests.fuzz.seeds import OBSERVATIONS, PERSON, RESOURCES
from tests.fuzz.test_mapping import check
from tests.support.sources import endpoint_source
from tests.unit.fhir.wire import BASE, Server, batch_response, client_of, outcome, searchset, statement

ME = {"meta": {"versionId": "1", "lastUpdated": "2026-10-01T00:00:00Z"}}


def numbered(*resources: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**one, "id": one.get("id", f"r{number}"), **ME} for number, one in enumerate(resources)]


RECORD = numbered(PERSON, *RESOURCES)
PAGES = (
    searchset(*numbered(*OBSERVATIONS[:3]), total=3),
    searchset(*numbered(*OBSERVATIONS[:3]), next_link=f"{BASE}?page=2", total=5),
    searchset(*numbered(*OBSERVATIONS[3:5]), next_link=f"{BASE}?page=3"),
    searchset(*numbered(*OBSERVATIONS[:1]), next_link="https://elsewhere.example.org/r4?page=2"),
    searchset(outcome("warning", "incomplete", coding="4119"), mode="outcome"),
    searchset(numbered(PERSON)[0], mode="include"),
    searchset(),
    batch_response(*({"resource": searchset(), "response": {"status": "200 OK"}} for _ in range(3))),
    outcome("error", "throttled", diagnostics="HAPI-0958: matched 2 resources"),
)
STATEMENTS = (
    statement("Patient", "Observation"),
    statement("Patient", version="5.0.0"),
    statement(version="3.0.2"),
    {"resourceType": "CapabilityStatement", "status": "active", "kind": "instance"},
    {"resourceType": "Parameters", "parameter": [{"name": "version", "valueCode": "4.0"}]},
)
COLLECTION = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in RECORD],
}
FILES = (
    COLLECTION,
    *({**COLLECTION, "entry": COLLECTION["entry"][:1] + COLLECTION["entry"][n : n + 6]} for n in range(1, 60, 6)),
    {**COLLECTION, "type": "searchset", "link": [{"relation": "next", "url": "x"}]},
    batch_response({"resource": searchset(*RECORD[:4]), "response": {"status": "200"}}),
)
STATUSES = (200, 200, 200, 200, 200, 200, 201, 204, 301, 400, 401, 403, 404, 410, 412, 422, 429, 500, 503)
HEADERS = st.sampled_from(
    [
        (("content-type", "text/html"),),
        (("content-type", "application/fhir+json; charset=utf-16"), ("retry-after", "-1")),
        (("content-length", "99999999999999999999"), ("retry-after", "Wed, 31 Feb 2026 99:99:99 GMT")),
        (("content-encoding", "gzip"),),
        (("content-encoding", "br, zstd"), ("retry-after", "1e9")),
        (("retry-after", "0"), ("etag", 'W/"')),
    ]
)


class Sent(NamedTuple):
    """An answer that can be sent more than once."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/fhir+json"),)
    body: bytes = b""
    failure: type[httpx.TransportError] | None = None

    def __call__(self, _: httpx.Request) -> httpx.Response:
        if self.failure is not None:
            raise self.failure("lost")
        return httpx.Response(self.status, headers=self.headers, stream=httpx.ByteStream(self.body))


@st.composite
def bodies(draw: st.DrawFn, seeds: tuple[dict[str, Any], ...]) -> bytes:
    """An answer, spoiled or anything at all; half of the time as the server meant it."""
    match draw(st.sampled_from(["whole", "spoiled", "spoiled", "json", "bytes"])):
        case "whole":
            return written(draw(st.sampled_from(seeds)))
        case "spoiled":
            return draw(damaged(written(draw(mutated(seeds)))))
        case "json":
            return draw(damaged(written(draw(ANY_JSON))))
        case _:
            return draw(st.binary(max_size=60))


@st.composite
def answers(draw: st.DrawFn, seeds: tuple[dict[str, Any], ...]) -> "Sent":
    if draw(st.integers(0, 19)) == 0:
        return Sent(failure=draw(st.sampled_from([httpx.ReadTimeout, httpx.RemoteProtocolError])))
    headers = draw(HEADERS) if draw(st.integers(0, 3)) == 0 else Sent().headers
    return Sent(draw(st.sampled_from(STATUSES)), headers, draw(bodies(seeds)))


def the_error_says_what_to_do(error: CareplanError) -> None:
    assert error.detail
    assert error.mend


@unhurried
@given(content=st.one_of(bodies(PAGES), bodies(tuple(RECORD))))
def test_any_bytes_are_a_bundle_a_resource_or_no_fhir(content: bytes) -> None:
    for read in (read_bundle, read_header):
        try:
            read(content, "The answer")
        except RecordError as error:
            the_error_says_what_to_do(error)
    as_issues(parse_outcome(content))


@unhurried
@given(sent=st.lists(answers(STATEMENTS), min_size=1, max_size=3))
def test_any_answers_to_the_question_what_a_server_can_do(runner: asyncio.Runner, sent: list[Sent]) -> None:
    async def ask() -> None:
        async with client_of(Server(list(sent)), attempts=2) as client:
            try:
                capabilities = await client.capabilities()
            except CareplanError as error:
                the_error_says_what_to_do(error)
            else:
                assert capabilities.release in {"R4", "R5"}
                capabilities.supports("Observation", "search-type")

    runner.run(ask())


@unhurried
@given(sent=st.lists(answers(PAGES), min_size=1, max_size=5))
def test_any_answers_to_a_search(runner: asyncio.Runner, sent: list[Sent]) -> None:
    async def search() -> None:
        async with client_of(Server(list(sent)), attempts=2) as client:
            try:
                found = await client.search(Query("Observation", (("patient", "Patient/me"),)), no_cache=True)
            except CareplanError as error:
                the_error_says_what_to_do(error)
            else:
                assert len({one.reference for one in found}) == len(found)
                assert all(one.type == "Observation" for one in found)

    runner.run(search())


@unhurried
@given(data=st.data())
def test_any_answers_to_a_pull_are_a_record_that_maps_or_an_error(
    runner: asyncio.Runner, data: st.DataObject
) -> None:
    held = {
        one["resourceType"]: [r for r in RECORD if r["resourceType"] == one["resourceType"]] for one in RECORD
    }
    types = sorted(held)

    def answer(request: httpx.Request) -> Any:
        """What was asked for; one answer in four is spoiled."""
        if request.url.path.endswith("/metadata"):
            meant = (statement(*types),)
        elif request.method == "POST":
            urls = [entry["request"]["url"] for entry in json.loads(request.content)["entry"]]
            pages = [searchset(*held.get(url.split("?")[0], ())) for url in urls]
            meant = (batch_response(*({"resource": page, "response": {"status": "200"}} for page in pages)),)
        else:
            meant = (searchset(*held.get(request.url.path.rsplit("/", 1)[-1], ())),)
        if data.draw(st.integers(0, 3)) == 0:
            return data.draw(answers(meant))(request)
        return httpx.Response(200, content=written(meant[0]))

    async def pull() -> PatientRecord | None:
        async with client_of(Server(answer), attempts=2) as client:
            try:
                return await endpoint_source(client).pull("me")
            except CareplanError as error:
                the_error_says_what_to_do(error)
                return None

    record = runner.run(pull())
    if record is not None:
        check(record)


@unhurried
@given(content=bodies(FILES), patient=st.sampled_from(["me", "r1", "urn:test|1", "|1"]))
def test_any_file_is_a_record_that_maps_or_an_error(runner: asyncio.Runner, content: bytes, patient: str) -> None:
    source = BundleSource(content, identity="fuzz", name="fuzz.json")
    try:
        record = runner.run(source.pull(patient))
    except CareplanError as error:
        the_error_says_what_to_do(error)
    else:
        check(record)
    for ask in (source.patient_id, source.left_aside):
        try:
            ask()
        except CareplanError as error:
            the_error_says_what_to_do(error)


@pytest.mark.parametrize("depth", [100, 900, 1100, 100_000])
@pytest.mark.parametrize("kind", ["array", "object"])
def test_a_resource_nested_too_deeply_is_named(runner: asyncio.Runner, depth: int, kind: str) -> None:
    deep = {"resourceType": "Basic", "id": "b", "extension": f"\x01{kind}:{depth}\x01"}
    content = written({**COLLECTION, "entry": [*COLLECTION["entry"], {"resource": deep}]})
    source = BundleSource(content, identity="fuzz", name="fuzz.json")
    try:
        record = runner.run(source.pull("me"))
    except NotFhirError as error:
        assert depth > 100
        the_error_says_what_to_do(error)
    else:
        check(record)
