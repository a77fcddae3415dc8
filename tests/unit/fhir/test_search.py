import json

import httpx
import pytest
import respx

from careplan_exchange.errors import (
    AuthenticationRefusedError,
    EndpointOverloadedError,
    IncompleteRecordError,
    NotFhirError,
    RefusedError,
    SettingsError,
)
from careplan_exchange.fhir import BearerAuth, Connection, Query, connect, literal
from careplan_exchange.fhir.bundle import newest_first
from careplan_exchange.fhir.search import MAX_PAGES
from careplan_exchange.model.record import Resource

from .wire import (
    BASE,
    CountingIds,
    Server,
    batch_response,
    client_of,
    fhir,
    goal,
    outcome,
    searchset,
    statement,
)

GOALS = Query("Goal", (("patient", "Patient/p1"), ("_count", "2")))
PLANS = Query("CarePlan", (("patient", "Patient/p1"),))


async def search(*answers, query=GOALS, **settings):
    server = Server(list(answers))
    async with client_of(server, **settings) as client:
        return await client.search(query), server


def ids(resources):
    return [resource.id for resource in resources]


# --- pages ----------------------------------------------------------------------------------------------------


async def test_all_pages_make_one_result():
    found, server = await search(
        fhir(searchset(goal(1), goal(2), next_link=f"{BASE}?_getpages=x&_getpagesoffset=2")),
        fhir(searchset(goal(3), goal(4), next_link="?page=3")),
        fhir(searchset(goal(5))),
    )
    assert ids(found) == ["g1", "g2", "g3", "g4", "g5"]
    assert server.paths == ["/Goal?patient=Patient/p1&_count=2", "?_getpages=x&_getpagesoffset=2", "?page=3"]


@respx.mock
async def test_a_relative_next_link_is_taken_from_the_page_it_stands_on():
    respx.get(f"{BASE}/Goal", params={"patient": "Patient/p1", "_count": "2"}).mock(
        return_value=fhir(searchset(goal(1), next_link="?page=2"))
    )
    second = respx.get(f"{BASE}/Goal", params={"page": "2"}).mock(return_value=fhir(searchset(goal(2))))
    async with connect(Connection(base_url=BASE), ids=CountingIds()) as client:
        assert ids(await client.search(GOALS, no_cache=True)) == ["g1", "g2"]
    assert second.calls[0].request.headers["cache-control"] == "no-cache"


async def test_a_link_to_another_server_stops_the_search_and_gets_no_token():
    with pytest.raises(IncompleteRecordError, match="another server"):
        await search(fhir(searchset(goal(1), next_link="https://evil.example.org/r4?page=2")))
    server = Server(fhir(searchset(goal(1), next_link="https://evil.example.org/r4?page=2")))
    async with client_of(server, auth=BearerAuth(read_token=lambda: "sesame")) as client:
        with pytest.raises(IncompleteRecordError):
            await client.search(GOALS)
    assert [request.url.host for request in server.requests] == ["fhir.example.org"]


@pytest.mark.parametrize(
    "path", ["https://fhir.example.org/r4-other/Goal?page=2", "/r5/Goal?page=2", "/r4/../r5?page=2"]
)
async def test_a_link_out_of_the_base_path_stops_the_search(path):
    server = Server(fhir(searchset(goal(1), next_link=path)))
    async with client_of(server, auth=BearerAuth(read_token=lambda: "sesame")) as client:
        with pytest.raises(IncompleteRecordError, match=r"base path|another server"):
            await client.search(GOALS)
    assert len(server.requests) == 1


async def test_epics_warning_4119_that_not_all_may_be_there_stops_the_search():
    bundle = searchset(goal(1), total=1)
    warning = outcome(
        "warning", "suppressed", diagnostics="This response may not hold all of Mr Smith", coding="4119"
    )
    bundle["entry"].append({"resource": warning, "search": {"mode": "outcome"}})
    with pytest.raises(IncompleteRecordError, match="may be incomplete") as caught:
        await search(fhir(bundle))
    assert "4119" in caught.value.issues[0].detail
    assert "Smith" not in repr(caught.value.issues)


