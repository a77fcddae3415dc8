"""What breaks off in the middle of an exchange, and what the next one makes of it."""

from typing import Any

import msgspec
import pytest

from careplan_exchange import logs
from careplan_exchange.errors import (
    CareplanError,
    EndpointUnreachableError,
    StoreUnavailableError,
    VersionConflictError,
)
from careplan_exchange.model.ledger import Entry
from tests.support.hospital import Hospital


async def test_a_write_that_stands_is_in_the_ledger_with_its_versions_whatever_fails_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hospital = Hospital()

    async def died(*_: Any, **__: Any) -> Any:
        raise StoreUnavailableError("The database is gone.", mend="Start it.")

    monkeypatch.setattr(hospital.plans, "put_pending", died)
    with pytest.raises(StoreUnavailableError):
        await hospital.sync(exchange_id="e")
    monkeypatch.undo()
    assert hospital.plan()["status"] == "draft"
    await hospital.sync()
    told = {
        f"{one['reference']}/{one['versionId']}"
        for entry in await hospital.entries()
        for one in versions_in(entry)
    }
    for reference, body in hospital.everything().items():
        assert f"{reference}/{body['meta']['versionId']}" in told


@pytest.mark.parametrize("lost", [False, True])
async def test_a_write_that_stands_is_in_the_ledger_before_its_intent_is_closed(
    lost: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that is killed once the intent is closed can tell the ledger nothing any more."""
    hospital = Hospital()
    if lost:
        hospital.writer.fault = "lose-answer"
    commit = hospital.plans.commit_intent
    known: list[str] = []

    async def watched(*given: Any) -> None:
        known.extend(one["reference"] for entry in await hospital.entries() for one in versions_in(entry))
        await commit(*given)

    monkeypatch.setattr(hospital.plans, "commit_intent", watched)
    await hospital.sync()
    assert set(hospital.everything()) <= set(known)


def versions_in(entry: Entry) -> list[dict[str, str]]:
    resources = entry.data.get("resources") or ()
    return [one for one in resources if isinstance(one, dict) and one.get("action") in {"create", "update"}]


async def test_after_a_conflict_that_cannot_be_looked_into_the_intent_stays_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The conflict may be with our own first request, which a network has sent twice."""
    hospital = Hospital()
    write = hospital.writer.write

    async def twice(*given: Any) -> Any:
        await write(*given)
        raise VersionConflictError("It is there already.", mend="Again.")

    async def unreachable(*_: Any) -> Any:
        raise EndpointUnreachableError("Gone.", mend="Later.")

    monkeypatch.setattr(hospital.writer, "write", twice)
    monkeypatch.setattr(hospital.writer, "settle", unreachable)
    with pytest.raises(CareplanError):
        await hospital.sync()
    assert await hospital.open_intents() == 1
    monkeypatch.undo()
    await hospital.sync()
    assert await hospital.open_intents() == 0
    assert len(hospital.writer.resources("CarePlan")) == 1
    written = {one.identity for commit in await hospital.plans.commits() for one in commit.written}
    assert len(written) == len(hospital.everything())


async def test_what_another_client_does_to_a_finding_is_seen_by_the_next_sync() -> None:
    hospital = Hospital()
    await hospital.sync()
    assert (await hospital.sync()).outcome == "unchanged"
    hospital.edit(hospital.goals()[0], description={"text": "In the patient's own words"})
    planned = [event for event in await hospital.events() if event == logs.EXCHANGE_PLANNED]
    await hospital.sync()
    assert len([e for e in await hospital.events() if e == logs.EXCHANGE_PLANNED]) == len(planned) + 1


async def test_a_type_that_the_record_does_not_hold_whole_is_looked_for_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The record is all that tells whether something has changed: what it does not hold may have."""
    hospital = Hospital()
    pull = hospital.source.pull

    async def without_goals(patient: str) -> Any:
        record = await pull(patient)
        return msgspec.structs.replace(
            record,
            categories=record.categories - {"Goal"},
            resources=tuple(one for one in record.resources if one.type != "Goal"),
        )

    monkeypatch.setattr(hospital.source, "pull", without_goals)
    await hospital.sync()
    await hospital.sync()
    goal = hospital.goals()[0]
    hospital.writer.delete("Goal", goal["id"])
    before = [event for event in await hospital.events() if event == logs.EXCHANGE_COMPARED]
    await hospital.sync()
    assert len([e for e in await hospital.events() if e == logs.EXCHANGE_COMPARED]) == len(before) + 1
