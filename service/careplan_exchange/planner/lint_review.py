"""What a protocol that loads should be reviewed for: days that have passed, conditions that decide nothing,
actions that wait for each other in a circle."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from careplan_exchange.knowledge import Document, in_order
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.vocabulary import Vocabulary

from .conditions import FHIRPATH
from .elements import Element, items
from .expressions import EvaluationError, Expression, alone, compiled, truth
from .fhirpath import Budget
from .intervals import Interval
from .syntax import Atom, Comparison, SyntaxProblemError, atoms
from .variables import DAYS, concept_of

Path = tuple[str | int, ...]
_PAST = ("approvalDate", "lastReviewDate")
_FIRST = frozenset({"before-start", "before", "before-end"})
_SECOND = frozenset({"after-start", "after", "after-end"})


def review(documents: Sequence[Document], vocabulary: Vocabulary, *, today: date) -> tuple[Finding, ...]:
    """The findings, by file and line. None of them keeps a protocol from being loaded."""
    findings: list[Finding] = []
    for document in documents:
        if isinstance(document.content, dict):
            findings += _dates(document, today)
            for action, path in _walk(document.content, ()):
                findings += _conditions(action, path, document, vocabulary)
            findings += _circles(document)
    return tuple(sorted(set(findings), key=in_order))


def _dates(document: Document, today: date) -> Iterator[Finding]:
    end = _day((document.content.get("effectivePeriod") or {}).get("end"))
    if end is not None and end < today:
        yield document.finding(
            f"It was to be reviewed by {end}, and today is {today}.",
            "Review it against its sources, then set lastReviewDate and effectivePeriod.end.",
            "effectivePeriod",
            "end",
        )
    for name in _PAST:
        if (day := _day(document.content.get(name))) is not None and day > today:
            yield document.finding(
                f"{name} is {day}, which is after today, {today}.", "Give the day on which it was done.", name
            )


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None


def _conditions(action: Element, path: Path, document: Document, vocabulary: Vocabulary) -> Iterator[Finding]:
    for index, found in enumerate(items(action, "condition")):
        expression = found.get("expression") or {}
        where = (*path, "condition", index, "expression", "expression")
        try:
            whole = compiled(str(expression.get("expression", "")))
        except SyntaxProblemError:
            continue  # the linter has said so
        if expression.get("language") != FHIRPATH or not whole.variables:
            continue
        dead = [(part, answer) for part in atoms(whole.tree) if (answer := _always(_alone(part), vocabulary))]
        for part, answer in dead:
            yield document.finding(
                f"The condition '{part.source}' is dead: it is {answer} for every plausible value.",
                "Mend the number or its unit, or remove it.",
                *where,
            )
        if not dead and (answer := _always(whole, vocabulary)):
            yield document.finding(
                f"The condition is dead: it is {answer} for every patient.", "Mend it, or remove it.", *where
            )


def _alone(part: Atom) -> Expression | None:
    return alone(part) if isinstance(part, Comparison) else None


def _always(expression: Expression | None, vocabulary: Vocabulary) -> str | None:
    """The one answer that an expression has whatever the record says, or None."""
    if expression is None:
        return None
    try:
        answer = truth(expression, _AnyPatient(vocabulary))
    except EvaluationError:
        return None
    return None if answer == "unknown" else answer


class _AnyPatient:
    """Every number may be anything that is plausible; nothing else is known."""

    resource: Mapping[str, Any] = {}
    day = date(2000, 1, 1)
    release = "R4"

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.budget = Budget()
        self._vocabulary = vocabulary

    def value(self, variable: str) -> Interval | None:
        if variable == "age":
            return Interval(Decimal(0), None)
        concept = concept_of(variable, self._vocabulary)
        if concept is None:
            return None
        if variable == concept.id + DAYS:
            return Interval(Decimal(0), None)
        return Interval(*concept.plausible) if concept.plausible else None


def _circles(document: Document) -> Iterator[Finding]:
    """Actions each of which is to come before the other: none can be first."""
    before: dict[str, set[str]] = {}
    places: dict[tuple[str, str], Path] = {}
    for action, path in _walk(document.content, ()):
        for index, found in enumerate(items(action, "relatedAction")):
            here, other = str(action.get("id")), str(found.get("actionId"))
            relation = found.get("relationship")
            if relation in _FIRST or relation in _SECOND:
                first, second = (here, other) if relation in _FIRST else (other, here)
                before.setdefault(first, set()).add(second)
                places[first, second] = (*path, "relatedAction", index)
    for (first, second), path in places.items():
        if _reaches(second, first, before, set()):
            yield document.finding(
                f"'{first}' is to come before '{second}', and after it: a cycle.", "Break the circle.", *path
            )


def _reaches(here: str, there: str, before: Mapping[str, set[str]], seen: set[str]) -> bool:
    if here == there:
        return True
    seen.add(here)
    return any(_reaches(one, there, before, seen) for one in before.get(here, ()) if one not in seen)


def _walk(within: Element, path: Path) -> Iterator[tuple[Element, Path]]:
    for index, action in enumerate(items(within, "action")):
        here = (*path, "action", index)
        yield action, here
        yield from _walk(action, here)
