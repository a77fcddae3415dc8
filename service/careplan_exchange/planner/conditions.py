"""`action.condition` and `dynamicValue` as read from FHIR: compiled, or with what stands against it."""

from typing import cast

from . import elements
from .elements import Element, extension
from .expressions import Expression, compiled
from .protocol import Condition, DynamicValue, Unknown
from .syntax import SyntaxProblemError

FHIRPATH = "text/fhirpath"


def condition_of(found: Element) -> Condition:
    expression, problem, source = _expression(found.get("expression") or {})
    return Condition(
        kind=found.get("kind", "applicability"),
        source=source,
        expression=expression,
        problem=problem,
        unknown=cast("Unknown", extension(found, elements.UNKNOWN) or "leave-out"),
        safety=extension(found, elements.SAFETY),
        question=extension(found, elements.QUESTION),
        description=(found.get("expression") or {}).get("description"),
    )


def dynamic_of(found: Element) -> DynamicValue:
    expression, problem, source = _expression(found.get("expression") or {})
    return DynamicValue(path=found.get("path", ""), source=source, expression=expression, problem=problem)


def _expression(found: Element) -> tuple[Expression | None, str | None, str]:
    """The compiled expression, or what stands against it, and its text."""
    source: str = found.get("expression") or found.get("name") or found.get("reference") or ""
    if found.get("language") != FHIRPATH:
        return None, f"its language '{found.get('language')}' is not evaluated here, only {FHIRPATH}", source
    try:
        return compiled(source), None, source
    except SyntaxProblemError as problem:
        return None, f"it is not FHIRPath: {problem}", source