async def test_an_outcome_on_a_later_page_stops_the_search_too():
    bundle = searchset(goal(2))
    bundle["entry"].append({"resource": outcome("warning", coding="4119"), "search": {"mode": "outcome"}})
    with pytest.raises(IncompleteRecordError):
        await search(fhir(searchset(goal(1), next_link="?page=2")), fhir(bundle))


async def test_a_total_that_always_shrinks_is_an_error_and_never_half_a_result():
    pages = iter(range(1000, 0, -1))
    server = Server(lambda r: fhir(searchset(goal(n := next(pages)), next_link=f"?page={n}", total=n)))
    async with client_of(server) as client:
        with pytest.raises(IncompleteRecordError, match="shrank"):
            await client.search(GOALS)
    assert len(server.requests) == 6


async def test_pages_that_go_round_in_a_circle_are_noticed():
    with pytest.raises(IncompleteRecordError, match="circle"):
        await search(
            fhir(searchset(goal(1), next_link="?page=2")),
            fhir(searchset(goal(2), next_link="?page=3")),
            fhir(searchset(goal(3), next_link="?page=2")),
        )


async def test_a_page_that_links_to_itself_is_noticed():
    with pytest.raises(IncompleteRecordError, match="circle"):
        await search(fhir(searchset(goal(1), next_link="Goal?patient=Patient/p1&_count=2")))


async def test_pages_without_end_are_given_up():
    numbers = iter(range(10 * MAX_PAGES))
    server = Server(lambda request: fhir(searchset(next_link=f"?page={next(numbers)}")))
    async with client_of(server) as client:
        with pytest.raises(IncompleteRecordError, match="pages"):
            await client.search(GOALS)
    assert len(server.requests) == MAX_PAGES + 1


async def test_an_id_that_comes_twice_counts_once_in_its_newest_version():
    found, _ = await search(
        fhir(searchset(goal(1, "1"), goal(2, "5"), next_link="?page=2")),
        fhir(searchset(goal(2, "4"), goal(1, "2"), goal(3))),
    )
    assert [(resource.id, resource.version_id) for resource in found] == [("g1", "2"), ("g2", "5"), ("g3", "1")]


@pytest.mark.parametrize("status", [404, 410])
async def test_an_expired_page_begins_the_search_again(status):
    found, server = await search(
        fhir(searchset(goal(1), next_link="?page=2")),
        fhir(outcome(), status),
        fhir(searchset(goal(1), goal(2))),
    )
    assert ids(found) == ["g1", "g2"]
    assert server.paths[0] == server.paths[2]


async def test_a_search_whose_pages_always_expire_is_an_error_and_never_half_a_result():
    server = Server(
        lambda r: fhir(status=410) if "page" in str(r.url) else fhir(searchset(goal(1), next_link="?page=2"))
    )
    async with client_of(server) as client:
        with pytest.raises(IncompleteRecordError, match="expired"):
            await client.search(GOALS)
    assert len(server.requests) == 6


@pytest.mark.parametrize("status", [404, 410])
async def test_a_search_that_is_not_there_at_all_is_refused_at_once(status):
    with pytest.raises(RefusedError, match="search for Goal"):
        await search(fhir(outcome(), status))


# --- totals ---------------------------------------------------------------------------------------------------


async def test_fewer_matches_than_the_server_counted_are_an_error():
    with pytest.raises(IncompleteRecordError, match="3 matches"):
        await search(fhir(searchset(goal(1), goal(2), total=3)))


async def test_a_repeated_id_does_not_fill_the_place_of_a_missing_one():
    with pytest.raises(IncompleteRecordError):
        await search(fhir(searchset(goal(1), goal(1), total=2)))


async def test_a_total_that_is_reached_or_absent_or_grows_is_fine():
    assert len((await search(fhir(searchset(goal(1), goal(2), total=2))))[0]) == 2
    found, _ = await search(
        fhir(searchset(goal(1), next_link="?page=2")),
        fhir(searchset(goal(2), next_link="?page=3", total=2)),
        fhir(searchset(goal(3), total=3)),
    )
    assert len(found) == 3


async def test_a_total_that_shrinks_begins_the_search_again():
    found, server = await search(
        fhir(searchset(goal(1), goal(2), next_link="?page=2", total=4)),
        fhir(searchset(goal(4), total=3)),
        fhir(searchset(goal(2), goal(3), goal(4), total=3)),
    )
    assert ids(found) == ["g2", "g3", "g4"]
    assert len(server.requests) == 3


