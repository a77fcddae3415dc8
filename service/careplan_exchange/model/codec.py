"""FHIR JSON in and out, with every decimal kept as it was written (7.20 stays 7.20)."""

import re
from decimal import Decimal
from typing import Any

import msgspec

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")
_steady = msgspec.json.Encoder(decimal_format="number", order="deterministic")
_surrogate = re.compile(rb"\\u[dD][89a-fA-F]")
_canonical = msgspec.json.Encoder(decimal_format="number", order="sorted")


def decode(data: bytes | str) -> Any:
    """JSON to plain values, numbers with a point as Decimal. Raises msgspec.DecodeError, also for a text that is
    none (see `is_unicode`)."""
    try:
        found = _decoder.decode(data)
    except (UnicodeDecodeError, RecursionError) as error:
        # The decoder lets these through; the first of them carries the data, which may be clinical.
        raise msgspec.DecodeError(f"JSON cannot be read: {type(error).__name__}") from None
    if not is_unicode(data if isinstance(data, bytes) else data.encode(errors="replace")):
        raise msgspec.DecodeError("JSON cannot be read: an escape names half of a character")
    return found


def is_unicode(data: bytes) -> bool:
    """Whether every text in this JSON can be written again: an escape may name a lone surrogate, half of a
    character (RFC 8259 section 8.2), which no file takes."""
    if b"\\" not in data or _surrogate.search(data) is None:
        return True
    try:
        _encoder.encode(_decoder.decode(data))
    except (UnicodeError, msgspec.DecodeError, RecursionError):  # also where no reader looked closely so far
        return False
    return True


def encode(value: Any) -> bytes:
    """Plain values and structs to JSON, Decimal as a number with its own digits."""
    return _encoder.encode(value)


def canonical(value: Any) -> bytes:
    """The one JSON form of a value: sorted keys, no white space. Equal values give equal bytes."""
    return _canonical.encode(value)


def steady(value: Any) -> bytes:
    """As `encode`, with sets in order: equal values give equal bytes, fields as they are declared."""
    return _steady.encode(value)


def json_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The JSON Schema of what `encode` makes of this kind."""
    schema: dict[str, Any] = _with_numbers(msgspec.json.schema(kind))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _with_numbers(schema: Any) -> Any:
    """`encode` writes a Decimal as a number; the generator takes it for a string."""
    if isinstance(schema, dict):
        if schema.get("format") == "decimal":
            return {"type": "number"}
        return {key: _with_numbers(value) for key, value in schema.items()}
    return [_with_numbers(value) for value in schema] if isinstance(schema, list | tuple) else schema
