"""Ed25519 over what is said of a ledger: the key that signs, and the public keys that are believed.

A key's id is the beginning of the SHA-256 of its public part: it names the key, and is no secret.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from careplan_exchange.errors import SettingsError
from careplan_exchange.model.seals import Seal, SignedHead, Tombstone, signed_bytes

_PRIVATE = "Make one with `careplan audit key new`: an Ed25519 key as PEM, without a password."
_PUBLIC = "Give the public key that `careplan audit key new` printed: Ed25519, as PEM."


class SigningKey:
    """A private key. It prints its id, and nothing else of itself."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key())

    @property
    def id(self) -> str:
        return self.public.id

    def __repr__(self) -> str:
        return f"SigningKey({self.id})"

    @classmethod
    def new(cls) -> "SigningKey":
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: str) -> "SigningKey":
        """Raises SettingsError, which repeats nothing of the text."""
        try:
            key = load_pem_private_key(pem.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise SettingsError("The signing key of the ledger cannot be read.", mend=_PRIVATE) from None
        if not isinstance(key, Ed25519PrivateKey):
            raise SettingsError("The signing key of the ledger is not an Ed25519 key.", mend=_PRIVATE)
        return cls(key)

    def pem(self) -> bytes:
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def seal(self, statement: SignedHead | Tombstone) -> Seal:
        """The statement with its signature; `statement.key` must be this key's id."""
        signature = self._key.sign(signed_bytes(statement))
        return Seal(statement=statement, signature=base64.b64encode(signature).decode())


class PublicKey:
    """A key that is believed: of any entry, or, once it is retired, up to entry `until`.

    The end is a number of an entry, not a moment: whoever stole a retired key can date a statement back, but
    cannot make the entries after `until`, which the next key signed, follow a chain that was written anew.
    """

    def __init__(self, key: Ed25519PublicKey, until: int | None = None) -> None:
        self._key = key
        self.until = until
        self.id = hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]

    @classmethod
    def from_pem(cls, pem: str, until: int | None = None) -> "PublicKey":
        """Raises SettingsError."""
        try:
            key = load_pem_public_key(pem.encode())
        except (ValueError, UnsupportedAlgorithm):
            raise SettingsError("A public key of the ledger cannot be read.", mend=_PUBLIC) from None
        if not isinstance(key, Ed25519PublicKey):
            raise SettingsError("A public key of the ledger is not an Ed25519 key.", mend=_PUBLIC)
        return cls(key, until)

    def pem(self) -> bytes:
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def signed(self, seal: Seal) -> bool:
        try:
            signature = base64.b64decode(seal.signature, validate=True)
            self._key.verify(signature, signed_bytes(seal.statement))
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        # Base64 has several texts for one value; a seal is as it was written.
        return base64.b64encode(signature).decode() == seal.signature


class Keyring:
    """The public keys that are believed, by id."""

    def __init__(self, keys: Iterable[PublicKey]) -> None:
        self._keys = {key.id: key for key in keys}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def fault(self, seal: Seal) -> str | None:
        """Why this seal is not genuine, as the end of a sentence; None where it is."""
        key = self._keys.get(seal.statement.key)
        if key is None:
            return "is signed by a key that is not known here"
        if not key.signed(seal):
            return "has a signature that does not fit"
        if key.until is not None and seal.statement.seq > key.until:
            return f"is signed by a key that was retired at entry {key.until}"
        return None
