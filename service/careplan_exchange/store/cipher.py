"""Documents sealed with AES-256-GCM (NIST SP 800-38D), each bound to the column and row in which it stands.

Pure but for the nonce. A sealed text is `sealed:1:<key id>:<base64 of nonce and ciphertext>`. The place goes in
as associated data: a document that was moved to another row, another column or another patient does not open.
"""

import base64
import hashlib
import os
from binascii import b2a_base64

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from careplan_exchange.errors import ConfigurationError, SettingsError

KEY_BYTES = 32
_NONCE_BYTES = 12  # random; one key is good for 2**32 documents, and `careplan store rekey` gives another
_MARK = "sealed:1:"


class Keys(msgspec.Struct, frozen=True):
    """`current` seals; `older` open what was sealed before a rotation. Each 32 bytes."""

    current: bytes
    older: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return f"Keys({key_id(self.current)})"


def new_key() -> str:
    """A fresh random key as the text that a key file holds."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def key_of(text: str, what: str) -> bytes:
    """In: what a key file or variable holds, and its name for a person. Raises SettingsError."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(
            f"The {what} is not {KEY_BYTES} bytes in base64.",
            mend="Make one with `careplan store key new --out FILE`; if this one was in use, restore its backup.",
        )
    return key


def key_id(key: bytes) -> str:
    """By what a key is named: 16 hexadecimal digits, from which it cannot be had."""
    return hashlib.sha256(b"careplan-exchange store key\x00" + key).hexdigest()[:16]


def sealed_by(text: str) -> str | None:
    """The id of the key that a column's text was sealed with; None where it stands in the clear."""
    return text[len(_MARK) :].partition(":")[0] if text.startswith(_MARK) else None


def mark_of(key: str) -> str:
    """How every text begins that the key of this id has sealed."""
    return f"{_MARK}{key}:"


class Cipher:
    """Seals with the current key, and opens what any of the keys has sealed."""

    def __init__(self, keys: Keys) -> None:
        self.key = key_id(keys.current)
        self._mark = mark_of(self.key)
        self._sealing = AESGCM(keys.current)
        self._opening = {key_id(key): AESGCM(key) for key in (*keys.older, keys.current)}

    def seal(self, text: bytes, place: bytes) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        return self._mark + b2a_base64(nonce + self._sealing.encrypt(nonce, text, place), newline=False).decode()

    def open(self, sealed: str, place: bytes) -> bytes:
        """Raises ConfigurationError where no key fits, or where this is not what was sealed in this place."""
        key = sealed_by(sealed) or ""
        if key not in self._opening:
            raise no_key(key)
        try:
            data = base64.b64decode(sealed[len(mark_of(key)) :], validate=True)
            return self._opening[key].decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], place)
        except (InvalidTag, ValueError):  # binascii's error is a ValueError
            raise spoiled() from None


def no_key(key: str) -> ConfigurationError:
    return ConfigurationError(
        f"The database is sealed with the key {key}, which is not at hand.",
        mend="Name its file in `store.key_file` (its variable in `store.key_env`), or in `store.old_key_files` "
        "where a newer one took its place. Nothing was changed.",
    )


def spoiled() -> ConfigurationError:
    return ConfigurationError(
        "A document in the database is not what was sealed there: it was altered or moved by another program.",
        mend="Keep a copy of the database as it is, for evidence; then restore the last backup.",
    )
