"""`PlanDefinition.goal` as read from FHIR."""

from decimal import Decimal

from careplan_exchange.model.snapshot import Coding

from . import elements
from .dates import CALENDAR_UNITS
from .elements import Element, extension, items
from .protocol import GoalTemplate, TargetTemplate

_NUMERIC = ("detailRange", "detailQuantity")


def goal_of(goal: Element, name: str, prefix: str, plan_title: str) -> GoalTemplate:
    """`name` is the goal's id, or one that stands in for it; `prefix` begins its keys."""
    description = elements.text(goal.get("description")) or (name if "id" in goal else f"Goal of '{plan_title}'")
    return GoalTemplate(
        id=f"{prefix}/{name}",
        key=f"{prefix}/{name.split('.', maxsplit=1)[0]}",
        description=description,
        patient_text=extension(goal, elements.PATIENT_TEXT) or description,
        patient_texts=elements.translations(goal),
        category=elements.code(goal.get("category"), "treatment"),
        priority=elements.code(goal.get("priority"), "medium-priority"),
        citations=elements.citations(items(goal, "documentation")),
        targets=tuple(_target(found) for found in items(goal, "target") if _is_carried(found)),
        addresses=tuple(coding for concept in items(goal, "addresses") for coding in elements.codings(concept)),
    )


def unmeasured(goal: Element) -> bool:
    """Whether a target has a value and does not say of what."""
    return any(_has_detail(found) and not found.get("measure") for found in items(goal, "target"))


def not_carried(goal: Element) -> tuple[str, ...]:
    """What of the goal no proposal holds, in words."""
    said = [f"its {name} is not carried" for name in ("start", "acceptance") if name in goal]
    for target in items(goal, "target"):
        if not _is_carried(target):
            said.append("a target that is no range of a quantity is not carried")
        if target.get("due") and _due(target) is None:
            said.append("a target's due is no calendar interval (d, wk, mo, a) and is not carried")
    return tuple(dict.fromkeys(said))


def _is_carried(target: Element) -> bool:
    """A range of a quantity, or the measure alone: that it is to be watched."""
    return any(name in target for name in _NUMERIC) or ("measure" in target and not _has_detail(target))


def _has_detail(target: Element) -> bool:
    return any(name.startswith("detail") for name in target)


def _target(found: Element) -> TargetTemplate:
    bounds = found.get("detailRange") or {}
    exact = found.get("detailQuantity")
    low, high = bounds.get("low") or {}, bounds.get("high") or {}
    if exact:
        comparator = exact.get("comparator", "")
        low, high = ({} if "<" in comparator else exact), ({} if ">" in comparator else exact)
    measure = found.get("measure")
    return TargetTemplate(
        measure=next(iter(elements.codings(measure)), Coding(display=elements.text(measure))),
        unit=low.get("code") or high.get("code") or low.get("unit") or high.get("unit") or "",
        low=elements.number(low.get("value")),
        high=elements.number(high.get("value")),
        due=_due(found),
    )


def _due(target: Element) -> tuple[Decimal, str] | None:
    due = target.get("due") or {}
    unit = due.get("code", "d")
    return (Decimal(str(due["value"])), unit) if "value" in due and unit in CALENDAR_UNITS else None
