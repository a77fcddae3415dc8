"""A key that was read back signs and checks like the one it was; and when a head is due to be signed."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from careplan_exchange.audit import (
    Keyring,
    PublicKey,
    SealingLedger,
    SigningKey,
    removable,
    remove,
    sign_head,
)
from careplan_exchange.model.ledger import Entry
from careplan_exchange.model.seals import SignedHead
from careplan_exchange.store import MemoryLedger
from tests.support.exchanges import TickingClock

NOW = TickingClock().now()


def said_by(key: SigningKey, seq: int = 5) -> SignedHead:
    return SignedHead(tenant="t", seq=seq, hash="h", at=NOW.isoformat(), key=key.id)


def test_what_a_key_that_was_read_back_signs_is_checked_by_its_public_part_that_was_read_back():
    key = SigningKey.new()
    again = SigningKey.from_pem(key.pem().decode())
    public = PublicKey.from_pem(key.public.pem().decode())
    seal = again.seal(said_by(key))
    assert public.signed(seal)
    assert Keyring([public]).fault(seal) is None
    assert not public.signed(msgspec.structs.replace(seal, statement=said_by(key, seq=6)))
    assert SigningKey.new().id != key.id


def test_a_retired_key_is_believed_up_to_its_last_entry():
    key = SigningKey.new()
    retired = Keyring([PublicKey.from_pem(key.public.pem().decode(), until=5)])
    assert retired.fault(key.seal(said_by(key, seq=5))) is None
    assert "retired at entry 5" in str(retired.fault(key.seal(said_by(key, seq=6))))
    assert Keyring([key.public]).fault(key.seal(said_by(key, seq=6))) is None


def test_a_ring_without_keys_is_empty():
    assert not Keyring([])
    assert Keyring([SigningKey.new().public])


@pytest.mark.parametrize("signature", ["", "no base64!", "AAAA"])
def test_what_is_no_signature_does_not_fit(signature):
    key = SigningKey.new()
    seal = msgspec.structs.replace(key.seal(said_by(key)), signature=signature)
    assert key.public.signed(seal) is False


class Sealed:
    """A ledger of two old entries whose head was signed just now, and a process that knows nothing of it yet."""

    def __init__(self) -> None:
        self.key, self.ledger, self.clock = SigningKey.new(), MemoryLedger(), TickingClock()
        self.process = SealingLedger(self.ledger, self.key, self.clock, every=1000, after=timedelta(days=1))

    async def grow(self) -> None:
        old = datetime(2001, 1, 1, tzinfo=UTC).isoformat()
        await self.ledger.append([Entry(exchange="x", event="e", at=old)] * 2)
        await sign_head(self.ledger, self.key, self.clock.now())

    async def heads(self) -> list[int]:
        statements = [seal.statement for seal in await self.ledger.seals()]
        return [one.seq for one in statements if isinstance(one, SignedHead)]

    async def append(self) -> None:
        await self.process.append([Entry(exchange="x", event="e", at=NOW.isoformat())])


async def test_a_head_that_another_process_has_signed_just_now_is_not_signed_again():
    sealed = Sealed()
    await sealed.grow()
    await sealed.append()
    assert await sealed.heads() == [2]


async def test_after_entries_were_removed_by_policy_the_next_append_is_signed():
    sealed = Sealed()
    await sealed.grow()
    removal = await removable(sealed.ledger, Keyring([sealed.key.public]), "10y", sealed.clock.now())
    await remove(sealed.ledger, sealed.key, removal, by="an auditor", at=sealed.clock.now())
    await sealed.append()
    assert await sealed.heads() == [2, 3]


@pytest.mark.parametrize("at", ["2026-11-24T08:00:00", "just now"])
async def test_after_a_head_of_which_it_is_not_known_when_it_was_signed_the_next_append_is(at):
    sealed = Sealed()
    await sealed.grow()
    told = msgspec.structs.replace(said_by(sealed.key, seq=2), at=at)
    await sealed.ledger.add_seal(sealed.key.seal(told))
    await sealed.append()
    assert await sealed.heads() == [2, 2, 3]


async def test_a_ledger_that_signs_itself_removes_what_a_tombstone_covers_and_says_how_much():
    sealed = Sealed()
    await sealed.grow()
    removal = await removable(sealed.process, Keyring([sealed.key.public]), "10y", sealed.clock.now())
    tombstone = await remove(sealed.process, sealed.key, removal, by="an auditor", at=sealed.clock.now())
    assert (tombstone.first, tombstone.seq, tombstone.entries) == (1, 2, 2)
    assert await sealed.ledger.links() == ()
    again = Sealed()
    again.key = sealed.key
    await again.grow()
    assert await again.process.remove(sealed.key.seal(tombstone)) == 2
