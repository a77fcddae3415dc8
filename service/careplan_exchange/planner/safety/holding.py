"""Whether a condition can hold at all, and can fail: it is tried with every kind of value that it tells apart."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from itertools import islice, product
from operator import and_, le, ne, or_

from careplan_exchange.planner.syntax import Atom, Both, Comparison, Constant, Not, Opaque, Operator, Tree, atoms

Value = Decimal | str | bool
_MOST = 20_000
_JOINED: Mapping[Operator, Callable[[bool, bool], bool]] = {
    "and": and_,
    "or": or_,
    "xor": ne,
    "implies": le,  # of booleans: not the first, or the second
}
_OTHER = "\x00"  # a text that no literal is


def holds(tree: Tree) -> frozenset[bool]:
    """The answers that known values can give. A condition too large to be tried out, or one that is not taken
    apart, may give both."""
    choices: dict[str, set[Value]] = {}
    for atom in atoms(tree):
        if isinstance(atom, Opaque):
            return frozenset({True, False})
        if not isinstance(atom, Constant):
            choices.setdefault(atom.variable, set()).update(_values(atom))
    tried = list(islice(_combinations(choices), _MOST + 1))
    if len(tried) > _MOST:
        return frozenset({True, False})
    return frozenset(_answer(tree, values) for values in tried)


def _values(atom: Atom) -> Iterator[Value]:
    literal = atom.literal if isinstance(atom, Comparison) else True
    if isinstance(literal, bool):
        yield from (True, False)
    elif isinstance(literal, Decimal):
        yield from (literal - 1, literal, literal + 1)
        yield from (literal - Decimal("0.000001"), literal + Decimal("0.000001"))
    else:
        yield from (literal, _OTHER)


def _combinations(choices: Mapping[str, set[Value]]) -> Iterator[Mapping[str, Value]]:
    for values in product(*(sorted(several, key=str) for several in choices.values())):
        yield dict(zip(choices, values, strict=True))


def _answer(tree: Tree, values: Mapping[str, Value]) -> bool:
    match tree:
        case Not():
            answer = not _answer(tree.operand, values)
        case Both():
            joined = _JOINED[tree.operator]
            answer = joined(_answer(tree.left, values), _answer(tree.right, values))
        case Constant():
            answer = tree.value
        case Comparison():
            answer = _compared(values[tree.variable], tree)
        case Opaque():
            answer = False
        case _:
            answer = values[tree.variable] is True
    return answer


def _compared(value: Value, atom: Comparison) -> bool:
    literal = atom.literal
    if isinstance(value, Decimal) and isinstance(literal, Decimal):
        match atom.operator:
            case ">":
                return value > literal
            case "<":
                return value < literal
            case ">=":
                return value >= literal
            case "<=":
                return value <= literal
    return (value == literal) is (atom.operator != "!=")
