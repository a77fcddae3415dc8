"""When the server is killed, who waits for it, and what is done again: without hiding what is wrong."""

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from careplan_exchange import config
from careplan_exchange.drills import MODES, Order, outages
from careplan_exchange.drills.clinician import Clinician
from careplan_exchange.drills.outages import Outages, Restart, Schedule, restarted
from careplan_exchange.drills.outside import Outside, Stands
from careplan_exchange.drills.script import generator
from careplan_exchange.errors import ConfigurationError, UnavailableError, UsageError

SYNCS = 30


class Killing:
    """One outage, begun by hand, that ends when it is told to."""

    def __init__(self) -> None:
        self.up = asyncio.Event()
        self.outages = Outages(Schedule(1, 1, seed=1), self.up.wait)

    async def begin(self) -> None:
        moment = self.outages.next_sync()
        assert moment is not None
        before = self.outages.count
        moment.now()
        while self.outages.count == before:
            await asyncio.sleep(0.01)


def script(folder: Path, text: str) -> Path:
    path = folder / "restart"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("times", [1, 3, SYNCS])
def test_as_many_outages_as_were_asked_for_fall_evenly_into_the_exchanges(times: int) -> None:
    schedule = Schedule(times, SYNCS, seed=7)
    places = [place for place in range(SYNCS) if schedule.next_sync(lambda after: None) is not None]
    assert [place * times // SYNCS for place in places] == list(range(times))


def test_the_seed_alone_decides_when() -> None:
    def moments(seed: int) -> list[float]:
        begun: list[float] = []
        schedule = Schedule(5, SYNCS, seed)
        for _ in range(SYNCS):
            if (moment := schedule.next_sync(begun.append)) is not None:
                moment.now()
        return begun

    assert moments(7) == moments(7) != moments(8)


def test_an_outage_begins_at_its_request_and_only_once() -> None:
    begun: list[float] = []
    moment = outages.Moment(begun.append, "write", 1, 0.2)
    for on in ("read", "read", "write"):
        moment.request(on)
    assert begun == []
    moment.request("write")
    moment.request("write")
    moment.now()
    assert begun == [0.2]


async def test_what_an_outage_fell_into_is_done_again_whether_it_failed_or_not() -> None:
    killing = Killing()
    did: list[str] = []

    async def work() -> int:
        did.append("begun")
        if len(did) == 1:
            await killing.begin()
            killing.up.set()
            raise httpx.ReadError("gone")
        return len(did)

    assert await killing.outages.undisturbed(work) == 2

    quiet = Killing()
    did.clear()

    async def answers_all_the_same() -> int:
        did.append("begun")
        if len(did) == 1:
            await quiet.begin()
            quiet.up.set()
        return len(did)

    assert await quiet.outages.undisturbed(answers_all_the_same) == 2


async def test_what_fails_without_an_outage_fails() -> None:
    tries: list[str] = []

    async def work() -> None:
        tries.append("tried")
        raise httpx.ReadError("gone")

    with pytest.raises(httpx.ReadError):
        await Outages().undisturbed(work)
    assert tries == ["tried"]


async def test_everybody_waits_until_it_is_over() -> None:
    killing = Killing()
    await killing.begin()
    waiting = asyncio.create_task(killing.outages.over())
    await asyncio.sleep(0.02)
    assert not waiting.done()
    killing.up.set()
    await asyncio.wait_for(waiting, 5)


async def test_an_outage_without_an_end_is_the_error_of_whoever_waits() -> None:
    async def fails() -> None:
        raise UnavailableError("It is gone.", mend="Start it.")

    failing = Outages(Schedule(1, 1, seed=1), fails)
    moment = failing.next_sync()
    assert moment is not None
    moment.now()
    with pytest.raises(UnavailableError):
        await failing.ended()
    with pytest.raises(UnavailableError):
        await failing.over()


async def test_a_script_that_fails_is_named_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        await restarted(script(tmp_path, "echo no such container >&2; exit 3"), tmp_path, ())
    assert "ended with 3: no such container" in raised.value.detail
    assert "urn:careplan-exchange:drill" in raised.value.mend
    assert raised.value.exit_code == 2


async def test_a_script_is_over_when_it_ends_though_the_server_that_it_started_goes_on(tmp_path: Path) -> None:
    started = time.monotonic()
    await restarted(script(tmp_path, "sleep 20 &"), tmp_path, ())
    assert time.monotonic() - started < 10


async def test_a_script_that_does_not_end_and_a_server_that_does_not_come_back_are_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never() -> bool:
        return False

    monkeypatch.setattr(outages, "_SCRIPT_SECONDS", 0.1)
    with pytest.raises(UnavailableError, match="has not ended"):
        await restarted(script(tmp_path, "sleep 20"), tmp_path, ())
    monkeypatch.setattr(outages, "_SCRIPT_SECONDS", 10)
    monkeypatch.setattr(outages, "_READY_SECONDS", 0.0)
    with pytest.raises(UnavailableError, match="is not there") as raised:
        await restarted(script(tmp_path, "true"), tmp_path, (never,))
    assert raised.value.exit_code == 5


def order(**changes: Any) -> Order:
    plain: dict[str, Any] = {
        "settings": config.Settings(),
        "modes": tuple(MODES),
        "runs": 1,
        "seed": 1,
        "endpoint": config.endpoint_at("https://fhir.example.org/r4"),
    }
    return Order(**{**plain, **changes})


def test_an_order_that_cannot_be_carried_out_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    good = Restart(script(tmp_path, "true"), 3)
    order(restart=good).require_sound()
    order(restart=good, endpoint=None, store="postgresql://careplan@host/drills").require_sound()
    (tmp_path / "text").write_text("no script")
    for wrong, said in (
        (order(restart=good, endpoint=None), "nothing to restart"),
        (order(restart=good, processes=2), "Several processes"),
        (order(restart=Restart(tmp_path / "away", 1)), "no file that can be run"),
        (order(restart=Restart(tmp_path / "text", 1)), "no file that can be run"),
        (order(restart=Restart(tmp_path, 1)), "no file that can be run"),
        (order(restart=Restart(good.script, order().syncs + 1)), "more than the"),
    ):
        with pytest.raises(UsageError, match=said):
            wrong.require_sound()


class Ward:
    """A server that carries out what it is sent, and is killed before the answer to the first write, or before
    it is carried out."""

    def __init__(self, killing: Killing, *, carried_out: bool) -> None:
        self._killing = killing
        self._carried_out = carried_out
        self._killed = False
        self.made: list[dict[str, Any]] = []
        self.versions: list[dict[str, Any]] = []

    def outside(self) -> Outside:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        return Outside("http://ward.example.org/fhir", http, {}, self._killing.outages)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            found = self.versions if "_history" in request.url.path else self.made
            entries = [{"resource": one} for one in found]
            return httpx.Response(200, json={"resourceType": "Bundle", "entry": entries})
        if self._killed or self._carried_out:
            self._carry_out(request)
        if not self._killed:
            self._killed = True
            await self._killing.begin()
            self._killing.up.set()
            raise httpx.ReadError("killed")
        newest = self.versions[0] if request.method == "PUT" else {}
        entry = {"response": {"location": f"Patient/p{len(self.made)}/_history/1"}}
        return httpx.Response(200, json=newest or {"entry": [entry]})

    def _carry_out(self, request: httpx.Request) -> None:
        body = httpx.Response(200, content=request.content).json()
        if request.method == "PUT":
            number = len(self.versions) + 1
            self.versions.insert(0, {**body, "meta": {"versionId": str(number)}})
        elif body["resourceType"] == "Bundle":
            self.made.append({"resourceType": "Patient", "id": f"p{len(self.made) + 1}"})
        else:
            self.made.append({**body, "id": f"o{len(self.made) + 1}"})


@pytest.mark.parametrize("carried_out", [True, False], ids=["carried out", "not carried out"])
async def test_a_patient_and_a_reading_are_made_once(carried_out: bool) -> None:
    ward = Ward(Killing(), carried_out=carried_out)
    assert await ward.outside().make_patient("tag", doubled=False) == "p1"
    assert len(ward.made) == 1

    ward = Ward(Killing(), carried_out=carried_out)
    await ward.outside().observe("p1", "tag", 160, "2026-11-12T10:00:00Z")
    assert len(ward.made) == 1


@pytest.mark.parametrize("carried_out", [True, False], ids=["carried out", "not carried out"])
async def test_an_edit_is_made_once_and_its_version_is_known(carried_out: bool) -> None:
    ward = Ward(Killing(), carried_out=carried_out)
    plan = {"resourceType": "CarePlan", "id": "1", "title": "A", "meta": {"versionId": "1"}}
    ward.versions.append(plan)
    clinician = Clinician(ward.outside(), "p1", generator(1, "any", 1))
    await clinician._put(Stands("CarePlan/1", "1", plan), ("title",), "equals", "B")
    assert [one["title"] for one in ward.versions] == ["B", "A"]
    assert clinician.versions == {("CarePlan/1", "2")}
    assert [edit.version for edit in clinician.edits] == ["2"]


async def test_a_version_that_somebody_else_made_meanwhile_is_not_taken_for_the_edit() -> None:
    killing = Killing()
    ward = Ward(killing, carried_out=False)
    plan = {"resourceType": "CarePlan", "id": "1", "title": "A", "meta": {"versionId": "1"}}
    ward.versions[:] = [{**plan, "note": [{"text": "ours"}], "meta": {"versionId": "2"}}, plan]
    found = await ward.outside()._version_of(Stands("CarePlan/1", "1", plan), {**plan, "title": "B"})
    assert found is None