@pytest.mark.parametrize("parameter", [("_summary", "count"), ("_count", "0")])
async def test_a_count_needs_no_matches(parameter):
    assert (await search(fhir(searchset(total=7)), query=Query("Goal", (parameter,))))[0] == ()


# --- what stands among the matches ----------------------------------------------------------------------------


async def test_included_resources_are_no_matches():
    included = {"resource": goal(9), "search": {"mode": "include"}}
    patient = {"resource": {"resourceType": "Patient", "id": "p1"}, "search": {"mode": "include"}}
    bundle = searchset(goal(1), total=1)
    bundle["entry"] += [included, patient]
    assert ids((await search(fhir(bundle)))[0]) == ["g1"]


@pytest.mark.parametrize(
    "said",
    [outcome("error"), outcome("fatal"), outcome("warning", coding="4119"), outcome("warning", "incomplete")],
)
@pytest.mark.parametrize("mode", ["outcome", "match", None])
async def test_an_outcome_among_the_matches_that_says_some_are_missing_stops_the_search(said, mode):
    bundle = searchset(goal(1))
    bundle["entry"].append({"resource": said, **({"search": {"mode": mode}} if mode else {})})
    with pytest.raises(IncompleteRecordError) as caught:
        await search(fhir(bundle))
    assert caught.value.issues[0].code == said["issue"][0]["code"]


async def test_a_harmless_outcome_among_the_matches_is_no_match():
    bundle = searchset(goal(1), total=1)
    bundle["entry"].append({"resource": outcome("information", "informational"), "search": {"mode": "outcome"}})
    assert ids((await search(fhir(bundle)))[0]) == ["g1"]


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        ({"fullUrl": f"{BASE}/Goal/g1"}, IncompleteRecordError),
        ({"resource": {"resourceType": "Patient", "id": "p1"}}, NotFhirError),
        ({"resource": {"resourceType": "Goal"}}, NotFhirError),
        ({"resource": {"id": "g1"}}, NotFhirError),
        ({"resource": None}, NotFhirError),
    ],
)
async def test_an_entry_that_is_no_match_is_an_error(entry, error):
    with pytest.raises(error):
        await search(fhir({"resourceType": "Bundle", "type": "searchset", "entry": [entry]}))


@pytest.mark.parametrize("body", [b"", b"<html></html>", b'{"resourceType":"Goal","id":"g1"}', b"null", b"{"])
async def test_an_answer_that_is_no_bundle_is_not_fhir(body):
    with pytest.raises(NotFhirError, match="search for Goal"):
        await search(fhir(body))


async def test_an_error_names_the_search_and_none_of_its_values():
    query = Query("Patient", (("identifier", "urn:mrn|4711"), ("_count", "5")))
    with pytest.raises(RefusedError) as caught:
        await search(fhir(outcome(diagnostics="identifier 4711 is invalid"), 400), query=query)
    assert "The search for Patient (identifier)" in caught.value.detail
    assert "4711" not in caught.value.detail + repr(caught.value.issues)


def test_values_are_encoded_and_those_that_stand_for_themselves_escaped():
    assert Query("Goal").url == "Goal"
    assert (
        Query("Patient", (("identifier", "urn:x|a b&c=d#é"),)).url
        == "Patient?identifier=urn:x%7Ca%20b%26c%3Dd%23%C3%A9"
    )
    assert literal(r"a,b|c$d\e") == r"a\,b\|c\$d\\e"


# --- several at once ------------------------------------------------------------------------------------------


def answering(batch, **searches):
    """A server that answers a batch with `batch` and each search by its type; it claims both."""

    def handler(request):
        if request.url.path.endswith("/metadata"):
            return fhir(statement("Goal", "CarePlan"))
        if request.method == "POST":
            return batch(request) if callable(batch) else batch
        answer = searches[request.url.path.rpartition("/")[2]]
        return answer.pop(0) if isinstance(answer, list) else answer

    return Server(handler)


async def both(server, **settings):
    async with client_of(server, **settings) as client:
        return [ids(found) for found in await client.search_many([GOALS, PLANS], no_cache=True)]


def ok(bundle, status="200 OK"):
    return {"resource": bundle, "response": {"status": status}}


