"""Answers that are not what was asked for, or too much of it: each a named error, none of them half a record."""

import gc
import gzip
import json
import tracemalloc

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.errors import (
    IncompleteRecordError,
    NotFhirError,
    OutcomeUnknownError,
    RecordError,
    RefusedError,
)
from careplan_exchange.fhir import Query
from careplan_exchange.fhir import search as searching
from careplan_exchange.fhir.bundle import MAX_DEPTH, read_bundle, too_deep

from .wire import BASE, Server, batch_response, client_of, fhir, goal, outcome, searchset, statement

GOALS = Query("Goal", (("patient", "Patient/p1"),))


async def search(*answers, **settings):
    async with client_of(Server(list(answers)), **settings) as client:
        return await client.search(GOALS)


async def read(answer, **settings):
    async with client_of(Server(answer), **settings) as client:
        return await client.read("Goal", "g1")


# --- what it says it is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["text/html", "text/html; charset=utf-8", "application/fhir+xml", "TEXT/Plain"])
async def test_a_success_of_another_content_type_is_an_error_that_names_it(said):
    for asked, body in ((search, searchset(goal(1))), (read, goal())):
        with pytest.raises(NotFhirError) as caught:
            await asked(fhir(body, content_type=said))
        assert said.partition(";")[0].lower() in caught.value.detail
        assert "base URL" in caught.value.mend


@pytest.mark.parametrize("said", ["<script>alert(1)</script>", "a" * 500, "text/html\x7f"])
async def test_a_content_type_that_is_none_is_not_repeated(said):
    with pytest.raises(NotFhirError, match="of no media type"):
        await search(fhir(searchset(goal(1)), content_type=said))


@pytest.mark.parametrize("said", ["application/fhir+json;charset=utf-8", "application/json", "text/json"])
async def test_json_by_any_of_its_names_is_read(said):
    assert len(await search(fhir(searchset(goal(1)), content_type=said))) == 1


async def test_an_answer_without_a_content_type_is_judged_by_what_it_holds():
    assert len(await search(httpx.Response(200, content=json.dumps(searchset(goal(1)))))) == 1
    with pytest.raises(NotFhirError, match="an HTML page"):
        await search(httpx.Response(200, content=b"<html>Sign in</html>"))
    with pytest.raises(NotFhirError, match="empty"):
        await search(httpx.Response(200))


async def test_a_page_of_html_among_the_pages_is_no_end_of_the_search():
    with pytest.raises(NotFhirError):
        await search(
            fhir(searchset(goal(1), next_link="?page=2")), fhir(b"<html>Sign in</html>", content_type="text/html")
        )


# --- an OperationOutcome with status 200 ----------------------------------------------------------------------


async def test_an_outcome_in_place_of_a_bundle_is_an_error_with_its_issues_also_with_status_200():
    for answers in (
        [fhir(outcome("error", "timeout"))],
        [fhir(searchset(goal(1), next_link="?page=2")), fhir(outcome("error", "timeout"))],
    ):
        with pytest.raises(IncompleteRecordError, match=r"search for Goal.*OperationOutcome") as caught:
            await search(*answers)
        assert [issue.code for issue in caught.value.issues] == ["timeout"]


async def test_an_outcome_in_place_of_a_resource_is_an_error_with_its_issues():
    with pytest.raises(IncompleteRecordError, match=r"read of Goal.*OperationOutcome") as caught:
        await read(fhir(outcome("error", "timeout", diagnostics="Mr Smith is locked")))
    assert [issue.code for issue in caught.value.issues] == ["timeout"]
    assert "Smith" not in repr(caught.value.issues) + caught.value.detail


async def test_an_outcome_in_place_of_the_capabilities_is_an_error_with_its_issues():
    async with client_of(Server(fhir(outcome("error", "throttled")))) as client:
        with pytest.raises(IncompleteRecordError, match="metadata") as caught:
            await client.capabilities()
    assert caught.value.issues


async def test_an_outcome_in_place_of_a_batch_response_sends_the_searches_one_by_one():
    def handler(request):
        if request.method == "POST":
            return fhir(outcome("error", "not-supported"))
        return fhir(statement("Goal")) if request.url.path.endswith("metadata") else fhir(searchset(goal(1)))

    async with client_of(Server(handler)) as client:
        assert [len(found) for found in await client.search_many([GOALS, GOALS])] == [1, 1]


