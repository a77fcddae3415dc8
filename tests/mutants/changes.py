"""Every small change to the functions of one module: what a test that holds anything should notice.

In: the source of a module. Out: for each change the function that it stands in, the line, what was changed into
what, and the function's code with it. Words for people are left out: strings, docstrings, log lines, and what is
handed on as `detail`, `mend`, `why` or `reason`.
"""

import ast
import copy
from collections.abc import Callable, Iterator
from types import CodeType
from typing import NamedTuple

_WORDS = frozenset({"detail", "mend", "why", "reason"})
_INVERSE = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


class Change(NamedTuple):
    """`function` is the outermost one, by its qualified name; `code` is that function's, changed."""

    function: str
    line: int
    said: str
    code: CodeType


class _Spot(NamedTuple):
    """One place in a tree: `put` does the change to the copy of `node` that a path leads to."""

    path: tuple[tuple[str, int | None], ...]
    line: int
    said: str
    put: Callable[[ast.AST], ast.AST]


def changes(source: str, file: str) -> Iterator[Change]:
    """In the order of the lines. Changes that do not compile are left out."""
    tree = ast.parse(source)
    for spot in _spots(tree, ()):
        changed = copy.deepcopy(tree)
        holder, name, index = _holder(changed, spot.path)
        before = getattr(holder, name) if index is None else getattr(holder, name)[index]
        after = ast.copy_location(spot.put(before), before)
        if index is None:
            setattr(holder, name, after)
        else:
            getattr(holder, name)[index] = after
        try:
            code = compile(ast.fix_missing_locations(changed), file, "exec")
        except (SyntaxError, ValueError):
            continue
        function = _function(tree, spot.path)
        if function and (found := _code(code, function.split("."))) is not None:
            yield Change(function, spot.line, spot.said, found)


def _holder(tree: ast.AST, path: tuple[tuple[str, int | None], ...]) -> tuple[ast.AST, str, int | None]:
    node = tree
    for name, index in path[:-1]:
        node = getattr(node, name) if index is None else getattr(node, name)[index]
    return node, *path[-1]


def _function(tree: ast.AST, path: tuple[tuple[str, int | None], ...]) -> str:
    """The name of the outermost function on the way, with those of the classes around it."""
    names: list[str] = []
    node = tree
    for name, index in path:
        node = getattr(node, name) if index is None else getattr(node, name)[index]
        if isinstance(node, ast.ClassDef):
            names.append(node.name)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return ".".join((*names, node.name))
    return ""


def _code(code: CodeType, names: list[str]) -> CodeType | None:
    for one in code.co_consts:
        if isinstance(one, CodeType) and one.co_name == names[0]:
            return one if len(names) == 1 else _code(one, names[1:])
    return None


def _spots(node: ast.AST, path: tuple[tuple[str, int | None], ...], *, inside: bool = False) -> Iterator[_Spot]:
    inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    for name, value in ast.iter_fields(node):
        signature = name == "args" and not isinstance(node, ast.Call)
        if inside and (signature or name in {"decorator_list", "returns"}):
            continue
        children = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        for index, child in children:
            if not isinstance(child, ast.AST) or _is_words(child):
                continue
            here = (*path, (name, index))
            if inside:
                yield from _of(name, child, here)
            yield from _spots(child, here, inside=inside)


Put = Callable[[ast.AST], ast.AST]


def _of(name: str, node: ast.AST, path: tuple[tuple[str, int | None], ...]) -> Iterator[_Spot]:
    for said, put in (*_of_conditions(name, node), *_of_statements(node), *_of_values(node)):
        yield _Spot(path, getattr(node, "lineno", 0), f"{said}: {ast.unparse(node)[:90]}", put)


def _of_conditions(name: str, node: ast.AST) -> Iterator[tuple[str, Put]]:
    if name == "test" or isinstance(node, ast.Compare):
        yield "always", lambda _: ast.Constant(True)
        yield "never", lambda _: ast.Constant(False)
    if name == "test" and not isinstance(node, ast.Compare):
        yield "not", lambda old: ast.UnaryOp(ast.Not(), old)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield (
            "inverse",
            lambda old: ast.Compare(old.left, [_INVERSE[type(old.ops[0])]()], old.comparators),
        )
    if isinstance(node, ast.BoolOp):
        for at in range(len(node.values)):
            yield f"without operand {at}", lambda old, at=at: _without(old, at)
        yield "and/or", lambda old: ast.BoolOp(ast.Or() if isinstance(old.op, ast.And) else ast.And(), old.values)
    if isinstance(node, ast.comprehension):
        for at in range(len(node.ifs)):
            yield f"without filter {at}", lambda old, at=at: _without_filter(old, at)


def _of_statements(node: ast.AST) -> Iterator[tuple[str, Put]]:
    if isinstance(
        node, ast.Expr | ast.Assign | ast.AugAssign | ast.Raise | ast.Delete | ast.Continue | ast.Break
    ):
        yield "left out", lambda _: ast.Pass()
    if isinstance(node, ast.Return) and node.value is not None and not _is(node.value, None):
        yield "returns None", lambda _: ast.Return(ast.Constant(None))


def _of_values(node: ast.AST) -> Iterator[tuple[str, Put]]:
    if isinstance(node, ast.Call):
        for at, keyword in enumerate(node.keywords):
            if keyword.arg is not None and keyword.arg not in _WORDS:
                yield f"without {keyword.arg}=", lambda old, at=at: _without_keyword(old, at)
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "turned", lambda old: ast.Constant(not old.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield "plus one", lambda old: ast.Constant(old.value + 1)


def _is_words(node: ast.AST) -> bool:
    if isinstance(node, ast.keyword):
        return node.arg in _WORDS
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) or "get_logger()" in ast.unparse(node)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is(node: ast.AST, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _without(old: ast.BoolOp, at: int) -> ast.AST:
    kept = [value for place, value in enumerate(old.values) if place != at]
    return kept[0] if len(kept) == 1 else ast.BoolOp(old.op, kept)


def _without_filter(old: ast.comprehension, at: int) -> ast.AST:
    kept = [one for place, one in enumerate(old.ifs) if place != at]
    return ast.comprehension(old.target, old.iter, kept, old.is_async)


def _without_keyword(old: ast.Call, at: int) -> ast.AST:
    return ast.Call(old.func, old.args, [one for place, one in enumerate(old.keywords) if place != at])