def plan(number=1):
    return {"resourceType": "CarePlan", "id": f"c{number}"}


async def test_one_batch_brings_all_searches():
    server = answering(fhir(batch_response(ok(searchset(goal(1))), ok(searchset(plan(1))))))
    assert await both(server) == [["g1"], ["c1"]]
    _, batch = server.requests
    assert (batch.method, batch.url.path, batch.headers["cache-control"]) == ("POST", "/r4", "no-cache")
    assert json.loads(batch.content) == {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [
            {"request": {"method": "GET", "url": "Goal?patient=Patient/p1&_count=2"}},
            {"request": {"method": "GET", "url": "CarePlan?patient=Patient/p1"}},
        ],
    }


async def test_a_search_of_a_batch_goes_on_with_its_next_link():
    server = answering(
        fhir(batch_response(ok(searchset(goal(1), next_link="?page=2", total=2)), ok(searchset(plan(1))))),
        Goal=fhir(searchset(goal(2), total=2)),
    )
    assert await both(server) == [["g1", "g2"], ["c1"]]
    assert server.paths[-1] == "/Goal?page=2"
    assert server.requests[-1].headers["cache-control"] == "no-cache"


async def test_a_page_of_a_batch_that_expired_begins_only_its_own_search_again():
    server = answering(
        fhir(batch_response(ok(searchset(goal(1), next_link="?page=2")), ok(searchset(plan(1))))),
        Goal=[fhir(status=410), fhir(searchset(goal(1), goal(2)))],
    )
    assert await both(server) == [["g1", "g2"], ["c1"]]


@pytest.mark.parametrize(
    "entry",
    [
        {"response": {"status": "503 Service Unavailable"}},
        {"response": {"status": "400 Bad Request"}},
        {"resource": searchset(), "response": {"status": "503"}},
        {"resource": searchset(), "response": {"status": "two hundred"}},
        {"resource": searchset()},
        {"response": {"status": "200"}},
        {"resource": goal(1), "response": {"status": "200"}},
        {},
    ],
)
async def test_an_entry_of_a_batch_that_is_no_plain_success_is_asked_for_on_its_own(entry):
    server = answering(fhir(batch_response(entry, ok(searchset(plan(1))))), Goal=fhir(searchset(goal(1))))
    assert await both(server) == [["g1"], ["c1"]]


@pytest.mark.parametrize(
    ("status", "error"), [(400, RefusedError), (403, AuthenticationRefusedError), (503, EndpointOverloadedError)]
)
async def test_a_search_of_a_batch_that_fails_for_good_is_named(status, error):
    server = answering(
        fhir(batch_response({"response": {"status": str(status)}}, ok(searchset(plan(1))))),
        Goal=fhir(outcome(), status),
    )
    with pytest.raises(error) as caught:
        await both(server)
    if status != 503:
        assert "The search for Goal (patient)" in caught.value.detail


@pytest.mark.parametrize(
    "answer",
    [
        fhir(outcome(), 400),
        fhir(outcome(), 403),
        fhir(outcome(), 404),
        fhir(outcome(), 405),
        fhir(outcome(), 501),
        fhir(b"<html>"),
        fhir(batch_response(ok(searchset(goal(1))))),
        fhir(searchset(goal(1), plan(1))),
    ],
)
async def test_a_server_that_claims_batch_and_lies_is_searched_side_by_side_from_then_on(answer):
    server = answering(answer, Goal=fhir(searchset(goal(1))), CarePlan=fhir(searchset(plan(1))))
    async with client_of(server) as client:
        for _ in range(2):
            found = await client.search_many([GOALS, PLANS], no_cache=True)
            assert [ids(matches) for matches in found] == [["g1"], ["c1"]]
    assert [request.method for request in server.requests].count("POST") == 1
    assert server.requests[-1].headers["cache-control"] == "no-cache"


async def test_a_batch_that_is_refused_for_its_credentials_is_an_authentication_matter():
    server = answering(fhir(outcome(), 401))
    with pytest.raises(AuthenticationRefusedError):
        await both(server)


async def test_a_batch_of_searches_is_repeated_like_a_read():
    answers = [fhir(status=503), fhir(batch_response(ok(searchset(goal(1))), ok(searchset())))]
    server = answering(lambda request: answers.pop(0))
    assert await both(server) == [["g1"], []]


