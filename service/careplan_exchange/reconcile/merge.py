"""The three-way walk over one resource: ours, theirs and the base give the merged body and the next base.

One recursion does both, so that what is taken and what is remembered cannot drift apart. What becomes of an
element that differs is decided by a function: `three_way` when a change is computed, `as_recorded` when it is
carried out or accepted (decisions.py). `docs/merge.md` shows the rules as a table.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from careplan_exchange.model.changes import ElementChange, Json

from . import rules
from .keys import align
from .values import MISSING, overlay, same, shown

Kind = Literal["ours", "theirs", "conflict"]


class Sides(NamedTuple):
    """One element as each side has it. `stored`: as the server keeps it after the write, once that is known."""

    ours: Any
    theirs: Any
    base_ours: Any = MISSING
    base_stored: Any = MISSING
    stored: Any = MISSING

    @property
    def edited(self) -> bool:
        return not same(self.theirs, self.base_stored)

    @property
    def proposed(self) -> bool:
        return not same(self.ours, self.base_ours)


class Merged(NamedTuple):
    """The element as it would be sent, and what the base says of it after the write."""

    value: Any
    base_ours: Any
    base_stored: Any


Decide = Callable[[str, Sides], Kind | None]
"""From the path and sides of one element to what becomes of it; None: it stays, and there is nothing to tell."""


class Walk:
    """One pass over one resource; `elements` holds what it found. `known` is false where no base was ever
    written: the resource carries our identifier, but nobody remembers who wrote what in it."""

    def __init__(self, decide: Decide, *, known: bool) -> None:
        self._decide = decide
        self._known = known
        self.elements: list[ElementChange] = []

    def resource(self, resource_type: str, sides: Sides) -> Merged:
        """Ours and theirs are objects. The merged one keeps the order of theirs."""
        return self._fields(resource_type, sides)

    def _node(self, path: str, sides: Sides) -> Merged:
        pattern = rules.pattern_of(path)
        keys = rules.list_keys(pattern)
        if keys is not None and all(isinstance(side, list) or side is MISSING for side in sides):
            return self._items(path, keys, sides)
        if pattern in rules.STRUCTURES and isinstance(sides.ours, dict) and isinstance(sides.theirs, dict):
            return self._fields(path, sides)
        return self._leaf(path, sides)

    def _fields(self, path: str, sides: Sides) -> Merged:
        pattern = rules.pattern_of(path)
        objects = [side if isinstance(side, dict) else {} for side in sides]
        whole = Merged({}, {}, {})
        for element, keys in _elements(pattern, objects):
            parts = Sides(*(_part(side, keys) for side in objects))
            if not rules.is_compared(pattern, element):
                whole.value.update(parts.theirs or {})
                continue
            if len(keys) == 1:
                values = Sides(*(side.get(keys[0], rules.default(element)) for side in objects))
                node = self._node(f"{path}.{keys[0]}", values)
                merged = Merged(*(MISSING if value in (MISSING, {}) else {keys[0]: value} for value in node))
            else:
                merged = self._leaf(f"{path}.{_label(element, parts)}", parts)
            for target, part in zip(whole, merged, strict=True):
                target.update(part or {})
        return whole

    def _items(self, path: str, keys: Sequence[str], sides: Sides) -> Merged:
        """Theirs keep their order; ours that the server does not hold follow in our order. Indices in paths
        count in that order."""
        names = ("theirs", "base_stored", "base_ours", "ours", "stored")
        lists = [getattr(sides, name) or [] for name in names]
        slots = [Sides(**dict(zip(names, slot, strict=True))) for slot in align(keys, lists)]
        slots.sort(key=lambda slot: _place(slot, lists[0], lists[3]))
        merged = [self._node(f"{path}[{index}]", slot) for index, slot in enumerate(slots)]
        columns = zip(*merged, strict=True) if merged else ((), (), ())
        return Merged(*([item for item in column if item is not MISSING] or MISSING for column in columns))

    def _leaf(self, path: str, sides: Sides) -> Merged:
        kind = self._decide(path, sides)
        if kind is not None:
            self.elements.append(
                ElementChange(
                    path=path,
                    kind=kind,
                    before=shown(sides.base_ours),
                    theirs=shown(sides.theirs),
                    ours=shown(sides.ours),
                )
            )
        value = overlay(sides.ours, sides.theirs) if kind == "ours" else sides.theirs
        return Merged(value, *self._next_base(kind, sides))

    def _next_base(self, kind: Kind | None, sides: Sides) -> tuple[Any, Any]:
        """(ours, stored) of the next base.

        What we took, and what nobody has touched, is remembered as it now is. What a person has edited keeps
        what was remembered, so that it differs from the base for good. Without anything remembered, a kept
        element gets our value as `stored` and nothing as `ours`: theirs then looks edited and ours looks
        proposed, so the same question is asked again, and nothing is overwritten.
        """
        now = (sides.ours, sides.stored)
        if kind == "ours":
            return now
        if self._known:
            kept = kind is not None or sides.edited
            return (sides.base_ours, sides.base_stored) if kept else now
        if kind is not None:
            return MISSING, sides.ours
        return now if sides.ours is not MISSING else (MISSING, MISSING)


def _elements(pattern: str, objects: Sequence[Json]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each element that any side has, with the JSON keys that make it up, in the order of theirs."""
    groups: dict[str, dict[str, None]] = {}
    for side in (objects[1], objects[0], *objects[2:]):
        for key in side:
            groups.setdefault(rules.element_of(pattern, key), {})[key] = None
    for element, keys in groups.items():
        yield element, tuple(keys)


def _part(side: Json, keys: Sequence[str]) -> Any:
    return {key: side[key] for key in keys if key in side} or MISSING


def _label(element: str, parts: Sides) -> str:
    """`title` for a title with its extensions, `detail[x]` where the sides differ in type. What the server
    made of it (`stored`) has no say: the path must be the same before and after the write."""
    names = {key.removeprefix("_") for part in parts[:4] if part is not MISSING for key in part}
    return names.pop() if len(names) == 1 else element


def _place(slot: Sides, theirs: Sequence[Any], ours: Sequence[Any]) -> tuple[int, int]:
    for rank, (item, items) in enumerate(((slot.theirs, theirs), (slot.ours, ours))):
        if item is not MISSING:
            return rank, next(index for index, other in enumerate(items) if other is item)
    return 2, 0
