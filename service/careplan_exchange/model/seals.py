"""What is signed of a ledger: its head at a moment, and the tombstone of entries that were removed by policy.

A seal stands beside the chain and says what the chain was. Who may write to the database can change the chain and
reckon every hash anew; without the private key the seals do not fit then.
"""

from typing import Any

import msgspec

from . import codec

SEAL_FORMAT = "careplan-ledger-seal/1"


class SignedHead(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="kind", tag="head"):
    """At `at` the last entry of this tenant's chain was `seq`, and its hash was `hash`."""

    tenant: str
    seq: int
    hash: str
    at: str  # FHIR instant, UTC
    key: str  # the id of the key that signs


class Tombstone(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="kind", tag="tombstone"):
    """The entries `first` to `seq` were removed under `policy`. `previous` is what the first of them followed,
    `hash` the hash of the last: the entry after them follows it."""

    tenant: str
    first: int
    seq: int
    previous: str
    hash: str
    entries: int
    policy: str
    by: str
    at: str
    key: str


class Seal(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A statement and the Ed25519 signature (RFC 8032; base64) over `signed_bytes` of it."""

    statement: SignedHead | Tombstone
    signature: str


def signed_bytes(statement: SignedHead | Tombstone) -> bytes:
    """What is signed: the format, a line feed, the canonical JSON of the statement."""
    return f"{SEAL_FORMAT}\n".encode() + codec.canonical(statement)


def seal_from(data: bytes | str) -> Seal:
    """The seal in this JSON, which must be its one canonical form. Raises msgspec.MsgspecError."""
    found: Any = msgspec.convert(codec.decode(data), Seal)
    if codec.canonical(found) != (data.encode() if isinstance(data, str) else data):
        raise msgspec.ValidationError("This is not a seal as it was written.")
    return found  # type: ignore[no-any-return]  # convert gave a Seal
