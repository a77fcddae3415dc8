"""Structs of `model` as the text that a column holds, and back; Decimal keeps its digits.

What is clinical goes through `Documents`, which seals it where there is a key. The ledger holds nothing clinical
and is read by others with a chain in their hands: its entries are plain (`to_text`, `from_text`).
"""

from typing import Any, TypeVar

import msgspec
from sqlalchemy import Column

from careplan_exchange.model import codec

from .cipher import Cipher, no_key, sealed_by, spoiled

T = TypeVar("T")


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
        if self.cipher is None:
            return to_text(value)
        return self.cipher.seal(codec.canonical(value), _place(column, row))

    def from_text(self, text: str, kind: type[T], column: Column[Any], *row: str | int) -> T:
        """Raises ConfigurationError (no key for it, or altered), and as the function of that name."""
        return msgspec.convert(codec.decode(self.opened(text, column, *row)), kind)

    def opened(self, text: str, column: Column[Any], *row: str | int) -> bytes:
        """The document as it was before it was sealed."""
        key = sealed_by(text)
        if key is None:
            if not self._clear:
                raise spoiled()
            return text.encode()
        if self.cipher is None:
            raise no_key(key)
        return self.cipher.open(text, _place(column, row))

    def resealed(self, text: str, column: Column[Any], *row: str | int) -> str:
        """The same document under the current key. There must be a cipher."""
        if self.cipher is None:
            raise AssertionError("There is no key to seal with.")
        return self.cipher.seal(self.opened(text, column, *row), _place(column, row))


def _place(column: Column[Any], row: tuple[str | int, ...]) -> bytes:
    # Lengths, so that no two places are written alike.
    parts = [str(part).encode() for part in (column.table.name, column.name, *row)]
    return b"".join(len(part).to_bytes(4) + part for part in parts)
