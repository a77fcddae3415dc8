"""Reading again only what changed: whatever happened in between, and whatever the server can do, the record is that
of a full reading."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careplan_exchange.errors import UsageError
from careplan_exchange.sources import read_kept, refresh, write_kept
from tests.support.sources import endpoint_source
from tests.unit.fhir.wire import BASE, Server, batch_response, client_of, fhir, searchset, statement


@pytest.fixture(autouse=True, scope="module")
def _few_are_worth_it():
    """Every type is refreshed, however little there is of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refresh, "WORTH_REFRESHING", 0)
        yield


BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)
TYPES = ("Observation", "Condition", "Goal")
NEEDED = ("Patient", "MedicationRequest", "AllergyIntolerance")


class Hospital:
    """A server with a clock of its own, whose abilities can be taken from it one by one."""

    def __init__(self, *, skew=0, dates=True, elements=True, versions=True, forgets=False):
        self.now = BEGAN + timedelta(minutes=skew)
        self.dates, self.elements, self.versions, self.forgets = dates, elements, versions, forgets
        self.held = {}
        self.number = 0
        self.searches = []
        self.server = Server(self.answer)
        self.statement = statement(*TYPES, *NEEDED)
        for kind in self.statement["rest"][0]["resource"]:
            kind["searchParam"] += [{"name": "_lastUpdated"}]
        self.write("Patient", "p1")

    def write(self, kind, resource_id, subject="p1"):
        self.number += 1
        about = {} if kind == "Patient" else {"subject": {"reference": f"Patient/{subject}"}}
        if kind == "AllergyIntolerance":
            about = {"patient": {"reference": f"Patient/{subject}"}}
        meta = {"lastUpdated": self.now.isoformat()}
        if self.versions:
            meta["versionId"] = str(self.number)
        self.held[kind, resource_id] = {
            "resourceType": kind,
            "id": resource_id,
            "meta": meta,
            **about,
            "note": [{"text": f"write {self.number}"}],
        }

    def happen(self, event):
        what, kind, number, minutes = event
        self.now += timedelta(minutes=minutes)
        key = (kind, f"r{number}")
        if what == "write":
            self.write(*key)
        elif what == "move" and key in self.held:
            self.write(*key, subject="p2")
        elif what == "delete":
            self.held.pop(key, None)

    def answer(self, request):
        if request.url.path.endswith("/metadata"):
            return fhir(self.statement)
        if request.method == "GET":
            url = str(request.url).removeprefix(f"{BASE}/")
            self.searches.append(url)
            return fhir(self.found(url))
        urls = [entry["request"]["url"] for entry in json.loads(request.content)["entry"]]
        self.searches += urls
        return fhir(batch_response(*({"resource": self.found(u), "response": {"status": "200"}} for u in urls)))

    def found(self, url):
        kind, _, query = url.partition("?")
        asked = parse_qs(query)
        matches = [
            resource
            for (name, _), resource in self.held.items()
            if name == kind and (kind == "Patient" or "Patient/p1" in json.dumps(resource))
        ]
        if self.dates and "_lastUpdated" in asked:
            moment = datetime.fromisoformat(asked["_lastUpdated"][0].removeprefix("ge"))
            matches = [m for m in matches if datetime.fromisoformat(m["meta"]["lastUpdated"]) >= moment]
            if self.forgets:
                matches = matches[::2]
        if self.elements and "_elements" in asked:
            matches = [{key: m[key] for key in ("resourceType", "id", "meta")} for m in matches]
        return searchset(*matches)

    async def read(self, kept=None, *, at=BEGAN):
        async with client_of(self.server) as client:
            source = endpoint_source(client, vendor="hapi")
            if kept is not None:
                kept = read_kept(write_kept(kept))
            return await source.refresh("p1", kept, at=at)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "move", "delete"]),
        st.sampled_from(TYPES),
        st.integers(0, 4),
        st.sampled_from([0, 0, 1, 15, 600]),
    ),
    max_size=12,
)
ABILITIES = st.fixed_dictionaries(
    {
        "dates": st.booleans(),
        "elements": st.booleans(),
        "versions": st.booleans(),
        "forgets": st.booleans(),
        "skew": st.sampled_from([-600, -5, 0, 5, 600]),
    }
)


@settings(max_examples=300)
@given(abilities=ABILITIES, first=EVENTS, second=EVENTS, third=EVENTS)
async def test_a_refreshed_record_is_that_of_a_full_reading(abilities, first, second, third):
    if not abilities["versions"]:
        abilities["forgets"] = False
    hospital = Hospital(**abilities)
    for event in first:
        hospital.happen(event)
    kept = await hospital.read()
    for events in (second, third):
        at = datetime.fromisoformat(kept.read_at)
        for event in events:
            hospital.happen(event)
            at += timedelta(minutes=event[3])
        kept = await hospital.read(kept, at=at)
        assert kept.record == (await hospital.read()).record


async def test_nothing_that_did_not_change_is_sent_again():
    hospital = Hospital()
    for number in range(5):
        hospital.happen(("write", "Observation", number, 1))
    kept = await hospital.read()
    hospital.happen(("write", "Observation", 2, 600))
    hospital.searches.clear()
    again = await hospital.read(kept, at=BEGAN + timedelta(hours=10))
    observations = [url for url in hospital.searches if url.startswith("Observation")]
    assert ["_lastUpdated" in url or "_elements=id" in url for url in observations] == [True, True]
    assert again.record == (await hospital.read()).record
    changed = {
        r.id
        for r, old in zip(again.record.of("Observation"), kept.record.of("Observation"), strict=True)
        if r != old
    }
    assert changed == {"r2"}


async def test_changes_are_asked_for_with_an_overlap_before_the_last_reading():
    hospital = Hospital()
    hospital.happen(("write", "Observation", 1, 0))
    kept = await hospital.read(at=BEGAN)
    hospital.searches.clear()
    await hospital.read(kept)
    (asked,) = [url for url in hospital.searches if "_lastUpdated" in url and url.startswith("Observation")]
    assert "_lastUpdated=ge2026-03-01T11:50:00.000Z" in asked


async def test_a_type_of_which_there_is_little_is_read_in_full(monkeypatch):
    monkeypatch.setattr(refresh, "WORTH_REFRESHING", 2)
    hospital = Hospital()
    hospital.happen(("write", "Observation", 1, 0))
    kept = await hospital.read()
    hospital.searches.clear()
    await hospital.read(kept)
    assert not [url for url in hospital.searches if "_lastUpdated" in url]


async def test_where_the_plan_does_not_trust_the_dates_everything_is_read():
    hospital = Hospital()
    hospital.happen(("write", "Observation", 1, 0))
    kept = await hospital.read()
    hospital.searches.clear()
    async with client_of(hospital.server) as client:
        source = endpoint_source(client, vendor="generic")
        await source.refresh("p1", kept, at=BEGAN)
    assert not [url for url in hospital.searches if "_lastUpdated" in url]


async def test_a_reading_of_another_patient_is_refused():
    kept = await Hospital().read()
    async with client_of(Hospital().server) as client:
        with pytest.raises(UsageError, match="another patient"):
            await endpoint_source(client).refresh("p2", kept, at=BEGAN)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"record": 1}', b"[" * 10_000])
def test_a_file_that_holds_no_reading_is_refused(data):
    with pytest.raises(UsageError) as caught:
        read_kept(data)
    assert caught.value.mend
