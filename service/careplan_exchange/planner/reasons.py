"""Why: the words, the values and the questions behind one condition's answer."""

from decimal import Decimal

from careplan_exchange.model.proposal import Gap, Reason, Truth, Used

from . import phrases
from .bindings import Bindings
from .expressions import EvaluationError, Expression, alone
from .intervals import Interval
from .protocol import Condition
from .syntax import Atom, Both, Comparison, Constant, Flag, Not, Opaque, Presence, Tree

_WORDS = {"true": "true", "false": "not true", "unknown": "not known"}
_NEGATED: dict[Truth, Truth] = {"true": "false", "false": "true", "unknown": "unknown"}
_DECIDES: dict[str, Truth] = {"and": "false", "or": "true"}


def reason(condition: Condition, expression: Expression, result: Truth, bindings: Bindings) -> Reason:
    """The condition's answer with its words and the exact values it looked at."""
    parts = [_words(atom, bindings) for atom in _telling(expression, bindings)]
    text = phrases.sentence(parts)
    if condition.description:
        text = phrases.sentence([f"{condition.description.rstrip('.')}: {'; '.join(parts)}"])
    used = tuple(
        Used(variable=binding.variable, value=binding.shown, evidence=binding.evidence)
        for name in expression.variables
        if bindings.is_concept(name)
        for binding in (bindings.binding(name),)
    )
    return Reason(text=text, rule=condition.source, result=result, used=used)


def gaps(condition: Condition, expression: Expression, bindings: Bindings, needed_by: str) -> tuple[Gap, ...]:
    """What would have decided a condition that came out unknown: one gap a concept."""
    open_ = [
        binding
        for name in expression.variables
        if bindings.is_concept(name)
        for binding in (bindings.binding(name),)
        if binding.value is None or isinstance(binding.value, Interval)
    ]
    # Where each part is decided and the whole is not (too many ranges at once), it hangs on all of them.
    deciding = _deciding(expression, bindings) if open_ else None
    undecided = [found for found in open_ if deciding is None or found.variable in deciding] or open_
    only = condition.question if len({binding.concept for binding in undecided}) == 1 else None
    found = {
        b.concept: Gap(concept=b.concept, ask=only or b.gap, needed_by=(needed_by,)) for b in reversed(undecided)
    }
    return tuple(found[concept] for concept in sorted(found))


def _deciding(expression: Expression, bindings: Bindings) -> frozenset[str | None] | None:
    """The variables of the parts on which the answer hangs; None where it hangs on what is not taken apart."""
    telling = _telling(expression, bindings)
    if any(isinstance(atom, Opaque) for atom in telling):
        return None
    return frozenset(_variable(atom) for atom in telling if not isinstance(atom, Opaque))


def _variable(atom: Flag | Comparison | Presence | Constant) -> str | None:
    return None if isinstance(atom, Constant) else atom.variable


def _telling(expression: Expression, bindings: Bindings) -> tuple[Atom, ...]:
    """The comparisons on which the answer rests, each once: for a false `and` those that are false, and so on."""
    found = bindings.telling.get(expression.source)
    if found is None:
        found = tuple(dict.fromkeys(_resting(expression.tree, bindings)[1]))
        bindings.telling[expression.source] = found
    return found


def _resting(tree: Tree, bindings: Bindings) -> tuple[Truth, tuple[Atom, ...]]:
    """The answer of a part, by the same tables that the whole goes by, and the comparisons it rests on. Each part
    is looked at once: its answer and its comparisons go up together."""
    if isinstance(tree, Not):
        inner, atoms = _resting(tree.operand, bindings)
        return _NEGATED[inner], atoms
    if not isinstance(tree, Both):
        return _truth(tree, bindings), (tree,)
    sides = (_resting(tree.left, bindings), _resting(tree.right, bindings))
    result = _joined(tree.operator, sides[0][0], sides[1][0])
    if result in {_DECIDES.get(tree.operator), "unknown"}:
        # A false `and` rests on its false sides, a true `or` on its true ones, an unknown one on what is unknown.
        return result, tuple(atom for answer, atoms in sides if answer == result for atom in atoms)
    return result, sides[0][1] + sides[1][1]


def _truth(atom: Atom, bindings: Bindings) -> Truth:
    try:
        return bindings.truth(alone(atom))
    except EvaluationError:
        return "unknown"


def _joined(operator: str, left: Truth, right: Truth) -> Truth:
    if operator == "implies":
        return _joined("or", _NEGATED[left], right)
    if operator in _DECIDES:
        decides = _DECIDES[operator]
        if decides in {left, right}:
            return decides
        return "unknown" if "unknown" in {left, right} else _NEGATED[decides]
    if "unknown" in {left, right}:
        return "unknown"
    return "true" if left != right else "false"


def _words(atom: Atom, bindings: Bindings) -> str:
    if isinstance(atom, Opaque):
        return f"it is {_WORDS[_truth(atom, bindings)]} that {atom.source}"
    if isinstance(atom, Constant):
        return "this always holds" if atom.value else "this never holds"
    binding = bindings.binding(atom.variable)
    if binding.value is None:
        return f"{phrases.inline(binding.title)} is {phrases.UNKNOWN}"
    match atom:
        case Comparison(operator=operator, literal=Decimal() | str() as literal):
            answer = _truth(atom, bindings)
            limit = (
                literal if isinstance(literal, str) else phrases.quantity(literal, bindings.unit(atom.variable))
            )
            if answer == "unknown":
                return (
                    f"{phrases.inline(binding.title)} {binding.shown} does not show whether it is "
                    f"{phrases.bound(operator, limit)}"
                )
            return phrases.comparison(
                phrases.inline(binding.title), binding.shown, operator, limit, holds=answer == "true"
            )
    return f"{phrases.inline(binding.title)} is {binding.shown}"
