"""What the seals of a ledger come to, seal by seal."""

import msgspec
import pytest

from careplan_exchange.audit import Keyring, SigningKey
from careplan_exchange.audit.verification import Judged, begin_of, conclude, judge, kept_mark, verify_ledger
from careplan_exchange.model import chain
from careplan_exchange.model.chain import Head, Mark
from careplan_exchange.model.ledger import Entry, Verdict
from careplan_exchange.model.seals import SignedHead, Tombstone
from careplan_exchange.store import MemoryLedger

KEY, OTHER = SigningKey.new(), SigningKey.new()
KEYS = Keyring([KEY.public])
AT = "2026-03-01T00:00:00+00:00"
BEGIN = chain.start_of("t")


def head(seq: int, key: SigningKey = KEY):
    return key.seal(SignedHead(tenant="t", seq=seq, hash=f"h{seq}", at=AT, key=key.id))


def tombstone(seq: int):
    said = Tombstone(
        tenant="t",
        first=1,
        seq=seq,
        previous=BEGIN.hash,
        hash=f"h{seq}",
        entries=seq,
        policy="older than 1y",
        by="Dr Who",
        at=AT,
        key=KEY.id,
    )
    return KEY.seal(said)


def test_genuine_seals_are_marks_and_the_newest_is_the_highest():
    judged = judge("t", [head(5), tombstone(3), head(4)], KEYS)
    assert judged.start == Head(seq=3, hash="h3")
    assert [(mark.seq, mark.hash, mark.source) for mark in judged.marks] == [
        (5, "h5", "signed"),
        (3, "h3", "signed"),
        (4, "h4", "signed"),
    ]
    assert (judged.newest, judged.newest_at) == (Head(seq=5, hash="h5"), AT)
    assert (judged.broken_at, judged.problem) == (None, None)


def test_a_seal_that_is_not_genuine_is_named_and_believed_in_nothing():
    forged = judge("t", [head(5, OTHER)], KEYS)
    assert (forged.marks, forged.newest, forged.broken_at) == ((), None, 5)
    assert forged.problem is not None
    unsigned = judge("t", [tombstone(3)], None)
    assert (unsigned.start, unsigned.marks, unsigned.broken_at) == (BEGIN, (), 1)


def resealed(seal, **said):
    return KEY.seal(msgspec.structs.replace(seal.statement, **said))


def test_a_seal_of_another_tenant_is_named_and_believed_in_nothing():
    judged = judge("t", [resealed(head(5), tenant="other")], KEYS)
    assert (judged.marks, judged.broken_at) == ((), 5)
    assert judged.problem == "The signed head 5 is of another tenant."
    assert judge("t", [resealed(head(5), tenant="other")], None).broken_at == 5


@pytest.mark.parametrize("said", [{"first": 2}, {"previous": "1" * 64}, {"entries": 2}])
def test_a_tombstone_that_does_not_begin_where_the_chain_does_or_counts_otherwise_is_not_believed(said):
    judged = judge("t", [resealed(tombstone(3), **said)], KEYS)
    assert (judged.start, judged.marks, judged.broken_at) == (BEGIN, (), said.get("first", 1))
    assert judged.problem == (
        "The tombstone of the entries up to 3 does not go on where the one before it ended."
    )


def test_a_tombstone_goes_on_where_the_one_before_it_ended():
    second = resealed(tombstone(5), first=4, previous="h3", entries=2)
    judged = judge("t", [tombstone(3), second], KEYS)
    assert (judged.start, judged.problem) == (Head(seq=5, hash="h5"), None)
    again = judge("t", [tombstone(3), tombstone(5)], KEYS)
    assert (again.start, again.broken_at) == (Head(seq=3, hash="h3"), 1)


async def test_a_verdict_says_how_many_were_removed_and_what_is_signed():
    ledger = MemoryLedger("t")
    links = await ledger.append([Entry(exchange="x", event="e", at=AT)] * 3)
    done = resealed(tombstone(2), hash=links[1].hash)
    await ledger.remove(done)
    verdict = await verify_ledger(ledger, KEYS)
    assert (verdict.problem, verdict.removed, verdict.entries) == (None, 2, 3)
    assert (verdict.signed, verdict.signed_at) == (2, AT)


def test_without_keys_a_head_is_compared_and_vouches_for_nothing():
    judged = judge("t", [head(5)], None)
    assert [mark.seq for mark in judged.marks] == [5]
    assert (judged.newest, judged.newest_at, judged.problem) == (None, None, None)


def test_where_the_chain_begins_is_said_by_the_last_tombstone_and_by_no_head():
    assert begin_of("t", [tombstone(2), tombstone(3), head(5)]) == Head(seq=3, hash="h3")
    assert begin_of("t", [head(5)]) == BEGIN


