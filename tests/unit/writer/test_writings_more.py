"""Who wrote what of ours stands on a target: what is asked for, and what of the Provenances is believed."""

import json
from typing import Any

import pytest

from careplan_exchange.errors import RefusedError, UnavailableError
from careplan_exchange.fhir.capabilities import Capabilities, capabilities_of, read_statement
from careplan_exchange.model.changes import Json
from careplan_exchange.model.codec import encode
from careplan_exchange.model.identity import EXCHANGE_TAG, INSTALLATION_TAG
from careplan_exchange.model.record import Resource
from careplan_exchange.model.writing import Writing
from careplan_exchange.store import MemoryPlanStore
from careplan_exchange.writer import FhirPlanWriter
from careplan_exchange.writer.writings import find_writings, writings_in
from tests.support.told import ToldClient
from tests.support.writing import CountedIds


class Asked(ToldClient):
    """Keeps what it was asked for."""

    def __init__(self, *found: Resource) -> None:
        super().__init__(*found)
        self.asked: list[tuple[str, tuple[tuple[str, str], ...]]] = []

    async def search_many(self, queries: Any, *, no_cache: bool) -> list[tuple[Resource, ...]]:
        self.asked += [(query.type, query.params) for query in queries]
        return await super().search_many(queries, no_cache=no_cache)


def declaring(*parameters: str, types: tuple[str, ...] = ("Provenance",)) -> Capabilities:
    resources = [
        {
            "type": name,
            "interaction": [{"code": "search-type"}],
            "searchParam": [{"name": each} for each in parameters],
        }
        for name in types
    ]
    statement = {
        "resourceType": "CapabilityStatement",
        "fhirVersion": "4.0.1",
        "rest": [{"mode": "server", "resource": resources}],
    }
    return capabilities_of(read_statement(json.dumps(statement).encode()), "4.0.1")


def a_provenance(
    *targets: str, exchange: str | None = "e1", installation: str | None = "s1", **more: Any
) -> Json:
    tags = [
        {"system": system, "code": code}
        for system, code in ((EXCHANGE_TAG, exchange), (INSTALLATION_TAG, installation))
        if code is not None
    ]
    return {
        "resourceType": "Provenance",
        "meta": {"tag": [{"system": "urn:ward", "code": "x"}, *tags]},
        "target": [{"reference": each} for each in targets],
        "recorded": "2026-03-01T00:00:00Z",
        **more,
    }


def on_the_server(body: Json) -> Resource:
    return Resource(type=body["resourceType"], id="7", version_id="1", last_updated=None, content=encode(body))


def a_writing(reference: str, exchange: str = "e1", at: str = "2026-03-01T00:00:00Z") -> Writing:
    return Writing(reference=reference, exchange=exchange, installation="s1", at=at)


@pytest.mark.parametrize("capabilities", [declaring("target"), declaring(types=())])
async def test_a_target_that_can_tell_or_does_not_say_is_asked_past_every_cache(capabilities):
    client = Asked(on_the_server(a_provenance("Goal/1")))
    assert await find_writings(client, {"Goal/1"}, capabilities) == (a_writing("Goal/1"),)
    assert client.asked == [("Provenance", (("target", "Goal/1"),))]
    assert client.log == [("search", "True")]


@pytest.mark.parametrize("capabilities", [declaring("patient"), declaring("target", types=("Goal",))])
async def test_a_target_that_says_that_it_cannot_tell_is_not_asked(capabilities):
    client = Asked(on_the_server(a_provenance("Goal/1")))
    assert await find_writings(client, {"Goal/1"}, capabilities) == ()
    assert client.log == []


async def test_many_resources_are_asked_for_in_several_searches_each_once():
    references = {f"Goal/{number:03}" for number in range(51)}
    client = Asked()
    await find_writings(client, references, declaring("target"))
    asked = [params[0][1].split(",") for _, params in client.asked]
    assert [len(each) for each in asked] == [25, 25, 1]
    assert [one for each in asked for one in each] == sorted(references)


async def test_where_provenances_may_not_be_read_nothing_is_known_and_another_failure_is_one():
    client = ToldClient()
    client.refuses = {"search": RefusedError("No.", mend="None.")}
    assert await find_writings(client, {"Goal/1"}, declaring("target")) == ()
    client.refuses = {"search": UnavailableError("Gone.", mend="Wait.")}
    with pytest.raises(UnavailableError):
        await find_writings(client, {"Goal/1"}, declaring("target"))


@pytest.mark.parametrize(
    "body",
    [
        a_provenance("Goal/1", exchange=None),
        a_provenance("Goal/1", installation=None),
        a_provenance("Goal/2"),
        {**a_provenance("Goal/1"), "meta": {}},
        {"resourceType": "Provenance"},
        a_provenance(),
        {**a_provenance(), "target": [{"display": "a goal on paper"}]},
    ],
)
def test_a_provenance_that_names_no_exchange_of_a_known_store_or_nothing_of_ours_tells_nothing(body):
    assert writings_in([body], {"Goal/1"}) == ()


@pytest.mark.parametrize(
    "reference",
    [
        "Goal/1",
        "Goal/1/_history/2",
        "https://ehr.example.org/fhir/Goal/1",
        "https://ehr.example.org/fhir/Goal/1/_history/2",
    ],
)
def test_a_target_is_the_resource_however_the_reference_is_written(reference):
    body = a_provenance("CarePlan/9", reference)
    assert writings_in([body], {"Goal/1"}) == (a_writing("Goal/1"),)


def test_the_newest_comes_first_and_what_is_found_twice_once():
    old = a_provenance("Goal/1", "Goal/2")
    new = a_provenance("Goal/1", exchange="e0", recorded="2026-03-02T00:00:00Z")
    undated = {name: value for name, value in a_provenance("Goal/1", exchange="e9").items() if name != "recorded"}
    assert writings_in([undated, old, new, old], {"Goal/1", "Goal/2"}) == (
        a_writing("Goal/1", "e0", "2026-03-02T00:00:00Z"),
        a_writing("Goal/2"),
        a_writing("Goal/1"),
        a_writing("Goal/1", "e9", ""),
    )


def test_of_the_same_instant_the_order_is_the_same_whatever_the_server_says_first():
    bodies = [a_provenance("Goal/1", exchange=name) for name in ("e2", "e3", "e1")]
    assert [one.exchange for one in writings_in(bodies, {"Goal/1"})] == ["e3", "e2", "e1"]


class Declaring(Asked):
    """It can be asked for Provenances by their target."""

    async def capabilities(self) -> Capabilities:
        return declaring("target")


async def test_a_plan_writer_asks_its_own_server():
    client: Any = Declaring(on_the_server(a_provenance("Goal/1")))
    writer = FhirPlanWriter(client, ids=CountedIds(), habits=MemoryPlanStore())
    assert await writer.writings({"Goal/1"}) == (a_writing("Goal/1"),)
    assert client.asked == [("Provenance", (("target", "Goal/1"),))]
