"""The fault proxy on real sockets, before a server that counts: what a fault lets through, and what comes back."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import pytest

from careplan_exchange.drills.faults import Fault, Habit, On, Strike
from careplan_exchange.drills.proxy import FaultProxy
from careplan_exchange.drills.wire import Answered, Asked, put_answer, read_request

Json = dict[str, Any]

TRANSACTION: Json = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {
            "fullUrl": "urn:uuid:1",
            "resource": {"resourceType": "Goal", "expressedBy": {"reference": "Patient/1"}},
            "request": {"method": "POST", "url": "Goal", "ifNoneExist": "identifier=a"},
        },
        {
            "fullUrl": "urn:uuid:2",
            "resource": {"resourceType": "CarePlan", "goal": [{"reference": "urn:uuid:1"}]},
            "request": {"method": "PUT", "url": "CarePlan/2", "ifMatch": 'W/"1"'},
        },
    ],
}
SEARCH = "CarePlan?patient=Patient/1"


class Upstream:
    """Carries out whatever it is sent, and remembers it. A search finds as many as were written."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []

    @property
    def written(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.method != "GET"]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/fhir"
        try:
            yield
        finally:
            server.close()
            await asyncio.sleep(0.02)  # the connections end in the loop's next rounds

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (asked := await read_request(reader)) is not None:
            self.asked.append(asked)
            put_answer(writer, Answered(200, {"content-type": "application/fhir+json"}, self._answer(asked)))
        writer.close()

    def _answer(self, asked: Asked) -> bytes:
        if asked.method == "GET":
            next_page = {"relation": "next", "url": f"{self.url}/page"}
            found: Json = {"type": "searchset", "total": len(self.written), "link": [next_page]}
        else:
            entries = json.loads(asked.body).get("entry", ())
            done = {"response": {"status": "201 Created"}, "resource": {"resourceType": "Goal"}}
            found = {"type": "transaction-response", "entry": [done] * len(entries)}
        return json.dumps({"resourceType": "Bundle", **found}).encode()


@asynccontextmanager
async def between(*habits: Habit, seed: int = 1) -> AsyncIterator[tuple[Upstream, FaultProxy, httpx.AsyncClient]]:
    upstream = Upstream()
    async with upstream.serving():
        proxy = FaultProxy(upstream.url, random.Random(seed), habits=frozenset(habits))
        async with proxy.serving(), httpx.AsyncClient() as http:
            yield upstream, proxy, http


async def write(http: httpx.AsyncClient, proxy: FaultProxy) -> Json:
    answer = await http.post(proxy.url, json=TRANSACTION)
    answer.raise_for_status()
    return dict(answer.json())


async def count(http: httpx.AsyncClient, proxy: FaultProxy, **headers: str) -> int:
    return int((await http.get(f"{proxy.url}/{SEARCH}", headers=headers)).json()["total"])


async def test_without_a_fault_it_forwards_and_addresses_lead_back_through_it() -> None:
    async with between() as (upstream, proxy, http):
        await write(http, proxy)
        found = (await http.get(f"{proxy.url}/{SEARCH}")).json()
        assert [asked.target for asked in upstream.asked] == ["/fhir", f"/fhir/{SEARCH}"]
        assert json.loads(upstream.asked[0].body) == TRANSACTION
        assert found["link"][0]["url"] == f"{proxy.url}/page"


@pytest.mark.parametrize(
    ("fault", "carried_out"),
    [
        ("drop-before", 0),
        ("kill-before", 0),
        ("drop-after", 1),
        ("kill-after", 1),
        ("cut-body", 1),
    ],
)
async def test_an_answer_that_never_comes_whole(fault: Fault, carried_out: int) -> None:
    async with between() as (upstream, proxy, http):
        proxy.plan.arm([Strike(fault, "write")])
        with pytest.raises(httpx.TransportError):
            await write(http, proxy)
        assert len(upstream.written) == carried_out


