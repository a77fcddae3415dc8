"""Which concepts a protocol asks for."""

from collections.abc import Iterator, Sequence

from careplan_exchange.model.vocabulary import Vocabulary
from careplan_exchange.planner import Protocol
from careplan_exchange.planner.protocol import Action
from careplan_exchange.planner.variables import concept_of


def uses(protocol: Protocol, vocabulary: Vocabulary) -> frozenset[str]:
    """The ids of the concepts in its conditions, in what it computes, and in the targets of its goals."""
    named = {
        concept.id
        for variable in _variables(protocol.actions)
        if (concept := concept_of(variable, vocabulary)) is not None
    }
    measured = {
        concept.id
        for goal in protocol.goals
        for target in goal.targets
        for concept in vocabulary.concepts.values()
        if vocabulary.means(concept, target.measure)
    }
    return frozenset(named | measured)


def _variables(actions: Sequence[Action]) -> Iterator[str]:
    for action in actions:
        dynamic = (*action.dynamic_values, *(action.definition.dynamic_values if action.definition else ()))
        expressions = [found.expression for found in action.conditions] + [found.expression for found in dynamic]
        for expression in expressions:
            yield from () if expression is None else expression.variables
        yield from _variables(action.children)