async def test_a_server_without_batch_is_searched_side_by_side():
    def handler(request):
        if request.url.path.endswith("/metadata"):
            return fhir(statement("Goal", whole=()))
        return fhir(searchset(goal(1) if "Goal" in request.url.path else plan(1)))

    server = Server(handler)
    assert await both(server) == [["g1"], ["c1"]]
    assert {request.method for request in server.requests} == {"GET"}


async def test_one_failing_search_gives_up_the_others_and_its_error_is_raised_as_it_is():
    def handler(request):
        if request.url.path.endswith("/metadata"):
            return fhir(statement("Goal", whole=()))
        return fhir(outcome(), 400) if "Goal" in request.url.path else httpx.Response(200, stream=Never())

    class Never(httpx.AsyncByteStream):
        async def __aiter__(self):
            import asyncio

            await asyncio.Event().wait()
            yield b""

    with pytest.raises(RefusedError):
        await both(Server(handler))


async def test_a_setting_that_turns_bad_midway_is_raised_as_it_is():
    tokens = iter(["good", "good", "b a d", "b a d"])
    server = answering(fhir(outcome(), 400))
    with pytest.raises(SettingsError):
        await both(server, auth=BearerAuth(read_token=lambda: next(tokens)))


# --- history --------------------------------------------------------------------------------------------------


async def test_a_history_has_every_version_over_its_pages_and_no_deletions():
    def page(*entries, next_link=None):
        links = [{"relation": "next", "url": next_link}] if next_link else []
        return fhir({"resourceType": "Bundle", "type": "history", "entry": list(entries), "link": links})

    server = Server(
        [
            page(
                {"request": {"method": "DELETE", "url": "Goal/g1"}},
                {"resource": goal(1, "3")},
                next_link="?page=2",
            ),
            page({"resource": goal(1, "2")}, {"resource": goal(1, "1")}),
        ]
    )
    async with client_of(server) as client:
        versions = await client.history("Goal", "g1")
    assert [resource.version_id for resource in versions] == ["3", "2", "1"]
    assert server.paths == ["/Goal/g1/_history", "/Goal/g1/_history?page=2"]


@pytest.mark.parametrize(
    ("metas", "order"),
    [
        ([("1", None), ("10", None), ("9", None)], ["10", "9", "1"]),
        (
            [
                ("a", "2026-01-01T00:00:00Z"),
                ("b", "2026-01-01T02:00:00+01:00"),
                ("c", "2026-01-01T00:30:00Z"),
            ],
            ["b", "c", "a"],
        ),
        ([("b", "2026-01-01T00:00:00Z"), ("a", None)], ["b", "a"]),
    ],
    ids=["by number", "by time", "as they came"],
)
def test_a_history_is_newest_first_whatever_the_order_of_the_server(metas, order):
    versions = [
        Resource(type="Goal", id="g1", version_id=version, last_updated=moment, content=b"{}")
        for version, moment in metas
    ]
    assert [one.version_id for one in newest_first(versions)] == order


async def test_a_page_of_a_history_that_is_gone_is_an_error():
    links = [{"relation": "next", "url": "?page=2"}]
    first = fhir({"resourceType": "Bundle", "type": "history", "entry": [{"resource": goal()}], "link": links})
    async with client_of(Server([first, fhir(status=410)])) as client:
        with pytest.raises(RefusedError):
            await client.history("Goal", "g1")


async def test_a_sample_follows_pages_until_it_has_enough_and_no_further():
    def answer(request):
        page = int(request.url.params.get("page", "1"))
        entry = [{"resource": {"resourceType": "Patient", "id": f"p{page}-{n}"}} for n in range(2)]
        link = [{"relation": "next", "url": f"{BASE}/Patient?page={page + 1}"}] if page < 4 else []
        return fhir({"resourceType": "Bundle", "type": "searchset", "entry": entry, "link": link})

    for limit, expected, trips in ((3, 3, 2), (50, 8, 4)):
        server = Server(answer)
        async with client_of(server) as fhir_client:
            found = await fhir_client.sample(Query("Patient"), limit)
        assert (len(found), len(server.requests)) == (expected, trips)
