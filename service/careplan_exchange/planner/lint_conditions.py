"""What the linter asks of one expression of a protocol: that it reads what is there, and cannot guess."""

from collections.abc import Iterator
from decimal import Decimal
from typing import get_args

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.vocabulary import Vocabulary
from careplan_exchange.spelling import did_you_mean

from . import elements
from .conditions import FHIRPATH
from .dynamic import PATHS
from .elements import Element, extension
from .expressions import Expression, compiled
from .protocol import Severity, Unknown
from .syntax import Atom, Comparison, Constant, Flag, Opaque, Presence, SyntaxProblemError, atoms
from .variables import DAYS, PATIENT_VARIABLES, concept_of

Path = tuple[str | int, ...]
_REWRITE = f"Write it in {FHIRPATH}, or let a server that offers $apply plan with it: careplan plan --apply-at."
_FUNCTIONS = frozenset({"not", "exists", "empty"})
_SEXES = frozenset({"male", "female", "other"})


def lint_condition(found: Element, path: Path, document: Document, vocabulary: Vocabulary) -> Iterator[Finding]:
    kind = found.get("kind")
    if kind not in {"applicability", "start", "stop"}:
        yield document.finding(
            f"There is no condition of kind '{kind}'.", "Say applicability, start or stop.", *path
        )
    expression, findings = _compile(found, path, document)
    yield from findings
    if expression is None:
        return
    where = (*path, "expression", "expression")
    yield from _functions(expression, where, document)
    for atom in atoms(expression.tree):
        yield from _atom(atom, where, document, vocabulary)
    yield from _policy(found, expression, path, document, vocabulary)


def lint_dynamic(found: Element, path: Path, document: Document, vocabulary: Vocabulary) -> Iterator[Finding]:
    if found.get("path") not in PATHS:
        yield document.finding(
            f"dynamicValue cannot fill '{found.get('path')}'.",
            f"Use one of {', '.join(sorted(PATHS))}.",
            *path,
            "path",
        )
    expression, findings = _compile(found, path, document)
    yield from findings
    for name in expression.variables if expression else ():
        if name != "subject":
            yield from _variable(name, (*path, "expression", "expression"), document, vocabulary)


def _compile(found: Element, path: Path, document: Document) -> tuple[Expression | None, list[Finding]]:
    expression = found.get("expression") or {}
    where = (*path, "expression")
    if expression.get("language") != FHIRPATH:
        said = f"An expression in '{expression.get('language')}' is not evaluated here."
        return None, [document.finding(said, _REWRITE, *where, "language")]
    try:
        return compiled(str(expression.get("expression", ""))), []
    except SyntaxProblemError as problem:
        return None, [
            document.finding(f"This is not FHIRPath: {problem}.", "Mend it there.", *where, "expression")
        ]


def _functions(expression: Expression, where: Path, document: Document) -> Iterator[Finding]:
    for name in expression.functions:
        if name not in _FUNCTIONS:
            yield document.finding(
                f"'{name}()' may not stand in a condition: it can turn 'unknown' into an answer, or depends "
                "on more than the patient's values.",
                "Compare variables with literals and join them with and, or, xor, implies and not().",
                *where,
            )


def _variable(name: str, where: Path, document: Document, vocabulary: Vocabulary) -> Iterator[Finding]:
    if name not in PATIENT_VARIABLES and concept_of(name, vocabulary) is None:
        yield document.finding(
            f"There is no variable '%{name}'.",
            "Use %age, %sex or a concept of profiles/ (also with _days, and _ever where it holds true or false)."
            f"{did_you_mean(name, [*PATIENT_VARIABLES, *vocabulary.concepts])}",
            *where,
        )


def _atom(atom: Atom, where: Path, document: Document, vocabulary: Vocabulary) -> Iterator[Finding]:
    match atom:
        case Constant():
            return
        case Opaque():
            yield document.finding(
                "A part of this condition is not a comparison of one variable with one literal.",
                "Write it as `%variable operator literal`, `%variable` or `%variable.not()`: only then can "
                "ranges, reasons and missing values be told.",
                *where,
            )
            return
    unknown = list(_variable(atom.variable, where, document, vocabulary))
    yield from unknown
    if unknown:
        return
    wanted = _type(atom.variable, vocabulary)
    match atom:
        case Flag() if wanted != "boolean":
            yield document.finding(
                f"'%{atom.variable}' is a {wanted}, not true or false.", "Compare it with a literal.", *where
            )
        case Comparison(literal=literal) if (given := _literal_type(literal)) != wanted:
            yield document.finding(
                f"'%{atom.variable}' is a {wanted} and is compared with a {given}.", f"Give a {wanted}.", *where
            )
        case Comparison(variable="sex", literal=str(literal)) if literal not in _SEXES:
            yield document.finding(f"'{literal}' is no recorded sex.", "Say male, female or other.", *where)
        case Presence(variable=name, function=function) if can_be_unknown(name, vocabulary):
            yield document.finding(
                f"'%{name}.{function}()' turns 'unknown' into an answer: nothing recorded is not nothing there.",
                f"Use '%{name}' or '%{name}.not()' and say what unknown means.",
                *where,
            )


def _policy(
    found: Element, expression: Expression, path: Path, document: Document, vocabulary: Vocabulary
) -> Iterator[Finding]:
    unknown = extension(found, elements.UNKNOWN)
    safety = extension(found, elements.SAFETY)
    applicability = found.get("kind") == "applicability"
    if (
        unknown is None
        and applicability
        and any(can_be_unknown(name, vocabulary) for name in expression.variables)
    ):
        yield document.finding(
            "The record may not decide this condition, and nothing says what then.",
            f"Add the extension {elements.UNKNOWN} with valueCode {', '.join(get_args(Unknown))}.",
            *path,
        )
    if unknown is not None and unknown not in get_args(Unknown):
        yield document.finding(
            f"'{unknown}' is no policy for unknown.", f"Use {', '.join(get_args(Unknown))}.", *path
        )
    if safety is not None and (safety not in get_args(Severity) or not applicability):
        yield document.finding(
            "A safety condition is of kind applicability, its severity high, moderate or low.", "Mend it.", *path
        )
    if safety is not None and unknown == "go-on":
        yield document.finding(
            "A contraindication that is not known to be absent is passed over.", "Say ask or withhold.", *path
        )
    if safety is not None and not (found.get("expression") or {}).get("description"):
        yield document.finding(
            "A contraindication does not say in words what it is.",
            "Add expression.description.",
            *path,
            "expression",
        )


def can_be_unknown(variable: str, vocabulary: Vocabulary) -> bool:
    """Whether a record that was read whole can leave this variable empty."""
    concept = concept_of(variable, vocabulary)
    if (
        concept is None
        or concept.kind in {"measurement", "status", "stage", "circumstance", "visit"}
        or concept.max_age_days is not None
    ):
        return True
    return concept.when_absent == "unknown" or variable == concept.id + DAYS


def _type(variable: str, vocabulary: Vocabulary) -> str:
    if variable == "sex":
        return "text"
    concept = concept_of(variable, vocabulary)
    if concept is None or variable == concept.id + DAYS or concept.kind == "measurement":
        return "number"
    if concept.kind == "stage":
        return "text"
    return "boolean"


def _literal_type(literal: Decimal | str | bool) -> str:  # the literal itself
    if isinstance(literal, bool):
        return "boolean"
    return "number" if isinstance(literal, Decimal) else "text"
