"""A sandbox that takes less of a plan than it could, as weaker servers do: its statement and its answers
agree.
"""

from collections.abc import Mapping
from typing import Literal

from .outcomes import refusal

Takes = Literal["references", "detail", "document", "nothing"]
"""A rung of the write ladder (docs/ladder.md): everything; a plan with its goals and no requests; documents; or
nothing of a plan at all."""

_REQUESTS = frozenset({"ServiceRequest", "MedicationRequest", "NutritionOrder"})
_PLAN = _REQUESTS | {"CarePlan", "Goal", "DetectedIssue"}
_NOT_TAKEN: Mapping[Takes, frozenset[str]] = {
    "references": frozenset(),
    "detail": _REQUESTS,
    "document": _PLAN,
    "nothing": _PLAN | {"DocumentReference"},
}
WRITES = ("create", "update", "delete")


def interactions(kind: str, every: tuple[str, ...], takes: Takes) -> tuple[str, ...]:
    """Those of `every` that the sandbox has for this type."""
    return tuple(code for code in every if code not in WRITES) if kind in _NOT_TAKEN[takes] else every


def require_taken(kind: str, takes: Takes) -> None:
    """Raises RefusalError (405) where this type can only be read here."""
    if kind in _NOT_TAKEN[takes]:
        raise refusal(405, "not-supported", f"A {kind} can be read here, and not written.")
