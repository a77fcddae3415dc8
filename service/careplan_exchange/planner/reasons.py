"""Why: the words, the values and the questions behind one condition's answer."""

from decimal import Decimal

from careplan_exchange.model.proposal import Gap, Reason, Truth, Used

from . import phrases
from .bindings import Bindings
from .expressions import EvaluationError, Expression, compiled
from .intervals import Interval
from .protocol import Condition
from .syntax import Atom, Both, Comparison, Constant, Flag, Not, Opaque, Presence, Tree

_WORDS = {"true": "true", "false": "not true", "unknown": "not known"}
_NEGATED: dict[Truth, Truth] = {"true": "false", "false": "true", "unknown": "unknown"}
_DECIDES: dict[str, Truth] = {"and": "false", "or": "true"}


def reason(condition: Condition, expression: Expression, result: Truth, bindings: Bindings) -> Reason:
    """The condition's answer with its words and the exact values it looked at."""
    parts = [_words(atom, bindings) for atom in _telling(expression.tree, bindings)]
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
    undecided = [found for found in open_ if _matters(found.variable, expression, bindings)] or open_
    only = condition.question if len({binding.concept for binding in undecided}) == 1 else None
    found = {
        b.concept: Gap(concept=b.concept, ask=only or b.gap, needed_by=(needed_by,)) for b in reversed(undecided)
    }
    return tuple(found[concept] for concept in sorted(found))


def _matters(name: str, expression: Expression, bindings: Bindings) -> bool:
    """Whether the variable stands in a part on which the answer hangs."""
    return any(
        isinstance(atom, Opaque) or _variable(atom) == name for atom in _telling(expression.tree, bindings)
    )


def _variable(atom: Flag | Comparison | Presence | Constant) -> str | None:
    return None if isinstance(atom, Constant) else atom.variable


def _telling(tree: Tree, bindings: Bindings) -> list[Atom]:
    """The comparisons on which the answer rests: for a false `and` those that are false, and so on."""
    if isinstance(tree, Not):
        return _telling(tree.operand, bindings)
    if not isinstance(tree, Both):
        return [tree]
    decisive: tuple[Tree, ...] = (tree.left, tree.right)
    result = _truth(tree, bindings)
    if result in {_DECIDES.get(tree.operator), "unknown"}:
        # A false `and` rests on its false sides, a true `or` on its true ones, an unknown one on what is unknown.
        decisive = tuple(side for side in decisive if _truth(side, bindings) == result)
    return [atom for side in decisive for atom in _telling(side, bindings)]


def _truth(tree: Tree, bindings: Bindings) -> Truth:
    """The answer of a part, by the same tables that the whole goes by."""
    if isinstance(tree, Not):
        return _NEGATED[_truth(tree.operand, bindings)]
    if isinstance(tree, Both):
        return _joined(tree.operator, _truth(tree.left, bindings), _truth(tree.right, bindings))
    try:
        return bindings.truth(compiled(tree.source))
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
