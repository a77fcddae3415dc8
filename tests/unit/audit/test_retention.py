"""What is no age, and where nothing goes."""

from datetime import UTC, datetime

import pytest

from careplan_exchange.audit import Keyring, SigningKey, cutoff, removable, sign_head
from careplan_exchange.errors import DecisionNeededError, UsageError
from careplan_exchange.model.ledger import Entry
from careplan_exchange.store import MemoryLedger

KEY = SigningKey.new()
KEYS = Keyring([KEY.public])
NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def a_ledger() -> MemoryLedger:
    ledger = MemoryLedger()
    await ledger.append([Entry(exchange="x", event="e", at="2001-01-01T00:00:00+00:00")] * 2)
    return ledger


@pytest.mark.parametrize("age", ["", "10", "y", "0y", "10m", "-1y", "1.5y", "10 y", "10y\n", "2026y"])
def test_what_is_no_age_or_longer_than_there_are_dates_is_refused(age):
    with pytest.raises(UsageError):
        cutoff(age, NOW)


async def test_without_a_signed_head_nothing_goes():
    ledger = await a_ledger()
    found = await removable(ledger, KEYS, "1y", NOW)
    assert (found.entries, found.first, found.seq) == (0, 1, 0)
    assert found.previous == found.hash


async def test_of_a_ledger_that_does_not_hold_nothing_goes():
    ledger = await a_ledger()
    await sign_head(ledger, KEY, NOW)
    ledger._links = ledger._links[1:]
    with pytest.raises(DecisionNeededError, match="does not hold"):
        await removable(ledger, KEYS, "1y", NOW)


async def test_a_ledger_whose_head_was_signed_by_a_stranger_does_not_hold():
    ledger = await a_ledger()
    await sign_head(ledger, SigningKey.new(), NOW)
    with pytest.raises(DecisionNeededError):
        await removable(ledger, KEYS, "1y", NOW)
