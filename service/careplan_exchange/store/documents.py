"""Structs of `model` as the text that a column holds, and back; Decimal keeps its digits."""

from typing import Any, TypeVar

import msgspec

from careplan_exchange.model import codec

T = TypeVar("T")


def to_text(value: Any) -> str:
    return codec.canonical(value).decode()


def from_text(text: str, kind: type[T]) -> T:
    """Raises msgspec.MsgspecError where another version wrote what this one cannot read (faults.translated)."""
    return msgspec.convert(codec.decode(text), kind)
