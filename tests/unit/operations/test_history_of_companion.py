"""The life of a plan that went to a companion: it is looked for where it was written."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from careplan_exchange import config
from careplan_exchange.fhir import FhirClient
from careplan_exchange.model.changes import Intent
from careplan_exchange.model.codec import encode
from careplan_exchange.model.history import PlanHistory
from careplan_exchange.sandbox import serve_in_background
from tests.support.patients import synthetic
from tests.support.product import Server, product, sync


class Place(NamedTuple):
    """A hospital that takes no plan, its companion, and the settings for both; `close` ends the two servers."""

    patient: str
    there: str
    companion: Server
    endpoints: dict[str, config.Endpoint]
    close: Any


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    records = tmp_path / "records"
    records.mkdir()
    bundle = synthetic("02-older-adult-si-units")
    bundle["entry"][0]["resource"]["identifier"] = [{"system": "urn:example:history", "value": "1"}]
    assert bundle["entry"][0]["resource"]["resourceType"] == "Patient"
    (records / "one.json").write_bytes(encode(bundle))
    with ExitStack() as stack:
        weak = stack.enter_context(serve_in_background(records, takes="nothing"))
        strong = stack.enter_context(serve_in_background())
        (patient,) = [one["id"] for one in Server(weak.url).search("Patient")]
        companion = Server(strong.url)
        there = companion.load({**bundle, "entry": bundle["entry"][:1]})
        yield Place(
            patient,
            there,
            companion,
            {
                "main": config.Endpoint(url=weak.url, companion="strong"),
                "strong": config.Endpoint(url=strong.url),
            },
            stack.close,
        )


def kinds(found: PlanHistory) -> list[str]:
    return [each.kind for each in found.happenings]


async def test_what_others_did_on_the_companion_is_told(place: Place, tmp_path: Path) -> None:
    async with product(tmp_path, str(place.endpoints["main"].url), endpoints=place.endpoints) as services:
        await sync(services, place.patient)
        (plan,) = place.companion.authored("CarePlan", place.there)
        assert place.companion.put({**plan, "title": "Agreed"}).status_code == 200
        found = await services.history("main", place.patient)
    assert found.target == place.companion.url
    assert found.server_asked
    assert kinds(found) == ["written", "proposed", "edited"]


async def test_offline_it_is_told_without_any_request(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with product(tmp_path, str(place.endpoints["main"].url), endpoints=place.endpoints) as services:
        await sync(services, place.patient)

    def none(*_: object, **__: object) -> None:
        raise AssertionError("a request was made")

    monkeypatch.setattr(httpx.AsyncClient, "send", none)
    monkeypatch.setattr(FhirClient, "capabilities", none)
    async with product(tmp_path, str(place.endpoints["main"].url), endpoints=place.endpoints) as services:
        found = await services.history("main", place.patient, offline=True)
    assert (found.target, found.server_asked, found.server_error) == (place.companion.url, False, None)
    assert kinds(found) == ["written", "proposed"]


async def test_where_no_server_answers_what_we_know_is_told_all_the_same(place: Place, tmp_path: Path) -> None:
    async with product(tmp_path, str(place.endpoints["main"].url), endpoints=place.endpoints) as services:
        await sync(services, place.patient)
    place.close()
    async with product(tmp_path, str(place.endpoints["main"].url), endpoints=place.endpoints) as services:
        found = await services.history("main", place.patient)
    assert found.target == place.companion.url
    assert found.server_error == "unavailable.endpoint"
    assert kinds(found) == ["written", "proposed"]


async def test_what_was_written_last_says_where_it_is_looked_for_offline(place: Place, tmp_path: Path) -> None:
    """Before there was a companion the plan went elsewhere: to the endpoint itself, which took plans then."""
    async with product(tmp_path, str(place.endpoints["main"].url), endpoints=place.endpoints) as services:
        assert kinds(await services.history("main", place.patient, offline=True)) == []
        await sync(services, place.patient)
        (commit,) = await services.plans.commits()
        url = str(place.endpoints["main"].url).rstrip("/")
        intent = commit.intent
        later = Intent(
            id=services.ids.new(),
            exchange=services.ids.new(),
            target=url,
            patient=f"Patient/{place.patient}",
            changes=intent.changes,
            created_at="2030-01-01T00:00:00+00:00",
        )
        await services.plans.open_intent(later)
        await services.plans.commit_intent(later, (), commit.written, "2030-01-01T00:00:00+00:00")
        found = await services.history("main", place.patient, offline=True)
    assert found.target == url
    assert kinds(found) == ["written"]
