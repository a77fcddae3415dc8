"""The ledger's head is signed as it grows: after so many entries, after so long, and never at the cost of an entry."""

import subprocess
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import structlog

from careplan_exchange.audit import (
    Keyring,
    PublicKey,
    SealingLedger,
    SigningKey,
    cutoff,
    sign_head,
    verify_ledger,
)
from careplan_exchange.errors import SettingsError, StoreUnavailableError, UsageError
from careplan_exchange.model.ledger import Entry
from careplan_exchange.store import MemoryLedger

KEY = SigningKey.new()
KEYS = Keyring([KEY.public])


class SetClock:
    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


def an_entry() -> Entry:
    return Entry(exchange="x", event="e", at="t")


def sealing(ledger, clock, every: int = 10, minutes: int = 15) -> SealingLedger:
    return SealingLedger(ledger, KEY, clock, every=every, after=timedelta(minutes=minutes))


async def signed(ledger) -> list[int]:
    return [seal.statement.seq for seal in await ledger.seals()]


async def test_the_first_append_is_signed_and_then_every_so_many_entries():
    ledger = sealing(MemoryLedger(), SetClock(), every=10)
    for _ in range(25):
        await ledger.append([an_entry()])
    assert await signed(ledger) == [1, 11, 21]
    verdict = await verify_ledger(ledger, KEYS)
    assert (verdict.problem, verdict.signed, verdict.entries) == (None, 21, 25)


async def test_what_was_appended_is_signed_once_the_last_head_is_old():
    clock = SetClock()
    ledger = sealing(MemoryLedger(), clock, every=1000, minutes=15)
    for minutes in (0, 5, 14, 15, 20, 29, 31):
        clock.at = datetime(2026, 1, 1, 0, minutes, tzinfo=UTC)
        await ledger.append([an_entry()])
    assert await signed(ledger) == [1, 4, 7]


async def test_processes_on_one_ledger_see_what_the_other_signed():
    shared, clock = MemoryLedger(), SetClock()
    one, other = sealing(shared, clock, every=4), sealing(shared, clock, every=4)
    for _ in range(6):
        await one.append([an_entry()])
        await other.append([an_entry()])
    assert await signed(shared) == [1, 5, 9]


async def test_a_head_that_cannot_be_signed_costs_no_entry():
    class FullLedger(MemoryLedger):
        async def add_seal(self, seal):
            raise StoreUnavailableError("It is full.", mend="Make room.")

    ledger = sealing(FullLedger(), SetClock())
    with structlog.testing.capture_logs() as logged:
        assert len(await ledger.append([an_entry()])) == 1
    assert [(line["event"], line["error"]) for line in logged] == [("ledger.unsigned", "unavailable.store")]
    assert len(await ledger.links()) == 1


async def test_what_cannot_be_appended_is_not_signed():
    class LockedLedger(MemoryLedger):
        async def append(self, entries):
            raise StoreUnavailableError("It is locked.", mend="Wait.")

    ledger = sealing(LockedLedger(), SetClock())
    with pytest.raises(StoreUnavailableError):
        await ledger.append([an_entry()])
    assert await ledger.seals() == ()


async def test_a_signature_can_be_checked_with_a_tool_of_somebody_else(tmp_path):
    """With OpenSSL, from what docs/ledger.md says: the format's name, a line feed, the statement."""
    import base64
    import json

    from careplan_exchange.model import codec

    ledger = MemoryLedger()
    await ledger.append([an_entry()])
    seal = json.loads(codec.canonical(await sign_head(ledger, KEY, SetClock().now())))
    statement = json.dumps(seal["statement"], sort_keys=True, separators=(",", ":"))
    (tmp_path / "key.pem").write_bytes(KEY.public.pem())
    (tmp_path / "said").write_text(f"careplan-ledger-seal/1\n{statement}")
    (tmp_path / "signature").write_bytes(base64.b64decode(seal["signature"]))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "said"]
    try:
        done = subprocess.run([*command, "-sigfile", "signature"], cwd=tmp_path, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("openssl is not installed here")
    assert done.returncode == 0, done.stderr


async def test_a_signature_has_one_spelling():
    ledger = MemoryLedger()
    await ledger.append([an_entry()])
    seal = await sign_head(ledger, KEY, SetClock().now())
    last = seal.signature[-3]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    spelt = seal.signature[:-3] + alphabet[alphabet.index(last) ^ 1] + "=="
    assert KEYS.fault(seal) is None
    assert "does not fit" in KEYS.fault(msgspec.structs.replace(seal, signature=spelt))


def test_a_key_is_read_back_and_prints_nothing_of_itself():
    again = SigningKey.from_pem(KEY.pem().decode())
    assert again.id == KEY.id == PublicKey.from_pem(KEY.public.pem().decode()).id
    assert repr(again) == f"SigningKey({KEY.id})"


@pytest.mark.parametrize("pem", ["", "not a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_what_is_no_key_is_refused_without_being_repeated(pem):
    for read in (SigningKey.from_pem, PublicKey.from_pem):
        with pytest.raises(SettingsError) as raised:
            read(pem)
        assert "careplan audit key new" in raised.value.mend
        assert "AAAA" not in f"{raised.value.detail} {raised.value.mend}"


def test_a_key_of_another_kind_is_refused():
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    other = generate_private_key(SECP256R1())
    private = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for read, pem in ((SigningKey.from_pem, private), (PublicKey.from_pem, public)):
        with pytest.raises(SettingsError, match="not an Ed25519 key"):
            read(pem)
    with pytest.raises(SettingsError):
        PublicKey.from_pem(KEY.pem().decode())


def test_an_age_is_counted_by_the_calendar():
    leap = datetime(2028, 2, 29, 12, tzinfo=UTC)
    assert cutoff("1y", leap) == datetime(2027, 2, 28, 12, tzinfo=UTC)
    assert cutoff("4y", datetime(2032, 3, 1, tzinfo=UTC)) == datetime(2028, 3, 1, tzinfo=UTC)
    assert cutoff("30d", leap) == datetime(2028, 1, 30, 12, tzinfo=UTC)
    with pytest.raises(UsageError):
        cutoff("9999y", leap)
