"""What the client makes of real servers: `$everything`, and the ways in which Medplum's router is less than others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from careplan_exchange.bootstrap import RandomIds
from careplan_exchange.errors import IncompleteRecordError, RefusedError
from careplan_exchange.fhir import Connection, FhirClient, Query, connect
from tests.support.rest import HAPI, MEDPLUM, Expected, Rest, fresh, goal, patient, reference

GOALS = 5


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[FhirClient]:
    async with connect(Connection(base_url=url), ids=RandomIds()) as client:
        yield client


def loaded(url: str, expected: Expected) -> str:
    """The id of a patient with some Goals, and one of somebody else beside."""
    with httpx.Client(timeout=60) as http:
        server = Rest(url, expected, http)
        mine, other = (server.create(patient()) for _ in range(2))
        for number in range(GOALS + 1):
            server.create(goal(reference(mine if number else other), fresh()))
        return str(mine["id"])


def goals_of(patient_id: str, count: int) -> Query:
    return Query("Goal", (("patient", f"Patient/{patient_id}"), ("_count", str(count))))


@pytest.fixture(
    params=[pytest.param("hapi_r4", marks=pytest.mark.hapi), pytest.param("hapi_r5", marks=pytest.mark.hapi)]
)
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param).url)


@pytest.mark.parametrize("count", [2, 1000])
async def test_everything_of_a_patient_is_what_the_searches_find(url: str, count: int) -> None:
    patient_id = loaded(url, HAPI)
    async with client_of(url) as client:
        searched = await client.search_many(
            [Query("Patient", (("_id", patient_id),)), goals_of(patient_id, 1000)]
        )
        everything = await client.everything(patient_id, count=count)
        goals = await client.everything(patient_id, types=("Goal",), count=count)
    wanted = {(found.versioned_reference, found.content) for matches in searched for found in matches}
    assert {(found.versioned_reference, found.content) for found in everything} == wanted
    assert len(everything) == 1 + GOALS
    assert {found.type for found in goals} == {"Goal"}
    assert len(goals) == GOALS


async def test_everything_of_nobody_is_refused_and_not_empty(url: str) -> None:
    async with client_of(url) as client:
        with pytest.raises(RefusedError, match="404"):
            await client.everything(fresh())


@pytest.mark.medplum
async def test_a_server_that_says_nothing_of_itself_is_read_all_the_same(medplum: Any) -> None:
    patient_id = loaded(medplum.url, MEDPLUM)
    async with client_of(medplum.url) as client:
        capabilities = await client.capabilities()
        assert (capabilities.release, capabilities.says_nothing, capabilities.transaction) == ("R4", True, False)
        patients, goals = await client.search_many(
            [Query("Patient", (("_id", patient_id),)), goals_of(patient_id, 1000)], no_cache=True
        )
    assert [found.id for found in patients] == [patient_id]
    assert len(goals) == GOALS


@pytest.mark.medplum
async def test_a_search_that_is_cut_without_a_next_link_is_never_taken_for_whole(medplum: Any) -> None:
    patient_id = loaded(medplum.url, MEDPLUM)
    async with client_of(medplum.url) as client:
        with pytest.raises(IncompleteRecordError, match=f"{GOALS} matches.* 2 came"):
            await client.search(goals_of(patient_id, 2))


@pytest.mark.medplum
async def test_a_server_without_everything_says_so(medplum: Any) -> None:
    patient_id = loaded(medplum.url, MEDPLUM)
    async with client_of(medplum.url) as client:
        with pytest.raises(RefusedError, match=r"\$everything"):
            await client.everything(patient_id)
