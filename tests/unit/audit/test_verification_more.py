"""What the seals of a ledger come to, seal by seal."""

import msgspec

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
