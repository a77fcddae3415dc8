"""The three-way walk over one resource: ours, theirs and the base give the merged body and the next base.

One recursion does both, so that what is taken and what is remembered cannot drift apart. What becomes of an
element that differs is decided by a function: `three_way` when a change is computed, `as_recorded` when it is
carried out or accepted (decisions.py). `docs/merge.md` shows the rules as a table.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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


class Decided(NamedTuple):
    """What becomes of an element, and of a conflict why it is one, in a sentence."""

    kind: Kind
    why: str | None = None


Decide = Callable[[str, Sides, str | None], Decided | None]
"""From the path, the sides and the line of one element to what becomes of it; None: it stays, and there is
nothing to tell."""

KeyOf = Callable[[str, Sides], str | None]
"""From the pattern of a list and one item of it to the key of the line of the plan that it is, if it is one."""


def no_line(_pattern: str, _item: Sides) -> None:
    """For a walk that asks for no reasons."""


class Walk:
    """One pass over one resource; `elements` holds what it found. `known` is false where no base was ever
    written: the resource carries our identifier, but nobody remembers who wrote what in it. `line` is the key of
    what the resource itself is about, `key_of` finds that of an item."""

    def __init__(
        self,
        decide: Decide,
        *,
        known: bool,
        line: str | None = None,
        key_of: KeyOf = no_line,
        settled: bool = False,
    ) -> None:
        """With `settled`, what nobody has edited and nobody proposes otherwise is passed over whole: only where
        `decide` has nothing to say about it, and no next base is wanted."""
        self._decide = decide
        self._settled = settled and known
        self._known = known
        self._line = line
        self._key_of = key_of
        self.elements: list[ElementChange] = []

    def resource(self, resource_type: str, sides: Sides) -> Merged:
        """Ours and theirs are objects. The merged one keeps the order of theirs."""
        return self._fields(resource_type, resource_type, sides)

    def _node(self, path: str, pattern: str, sides: Sides) -> Merged:
        if self._settled and not sides.edited and not sides.proposed:
            return Merged(sides.theirs, MISSING, MISSING)
        keys = rules.list_keys(pattern)
        if keys is not None and all(isinstance(side, list) or side is MISSING for side in sides):
            return self._items(path, pattern, keys, sides)
        if pattern in rules.STRUCTURES and isinstance(sides.ours, dict) and isinstance(sides.theirs, dict):
            return self._fields(path, pattern, sides)
        return self._leaf(path, sides)

    def _fields(self, path: str, pattern: str, sides: Sides) -> Merged:
        objects = [side if isinstance(side, dict) else {} for side in sides]
        live = _live(pattern, objects) if self._settled else None
        whole = Merged({}, {}, {}) if live is None else Merged(dict(objects[1]), {}, {})
        for element, keys in _elements(pattern, objects, live):
            if not rules.is_compared(pattern, element):
                whole.value.update({key: objects[1][key] for key in keys if key in objects[1]})
                continue
            if len(keys) == 1:
                name, absent = keys[0], rules.default(element)
                values = Sides(*[side.get(name, absent) for side in objects])
                node = self._node(f"{path}.{name}", f"{pattern}.{name}", values)
                merged = Merged(*[MISSING if value in (MISSING, {}) else {name: value} for value in node])
            else:
                parts = Sides(*[_part(side, keys) for side in objects])
                merged = self._leaf(f"{path}.{_label(element, parts)}", parts)
            for key in keys:
                if key in whole.value and key not in (merged.value or {}):
                    del whole.value[key]
            for target, part in zip(whole, merged, strict=True):
                target.update(part or {})
        return whole

    def _items(self, path: str, pattern: str, keys: Sequence[str], sides: Sides) -> Merged:
        """Theirs keep their order; ours that the server does not hold follow in our order. Indices in paths
        count in that order."""
        names = ("theirs", "base_stored", "base_ours", "ours", "stored")
        lists = [getattr(sides, name) or [] for name in names]
        slots = [
            Sides(ours, theirs, base_ours, base_stored, stored)
            for theirs, base_stored, base_ours, ours, stored in align(keys, lists)
        ]
        places = (_places(lists[0]), _places(lists[3]))
        slots.sort(key=lambda slot: _place(slot, *places))
        merged = [self._item(f"{path}[{index}]", pattern, slot) for index, slot in enumerate(slots)]
        columns = zip(*merged, strict=True) if merged else ((), (), ())
        return Merged(*([item for item in column if item is not MISSING] or MISSING for column in columns))

    def _item(self, path: str, pattern: str, slot: Sides) -> Merged:
        around = self._line
        self._line = self._key_of(pattern, slot) or around
        merged = self._node(path, pattern, slot)
        self._line = around
        return merged

    def _leaf(self, path: str, sides: Sides) -> Merged:
        decided = self._decide(path, sides, self._line)
        kind = decided.kind if decided else None
        if decided is not None:
            self.elements.append(
                ElementChange(
                    path=path,
                    kind=decided.kind,
                    before=shown(sides.base_ours),
                    theirs=shown(sides.theirs),
                    ours=shown(sides.ours),
                    why=decided.why,
                    line=self._line,
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


def _elements(
    pattern: str, objects: Sequence[Json], live: Collection[str] | None
) -> Iterable[tuple[str, tuple[str, ...]]]:
    """Each element that any side has (of those that are `live`), with the JSON keys that make it up, in the order
    of theirs."""
    if live is not None and not live:
        return ()
    groups: dict[str, tuple[str, ...]] = {}
    for key in dict.fromkeys(key for side in (objects[1], objects[0], *objects[2:]) for key in side):
        element = rules.element_of(pattern, key)
        if live is None or element in live:
            groups[element] = (*groups.get(element, ()), key)
    return groups.items()


def _live(pattern: str, objects: Sequence[Json]) -> set[str]:
    """The elements that somebody has edited, or that are proposed otherwise."""
    ours, theirs, base_ours, base_stored, _ = objects
    return {
        rules.element_of(pattern, key)
        for now, before in ((ours, base_ours), (theirs, base_stored))
        if now != before
        for key in now.keys() | before.keys()
        if now.get(key, MISSING) != before.get(key, MISSING)
    }


def _part(side: Json, keys: Sequence[str]) -> Any:
    return {key: side[key] for key in keys if key in side} or MISSING


def _label(element: str, parts: Sides) -> str:
    """`title` for a title with its extensions, `detail[x]` where the sides differ in type. What the server
    made of it (`stored`) has no say: the path must be the same before and after the write."""
    names = {key.removeprefix("_") for part in parts[:4] if part is not MISSING for key in part}
    return names.pop() if len(names) == 1 else element


def _places(items: Sequence[Any]) -> dict[int, int]:
    """Where each item stands, the first place where one object stands in several. The lists outlive this."""
    return {id(item): len(items) - 1 - index for index, item in enumerate(reversed(items))}


def _place(slot: Sides, theirs: Mapping[int, int], ours: Mapping[int, int]) -> tuple[int, int]:
    if slot.theirs is not MISSING:
        return 0, theirs[id(slot.theirs)]
    if slot.ours is not MISSING:
        return 1, ours[id(slot.ours)]
    return 2, 0
