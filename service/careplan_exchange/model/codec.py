"""FHIR JSON in and out, with every decimal kept as it was written (7.20 stays 7.20)."""

from decimal import Decimal
from typing import Any

import msgspec

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")
_canonical = msgspec.json.Encoder(decimal_format="number", order="sorted")


def decode(data: bytes | str) -> Any:
    """JSON to plain values, numbers with a point as Decimal. Raises msgspec.DecodeError."""
    try:
        return _decoder.decode(data)
    except (UnicodeDecodeError, RecursionError) as error:
        # The decoder lets these through; the first of them carries the data, which may be clinical.
        raise msgspec.DecodeError(f"JSON cannot be read: {type(error).__name__}") from None


def encode(value: Any) -> bytes:
    """Plain values and structs to JSON, Decimal as a number with its own digits."""
    return _encoder.encode(value)


def canonical(value: Any) -> bytes:
    """The one JSON form of a value: sorted keys, no white space. Equal values give equal bytes."""
    return _canonical.encode(value)
