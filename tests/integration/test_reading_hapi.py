"""What a real HAPI does to a reader, where it can be provoked: pages that expire, no total, searches that are reused."""

import uuid
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange.fhir import Query, search
from tests.support.product import Server
from tests.support.reading import opened, reader

pytestmark = pytest.mark.hapi

GOALS = 20
"""More than HAPI fetches at first: it has not counted them when it answers."""


@pytest.fixture
def on_hapi(hapi_r4: Any) -> tuple[Server, str]:
    server = Server(hapi_r4.url)
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:careplan-exchange:faults", "value": str(uuid.uuid4())}],
    }
    reference = "urn:uuid:6f1f2d7c-0000-4000-8000-0000000000fa"
    goals = [
        {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": f"goal {number}"},
         "subject": {"reference": reference}}
        for number in range(GOALS)
    ]  # fmt: skip
    entries = [{"fullUrl": reference, "resource": patient, "request": {"method": "POST", "url": "Patient"}}]
    entries += [{"resource": one, "request": {"method": "POST", "url": "Goal"}} for one in goals]
    return server, server.load({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def goals_of(patient: str, count: int = 1000) -> Query:
    return Query("Goal", (("patient", f"Patient/{patient}"), ("_count", str(count))))


async def test_a_page_that_has_expired_begins_the_search_again(
    on_hapi: tuple[Server, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, patient = on_hapi
    following = iter([f"{server.url}?_getpages=00000000-0000-0000-0000-000000000000&_getpagesoffset=2"])
    real = search.next_page
    monkeypatch.setattr(search, "next_page", lambda *link: next(following, None) or real(*link))
    assert server.http.get(f"{server.url}?_getpages=00000000-0000-0000-0000-000000000000").status_code == 410
    async with opened(server.url) as client:
        assert len(await client.search(goals_of(patient, 5), no_cache=True)) == GOALS
    assert next(following, None) is None, "the made-up page was asked for"


async def test_a_search_without_a_total_is_read_to_its_last_page(on_hapi: tuple[Server, str]) -> None:
    server, patient = on_hapi
    query = goals_of(patient, 5)
    assert "total" not in server.get(query.url)
    async with opened(server.url) as client:
        found = await client.search(query, no_cache=True)
    assert len({resource.reference for resource in found}) == len(found) == GOALS


async def test_a_record_is_read_past_a_search_that_it_reuses(on_hapi: tuple[Server, str], tmp_path: Path) -> None:
    server, patient = on_hapi
    another = {"resourceType": "Goal", "lifecycleStatus": "active", "description": {"text": "another"}}
    async with opened(server.url) as client:
        assert len(await client.search(goals_of(patient))) == GOALS
        server.post("Goal", {**another, "subject": {"reference": f"Patient/{patient}"}})
        assert len(await client.search(goals_of(patient))) == GOALS, "HAPI does not reuse searches any more"
        assert len(await client.search(goals_of(patient), no_cache=True)) == GOALS + 1
    async with reader(tmp_path, server.url) as read:
        record = await read(patient)
    assert sum(resource.type == "Goal" for resource in record.resources) == GOALS + 1
