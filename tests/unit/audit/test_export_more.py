"""What stands in an export of a ledger that holds and of one that does not, and which line is named."""

import json
from datetime import UTC, datetime

import msgspec
import pytest

from careplan_exchange.audit import Keyring, SigningKey, sign_head, to_audit_ndjson, verify_audit_ndjson
from careplan_exchange.model import codec
from careplan_exchange.model.chain import Head
from careplan_exchange.model.ledger import Entry
from careplan_exchange.store import MemoryLedger

KEY = SigningKey.new()
KEYS = Keyring([KEY.public])
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def entries(count: int) -> list[Entry]:
    return [Entry(exchange="x", event="e", at="t", data={"n": number}) for number in range(count)]


async def a_ledger(count: int) -> MemoryLedger:
    ledger = MemoryLedger("north")
    await ledger.append(entries(count))
    return ledger


async def lines_of(ledger: MemoryLedger) -> list[bytes]:
    return [line async for line in to_audit_ndjson(ledger)]


def with_header(lines: list[bytes], **fields: object) -> list[bytes]:
    return [codec.canonical({**json.loads(lines[0]), **fields}) + b"\n", *lines[1:]]


async def test_the_header_says_whose_ledger_it_is_and_where_it_ends():
    ledger = await a_ledger(3)
    await sign_head(ledger, KEY, NOW)
    lines = await lines_of(ledger)
    assert json.loads(lines[0]) == {
        "format": "careplan-ledger/1",
        "entries": 3,
        "head": (await ledger.head()).hash,
        "tenant": "north",
        "seals": 1,
    }
    assert [json.loads(line)["seq"] for line in lines[2:]] == [1, 2, 3]


async def test_a_ledger_of_many_pages_is_exported_whole():
    lines = await lines_of(await a_ledger(1501))
    assert [json.loads(line)["seq"] for line in lines[1:]] == list(range(1, 1502))
    assert verify_audit_ndjson(lines).problem is None


async def test_what_is_appended_meanwhile_is_left_to_the_next_export():
    ledger, lines = await a_ledger(2), []
    async for line in to_audit_ndjson(ledger):
        lines.append(line)
        await ledger.append(entries(1))
    assert len(lines) == 3
    assert verify_audit_ndjson(lines).entries == 2


class Altered(MemoryLedger):
    """Somebody has changed the second entry."""

    async def links(self, **asked):
        return tuple(self._altered(link) for link in await super().links(**asked))

    async def verify(self, **asked):
        self._links = [self._altered(link) for link in self._links]
        return await super().verify(**asked)

    @staticmethod
    def _altered(link):
        entry = msgspec.structs.replace(link.entry, data={"n": "other"})
        return msgspec.structs.replace(link, entry=entry) if link.seq == 2 else link


async def test_of_a_ledger_that_does_not_hold_every_entry_is_exported_and_the_header_says_where_it_breaks():
    ledger = Altered("north")
    await ledger.append(entries(4))
    lines = await lines_of(ledger)
    header = json.loads(lines[0])
    assert (header["entries"], header["brokenAt"], header["problem"]) == (1, 2, "Entry 2 was altered.")
    assert [json.loads(line)["seq"] for line in lines[1:]] == [1, 2, 3, 4]
    verdict = verify_audit_ndjson(lines)
    assert (verdict.broken_at, verdict.problem) == (2, "Entry 2 was altered.")


@pytest.mark.parametrize(("said", "named"), [({"brokenAt": 3}, 3), ({}, 0)])
async def test_what_did_not_hold_when_it_was_exported_does_not_hold_in_a_file_that_fits(said, named):
    lines = with_header(await lines_of(await a_ledger(2)), problem="The head was lost.", **said)
    verdict = verify_audit_ndjson(lines)
    assert (verdict.broken_at, verdict.problem) == (named, "When it was exported: The head was lost.")
    assert verdict.entries == 2


async def test_what_the_file_itself_shows_goes_before_what_its_header_says():
    lines = with_header(await lines_of(await a_ledger(3)), problem="The head was lost.", brokenAt=1)
    assert verify_audit_ndjson(lines[:-1]).broken_at == 3


async def test_progress_is_told_at_every_thousandth_entry():
    told = []
    lines = await lines_of(await a_ledger(2100))
    verify_audit_ndjson(lines, progress=lambda done, of: told.append((done, of)))
    assert told == [(1000, 2100), (2000, 2100)]


async def test_a_line_that_cannot_be_read_is_named_by_its_number_in_the_file():
    ledger = await a_ledger(3)
    for _ in range(2):
        await sign_head(ledger, KEY, NOW)
    lines = await lines_of(ledger)  # a header, two seals, three entries
    for number, what in ((3, "no seal"), (5, "no ledger entry")):
        broken = [*lines[: number - 1], b"{}\n", *lines[number:]]
        assert verify_audit_ndjson(broken, KEYS).problem == f"Line {number} is {what}."
    added = [*lines[:4], lines[4].replace(b'{"entry"', b'{"also":1,"entry"'), *lines[5:]]
    verdict = verify_audit_ndjson(added, KEYS)
    assert (verdict.broken_at, verdict.problem) == (2, "Line 5 is not as it was exported.")


async def test_nothing_of_a_file_whose_seals_cannot_be_read_is_believed():
    ledger = await a_ledger(3)
    await sign_head(ledger, KEY, NOW)
    lines = await lines_of(ledger)
    verdict = verify_audit_ndjson([lines[0], b"{}\n", *lines[2:]], KEYS)
    assert (verdict.entries, verdict.head, verdict.broken_at) == (0, "0" * 64, 0)


@pytest.mark.parametrize("said", [{"seals": -1}, {"format": "careplan-ledger/2"}, {"also": 1}])
async def test_a_header_of_another_form_is_none(said):
    lines = with_header(await lines_of(await a_ledger(1)), **said)
    assert "no header" in verify_audit_ndjson(lines).problem


async def test_a_file_that_nobody_signed_does_not_hold_where_somebody_must_have():
    ledger = await a_ledger(2)
    unsigned = await lines_of(ledger)
    assert verify_audit_ndjson(unsigned, KEYS).problem is None
    assert verify_audit_ndjson(unsigned, KEYS, must_be_signed=True).broken_at == 1
    await sign_head(ledger, KEY, NOW)
    verdict = verify_audit_ndjson(await lines_of(ledger), KEYS, must_be_signed=True)
    assert (verdict.problem, verdict.signed, verdict.signed_at) == (None, 2, NOW.isoformat())


async def test_a_head_kept_elsewhere_is_compared_beside_those_that_are_signed():
    ledger = await a_ledger(2)
    await sign_head(ledger, KEY, NOW)
    lines = await lines_of(ledger)
    assert verify_audit_ndjson(lines, KEYS, kept=Head(seq=1, hash="1" * 64)).broken_at == 1
    assert verify_audit_ndjson(lines, KEYS, kept=await ledger.head()).problem is None
