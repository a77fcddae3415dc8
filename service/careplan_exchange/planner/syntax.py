"""FHIRPath text to a small tree: what a condition compares with what. Read `expressions.py` after it.

The parser of fhirpathpy stops at the first thing it does not understand and forgets the rest: `%a > 7 %b`
means `%a > 7` to it. Here that is an error.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal

import msgspec
from antlr4 import CommonTokenStream, InputStream, Token  # type: ignore[import-untyped] # ships no types
from antlr4.error.ErrorListener import ErrorListener  # type: ignore[import-untyped] # ships no types
from antlr4.tree.Tree import ParseTreeWalker  # type: ignore[import-untyped] # ships no types
from fhirpathpy.parser.ASTPathListener import ASTPathListener
from fhirpathpy.parser.generated.FHIRPathLexer import FHIRPathLexer
from fhirpathpy.parser.generated.FHIRPathParser import FHIRPathParser

Ast = dict[str, Any]
Operator = Literal["and", "or", "xor", "implies"]

_LONGEST, _DEEPEST, _HIGHEST = 10_000, 40, 300
"""Of an expression: characters, brackets inside each other, steps from the whole to its smallest part. Parsing
and evaluating are recursive."""
_TOO_LONG = f"it is longer than {_LONGEST} characters, or too deeply nested"
_CALENDAR = frozenset(
    {
        *("year", "month", "week", "day", "hour", "minute", "second", "millisecond"),
        *("years", "months", "weeks", "days", "hours", "minutes", "seconds", "milliseconds"),
    }
)
_FLIPPED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "=": "=", "!=": "!="}


class SyntaxProblemError(Exception):
    """The text is not FHIRPath; the message says where."""


class Flag(msgspec.Struct, frozen=True):
    """A variable that is a boolean by itself: `%pregnancy`."""

    variable: str

    @property
    def source(self) -> str:
        return f"%{self.variable}"


class Comparison(msgspec.Struct, frozen=True):
    """A variable against a literal, the variable first: `%hba1c >= 7`."""

    variable: str
    operator: str
    literal: Decimal | str | bool

    @property
    def source(self) -> str:
        if isinstance(self.literal, bool):
            return f"%{self.variable} {self.operator} {str(self.literal).lower()}"
        shown = f"'{self.literal}'" if isinstance(self.literal, str) else f"{self.literal}"
        return f"%{self.variable} {self.operator} {shown}"


class Presence(msgspec.Struct, frozen=True):
    """`%diabetic_foot_exam_days.exists()` or `.empty()`."""

    variable: str
    function: str

    @property
    def source(self) -> str:
        return f"%{self.variable}.{self.function}()"


class Constant(msgspec.Struct, frozen=True):
    """`true` or `false`."""

    value: bool

    @property
    def source(self) -> str:
        return str(self.value).lower()


class Opaque(msgspec.Struct, frozen=True):
    """Any other FHIRPath: not taken apart. `source` is then the whole condition, as the parser keeps no more."""

    source: str


class Not(msgspec.Struct, frozen=True):
    operand: "Tree"


class Both(msgspec.Struct, frozen=True):
    operator: Operator
    left: "Tree"
    right: "Tree"


Atom = Flag | Comparison | Presence | Constant | Opaque
Tree = Atom | Not | Both


def parse(text: str) -> tuple[Ast, Tree]:
    """The parser's own tree (for evaluation) and ours (for reasons and for the lint).

    Raises SyntaxProblemError.
    """
    if len(text) > _LONGEST or _deepest(text) > _DEEPEST:
        raise SyntaxProblemError(_TOO_LONG)
    listener = _Listener()
    lexer = FHIRPathLexer(InputStream(text))
    lexer.removeErrorListeners()
    lexer.addErrorListener(listener)
    tokens = CommonTokenStream(lexer)
    parser = FHIRPathParser(tokens)
    parser.removeErrorListeners()
    parser.addErrorListener(listener)
    try:
        expression = parser.expression()
        rest = tokens.LT(1)
        if rest.type != Token.EOF:
            raise SyntaxProblemError(f"nothing is expected after column {rest.column}")
        builder = ASTPathListener()  # type: ignore[no-untyped-call] # fhirpathpy ships no types
        ParseTreeWalker().walk(builder, expression)
    except RecursionError:
        raise SyntaxProblemError(_TOO_LONG) from None
    ast: Ast = builder.parentStack[0]
    if _height(ast) > _HIGHEST:
        raise SyntaxProblemError(_TOO_LONG)
    _calendar_words(ast)
    return ast, _tree(ast["children"][0], text)


def _deepest(text: str) -> int:
    deepest = depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


def _height(ast: Ast) -> int:
    height, level = 0, [ast]
    while level:
        height += 1
        level = [child for node in level for child in node.get("children", ())]
    return height


def _calendar_words(ast: Ast) -> None:
    """`60 'months'` is meant as `60 months`: no UCUM unit has such a name, and HAPI reads it so."""
    for node in walk(ast):
        if node.get("type") == "Unit":
            texts = node["terminalNodeText"]
            node["terminalNodeText"] = [
                text.strip("'") if text.strip("'") in _CALENDAR else text for text in texts
            ]


def walks_entries(ast: Ast) -> bool:
    """Whether `%resource.entry` stands in it. A Patient has no such element: plans that are written so (OpenSRP's
    are) mean the resources that are at hand, as a Bundle."""
    return any(
        node.get("type") == "InvocationExpression"
        and _variable(node["children"][0]) == "resource"
        and [child.get("text") for child in node["children"][1].get("children", ())] == ["entry"]
        for node in walk(ast)
    )


def variables(ast: Ast) -> tuple[str, ...]:
    """The names of all `%variables`, in order of appearance, each once."""
    found = (node for node in walk(ast) if node.get("type") == "ExternalConstant")
    return tuple(dict.fromkeys(str(node["children"][0]["text"]) for node in found))


def functions(ast: Ast) -> tuple[str, ...]:
    """The names of all functions that are called."""
    calls = (node for node in walk(ast) if node.get("type") == "Functn")
    return tuple(dict.fromkeys(str(node["children"][0]["text"]) for node in calls))


def atoms(tree: Tree) -> Iterator[Atom]:
    if isinstance(tree, Both):
        yield from atoms(tree.left)
        yield from atoms(tree.right)
    elif isinstance(tree, Not):
        yield from atoms(tree.operand)
    else:
        yield tree


def walk(node: Ast) -> Iterator[Ast]:
    yield node
    for child in node.get("children", ()):
        yield from walk(child)


class _Listener(ErrorListener):  # type: ignore[misc] # antlr4 ships no types
    def syntaxError(self, _recognizer: Any, _symbol: Any, line: int, column: int, message: str, _e: Any) -> None:  # noqa: N802 # antlr4's name
        raise SyntaxProblemError(f"line {line}, column {column}: {message}")


def _tree(node: Ast, whole: str) -> Tree:
    kind = node["type"]
    children: list[Ast] = node.get("children", [])
    if kind == "TermExpression" and children[0]["type"] == "ParenthesizedTerm":
        return _tree(children[0]["children"][0], whole)
    if kind in {"AndExpression", "OrExpression", "ImpliesExpression"}:
        operator: Operator = node["terminalNodeText"][0]
        return Both(operator, _tree(children[0], whole), _tree(children[1], whole))
    if kind == "InvocationExpression" and _calls(node, "not"):
        return Not(_tree(children[0], whole))
    return _atom(node) or Opaque(whole)


def _atom(node: Ast) -> Atom | None:
    if node["type"] in {"InequalityExpression", "EqualityExpression"}:
        return _comparison(node)
    if node["type"] == "InvocationExpression":
        called = next((name for name in ("exists", "empty") if _calls(node, name)), None)
        variable = _variable(node["children"][0])
        return Presence(variable, called) if variable and called else None
    if variable := _variable(node):
        return Flag(variable)
    literal = _literal(node)
    return Constant(literal) if isinstance(literal, bool) else None


def _calls(node: Ast, name: str) -> bool:
    """Whether the last step of this invocation is `name()`, without an argument."""
    step = node["children"][1]
    call = step["children"][0] if step["type"] == "FunctionInvocation" else {"children": []}
    return [child.get("text") for child in call["children"]] == [name]


def _comparison(node: Ast) -> Comparison | None:
    left, right = node["children"]
    operator = node["terminalNodeText"][0]
    if operator not in _FLIPPED:
        return None
    if (variable := _variable(left)) and (literal := _literal(right)) is not None:
        return Comparison(variable, operator, literal)
    if (variable := _variable(right)) and (literal := _literal(left)) is not None:
        return Comparison(variable, _FLIPPED[operator], literal)
    return None


def _variable(node: Ast) -> str | None:
    """The variable that this node is, and nothing else."""
    while node.get("type") != "ExternalConstant":
        if node.get("type") not in {"TermExpression", "ExternalConstantTerm"}:
            return None
        node = node["children"][0]
    return str(node["children"][0]["text"])


def _literal(node: Ast) -> Decimal | str | bool | None:
    sign = 1
    if node["type"] == "PolarityExpression":
        sign = -1 if node["terminalNodeText"] == ["-"] else 1
        node = node["children"][0]
    while node["type"] in {"TermExpression", "LiteralTerm"}:
        node = node["children"][0]
    text = str(node.get("text"))
    match node["type"]:
        case "NumberLiteral":
            return sign * Decimal(text)
        case "StringLiteral":
            return text[1:-1]
        case "BooleanLiteral":
            return text == "true"
    return None