@pytest.mark.parametrize(
    ("fault", "statuses", "carried_out"),
    [("busy", {429}, 0), ("error-before", {500, 502, 503, 504}, 0), ("error-after", {500, 502, 503, 504}, 1)],
)
async def test_a_status_that_says_less_than_it_seems(fault: Fault, statuses: set[int], carried_out: int) -> None:
    async with between() as (upstream, proxy, http):
        proxy.plan.arm([Strike(fault, "write")])
        assert (await http.post(proxy.url, json=TRANSACTION)).status_code in statuses
        assert len(upstream.written) == carried_out


async def test_json_that_ends_half_way_in_an_answer_that_is_whole() -> None:
    async with between() as (_, proxy, http):
        proxy.plan.arm([Strike("cut-json", "write")])
        answer = await http.post(proxy.url, json=TRANSACTION)
        with pytest.raises(ValueError, match=r"line \d+ column \d+"):
            answer.json()


async def test_a_request_that_is_carried_out_twice_and_one_that_comes_again_later() -> None:
    async with between() as (upstream, proxy, http):
        proxy.plan.arm([Strike("duplicate", "write"), Strike("resend-later", "write", 1)])
        await write(http, proxy)
        assert len(upstream.written) == 2
        await write(http, proxy)
        assert len(upstream.written) == 3
        await proxy.resend_kept()
        await proxy.resend_kept()
        assert len(upstream.written) == 4


@pytest.mark.parametrize(("on", "when"), [("write", "before"), ("write", "after"), ("read", "after")])
async def test_a_clinician_edits_just_before_or_just_after(on: On, when: str) -> None:
    async with between() as (upstream, proxy, http):
        seen: list[int] = []

        async def edit() -> None:
            seen.append(len(upstream.asked))

        proxy.on_edit = edit
        fault: Fault = "edit-before" if when == "before" else "edit-after"
        proxy.plan.arm([Strike(fault, on)])
        await (write(http, proxy) if on == "write" else count(http, proxy))
        assert seen == [0 if when == "before" else 1]


@pytest.mark.parametrize(("fault", "killed"), [("edit-drop", 0), ("edit-kill", 1)])
async def test_a_clinician_edits_just_before_and_the_answer_never_comes(fault: Fault, killed: int) -> None:
    async with between() as (upstream, proxy, http):
        done: list[tuple[str, int]] = []

        async def note(what: str) -> None:
            done.append((what, len(upstream.written)))

        proxy.on_edit, proxy.on_kill = partial(note, "edit"), partial(note, "kill")
        proxy.plan.arm([Strike(fault, "write")])
        with pytest.raises(httpx.TransportError):
            await write(http, proxy)
        assert done == [("edit", 0), *[("kill", 1)] * killed]
        assert len(upstream.written) == 1


@pytest.mark.parametrize(("fault", "killed"), [("lands-late", 0), ("kill-lands-late", 1)])
async def test_a_request_that_lands_late_is_carried_out_once_some_reads_later(fault: Fault, killed: int) -> None:
    async with between() as (upstream, proxy, http):
        kills: list[int] = []

        async def kill() -> None:
            kills.append(len(upstream.asked))

        proxy.on_kill = kill
        proxy.plan.arm([Strike(fault, "write")])
        with pytest.raises(httpx.TransportError):
            await write(http, proxy)
        assert (upstream.asked, kills) == ([], [0] * killed)
        found = [await count(http, proxy, **{"cache-control": "no-cache"}) for _ in range(8)]
        assert found[-1] == 1
        assert len(upstream.written) == 1


async def test_requests_land_late_before_different_reads() -> None:
    """Otherwise a drill would try one moment only."""
    moments = set()
    for seed in range(20):
        async with between(seed=seed) as (_, proxy, http):
            proxy.plan.arm([Strike("lands-late", "write")])
            with pytest.raises(httpx.TransportError):
                await write(http, proxy)
            found = [await count(http, proxy, **{"cache-control": "no-cache"}) for _ in range(8)]
            moments.add(found.index(1))
    assert len(moments) >= 5


async def test_a_cache_answers_from_before_unless_it_is_told_not_to() -> None:
    async with between("cache") as (_, proxy, http):
        assert await count(http, proxy) == 0
        await write(http, proxy)
        assert await count(http, proxy) == 0
        assert await count(http, proxy, **{"cache-control": "no-cache"}) == 1