def test_a_head_that_was_kept_is_a_mark_and_none_is_none():
    assert kept_mark(Head(seq=2, hash="h2")) == (Mark(seq=2, hash="h2", source="kept"),)
    assert kept_mark(None) == ()


WHOLE = Verdict(entries=3, head="h3")
BROKEN = msgspec.structs.replace(WHOLE, problem="The chain.", broken_at=2)
SEALS = Judged(start=BEGIN, broken_at=2, problem="The seal.")


def concluded(verdict: Verdict, judged: Judged, *, must: bool = False):
    found = conclude(verdict, judged, must_be_signed=must)
    return found.problem, found.broken_at


def test_the_first_entry_that_either_finds_is_named_and_of_one_entry_the_seal():
    fine = Judged(start=BEGIN)
    assert concluded(BROKEN, fine) == ("The chain.", 2)
    assert concluded(WHOLE, SEALS) == ("The seal.", 2)
    assert concluded(BROKEN, SEALS) == ("The seal.", 2)
    assert concluded(BROKEN, msgspec.structs.replace(SEALS, broken_at=3)) == ("The chain.", 2)
    assert concluded(BROKEN, msgspec.structs.replace(SEALS, broken_at=1)) == ("The seal.", 1)


def test_a_chain_that_nobody_vouches_for_does_not_hold_where_somebody_must():
    fine = Judged(start=BEGIN)
    problem, broken_at = concluded(WHOLE, fine, must=True)
    assert (problem is not None, broken_at) == (True, 1)
    assert concluded(BROKEN, fine, must=True) == ("The chain.", 2)
    assert concluded(WHOLE, msgspec.structs.replace(fine, newest=Head(seq=3, hash="h3")), must=True) == (
        None,
        None,
    )
    assert concluded(msgspec.structs.replace(WHOLE, entries=0), fine, must=True) == (None, None)
    assert concluded(msgspec.structs.replace(WHOLE, entries=1), fine, must=True)[1] == 1


async def test_a_verdict_says_from_which_entry_on_was_walked():
    ledger = MemoryLedger()
    await ledger.append([Entry(exchange="x", event="e", at=AT)])
    first = await ledger.head()
    await ledger.append([Entry(exchange="x", event="e", at=AT)])
    assert (await verify_ledger(ledger)).since == 0
    verdict = await verify_ledger(ledger, since=first)
    assert (verdict.since, verdict.problem) == (1, None)


class Asked(MemoryLedger):
    """Notes what a verification is asked for; before the first one, somebody does what `meanwhile` does."""

    def __init__(self, meanwhile=None):
        super().__init__("t")
        self.asked, self.meanwhile = [], meanwhile

    async def verify(self, **asked):
        self.asked.append(asked)
        if self.meanwhile is not None and len(self.asked) == 1:
            await self.meanwhile(self)
        return await super().verify(**asked)


async def test_the_walk_begins_after_what_was_removed_and_compares_every_head_that_somebody_has():
    ledger = Asked()
    links = await ledger.append([Entry(exchange="x", event="e", at=AT)] * 3)
    await ledger.remove(resealed(tombstone(1), hash=links[0].hash))
    kept, since = (Head(seq=link.seq, hash=link.hash) for link in links[1:])

    def progress(_done, _all):
        return None

    await verify_ledger(ledger, KEYS, kept=kept, since=since, progress=progress)
    (asked,) = ledger.asked
    assert asked["start"] == Head(seq=1, hash=links[0].hash)
    assert (asked["since"], asked["progress"]) == (since, progress)
    assert asked["marks"] == (
        Mark(seq=1, hash=links[0].hash, source="signed"),
        Mark(seq=2, hash=kept.hash, source="kept"),
        Mark(seq=3, hash=since.hash, source="kept"),
    )


async def test_what_was_removed_by_policy_while_it_was_verified_is_not_taken_for_a_break():
    async def retained(ledger):
        await ledger.remove(resealed(tombstone(1), hash=(await ledger.links())[0].hash))

    ledger = Asked(retained)
    await ledger.append([Entry(exchange="x", event="e", at=AT)] * 2)
    verdict = await verify_ledger(ledger, KEYS)
    assert (verdict.problem, verdict.removed, len(ledger.asked)) == (None, 1, 2)


async def test_a_break_is_looked_at_once():
    async def cut_off(ledger):
        ledger._links = ledger._links[1:]

    ledger = Asked(cut_off)
    await ledger.append([Entry(exchange="x", event="e", at=AT)] * 2)
    assert (await verify_ledger(ledger, KEYS)).broken_at == 1
    assert len(ledger.asked) == 1
