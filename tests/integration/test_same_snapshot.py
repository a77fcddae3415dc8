"""One patient, one snapshot: the same facts and issues from a file and from every server, in R4 and in R5.

The file is what the servers were loaded from, so what equals it equals every other. Ids and versions are the server's
own and are left out; everything else of a fact has to be the same.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from careplan_exchange import bootstrap, config, installed
from careplan_exchange.exchange import Knowledge
from careplan_exchange.fhir import Connection, connect
from careplan_exchange.mapping import map_record
from careplan_exchange.model.codec import encode
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.model.snapshot import Snapshot
from careplan_exchange.ports import Source
from careplan_exchange.sources import BundleSource
from tests.support.product import FIXTURE_TODAY, Server
from tests.support.r5 import to_r5
from tests.support.records import FIXTURES, record_of
from tests.support.shared import require_shared
from tests.support.sources import endpoint_source

FEW = 3
LOADERS = 2
LOADING_SECONDS = 300
"""A server with a small heap takes its time for a record of hundreds of resources."""

Patients = dict[Path, str]


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return installed.load_knowledge(config.Settings())


@pytest.fixture(scope="session")
def loaded() -> dict[str, Patients]:
    """What this session has loaded, by server."""
    return {}


@pytest.fixture
def place(request: pytest.FixtureRequest, loaded: dict[str, Patients]) -> "Place":
    require_shared("fixtures/patients")
    url = request.getfixturevalue(request.param).url
    if request.param == "medplum":
        return OneAtATime(url)
    return Place(url, r5=request.param == "hapi_r5", held=loaded.setdefault(request.param, {}))


class Place:
    """A server, and who of the fixtures is on it. Each is loaded once a session."""

    def __init__(self, url: str, *, r5: bool, held: Patients) -> None:
        self.url = url
        self._r5 = r5
        self._held = held

    def patients(self, paths: list[Path]) -> Iterator[tuple[Path, str]]:
        """Each with the id that the server gave, while it is there."""
        missing = [path for path in paths if path not in self._held]
        with ThreadPoolExecutor(LOADERS) as pool:
            self._held.update(zip(missing, pool.map(self._load, missing), strict=True))
        yield from ((path, self._held[path]) for path in paths)

    def _load(self, path: Path) -> str:
        bundle = record_of(path)
        return patient_server(self.url).load(to_r5(bundle) if self._r5 else bundle)


class OneAtATime(Place):
    """For a server whose every search looks at everything it holds: with all patients on it, one takes minutes."""

    def __init__(self, url: str) -> None:
        super().__init__(url, r5=False, held={})

    def patients(self, paths: list[Path]) -> Iterator[tuple[Path, str]]:
        server = patient_server(self.url)
        for path in paths:
            answer = server.post("", record_of(path))
            places = [entry["response"]["location"].partition("/_history/")[0] for entry in answer["entry"]]
            held = ["/".join(place.split("/")[-2:]) for place in places]
            yield path, next(one for one in held if one.startswith("Patient/")).removeprefix("Patient/")
            entries = [{"request": {"method": "DELETE", "url": one}} for one in held]
            server.post("", {"resourceType": "Bundle", "type": "batch", "entry": entries})


def patient_server(url: str) -> Server:
    server = Server(url)
    server.http.timeout = LOADING_SECONDS
    return server


def mapped(record: PatientRecord, knowledge: Knowledge) -> Snapshot:
    today = date.fromisoformat(FIXTURE_TODAY)
    return map_record(record, knowledge.mappings, knowledge.vocabulary, today=today, anyone=True)


def of_no_server(snapshot: Snapshot) -> Counter[Any]:
    """What a snapshot says, without the ids and versions that a server gave: how often each fact, each issue."""
    said: Counter[Any] = Counter()
    patient = snapshot.patient
    said["patient", patient.birth_date, patient.gender, patient.language] += 1
    for fact in snapshot.facts:
        own = {name: getattr(fact, name) for name in fact.__struct_fields__ if name not in {"evidence", "inputs"}}
        said["fact", *own.items(), ("type", fact.evidence.reference.split("/")[0]), len(fact.inputs)] += 1
    for issue in snapshot.issues:
        said["issue", issue.severity, issue.key, issue.expression] += len(issue.sources) or 1
    return said


async def whole(source: Source, patient: str, knowledge: Knowledge) -> Counter[Any]:
    return of_no_server(mapped(await source.pull(patient), knowledge))


async def differences(place: Place, paths: list[Path], knowledge: Knowledge) -> dict[str, dict[str, Any]]:
    """By file: what only the server, or only the file, says."""
    found: dict[str, dict[str, Any]] = {}
    async with connect(Connection(base_url=place.url), ids=bootstrap.RandomIds()) as client:
        for path, patient in place.patients(paths):
            file = BundleSource(encode(record_of(path)), identity="same", name=path.name)
            expected = await whole(file, file.patient_id(), knowledge)
            served = await whole(endpoint_source(client), patient, knowledge)
            assert sum(expected.values()) > 10
            if served != expected:
                found[path.name] = {"server alone": served - expected, "file alone": expected - served}
    return found


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("hapi_r4", marks=pytest.mark.hapi, id="HAPI R4"),
        pytest.param("hapi_r5", marks=pytest.mark.hapi, id="HAPI R5"),
        pytest.param("medplum", marks=pytest.mark.medplum, id="Medplum"),
    ],
    indirect=True,
)
async def test_a_few_patients_give_the_same_snapshot_as_their_file(place: Place, knowledge: Knowledge) -> None:
    assert await differences(place, FIXTURES[:FEW], knowledge) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "every"),
    [
        pytest.param("hapi_r4", 1, marks=pytest.mark.hapi, id="HAPI R4, each"),
        pytest.param("hapi_r5", 1, marks=pytest.mark.hapi, id="HAPI R5, each"),
        pytest.param("medplum", 4, marks=pytest.mark.medplum, id="Medplum, every fourth"),
        pytest.param("medplum", 1, marks=[pytest.mark.medplum, pytest.mark.long], id="Medplum, each"),
    ],
    indirect=["place"],
)
async def test_every_fixture_patient_gives_the_same_snapshot_as_their_file(
    place: Place, every: int, knowledge: Knowledge
) -> None:
    assert len(FIXTURES) == 62
    assert await differences(place, FIXTURES[::every], knowledge) == {}
