"""Plain JSON values: absence, equality, overlay."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from careplan_exchange.model.changes import Json

MISSING: Final = msgspec.UNSET
"""Stands for an element that is not there. It is not None, which JSON could hold."""


def same(one: Any, other: Any) -> bool:
    """Whether two values say the same. Numbers are compared as numbers: 7.20 is 7.2, a server may say either."""
    return bool(one == other)


def shown(value: Any) -> Any:
    """A value as an ElementChange has it: None for what is not there."""
    return None if value is MISSING else value


def overlay(ours: Any, theirs: Any) -> Any:
    """Our value in the place of theirs, with the `id` and extensions that stand there and that we do not set.

    A primitive's extensions stand beside it (`_title` beside `title`) and stay only where the primitive does.
    """
    if not (isinstance(ours, dict) and isinstance(theirs, dict)):
        return ours
    attached = {"id", "extension", *(f"_{key}" for key in ours)}
    return {key: value for key, value in theirs.items() if key in attached} | ours


def at(body: Json, path: Sequence[str]) -> Any:
    value: Any = body
    for key in path:
        value = value.get(key, MISSING) if isinstance(value, dict) else MISSING
    return value


def put(body: Json, path: Sequence[str], value: Any) -> Json:
    """A copy with the value at the path, or without it where the value is MISSING. Empty objects fall away."""
    key, *rest = path
    inner = put(body.get(key, {}), rest, value) if rest else value
    without = {name: item for name, item in body.items() if name != key}
    return without if inner is MISSING or inner == {} else {**without, key: inner}
