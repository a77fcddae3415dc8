"""A search comes whole over its pages or is an error; a history and a sample follow theirs."""

import pytest
import respx

from careplan_exchange.errors import IncompleteRecordError, RefusedError
from careplan_exchange.fhir import BearerAuth, Connection, Query, connect
from careplan_exchange.fhir.bundle import newest_first
from careplan_exchange.fhir.search import MAX_PAGES
from careplan_exchange.model.record import Resource

from .wire import BASE, GOALS, CountingIds, Server, client_of, fhir, goal, ids, outcome, search, searchset

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