async def test_an_outcome_in_place_of_one_search_of_a_batch_is_asked_for_on_its_own_and_named():
    def handler(request):
        if request.method == "POST":
            said = {"resource": outcome("error", "timeout"), "response": {"status": "200"}}
            return fhir(batch_response(said, {"resource": searchset(goal(1)), "response": {"status": "200"}}))
        return (
            fhir(statement("Goal"))
            if request.url.path.endswith("metadata")
            else fhir(outcome("error", "timeout"))
        )

    async with client_of(Server(handler)) as client:
        with pytest.raises(IncompleteRecordError) as caught:
            await client.search_many([GOALS, GOALS])
    assert caught.value.issues


# --- too deep -------------------------------------------------------------------------------------------------


def nested(levels, inner="1"):
    half = levels // 2
    return '{"a":[' * half + inner + "]}" * half


@pytest.mark.parametrize("levels", [MAX_DEPTH + 2, 900, 5_000, 200_000])
async def test_json_that_nests_too_deep_is_a_named_error_wherever_it_stands(levels):
    deep = nested(levels)
    resource = f'{{"resourceType":"Goal","id":"g1","x":{deep}}}'
    bundle = f'{{"resourceType":"Bundle","entry":[{{"resource":{resource}}}]}}'
    with pytest.raises(NotFhirError, match="levels inside each other"):
        await read(fhir(resource.encode()))
    with pytest.raises(NotFhirError, match="levels inside each other"):
        await search(fhir(bundle.encode()))


@pytest.mark.parametrize("levels", [5_000, 200_000])
async def test_no_other_answer_is_a_recursion_error_either(levels):
    deep = nested(levels).encode()
    for body in (deep, b'{"resourceType":"Bundle","x":' + deep + b"}"):
        with pytest.raises(RecordError):
            await search(fhir(body))
        async with client_of(Server(fhir(body))) as client:
            with pytest.raises(RecordError):
                await client.capabilities()


async def test_as_many_levels_as_a_resource_may_have_are_read():
    body = f'{{"resourceType":"Goal","id":"g1","x":{nested(MAX_DEPTH - 2)}}}'
    assert (await read(fhir(body.encode()))).content == body.encode()


