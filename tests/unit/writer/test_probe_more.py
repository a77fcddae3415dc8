"""The probe of a server, request by request."""

from typing import Any

import httpx
import pytest

from careplan_exchange.errors import RefusedError
from careplan_exchange.fhir import Connection, connect
from careplan_exchange.model.codec import decode
from careplan_exchange.writer.probe import PROBE_SYSTEM, Probed, probe
from tests.support.weak_server import BASE, WeakServer
from tests.support.writing import CountedIds


class Deleting(WeakServer):
    """It lists `delete` as well, of all types or of those in `only`."""

    def __init__(self, only: set[str] | None = None) -> None:
        super().__init__()
        self.only = only

    def _capabilities(self) -> dict[str, Any]:
        statement = super()._capabilities()
        for resource in statement["rest"][0]["resource"]:
            if self.only is None or resource["type"] in self.only:
                resource["interaction"] = [*resource["interaction"], {"code": "delete"}]
        return statement


async def probed(server: WeakServer) -> Probed:
    ids = CountedIds()
    async with connect(Connection(base_url=BASE, attempts=1), ids=ids, transport=server.transport) as client:
        return await probe(client, ids)


async def test_a_server_that_checks_versions_refuses_both_and_keeps_nothing():
    server = Deleting()
    found = await probed(server)
    assert found == Probed(tried_on="Goal", direct=True, transaction=True, left=None)
    assert not found.ignores_if_match
    assert server.of("Goal") == []
    create, first, stale, whole = server.writes
    assert (create.method, first.method, stale.method, whole.method) == ("POST", "PUT", "PUT", "POST")
    assert PROBE_SYSTEM in create.headers["If-None-Exist"]
    assert first.headers["If-Match"] == stale.headers["If-Match"] == 'W/"1"'
    (entry,) = decode(whole.content)["entry"]
    assert entry["request"] == {"method": "PUT", "url": "Goal/1", "ifMatch": 'W/"1"'}
    assert len({request.headers["X-Request-Id"] for request in server.writes}) == 1
    bodies = [decode(request.content)["identifier"] for request in (first, stale)] + [
        entry["resource"]["identifier"]
    ]
    assert len({each[-1]["value"] for each in bodies}) == 3
    assert all(each[0] == bodies[0][0] and len(each) == 2 for each in bodies)
    (deleted,) = [request for request in server.log if request.method == "DELETE"]
    assert deleted.headers["If-Match"] == 'W/"2"'
    assert decode(create.content)["lifecycleStatus"] == "entered-in-error"


async def test_a_server_that_ignores_versions_is_found_out_and_its_newest_version_is_deleted():
    server = Deleting()
    server.checks_versions = False
    found = await probed(server)
    assert found == Probed(tried_on="Goal", direct=False, transaction=False, left=None)
    assert found.ignores_if_match
    assert server.of("Goal") == []
    assert server.log[-1].headers["If-Match"] == 'W/"4"'


async def test_without_transactions_only_the_direct_way_is_tried():
    server = Deleting()
    server.takes_transactions = False
    assert await probed(server) == Probed(tried_on="Goal", direct=True, transaction=None, left=None)
    assert [request.method for request in server.writes] == ["POST", "PUT", "PUT"]


@pytest.mark.parametrize("only", [set(), {"CarePlan"}])
async def test_a_server_that_deletes_nothing_of_the_kind_is_sent_nothing(only):
    server = Deleting(only)
    assert await probed(server) == Probed()
    assert server.writes == []


async def test_basic_is_tried_before_a_goal():
    server = Deleting()
    server.types.add("Basic")
    assert (await probed(server)).tried_on == "Basic"


async def test_what_cannot_be_deleted_is_named():
    server = Deleting()
    server.deletes = False
    assert (await probed(server)).left == "Goal/1"


async def test_what_was_made_without_a_version_is_named_by_its_identifier_and_not_updated():
    server = Deleting()
    server.sends_versions = server.sends_bodies = False
    found = await probed(server)
    assert (found.tried_on, found.direct, found.transaction) == ("Goal", None, None)
    assert found.left is not None
    assert found.left.startswith(f"Goal?identifier={PROBE_SYSTEM}|")
    assert [request.method for request in server.writes] == ["POST"]


async def test_a_refusal_that_is_none_of_the_version_is_raised_and_the_scratch_is_deleted_all_the_same():
    server = Deleting()
    server.read_only_after = 1
    with pytest.raises(RefusedError):
        await probed(server)
    assert [request.method for request in server.log][-1] == "DELETE"


@pytest.mark.parametrize(
    ("direct", "whole", "ignores"),
    [(True, True, False), (True, None, False), (None, None, False), (False, True, True), (True, False, True)],
)
def test_one_way_that_ignores_versions_is_enough(direct, whole, ignores):
    assert Probed(direct=direct, transaction=whole).ignores_if_match is ignores


class Forgetting(Deleting):
    """It shows nothing of what it has."""

    def _get(self, path: str, request: httpx.Request) -> httpx.Response:
        return httpx.Response(404, json={}) if "/" in path else super()._get(path, request)


async def test_what_is_gone_by_then_is_not_deleted_again():
    server = Forgetting()
    assert await probed(server) == Probed(tried_on="Goal", direct=True, transaction=True, left=None)
    assert not [request for request in server.log if request.method == "DELETE"]
