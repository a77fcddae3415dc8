"""A ledger that signs itself is otherwise the ledger that it is put over; and what is old enough to go."""

from datetime import UTC, datetime, timedelta

import pytest

from careplan_exchange.audit import Keyring, SealingLedger, SigningKey, sign_head
from careplan_exchange.audit.retention import removable
from careplan_exchange.model.chain import Head, Mark
from careplan_exchange.model.ledger import Entry
from careplan_exchange.store import MemoryLedger

KEY = SigningKey.new()
NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Clock:
    def now(self) -> datetime:
        return NOW


def entry(exchange: str = "x1", at: str = "2020-01-01T00:00:00+00:00") -> Entry:
    return Entry(exchange=exchange, event="exchange.started", at=at)


def sealing(inner: MemoryLedger) -> SealingLedger:
    return SealingLedger(inner, KEY, Clock(), every=1000, after=timedelta(days=1))


async def test_everything_but_an_append_is_that_of_the_ledger_beneath():
    inner = MemoryLedger()
    ledger = sealing(inner)
    await ledger.append([entry("x1"), entry("x2"), entry("x1")])
    assert [link.seq for link in await ledger.links(exchange="x1")] == [1, 3]
    assert [link.seq for link in await ledger.links(after=1, limit=1)] == [2]
    assert await ledger.head() == await inner.head()
    assert (await ledger.verify()).entries == 3
    seal = await sign_head(ledger, KEY, NOW + timedelta(seconds=1))
    assert (await inner.seals())[-1] == seal
    assert await ledger.seals(newest=1) == (seal,)
    assert ledger.tenant == inner.tenant


class Asked(MemoryLedger):
    """Notes what a verification is asked for."""

    async def verify(self, **asked):
        self.asked = asked
        return await super().verify(**asked)


async def test_a_verification_is_asked_for_exactly_what_it_was_asked_for():
    inner = Asked()
    ledger = sealing(inner)
    await ledger.append([entry()])
    head = await inner.head()
    start = Head(seq=0, hash=(await inner.links())[0].previous)
    mark = Mark(seq=head.seq, hash=head.hash, source="kept")
    asked = {"start": start, "since": head, "marks": (mark,), "progress": lambda _done, _all: None}
    await ledger.verify(**asked)
    assert inner.asked == asked


async def test_an_append_of_nothing_signs_nothing():
    inner = MemoryLedger()
    assert await sealing(inner).append([]) == ()
    assert await inner.seals() == ()


@pytest.mark.parametrize(
    ("second", "entries"),
    [
        ("2020-01-01T00:00:00+00:00", 2),
        ("2026-02-28T00:00:00+00:00", 1),
        ("2016-03-01T00:00:00+00:00", 2),
        ("2025-03-01T00:00:00+00:00", 1),  # exactly a year old: not older
        ("some day", 1),
        ("2020-01-01T00:00:00", 1),
    ],
)
async def test_what_goes_ends_before_the_first_entry_that_is_young_or_of_no_known_age(second, entries):
    ledger = MemoryLedger()
    for at in ("2020-01-01T00:00:00+00:00", second):
        await ledger.append([entry(at=at)])
        await sign_head(ledger, KEY, NOW)
    found = await removable(ledger, Keyring([KEY.public]), "1y", NOW)
    assert (found.entries, found.first, found.seq) == (entries, 1, entries)
    assert (found.policy, found.before) == ("older than 1y", "2025-03-01T00:00:00+00:00")
