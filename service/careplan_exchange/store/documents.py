"""Structs of `model` as the text that a column holds, and back; Decimal keeps its digits.

What is clinical goes through `Documents`, which packs what is long and seals it where there is a key. The ledger
holds nothing clinical and is read by others with a chain in their hands: its entries are plain (`to_text`,
`from_text`).
"""

import base64
import zlib
from binascii import b2a_base64
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Column

from careplan_exchange.model import codec

from .cipher import Cipher, no_key, sealed_by, spoiled

T = TypeVar("T")

_MARK = "zip:1:"
"""How a packed document in the clear begins: JSON never does. Base64 of zlib's format (RFC 1950) follows."""

_PACKED = b"\x78"
"""How packed bytes begin; JSON of ours never does."""

_WORTH_IT = 2_048
"""Bytes; what is shorter stays as it is, for a person with a database shell to read."""

_QUICK = 1
"""A plan's documents shrink to a seventh at this level, and to a ninth at the slowest."""


def to_text(value: Any) -> str:
    return codec.canonical(value).decode()


def from_text(text: str, kind: type[T]) -> T:
    """Raises msgspec.MsgspecError where another version wrote what this one cannot read (faults.translated)."""
    return msgspec.convert(codec.decode(text), kind)


class Documents:
    """How a clinical document stands in its column. `row` is what names the row for good: its id, or its key.

    Without a cipher everything is in the clear. With one everything is sealed, and what stands in the clear is
    read only while `clear` says so: until `rekey` has sealed all of it.
    """

    def __init__(self, cipher: Cipher | None = None, *, clear: bool = True) -> None:
        self.cipher = cipher
        self._clear = clear

    def to_text(self, value: Any, column: Column[Any], *row: str | int) -> str:
        return self._text(_packed(codec.canonical(value)), column, row)

    def from_text(self, text: str, kind: type[T], column: Column[Any], *row: str | int) -> T:
        """Raises ConfigurationError (no key for it, or altered), and as the function of that name."""
        return msgspec.convert(codec.decode(self.opened(text, column, *row)), kind)

    def part_from_text(self, text: str, kind: type[T], column: Column[Any], *row: str | int) -> T:
        """The fields of `kind` alone, the rest passed over; none may be a Decimal. Raises as `from_text`."""
        return msgspec.json.decode(self.opened(text, column, *row), type=kind)

    def opened(self, text: str, column: Column[Any], *row: str | int) -> bytes:
        """The document as it was before it was packed and sealed. Raises ConfigurationError."""
        key = sealed_by(text)
        if key is None:
            if not self._clear:
                raise spoiled()
            return _unpacked(_bytes_of(text))
        if self.cipher is None:
            raise no_key(key)
        return _unpacked(self.cipher.open(text, _place(column, row)))

    def resealed(self, text: str, column: Column[Any], *row: str | int) -> str:
        """The same document under the current key. There must be a cipher."""
        if self.cipher is None:
            raise AssertionError("There is no key to seal with.")
        return self._text(_packed(self.opened(text, column, *row)), column, row)

    def _text(self, packed: bytes, column: Column[Any], row: tuple[str | int, ...]) -> str:
        if self.cipher is not None:
            return self.cipher.seal(packed, _place(column, row))
        if packed[:1] == _PACKED:
            return _MARK + b2a_base64(packed, newline=False).decode()
        return packed.decode()


def _packed(document: bytes) -> bytes:
    return document if len(document) < _WORTH_IT else zlib.compress(document, _QUICK)


def _bytes_of(text: str) -> bytes:
    if not text.startswith(_MARK):
        return text.encode()
    try:
        data = base64.b64decode(text[len(_MARK) :], validate=True)
    except ValueError:  # binascii's error is a ValueError
        raise spoiled() from None
    if data[:1] != _PACKED:
        raise spoiled()
    return data


def _unpacked(data: bytes) -> bytes:
    if data[:1] != _PACKED:
        return data
    try:
        return zlib.decompress(data)
    except zlib.error:
        raise spoiled() from None


def _place(column: Column[Any], row: tuple[str | int, ...]) -> bytes:
    # Lengths, so that no two places are written alike.
    parts = [str(part).encode() for part in (column.table.name, column.name, *row)]
    return b"".join(len(part).to_bytes(4) + part for part in parts)