async def test_a_replica_answers_from_before_whatever_it_is_told() -> None:
    async with between() as (_, proxy, http):
        assert await count(http, proxy, **{"cache-control": "no-cache"}) == 0
        await write(http, proxy)
        proxy.plan.arm([Strike("replica", "read")])
        assert await count(http, proxy, **{"cache-control": "no-cache"}) == 0
        assert await count(http, proxy) == 1


async def test_guards_that_a_bad_server_does_not_look_at() -> None:
    async with between("no-if-match", "no-if-none-exist") as (upstream, proxy, http):
        await write(http, proxy)
        requests = [entry["request"] for entry in json.loads(upstream.written[0].body)["entry"]]
        assert requests == [{"method": "POST", "url": "Goal"}, {"method": "PUT", "url": "CarePlan/2"}]


async def test_a_forgetful_server_keeps_less_and_a_silent_one_says_nothing() -> None:
    async with between("forgetful", "silent") as (upstream, proxy, http):
        answer = await write(http, proxy)
        assert json.loads(upstream.written[0].body)["entry"][0]["resource"] == {"resourceType": "Goal"}
        assert answer["entry"] == [{"response": {"status": "201 Created"}}] * 2


async def test_a_transaction_in_part_leaves_out_what_refers_to_what_is_left_out_and_happens_once() -> None:
    for seed in range(8):
        upstream = Upstream()
        async with upstream.serving():
            proxy = FaultProxy(upstream.url, random.Random(seed), habits=frozenset({"partial"}))
            async with proxy.serving(), httpx.AsyncClient() as http:
                first, second = await write(http, proxy), await write(http, proxy)
        kept = [entry["fullUrl"] for entry in json.loads(upstream.written[0].body)["entry"]]
        # Without the goal nothing is left, so it stays whole; without the plan the goal stands alone.
        assert kept in (["urn:uuid:1"], ["urn:uuid:1", "urn:uuid:2"])
        failed = [entry["response"]["status"] for entry in first["entry"] if "resource" not in entry]
        assert failed == [] if len(kept) == 2 else failed in (["422"], ["500"])
        assert len(second["entry"]) == 2
        assert all("resource" in entry for entry in second["entry"])


async def test_crossed_answers_reach_each_others_request() -> None:
    async with between() as (upstream, proxy, http):
        proxy.plan.arm([Strike("crossed", "read"), Strike("crossed", "read")])
        one, two = await asyncio.gather(
            http.get(f"{proxy.url}/{SEARCH}"), http.post(proxy.url, json={"resourceType": "Bundle"})
        )
        assert one.json()["type"] == "searchset"
        assert two.json()["type"] == "transaction-response"
        assert len(upstream.asked) == 2


async def test_an_answer_is_not_crossed_with_one_that_has_just_waited_long_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("careplan_exchange.drills.proxy._CROSSING_SECONDS", 0.05)
    proxy = FaultProxy("http://127.0.0.1:1/fhir", random.Random(1))
    gone = asyncio.create_task(proxy._cross(Answered(200, {}, b"gone")))
    await asyncio.sleep(0)
    proxy._crossing[1].cancel()  # as at the end of the wait, before its task has had its turn
    assert (await proxy._cross(Answered(200, {}, b"here"))).body == b"here"
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_who_follows_a_page_to_another_server_is_seen_with_the_token() -> None:
    async with between() as (_, proxy, http):
        proxy.plan.arm([Strike("foreign-next", "read")])
        found = (await http.get(f"{proxy.url}/{SEARCH}", headers={"authorization": "Bearer made-up"})).json()
        page = next(link["url"] for link in found["link"] if link["relation"] == "next")
        assert not page.startswith(proxy.url)
        await http.get(page, headers={"authorization": "Bearer made-up"})
        assert (proxy.strange_calls, proxy.strange_tokens) == (1, 1)
        assert proxy.shown == {"authorization": "Bearer made-up"}