@given(st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_breadth_is_not_taken_for_depth(value):
    assert not too_deep(json.dumps([value] * 200).encode())


# --- too much -------------------------------------------------------------------------------------------------


async def test_compression_is_asked_for():
    server = Server(fhir(goal()))
    async with client_of(server) as client:
        await client.read("Goal", "g1")
    assert server.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("packed", ["gzip, gzip", "br", "zstd", "deflate", "something"])
async def test_an_answer_that_is_packed_otherwise_or_twice_is_not_even_unpacked(packed):
    taken = []

    class Watched(httpx.AsyncByteStream):
        async def __aiter__(self):
            taken.append(1)
            yield gzip.compress(gzip.compress(json.dumps(goal()).encode()))

    answer = httpx.Response(200, stream=Watched(), headers={"content-encoding": packed})
    with pytest.raises(NotFhirError, match="not asked for"):
        await read(answer)
    answer = httpx.Response(400, stream=Watched(), headers={"content-encoding": packed})
    with pytest.raises(RefusedError):
        await read(answer)
    assert taken == []


async def test_a_write_whose_answer_is_packed_otherwise_has_an_unknown_outcome():
    async with client_of(Server(fhir(b"x", content_encoding="br, gzip"))) as client:
        with pytest.raises(OutcomeUnknownError, match="not asked for"):
            await client.create("Goal", goal(), if_none_exist=None, request_id="x")


async def test_a_gzip_bomb_is_given_up_at_the_limit_and_never_unpacked_whole():
    class Bomb(httpx.AsyncByteStream):
        """50 MB of blanks in 200 kB, in pieces as they come from a wire."""

        async def __aiter__(self):
            packed = gzip.compress(b" " * 50_000_000, compresslevel=1)
            for start in range(0, len(packed), 4096):
                yield packed[start : start + 4096]

    answer = httpx.Response(200, stream=Bomb(), headers={"content-encoding": "gzip"})
    tracemalloc.start()
    try:
        with pytest.raises(NotFhirError, match="larger than 1 MB"):
            await read(answer, max_response_bytes=1024 * 1024)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 60_000_000  # of which 50 MB are the blanks of this test itself


async def test_more_resources_than_any_record_has_are_given_up(monkeypatch):
    monkeypatch.setattr(searching, "MAX_RESOURCES", 3)
    pages = iter(range(1, 100))
    server = Server(lambda request: fhir(searchset(goal(number := next(pages)), next_link=f"?page={number}")))
    async with client_of(server) as client:
        with pytest.raises(IncompleteRecordError, match="more than 3 resources"):
            await client.search(GOALS)
    assert len(server.requests) == 4


@pytest.mark.parametrize("letter", ["x", "é", "\U0001f600"])
async def test_a_page_takes_little_more_memory_than_its_bytes_and_its_resources(letter):
    resource = json.dumps(goal(description={"text": letter * 2000}), ensure_ascii=False)
    entries = ",".join(f'{{"resource":{resource.replace("g1", f"g{n}")}}}' for n in range(2000))
    body = f'{{"resourceType":"Bundle","type":"searchset","entry":[{entries}]}}'.encode()
    del entries
    tracemalloc.start()
    try:
        found = [read.content for read in searching._matches(read_bundle(body, "x"), GOALS)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found) == 2000
    assert peak < 1.3 * len(body)  # the resources; the body itself was there before


async def test_a_page_is_let_go_before_the_next_one_comes():
    text = "x" * 1_000_000
    held = []

    def handler(request):
        gc.collect()  # httpx's answers refer to themselves
        held.append(tracemalloc.get_traced_memory()[0])
        number = len(held)
        more = None if number == 6 else f"?page={number}"
        return fhir(searchset(goal(1, str(number), note=[{"text": text}]), next_link=more))

    tracemalloc.start()
    try:
        async with client_of(Server(handler)) as client:
            await client.search(GOALS)
    finally:
        tracemalloc.stop()
    # One resource a page is kept until the newest is known; the page that it came in is not.
    assert held[5] - held[0] < 5_500_000


async def test_the_resources_are_the_servers_own_bytes():
    body = b'{ "id" : "g1",\n "resourceType":"Goal", "x" : 7.20, "y":"\\u00e9\xc3\xa9" }'
    page = b'{"resourceType":"Bundle","entry":[{"resource":' + body + b"}]}"
    (found,) = await search(fhir(page))
    assert found.content == body


async def test_a_server_that_gives_smaller_pages_than_were_asked_for_is_read_whole():
    def handler(request):
        offset = int(request.url.params.get("offset", 0))
        assert request.url.params.get("_count", "50") == "50"
        more = f"{BASE}/Goal?patient=Patient/p1&offset={offset + 10}" if offset < 40 else None
        return fhir(searchset(*(goal(number) for number in range(offset, offset + 10)), next_link=more, total=50))

    async with client_of(Server(handler)) as client:
        found = await client.search(Query("Goal", (("patient", "Patient/p1"), ("_count", "50"))))
    assert len({resource.id for resource in found}) == 50


@pytest.mark.parametrize("status", [400, 413])
async def test_a_server_that_refuses_a_large_page_is_asked_once_more_for_a_smaller_one(status):
    def handler(request):
        if int(request.url.params["_count"]) > 200:
            return fhir(outcome("error", "too-costly"), status)
        return fhir(searchset(goal(1)))

    server = Server(handler)
    async with client_of(server) as client:
        assert len(await client.search(Query("Goal", (("patient", "Patient/p1"), ("_count", "1000"))))) == 1
    assert server.paths == ["/Goal?patient=Patient/p1&_count=1000", "/Goal?patient=Patient/p1&_count=100"]


@pytest.mark.parametrize(
    ("status", "count", "asked"), [(400, "1000", 2), (400, "50", 1), (422, "1000", 1), (403, "1000", 1)]
)
async def test_a_search_that_is_refused_for_another_reason_is_refused(status, count, asked):
    server = Server(fhir(outcome(), status))
    async with client_of(server) as client:
        with pytest.raises(RefusedError):
            await client.search(Query("Goal", (("patient", "Patient/p1"), ("_count", count))))
    assert len(server.requests) == asked
