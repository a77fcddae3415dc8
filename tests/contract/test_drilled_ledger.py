"""The ledger as the drill's checker reads it, with its own SQL, from every store."""

from typing import Any

from careplan_exchange import logs
from careplan_exchange.drills.ledger_rows import entries_of
from careplan_exchange.model.ledger import Entry
from careplan_exchange.store import open_store


def begun(exchange: str, patient: str) -> tuple[Entry, Entry]:
    at = "2026-11-26T08:00:00+00:00"
    return (
        Entry(exchange=exchange, event=logs.EXCHANGE_STARTED, at=at, data={"patient": patient}),
        Entry(exchange=exchange, event=logs.EXCHANGE_WRITTEN, at=at, data={"resources": []}),
    )


async def test_an_exchange_that_died_before_it_said_its_name_is_found_by_its_patient(place: Any) -> None:
    async with open_store(place.url, password=place.password) as store:
        for exchange, patient in (("known", "Patient/8"), ("nameless", "Patient/7"), ("other", "Patient/77")):
            await store.ledger.append(begun(exchange, patient))
    found = [one["exchange"] for one in await entries_of(place.url, place.password, {"known"}, "Patient/7")]
    # A SQLite file is one run's own: it is read whole.
    others = ["other"] * 2 if place.url.startswith("sqlite") else []
    assert found == ["known", "known", "nameless", "nameless", *others]
