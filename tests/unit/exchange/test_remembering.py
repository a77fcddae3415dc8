"""What stands on the server and is not in our memory: an older backup was restored, or another installation wrote."""

import copy
from typing import Any

import pytest

from careplan_exchange import exchange, logs
from careplan_exchange.errors import DecisionNeededError, OtherInstallationError, StoreBehindError
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.identity import EXCHANGE_TAG, INSTALLATION_TAG
from careplan_exchange.store import MemoryLedger, MemoryPlanStore
from careplan_exchange.writer import MemoryPlanWriter
from tests.support.hospital import TODAY, URL, Hospital, HospitalSource


class Counting(MemoryPlanWriter):
    """Counts how often it is asked who wrote something."""

    asked = 0

    async def writings(self, references: Any) -> Any:
        self.asked += 1
        return await super().writings(references)


def a_hospital() -> Hospital:
    writer = Counting(URL)
    return Hospital(writer=writer, source=HospitalSource("02-older-adult-si-units", written_here=writer))


async def synced(hospital: Hospital, exchange_id: str, **how: Any) -> None:
    """A sync whose Provenances say which exchange of which store it was."""
    before = {body["id"] for body in hospital.writer.resources("Provenance")}
    await hospital.sync(exchange_id=exchange_id, **how)
    tags = [
        {"system": EXCHANGE_TAG, "code": exchange_id},
        {"system": INSTALLATION_TAG, "code": await hospital.plans.installation()},
    ]
    for body in hospital.writer.resources("Provenance"):
        if body["id"] not in before:
            hospital.writer.put({**body, "meta": {"tag": tags}})


def backup(hospital: Hospital) -> tuple[MemoryPlanStore, MemoryLedger]:
    ledger = MemoryLedger()
    ledger._links = list(hospital.ledger._links)
    plans = copy.copy(hospital.plans)
    for name in ("_bases", "_commits", "_intents", "_pendings", "_letters"):
        setattr(plans, name, copy.deepcopy(getattr(hospital.plans, name)))
    return plans, ledger


def restore(hospital: Hospital, kept: tuple[MemoryPlanStore, MemoryLedger]) -> None:
    hospital.plans, hospital.ledger = kept


async def recovered(hospital: Hospital, by: str | None) -> Any:
    asked = ExchangeRequest(endpoint="hospital", patient=hospital.source.patient)
    request = exchange.Request(exchange="recover", asked=asked, today=TODAY)
    return await exchange.recover(hospital.steps(), request, by=by)


async def test_a_sync_that_finds_everything_as_it_left_it_asks_nothing():
    hospital = a_hospital()
    await synced(hospital, "x1")
    assert (await hospital.sync()).outcome == "unchanged"
    assert hospital.writer.asked == 0


async def test_a_clinicians_edit_is_looked_at_and_goes_on_as_ever():
    hospital = a_hospital()
    await synced(hospital, "x1")
    goal = hospital.goals()[0]
    hospital.edit(goal, note=[{"text": "Walks with a stick."}])
    assert (await hospital.sync()).outcome == "unchanged"
    assert hospital.writer.asked == 1


async def test_a_store_restored_from_an_older_backup_is_noticed_and_nothing_is_overwritten():
    hospital = a_hospital()
    await synced(hospital, "x1")
    kept = backup(hospital)
    await synced(hospital, "x2", approve=True)
    before = hospital.everything()
    restore(hospital, kept)
    with pytest.raises(StoreBehindError) as raised:
        await hospital.sync()
    assert raised.value.exit_code == 6
    assert "x2" in raised.value.detail
    assert "careplan store recover" in raised.value.mend
    assert hospital.everything() == before
    assert [letter.error for letter in await hospital.plans.letters()] == ["decision.store-behind"]


async def test_a_backup_from_before_the_first_write_is_noticed_too():
    hospital = a_hospital()
    kept = backup(hospital)
    await synced(hospital, "x1")
    restore(hospital, kept)
    with pytest.raises(StoreBehindError):
        await hospital.sync()


async def test_two_installations_on_one_server_are_noticed_and_named():
    hospital = a_hospital()
    await synced(hospital, "x1")
    other = Hospital(writer=hospital.writer, source=hospital.source)
    with pytest.raises(OtherInstallationError) as raised:
        await other.sync()
    assert await hospital.plans.installation() in raised.value.detail
    assert await other.plans.installation() in raised.value.detail
    assert len(hospital.writer.resources("CarePlan")) == 1


async def test_each_of_two_installations_notices_the_other():
    hospital = a_hospital()
    await synced(hospital, "x1")
    other = Hospital(writer=hospital.writer, source=hospital.source)
    await recovered(other, "dr-1")
    await synced(other, "y1", approve=True)
    with pytest.raises(OtherInstallationError):
        await hospital.sync()


async def test_recovering_shows_first_and_changes_nothing():
    hospital = a_hospital()
    await synced(hospital, "x1")
    restore(hospital, (MemoryPlanStore(installation=await hospital.plans.installation()), MemoryLedger()))
    before = hospital.everything()
    found = await recovered(hospital, None)
    assert {writing.exchange for writing in found} == {"x1"}
    assert {writing.reference for writing in found} >= set(before) - {
        reference for reference in before if reference.startswith("Detected")
    }
    assert await hospital.ledger.links() == ()
    with pytest.raises(StoreBehindError):
        await hospital.sync()


async def test_what_was_adopted_stays_and_is_named_in_the_ledger():
    hospital = a_hospital()
    await synced(hospital, "x1")
    kept = backup(hospital)
    await synced(hospital, "x2", approve=True)
    before = hospital.everything()
    restore(hospital, kept)
    await recovered(hospital, "dr-1")
    (entry,) = [entry for entry in await hospital.entries("x2") if entry.event == logs.MEMORY_ADOPTED]
    assert entry.data["by"] == "dr-1"
    assert hospital.everything() == before
    receipt = await hospital.sync()
    assert receipt.outcome in {"unchanged", "review"}
    assert hospital.everything() == before, "what an approval had made active stays as it is"
    assert await recovered(hospital, None) == ()


async def test_entries_that_were_retired_do_not_make_a_store_look_old():
    hospital = a_hospital()
    await synced(hospital, "x1")
    hospital.edit(hospital.goals()[0], note=[{"text": "x"}])
    hospital.ledger = MemoryLedger()
    try:
        await hospital.sync()
    except DecisionNeededError:
        pytest.fail("the commit of x1 is still there")
