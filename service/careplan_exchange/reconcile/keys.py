"""What makes two items of a list the same item, and the alignment of several lists by it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from careplan_exchange.model.codec import canonical

from .values import MISSING

Slot = list[Any]
"""One item as each side has it, MISSING where a side has none."""


def _concept(value: Any) -> str | None:
    """A CodeableConcept by its first coding, otherwise by its text."""
    if not isinstance(value, dict):
        return None
    for coding in value.get("coding", ()):
        if coding.get("code"):
            return f"{coding.get('system', '')}|{coding['code']}"
    return value.get("text")


def _reference(value: Any) -> str | None:
    """A Reference, R5 CodeableReference, or the reference of a plan's activity, by what it refers to."""
    if not isinstance(value, dict):
        return None
    inner = value.get("plannedActivityReference", value.get("reference"))
    if isinstance(inner, dict):
        return _reference(inner)
    if isinstance(inner, str):
        return inner
    return _identifier(value.get("identifier")) or _concept(value.get("concept"))


def _identifier(value: Any) -> str | None:
    if not isinstance(value, dict) or "value" not in value:
        return None
    return f"{value.get('system', '')}|{value['value']}"


def _field(name: str) -> Callable[[Any], str | None]:
    return lambda value: value.get(name) if isinstance(value, dict) else None


def _detail(name: str, key: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    def read(value: Any) -> str | None:
        detail = value.get("detail") if isinstance(value, dict) else None
        return key(detail.get(name)) if isinstance(detail, dict) else None

    return read


KEYS: Final[Mapping[str, Callable[[Any], str | None]]] = {
    "id": _field("id"),
    "url": _field("url"),
    "text": _field("text"),
    "reference": _reference,
    "identifier": _identifier,
    "concept": _concept,
    "measure": lambda value: _concept(value.get("measure")) if isinstance(value, dict) else None,
    "detail_code": _detail("code", _concept),
    "detail_description": _detail("description", lambda value: value),
    "value": lambda value: canonical(value).decode(),
}


def align(names: Sequence[str], sides: Sequence[Sequence[Any]]) -> list[Slot]:
    """Slots with one place for each side: items that are the same item share a slot, MISSING fills the rest.

    Sides are placed in the order given. Each item joins a slot that knows one of its keys and has no item of its
    side yet, by the strongest key first over the whole side; the slot then knows all its keys. So an item whose
    element id a server dropped is still found by a weaker key. Where several slots fit, one with an item of the
    side before comes first. What joins none opens a slot, in list order. An item that fits a second slot makes
    one of both; the last side only joins.
    """
    if (told := _told_apart(names, sides)) is not None:
        return told
    names = tuple(dict.fromkeys(("value", *names)))
    slots: list[Slot] = []
    known: dict[tuple[str, str], list[Slot]] = {}
    for side, items in enumerate(sides):
        keys = [_keys_of(item, names) for item in items]
        placed = _joined(side, items, keys, known, names)
        for index, item in enumerate(items):
            if index not in placed:
                placed[index] = [MISSING] * side + [item] + [MISSING] * (len(sides) - side - 1)
                slots.append(placed[index])
            if side < len(sides) - 1:
                _unite(placed[index], keys[index], slots, known)
            for known_as in keys[index].items():
                known.setdefault(known_as, []).append(placed[index])
    return slots


def _joined(
    side: int,
    items: Sequence[Any],
    keys: Sequence[Mapping[str, str]],
    known: Mapping[tuple[str, str], list[Slot]],
    names: Sequence[str],
) -> dict[int, Slot]:
    """The slots that items of this side join, by their index."""
    placed: dict[int, Slot] = {}
    for name in names:
        for index, item in enumerate(items):
            if index in placed or name not in keys[index]:
                continue
            candidates = [slot for slot in known.get((name, keys[index][name]), ()) if slot[side] is MISSING]
            if candidates:
                slot = max(candidates, key=lambda slot: slot[side - 1] is not MISSING)
                slot[side] = item
                placed[index] = slot
    return placed


def _keys_of(item: Any, names: Sequence[str]) -> dict[str, str]:
    return {name: key for name in names if (key := KEYS[name](item)) is not None}


def _told_apart(names: Sequence[str], sides: Sequence[Sequence[Any]]) -> list[Slot] | None:
    """The slots where the strongest key alone gives them: each item of each side has one of its own, and all
    sides that have items have the same. That is the plain case, and equal items have equal keys."""
    if not names:
        return None
    key_of = KEYS[names[0]]
    found: dict[str | None, Slot] = {}
    for side, items in enumerate(sides):
        keys = [key_of(item) for item in items]
        if keys and not found:
            found = {key: [MISSING] * len(sides) for key in keys}
        if keys and (None in found or len(keys) != len(found) or set(keys) != found.keys()):
            return None
        for key, item in zip(keys, items, strict=True):
            found[key][side] = item
    return list(found.values())


def _unite(
    slot: Slot, keys: Mapping[str, str], slots: list[Slot], known: Mapping[tuple[str, str], list[Slot]]
) -> None:
    """Takes in the first slot that one of the keys finds and that has nothing where this one has something. So
    what is remembered under an id that the server dropped is still the item that stands there without it."""
    for other in [one for key in keys.items() for one in known.get(key, ())]:
        if all(MISSING in pair for pair in zip(slot, other, strict=True)):
            slot[:] = [one if item is MISSING else item for item, one in zip(slot, other, strict=True)]
            slots[:] = [one for one in slots if one is not other]
            for found in known.values():
                found[:] = [slot if one is other else one for one in found]
            return
