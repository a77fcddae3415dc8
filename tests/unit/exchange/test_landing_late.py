"""A request whose answer was lost, that the look at the server does not show, and that is carried out all the same:
by a server that was busy, or a proxy that kept it."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from careplan_exchange import logs
from careplan_exchange.errors import CareplanError, OutcomeUnknownError
from careplan_exchange.exchange.settling import LATEST
from careplan_exchange.model.changes import Intent, Json, WrittenResource
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.hospital import AUTHORED, URL, Hospital, HospitalSource
from tests.support.interfering import DiedError, raising


class Gateway(MemoryPlanWriter):
    """Keeps the next requests that it is told to, and says nothing; `let_through` carries them out."""

    def __init__(self) -> None:
        super().__init__(URL)
        self.keeps = 0
        self.dies = False
        self.loses = False
        self.kept: list[Intent] = []

    async def write(self, intent: Intent, companions: Sequence[Json]) -> tuple[WrittenResource, ...]:
        if self.keeps:
            self.keeps -= 1
            self.kept.append(intent)
            raise DiedError if self.dies else OutcomeUnknownError("No answer.", mend="Look.")
        written = await super().write(intent, ())
        if self.loses:
            self.loses = False
            raise DiedError
        return written

    async def let_through(self) -> None:
        kept, self.kept = self.kept, []
        for intent in kept:
            try:
                await super().write(intent, ())
            except CareplanError:  # its conditions hold: somebody was there before it
                continue


def behind_a_gateway() -> tuple[Hospital, Gateway]:
    gateway = Gateway()
    source = HospitalSource("02-older-adult-si-units", written_here=gateway)
    return Hospital(writer=gateway, source=source), gateway


def before_the_pull(hospital: Hospital, number: int, gateway: Gateway) -> None:
    """What the gateway kept comes through before the record is read for the `number`th time."""
    pull = hospital.source.pull

    async def and_first(patient: str) -> object:
        if hospital.source.pulls + 1 == number:
            await gateway.let_through()
        return await pull(patient)

    hospital.source.pull = and_first  # type: ignore[method-assign]  # a test's hook


async def recorded(hospital: Hospital) -> list[tuple[str, str]]:
    """The versions that the ledger says were made, each as often as it says so, but for what a receipt repeats."""
    events = {logs.EXCHANGE_WRITTEN, logs.EXCHANGE_SETTLED, logs.WRITE_PARTLY}
    return [
        (one["reference"], one["versionId"])
        for entry in await hospital.entries()
        if entry.event in events
        for one in entry.data["resources"]
    ]


def standing(hospital: Hospital) -> list[tuple[str, str]]:
    return [
        (f"{kind}/{body['id']}", version["meta"]["versionId"])
        for kind in AUTHORED
        for body in hospital.writer.resources(kind)
        for version in hospital.writer.history(kind, body["id"])
    ]


async def assert_each_version_is_recorded_once(hospital: Hospital) -> None:
    assert sorted(await recorded(hospital)) == sorted(standing(hospital))
    assert len(hospital.writer.resources("CarePlan")) == 1
    bases = await hospital.plans.bases(URL, f"Patient/{hospital.source.patient}")
    assert {f"{one.type}/{one.id}" for one in bases.values()} == set(hospital.everything())


async def test_what_lands_between_the_look_and_the_next_read_is_ours_and_in_the_ledger() -> None:
    hospital, gateway = behind_a_gateway()
    gateway.keeps = 1
    before_the_pull(hospital, 2, gateway)
    receipt = await hospital.sync()
    assert receipt.outcome in {"written", "unchanged"}
    await assert_each_version_is_recorded_once(hospital)
    assert (await hospital.sync()).outcome == "unchanged"


async def test_what_lands_after_the_process_died_is_ours_to_the_next_one() -> None:
    hospital, gateway = behind_a_gateway()
    gateway.keeps, gateway.dies = 1, True
    with pytest.raises(DiedError):
        await hospital.sync()
    before_the_pull(hospital, 2, gateway)
    await hospital.sync()
    await assert_each_version_is_recorded_once(hospital)


async def test_what_lands_in_the_run_after_the_next_is_ours_too() -> None:
    """The run between found nothing of it, and had nothing to send: it could not read the record."""
    hospital, gateway = behind_a_gateway()
    gateway.keeps, gateway.dies = 1, True
    with pytest.raises(DiedError):
        await hospital.sync()

    hospital.source.before_pull = raising(OutcomeUnknownError("Half of it.", mend="Again."))
    with pytest.raises(CareplanError):
        await hospital.sync()
    await gateway.let_through()
    hospital.source.before_pull = lambda: None
    assert (await hospital.sync()).outcome == "unchanged"
    await assert_each_version_is_recorded_once(hospital)


async def test_what_lands_after_our_second_try_is_kept_out_by_its_condition_and_its_intent_is_closed() -> None:
    hospital, gateway = behind_a_gateway()
    gateway.keeps = 1
    assert (await hospital.sync()).outcome == "written"
    await gateway.let_through()
    assert (await hospital.sync()).outcome == "unchanged"
    await assert_each_version_is_recorded_once(hospital)
    assert await hospital.plans.open_intents(URL, f"Patient/{hospital.source.patient}") == ()


def record_grows(hospital: Hospital) -> None:
    """A newer reading: what is proposed now is not what was sent."""
    reading = next(
        one
        for one in hospital.source.resources("Observation")
        if "effectiveDateTime" in one and "component" in one
    )
    newer: Json = {**reading, "id": "newer", "effectiveDateTime": "2026-11-23T08:00:00Z"}
    hospital.source.bundle["entry"].append({"fullUrl": "urn:uuid:newer", "resource": newer})


@pytest.mark.parametrize("landed", ["first", "second"])
async def test_of_two_requests_without_an_answer_the_one_that_was_carried_out_is_found(landed: str) -> None:
    """They differ, and only one of them stands: it says nothing against the other that it is not what that sent."""
    hospital, gateway = behind_a_gateway()
    gateway.keeps, gateway.dies = 1, True
    with pytest.raises(DiedError):
        await hospital.sync()
    record_grows(hospital)
    if landed == "first":
        gateway.keeps = 1
    else:
        gateway.loses = True
    with pytest.raises(DiedError):
        await hospital.sync()
    assert len(await hospital.plans.open_intents(URL, f"Patient/{hospital.source.patient}")) == 2
    if landed == "first":
        gateway.kept = gateway.kept[:1]
        await gateway.let_through()
    receipt = await hospital.sync()
    assert receipt.outcome == ("written" if landed == "first" else "unchanged")
    await assert_each_version_is_recorded_once(hospital)
    assert await hospital.plans.open_intents(URL, f"Patient/{hospital.source.patient}") == ()


async def test_a_request_is_waited_for_no_longer_than_it_can_be_under_way() -> None:
    hospital, gateway = behind_a_gateway()
    gateway.keeps, gateway.dies = 1, True
    with pytest.raises(DiedError):
        await hospital.sync()
    hospital.source.before_pull = raising(OutcomeUnknownError("Half of it.", mend="Again."))
    for passed, left in ((LATEST - timedelta(minutes=1), 1), (timedelta(minutes=2), 0)):
        hospital.clock.moment += passed
        with pytest.raises(CareplanError):
            await hospital.sync()
        assert len(await hospital.plans.open_intents(URL, f"Patient/{hospital.source.patient}")) == left
