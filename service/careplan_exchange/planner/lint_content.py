"""What a protocol that loads should say besides: texts in two languages that a patient can follow, for whom it is
meant, and goals that do not contradict each other."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from careplan_exchange.knowledge import Document, in_order
from careplan_exchange.model.issue import Finding

from . import elements
from .elements import Element, extension, items
from .readability import HARDEST_GRADE, LEAST_EASE, ease, grade

Path = tuple[str | int, ...]
_BENEFITS = range(1, 6)
_URGENT = frozenset({"urgent", "asap", "stat"})


def review_content(documents: Sequence[Document]) -> tuple[Finding, ...]:
    """The findings, by file and line. None of them keeps a protocol from being loaded."""
    findings: list[Finding] = []
    by_url = {str(d.content.get("url")): d.content for d in documents if isinstance(d.content, dict)}
    for document in documents:
        if not isinstance(document.content, dict):
            continue
        kind = document.content.get("resourceType")
        if kind == "PlanDefinition":
            findings += _plan(document, by_url)
        elif kind == "ActivityDefinition":
            findings += _texts(document, document.content, ())
    return tuple(sorted(set(findings), key=in_order))


def _plan(document: Document, by_url: dict[str, Any]) -> Iterator[Finding]:
    plan = document.content
    codes = {(found.get("code") or {}).get("code") for found in items(plan, "useContext")}
    if "focus" not in codes:
        yield document.finding(
            "The protocol does not say what it is for in useContext.",
            "Add a useContext with code focus and the condition.",
            *(("useContext",) if codes else ()),
        )
    for index, goal in enumerate(items(plan, "goal")):
        yield from _texts(document, goal, ("goal", index))
    yield from _contradictions(document, items(plan, "goal"))
    for action, path in _walk(items(plan, "action"), ("action",)):
        yield from _texts(document, action, path, needed=False)
        yield from _action(document, action, path, by_url)


def _walk(actions: list[Element], path: Path) -> Iterator[tuple[Element, Path]]:
    for index, action in enumerate(actions):
        yield action, (*path, index)
        yield from _walk(items(action, "action"), (*path, index, "action"))


def _texts(document: Document, element: Element, path: Path, *, needed: bool = True) -> Iterator[Finding]:
    """The patient's texts of one element."""
    english = extension(element, elements.PATIENT_TEXT)
    spanish = extension(element, elements.PATIENT_TEXT_ES)
    where = (*path, "extension")
    if not english:
        if needed and path:
            yield document.finding("The patient has no text.", f"Add {elements.PATIENT_TEXT}.", *path)
        return
    if grade(str(english)) > HARDEST_GRADE:
        yield document.finding(
            f"The patient's text needs school year {grade(str(english)):.1f}, more than {HARDEST_GRADE:.0f}.",
            "Use shorter sentences and plainer words.",
            *where,
        )
    if not spanish:
        yield document.finding(
            "The patient's text has no Spanish.", f"Add {elements.PATIENT_TEXT_ES} beside it.", *where
        )
    elif ease(str(spanish)) < LEAST_EASE:
        yield document.finding(
            f"The Spanish text's ease is {ease(str(spanish)):.0f} (Fernández-Huerta), below {LEAST_EASE:.0f}.",
            "Use shorter sentences and plainer words.",
            *where,
        )


def _action(document: Document, action: Element, path: Path, by_url: dict[str, Any]) -> Iterator[Finding]:
    benefit = extension(action, elements.BENEFIT)
    if benefit is not None and benefit not in _BENEFITS:
        yield document.finding("A benefit is 1 to 5.", "See protocols/README.md.", *path, "extension")
    if extension(action, elements.RED_FLAG) is None:
        return
    definition = by_url.get(str(action.get("definitionCanonical", "")).split("|")[0], {})
    if (action.get("priority") or definition.get("priority")) not in _URGENT:
        yield document.finding(
            "A red flag is not urgent here.", "Give the action priority asap or stat.", *path, "extension"
        )


def _contradictions(document: Document, goals: list[Element]) -> Iterator[Finding]:
    """Two goals (not variants of one) whose targets for one measure have no value in common."""
    seen: list[tuple[str, str, Decimal | None, Decimal | None]] = []
    for index, goal in enumerate(goals):
        name = str(goal.get("id", "")).split(".")[0]
        for target in items(goal, "target"):
            bounds = target.get("detailRange") or {}
            low, high = (elements.number((bounds.get(end) or {}).get("value")) for end in ("low", "high"))
            for coding in elements.codings(target.get("measure")):
                code = f"{coding.system}|{coding.code}"
                for other, measure, other_low, other_high in seen:
                    if other != name and measure == code and _apart(low, high, other_low, other_high):
                        yield document.finding(
                            f"Goals '{name}' and '{other}' have targets that exclude each other.",
                            "Make them variants of one goal (name.variant), or mend a target.",
                            "goal",
                            index,
                        )
                seen.append((name, code, low, high))


def _apart(
    low: Decimal | None, high: Decimal | None, other_low: Decimal | None, other_high: Decimal | None
) -> bool:
    return (high is not None and other_low is not None and high < other_low) or (
        low is not None and other_high is not None and other_high < low
    )
