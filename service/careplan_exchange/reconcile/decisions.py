"""What becomes of one element: computed from the three sides, or as it was recorded."""

from collections.abc import Collection, Sequence

from careplan_exchange.model.changes import ElementChange

from .merge import Decide, Kind, Sides
from .references import mentions
from .rules import pattern_of
from .values import MISSING, same


def three_way(*, known: bool, gone: Collection[str] = ()) -> Decide:
    """The rules of docs/merge.md. `gone` are the full URLs of resources of ours that somebody deleted: nothing
    may refer to them until a person has agreed that they are made anew."""

    def decide(path: str, sides: Sides) -> Kind | None:
        never_ours = sides.ours is MISSING and sides.base_ours is MISSING
        if never_ours or same(sides.ours, sides.theirs):
            return None
        if mentions(sides.ours, gone):
            return "conflict"
        pattern = pattern_of(path)
        if pattern.endswith(".text"):
            return _narrative(sides)
        if not known and sides.base_stored is MISSING:
            # nobody knows who wrote theirs; a profile that we claim takes nothing from anybody
            return "ours" if ".meta." in pattern else "conflict"
        return _by_base(sides)

    return decide


def _by_base(sides: Sides) -> Kind | None:
    if not sides.edited:
        return "ours" if sides.proposed else None
    return "conflict" if sides.proposed and sides.ours is not MISSING else "theirs"


def _narrative(sides: Sides) -> Kind | None:
    """Made anew only where it is as we left it. A person's narrative stays, and is no matter for a decision."""
    if sides.edited:
        return "theirs"
    return "ours" if sides.proposed else None


def as_recorded(elements: Sequence[ElementChange], *, accept: bool = False) -> Decide:
    """What was decided and shown. With `accept`, a conflict is decided for ours."""
    kinds: dict[str, Kind] = {element.path: element.kind for element in elements}

    def decide(path: str, _: Sides) -> Kind | None:
        kind = kinds.get(path)
        return "ours" if accept and kind == "conflict" else kind

    return decide
