"""The ledger as a file, and the check of one."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.audit import (
    Keyring,
    SigningKey,
    chain,
    removable,
    remove,
    sign_head,
    to_audit_ndjson,
    verify_audit_ndjson,
)
from careplan_exchange.audit.export import Header
from careplan_exchange.model import codec
from careplan_exchange.model.ledger import Entry
from careplan_exchange.store import MemoryLedger

KEY = SigningKey.new()
KEYS = Keyring([KEY.public])


def exported(count: int = 3) -> list[bytes]:
    previous, lines = chain.GENESIS, []
    for seq in range(1, count + 1):
        link = chain.link(previous, seq, Entry(exchange="x", event="e", at="t", data={"n": seq}))
        previous = link.hash
        lines.append(codec.canonical(link) + b"\n")
    header = Header(format="careplan-ledger/1", entries=count, head=previous)
    return [codec.canonical(header) + b"\n", *lines]


def kept_of(lines: list[bytes], seq: int) -> chain.Head:
    return chain.Head(seq=seq, hash=json.loads(lines[seq])["hash"])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_an_export_that_was_not_touched_fits(count):
    verdict = verify_audit_ndjson(exported(count))
    assert (verdict.entries, verdict.problem) == (count, None)


def test_an_earlier_head_that_was_kept_is_found_again():
    lines = exported(5)
    for seq in (1, 3, 5):
        assert verify_audit_ndjson(lines, kept=kept_of(lines, seq)).problem is None
    assert verify_audit_ndjson(lines, kept=chain.Head(seq=0, hash=chain.GENESIS)).problem is None


def test_a_history_written_anew_does_not_have_the_head_that_was_kept():
    lines = exported(3)
    assert verify_audit_ndjson(lines, kept=chain.Head(seq=2, hash="0" * 64)).broken_at == 2
    shorter = exported(2)
    assert verify_audit_ndjson(shorter, kept=kept_of(lines, 3)).broken_at == 3


def test_lines_that_are_missing_at_the_end_are_found_by_the_header():
    assert verify_audit_ndjson(exported(3)[:-1]).broken_at == 3


def test_lines_after_the_head_are_found():
    lines = [*exported(2)[:1], *exported(3)[1:]]
    assert verify_audit_ndjson(lines).broken_at == 3


def test_a_line_that_says_more_than_the_entry_is_found():
    lines = exported(3)
    lines[2] = lines[2].replace(b'{"entry"', b'{"also":1,"entry"')
    assert b"also" in lines[2]
    assert verify_audit_ndjson(lines).broken_at == 2


@pytest.mark.parametrize(
    "first",
    [b"", b"not json", b"{}", b"[]", b'{"format":"other","entries":0,"head":""}', b"\xff\xfe", b"[" * 100_000],
)
def test_a_file_that_is_no_export_is_told(first):
    verdict = verify_audit_ndjson([first])
    assert "no header" in verdict.problem
    assert verdict.broken_at == 0


def test_nothing_at_all_is_no_export():
    assert verify_audit_ndjson([]).broken_at == 0


@given(st.integers(0, 3), st.binary(max_size=40))
def test_no_line_can_stand_in_for_another(place, line):
    lines = exported(3)
    changed = [*lines[:place], line, *lines[place + 1 :]]
    if line.rstrip(b"\n") != lines[place].rstrip(b"\n"):
        assert verify_audit_ndjson(changed).problem is not None


@given(st.data())
def test_any_single_byte_that_changed_is_found(data):
    lines = exported(3)
    text = bytearray(b"".join(lines))
    place = data.draw(st.integers(0, len(text) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda x: x != text[place]))
    text[place] = value
    verdict = verify_audit_ndjson(bytes(text).splitlines(keepends=True))
    assert verdict.problem is not None


@pytest.fixture(scope="module")
def sealed() -> list[bytes]:
    """An export with a tombstone, signed heads and a tenant."""

    async def written() -> list[bytes]:
        ledger = MemoryLedger("north")
        for year in (2001, 2024, 2025):
            at = datetime(year, 1, 1, tzinfo=UTC)
            await ledger.append([Entry(exchange="x", event="e", at=at.isoformat())] * 2)
            await sign_head(ledger, KEY, at)
        await remove(ledger, KEY, await removable(ledger, KEYS, "10y", at), by="an auditor", at=at)
        return [line async for line in to_audit_ndjson(ledger)]

    return asyncio.run(written())


@given(st.data())
def test_any_single_byte_of_a_sealed_export_that_changed_is_found(sealed, data):
    assert verify_audit_ndjson(sealed, KEYS, must_be_signed=True).problem is None
    text = bytearray(b"".join(sealed))
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] = data.draw(st.integers(0, 255).filter(lambda x: x != text[place]))
    if bytes(text).rstrip(b"\n") != b"".join(sealed).rstrip(b"\n"):
        assert verify_audit_ndjson(bytes(text).splitlines(keepends=True), KEYS).problem is not None


@given(st.permutations(range(8)), st.integers(0, 8))
def test_lines_of_a_sealed_export_that_are_missing_or_in_another_order_are_found(sealed, order, count):
    assert len(sealed) == 9
    changed = [sealed[0], *(sealed[at + 1] for at in order[:count])]
    if changed != sealed:
        assert verify_audit_ndjson(changed, KEYS, must_be_signed=True).problem is not None
