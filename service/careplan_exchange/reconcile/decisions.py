"""What becomes of one element: computed from the three sides, or as it was recorded."""

from collections.abc import Callable, Collection, Sequence

from careplan_exchange.model.changes import ElementChange

from .merge import Decide, Decided, Sides
from .references import mentions
from .rules import pattern_of
from .values import MISSING, same

BOTH_CHANGED = "A person changed it since it was last written, and it is proposed otherwise now."
TAKEN_OUT_AND_CHANGED = "A person took it out, and it is proposed otherwise now."
NEW_REASON = "A person took it out, and the reason for it is another one now."
NOBODY_KNOWS = "It stands otherwise than it is proposed, and nothing here remembers who wrote it."
REFERS_TO_GONE = "It refers to a part of the plan that somebody deleted."

SameReason = Callable[[str], bool | None]
"""Whether a line is proposed for the reason for which it stood last; None where that is not known."""


def _unknown(_: str) -> None:
    """For a comparison without reasons."""


def three_way(*, known: bool, gone: Collection[str] = (), same_reason: SameReason = _unknown) -> Decide:
    """The rules of docs/merge.md. `gone` are the full URLs of resources of ours that somebody deleted and that a
    person is asked about: nothing may refer to them until a person has agreed that they are made anew."""

    def decide(path: str, sides: Sides, line: str | None) -> Decided | None:
        never_ours = sides.ours is MISSING and sides.base_ours is MISSING
        if never_ours or same(sides.ours, sides.theirs):
            return None
        if mentions(sides.ours, gone):
            return Decided("conflict", REFERS_TO_GONE)
        pattern = pattern_of(path)
        if pattern.endswith(".text"):
            return _narrative(sides)
        if not known and sides.base_stored is MISSING:
            # nobody knows who wrote theirs; a profile that we claim takes nothing from anybody
            return Decided("ours") if ".meta." in pattern else Decided("conflict", NOBODY_KNOWS)
        if line is not None and path.endswith("]") and _taken_out(sides):
            reason_stands = same_reason(line)
            if reason_stands is not None:
                return Decided("theirs") if reason_stands else Decided("conflict", NEW_REASON)
        return _by_base(sides)

    return decide


def _taken_out(sides: Sides) -> bool:
    """Whether a person took out an item of ours that is still proposed."""
    return sides.theirs is MISSING and sides.base_stored is not MISSING and sides.ours is not MISSING


def _by_base(sides: Sides) -> Decided | None:
    if not sides.edited:
        return Decided("ours") if sides.proposed else None
    if sides.proposed and sides.ours is not MISSING:
        return Decided("conflict", TAKEN_OUT_AND_CHANGED if sides.theirs is MISSING else BOTH_CHANGED)
    return Decided("theirs")


def _narrative(sides: Sides) -> Decided | None:
    """Made anew only where it is as we left it. A person's narrative stays, and is no matter for a decision."""
    if sides.edited:
        return Decided("theirs")
    return Decided("ours") if sides.proposed else None


def as_recorded(elements: Sequence[ElementChange]) -> Decide:
    """What was decided and shown."""
    decided = {element.path: Decided(element.kind) for element in elements}

    def decide(path: str, _sides: Sides, _line: str | None) -> Decided | None:
        return decided.get(path)

    return decide
