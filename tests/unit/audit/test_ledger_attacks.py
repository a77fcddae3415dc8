"""Somebody who may write to the database, with the triggers gone, against a ledger whose heads are signed."""

import asyncio
import contextlib
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from careplan_exchange.audit import Keyring, PublicKey, SigningKey, sign_head, verify_ledger
from careplan_exchange.model import codec
from careplan_exchange.model.chain import Head, entry_hash
from careplan_exchange.model.ledger import Entry
from careplan_exchange.model.seals import Tombstone, seal_from
from careplan_exchange.store import open_store

NOW = datetime(2026, 3, 1, tzinfo=UTC)
COUNT = 9
SIGNED = (3, 6, 9)
"""The heads that were signed, the last of them the head of today."""

KEY = SigningKey.new()
STRANGER = SigningKey.new()
KEYS = Keyring([KEY.public])
FIELDS = ("exchange", "entry", "previous", "hash")
QUICK = settings(max_examples=60, deadline=None)


def an_entry(number: int) -> Entry:
    return Entry(exchange=f"x{number % 3}", event="exchange.written", at=NOW.isoformat(), data={"n": number})


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A ledger with signed heads, its file without the triggers that protect it, and a loop to ask it in."""
    path = tmp_path_factory.mktemp("ledger") / "careplan.db"
    with asyncio.Runner() as runner, contextlib.ExitStack() as ending:
        opening = open_store(f"sqlite:///{path}")
        ledger = runner.run(opening.__aenter__()).ledger
        ending.callback(lambda: runner.run(opening.__aexit__(None, None, None)))

        async def write() -> None:
            for number in range(1, COUNT + 1):
                await ledger.append([an_entry(number)])
                if number in SIGNED:
                    await sign_head(ledger, KEY, NOW)

        runner.run(write())
        database = ending.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        database.execute("PRAGMA synchronous = OFF")
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        yield runner, ledger, database


@pytest.fixture(scope="module")
def written(opened):
    return opened[2]


@pytest.fixture(scope="module")
def attacked(opened):
    """Change the ledger with these statements; the verdict on it. Afterwards it is as it was."""
    runner, ledger, database = opened
    tables = ("careplan_ledger", "careplan_ledger_head", "careplan_ledger_seal")
    kept = {table: database.execute(f"SELECT * FROM {table}").fetchall() for table in tables}  # noqa: S608 - constants

    def attacked(*statements, keys=KEYS, **how):
        try:
            for statement, *values in statements:
                database.execute(statement, values)
            return runner.run(verify_ledger(ledger, keys, **how))
        finally:
            database.execute("BEGIN")
            for table, rows in kept.items():
                database.execute(f"DELETE FROM {table}")  # noqa: S608 - constants
                places = ", ".join("?" * len(rows[0]))
                database.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608 - constants
            database.execute("COMMIT")

    return attacked


@pytest.fixture(scope="module")
def rows(written):
    query = f"SELECT seq, {', '.join(FIELDS)} FROM careplan_ledger ORDER BY seq"  # noqa: S608 - constants
    return {seq: dict(zip(FIELDS, rest, strict=True)) for seq, *rest in written.execute(query)}


def seals(written):
    return [seal_from(text) for (text,) in written.execute("SELECT document FROM careplan_ledger_seal")]


PLACES = st.integers(1, COUNT)


def test_a_ledger_that_nobody_touched_holds_and_says_how_far_it_is_signed(attacked):
    verdict = attacked()
    assert (verdict.entries, verdict.problem, verdict.signed) == (COUNT, None, COUNT)
    assert verdict.signed_at == NOW.isoformat()


@QUICK
@given(place=PLACES, field=st.sampled_from(FIELDS), data=st.data())
def test_any_entry_that_was_edited_is_named(attacked, rows, place, field, data):
    old = rows[place][field]
    cut = data.draw(st.integers(0, len(old) - 1))
    new = old[:cut] + data.draw(st.text('ab01{}" é', max_size=3)) + old[cut + 1 :]
    verdict = attacked((f"UPDATE careplan_ledger SET {field} = ? WHERE seq = ?", new, place))  # noqa: S608 - a constant
    assert verdict.broken_at == (None if new == old else place)


@QUICK
@given(first=PLACES, last=PLACES)
def test_the_first_of_entries_that_were_deleted_is_named(attacked, first, last):
    verdict = attacked(("DELETE FROM careplan_ledger WHERE seq BETWEEN ? AND ?", first, last))
    assert verdict.broken_at == (first if first <= last else None)


@QUICK
@given(place=PLACES, at=st.integers(-2, COUNT + 3))
def test_an_entry_that_was_copied_or_moved_is_named(attacked, place, at):
    """Where another stands at that number, that one is overwritten."""
    columns = ", ".join(FIELDS)
    copied = f"INSERT OR REPLACE INTO careplan_ledger (seq, {columns}) SELECT ?, {columns} FROM careplan_ledger"  # noqa: S608 - constants
    verdict = attacked((f"{copied} WHERE seq = ?", at, place))
    assert verdict.broken_at == (None if at == place else min(max(at, 1), COUNT + 1))
    moved = attacked((f"{copied} WHERE seq = ?", at, place), ("DELETE FROM careplan_ledger WHERE seq = ?", place))
    assert moved.broken_at == (min(place, max(at, 1)) if at <= COUNT else place)


@QUICK
@given(order=st.permutations(range(1, COUNT + 1)))
def test_the_first_of_entries_that_changed_places_is_named(attacked, rows, order):
    update = "UPDATE careplan_ledger SET exchange = ?, entry = ?, previous = ?, hash = ? WHERE seq = ?"
    verdict = attacked(
        *((update, *(rows[source][field] for field in FIELDS), at) for at, source in enumerate(order, start=1))
    )
    assert verdict.broken_at == next((at for at, source in enumerate(order, start=1) if at != source), None)


def rewritten(rows, place, entries):
    """Statements that put `entries` from `place` on, with every hash and the head reckoned anew."""
    last = Head(seq=place - 1, hash=rows[place]["previous"])
    statements = [("DELETE FROM careplan_ledger WHERE seq >= ?", place)]
    for entry in entries:
        text, seq = codec.canonical(entry), last.seq + 1
        digest = entry_hash(last.hash, seq, text)
        insert = "INSERT INTO careplan_ledger (seq, exchange, entry, previous, hash) VALUES (?, ?, ?, ?, ?)"
        statements.append((insert, seq, entry.exchange, text.decode(), last.hash, digest))
        last = Head(seq=seq, hash=digest)
    return [*statements, ("UPDATE careplan_ledger_head SET seq = ?, hash = ?", last.seq, last.hash)]


@QUICK
@given(place=PLACES, data=st.data())
def test_a_history_written_anew_is_found_by_the_next_signed_head(attacked, rows, place, data):
    """Every hash fits. What can be said is between which signed heads it begins, and both are named."""
    count = data.draw(st.integers(0, COUNT - place + 3))
    forged = [an_entry(1000 + number) for number in range(count)]
    statements = rewritten(rows, place, forged)
    assert attacked(*statements, ("DELETE FROM careplan_ledger_seal",), keys=None).problem is None
    verdict = attacked(*statements)
    marked = next(seq for seq in SIGNED if seq >= place)
    if place + count - 1 < marked:
        assert verdict.broken_at == place + count
        assert f"the signed head is number {marked}" in verdict.problem
    else:
        assert verdict.broken_at == marked
        since = max((seq for seq in SIGNED if seq < place), default=0) + 1
        assert "written anew" in verdict.problem
        assert f"{since} to {marked}" in verdict.problem


def test_a_tail_cut_off_with_its_head_is_found_by_the_signed_head(attacked, rows):
    for last in range(COUNT):
        verdict = attacked(*rewritten(rows, last + 1, []))
        assert verdict.broken_at == last + 1


def replaced(seal, place):
    return ("UPDATE careplan_ledger_seal SET document = ? WHERE place = ?", codec.canonical(seal).decode(), place)


@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_forged_head_is_found_and_named(attacked, written, place):
    seal = seals(written)[place - 1]
    said = seal.statement
    flipped = ("B" if seal.signature[0] == "A" else "A") + seal.signature[1:]
    other_hash = msgspec.structs.replace(said, hash="0" * 64)
    cases = {
        "signature that does not fit": [
            msgspec.structs.replace(seal, signature=flipped),
            msgspec.structs.replace(seal, signature=""),
            msgspec.structs.replace(seal, signature="not base64"),
            msgspec.structs.replace(seal, statement=other_hash),
            msgspec.structs.replace(seal, statement=msgspec.structs.replace(said, at="2020-01-01T00:00:00Z")),
            STRANGER.seal(said),
        ],
        "key that is not known": [
            STRANGER.seal(msgspec.structs.replace(said, key=STRANGER.id)),
            STRANGER.seal(msgspec.structs.replace(other_hash, key=STRANGER.id)),
        ],
        "another tenant": [KEY.seal(msgspec.structs.replace(said, tenant="south"))],
    }
    for says, forgeries in cases.items():
        for forged in forgeries:
            verdict = attacked(replaced(forged, place))
            assert (verdict.broken_at, says in verdict.problem) == (said.seq, True), verdict.problem


def test_a_head_of_ours_from_another_history_is_found(attacked, written):
    seal = seals(written)[1]
    genuine = KEY.seal(msgspec.structs.replace(seal.statement, hash="1" * 64))
    assert attacked(replaced(genuine, 2)).broken_at == 6


def test_the_first_of_several_faults_is_named(attacked, written):
    forged = msgspec.structs.replace(seals(written)[1], signature="")
    assert attacked(replaced(forged, 2), ("DELETE FROM careplan_ledger WHERE seq = 4",)).broken_at == 4
    assert attacked(replaced(forged, 2), ("DELETE FROM careplan_ledger WHERE seq = 8",)).broken_at == 6


def test_a_retired_key_is_believed_up_to_its_end_and_no_further(attacked, written):
    def retired(until):
        return Keyring([PublicKey.from_pem(KEY.public.pem().decode(), until), STRANGER.public])

    assert attacked(keys=retired(COUNT)).signed == COUNT
    verdict = attacked(keys=retired(6))
    assert verdict.broken_at == COUNT
    assert "retired at entry 6" in verdict.problem
    newest = seals(written)[2].statement
    rotated = replaced(STRANGER.seal(msgspec.structs.replace(newest, key=STRANGER.id)), 3)
    assert attacked(rotated, keys=retired(6)).signed == COUNT


def test_where_heads_must_be_signed_a_ledger_without_any_does_not_hold(attacked):
    gone = ("DELETE FROM careplan_ledger_seal",)
    assert attacked(gone, must_be_signed=True).broken_at == 1
    assert attacked(gone).signed is None


def test_a_check_from_a_head_looks_at_what_comes_after_it_alone(attacked, rows):
    since = Head(seq=6, hash=rows[6]["hash"])
    spoilt = "UPDATE careplan_ledger SET hash = 'x' WHERE seq = ?"
    assert attacked((spoilt, 2), since=since).problem is None
    assert attacked((spoilt, 8), since=since).broken_at == 8
    assert attacked((spoilt, 6), since=since).broken_at == 6
    assert attacked(("DELETE FROM careplan_ledger WHERE seq = 6",), since=since).broken_at == 6
    assert attacked((spoilt, 2)).broken_at == 2


def test_a_tombstone_without_a_good_signature_excuses_nothing(attacked, rows):
    tombstone = Tombstone(
        tenant="default", first=1, seq=3, previous=rows[1]["previous"], hash=rows[3]["hash"], entries=3,
        policy="none", by="somebody", at=NOW.isoformat(), key=KEY.id,
    )  # fmt: skip
    gone = ("DELETE FROM careplan_ledger WHERE seq <= 3",)

    def put(seal):
        insert = (
            "INSERT INTO careplan_ledger_seal (tenant, kind, seq, document) VALUES ('default', 'tombstone', 3, ?)"
        )
        return (insert, codec.canonical(seal).decode())

    genuine = KEY.seal(tombstone)
    assert attacked(gone, put(genuine)).removed == 3
    assert attacked(gone, put(genuine)).problem is None
    forgeries = [
        STRANGER.seal(tombstone),
        STRANGER.seal(msgspec.structs.replace(tombstone, key=STRANGER.id)),
        msgspec.structs.replace(genuine, signature=""),
        msgspec.structs.replace(genuine, statement=msgspec.structs.replace(tombstone, by="somebody else")),
        KEY.seal(msgspec.structs.replace(tombstone, first=2)),
        KEY.seal(msgspec.structs.replace(tombstone, previous="1" * 64)),
        KEY.seal(msgspec.structs.replace(tombstone, entries=2)),
    ]
    for forged in forgeries:
        verdict = attacked(gone, put(forged))
        assert verdict.broken_at in {1, 2}, verdict
        assert "tombstone" in verdict.problem or verdict.problem == "Entry 1 is missing."
    assert attacked(gone).broken_at == 1
    unchecked = attacked(gone, put(genuine), keys=None)
    assert unchecked.broken_at == 1
    assert "no public key is given" in unchecked.problem
    assert attacked(put(genuine)).broken_at == 4, "the entries it speaks of are still there"
