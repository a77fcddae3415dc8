"""From a plan back to its rules: every protocol, goal and action with the conditions that decided about it.

The proposal says what is in the plan; this says of everything that could be in it why it is or is not, by the
same bindings and the same expressions, and what would change that.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

import msgspec

from careplan_exchange.model.explanation import ConditionTrace, Explained, Explanation, ItemStatus
from careplan_exchange.model.proposal import ActivityProposal, GoalProposal, NotApplied, Proposal, Truth, Withheld
from careplan_exchange.model.snapshot import Snapshot
from careplan_exchange.model.vocabulary import Vocabulary

from .bindings import Bindings
from .deciding import Outcome, decide
from .expressions import EvaluationError
from .policies import Policies
from .protocol import Action, Condition, GoalTemplate, Protocol
from .reasons import reason
from .turning import turns

_MOST_TOGETHER = 6
_PASSES = frozenset({"ask", "go-on"})
"""What a protocol may say of an unknown condition so that the action is proposed all the same."""

_Line = GoalProposal | ActivityProposal | Withheld | NotApplied


def explain(
    proposal: Proposal,
    snapshot: Snapshot,
    protocols: Sequence[Protocol],
    vocabulary: Vocabulary,
    policies: Policies,
) -> Explanation:
    """`proposal` must be what `plan` made of the same arguments."""
    bindings = Bindings(snapshot, vocabulary, policies.risks)
    lines = _lines(proposal)
    items = tuple(item for protocol in protocols for item in _Tracer(protocol, proposal, lines, bindings).items())
    return Explanation(patient=proposal.patient, as_of=proposal.as_of, items=items)


def _lines(proposal: Proposal) -> Mapping[str, _Line]:
    """Every line by its key. What is held back goes before what does not apply: a merge may have told both."""
    groups: tuple[Iterable[_Line], ...] = (
        proposal.not_applied,
        proposal.goals,
        proposal.activities,
        proposal.withheld,
    )
    return {line.key: line for group in groups for line in group}


class _Tracer:
    """One protocol."""

    def __init__(
        self, protocol: Protocol, proposal: Proposal, lines: Mapping[str, _Line], bindings: Bindings
    ) -> None:
        self._protocol = protocol
        self._applies = protocol.ref in proposal.protocols
        self._lines = lines
        self._bindings = bindings
        self._outcomes = {one.action.key: one for one in _flat(decide(protocol.actions, bindings))}
        self._chosen: dict[str, list[str]] = {}

    def items(self) -> Iterator[Explained]:
        actions = [
            found for action in self._protocol.actions for found in self._actions(action, (), above_title=None)
        ]
        yield self._whole()
        yield from (self._goal(goal) for goal in self._protocol.goals)
        yield from actions

    def _whole(self) -> Explained:
        conditions = tuple(
            self._condition(condition, applied=self._applies)
            for action in self._protocol.actions[:1]
            for condition in action.conditions
        )
        line = self._lines.get(self._protocol.id)
        return Explained(
            key=self._protocol.id,
            kind="protocol",
            title=self._protocol.ref.title,
            status="proposed" if self._applies else "not-applied",
            protocol=self._protocol.ref,
            why=_texts(line) or tuple(condition.text for condition in conditions),
            conditions=conditions,
            change=_change(conditions, proposed=self._applies),
            citations=self._protocol.citations,
        )

    def _goal(self, goal: GoalTemplate) -> Explained:
        """A variant is in the plan where the plan's goal of that key says the same."""
        line = self._lines.get(goal.key)
        stands = isinstance(line, GoalProposal) and line.description == goal.description
        told = line if stands else self._lines.get(goal.id)
        return Explained(
            key=goal.id,
            kind="goal",
            title=goal.description,
            status="proposed" if stands else "not-applied",
            protocol=self._protocol.ref,
            why=_texts(told) or tuple(self._chosen_by(goal.id)),
            missing=line.missing if isinstance(line, GoalProposal) and stands else (),
            citations=goal.citations or self._protocol.citations,
        )

    def _chosen_by(self, goal: str) -> Iterator[str]:
        for action in self._chosen.get(goal, []):
            yield f"It goes with the action '{action}'."

    def _actions(
        self, action: Action, above: tuple[ConditionTrace, ...], *, above_title: str | None
    ) -> Iterator[Explained]:
        status = self._status(action)
        own = tuple(self._condition(condition, applied=status == "proposed") for condition in action.conditions)
        for goal in action.goals:
            self._chosen.setdefault(goal, []).append(action.title)
        line = self._lines.get(action.key)
        outcome = self._outcomes.get(action.key)
        why = _texts(line) or (tuple(one.text for one in outcome.reasons) if outcome else ())
        if not why and above_title is not None and outcome is None:
            why = (f"It stands under '{above_title}', which does not apply.",)
        yield Explained(
            key=action.key,
            kind="action",
            title=action.title,
            status=status,
            protocol=self._protocol.ref,
            why=why or ("It is for every patient to whom the protocol applies.",),
            conditions=own,
            above=above,
            change=_change((*above, *own), proposed=status == "proposed"),
            missing=line.missing if isinstance(line, ActivityProposal | Withheld) else (),
            citations=action.citations or (action.definition.citations if action.definition else ()),
        )
        for child in action.children:
            yield from self._actions(child, (*above, *own), above_title=action.title)

    def _status(self, action: Action) -> ItemStatus:
        """What stands in the plan counts; of a group, which is no line of it, what its conditions say. What was
        joined with the same line of another protocol is proposed there."""
        match self._lines.get(action.key):
            case Withheld():
                return "withheld"
            case NotApplied():
                return "not-applied"
        outcome = self._outcomes.get(action.key)
        return "not-applied" if outcome is None or not self._applies else outcome.status

    def _condition(self, condition: Condition, *, applied: bool) -> ConditionTrace:
        if condition.expression is None:
            return ConditionTrace(
                kind=condition.kind,
                rule=condition.source,
                result="unknown",
                text=f"It cannot be evaluated: {condition.problem}.",
                used=(),
                unknown=condition.unknown,
                safety=condition.safety,
            )
        try:
            result = self._bindings.truth(condition.expression)
        except EvaluationError as error:
            broken = msgspec.structs.replace(condition, expression=None, problem=str(error))
            return self._condition(broken, applied=applied)
        found = reason(condition, condition.expression, result, self._bindings)
        to: Truth = "false" if applied and _passes(condition.kind, result, condition.unknown) else "true"
        return ConditionTrace(
            kind=condition.kind,
            rule=condition.source,
            result=result,
            text=found.text,
            used=found.used,
            unknown=condition.unknown,
            safety=condition.safety,
            turns=turns(condition.expression, self._bindings, to=to),
        )


def _flat(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    for outcome in outcomes:
        yield outcome
        yield from _flat(outcome.children)


def _texts(line: _Line | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.text for one in line.reasons)) if line is not None else ()


def _passes(kind: str, result: str, unknown: str) -> bool:
    return kind != "applicability" or result == "true" or (result == "unknown" and unknown in _PASSES)


def _change(conditions: Iterable[ConditionTrace], *, proposed: bool) -> tuple[str, ...]:
    """Any one of these changes the status. Where several conditions stand against an action, one change of each
    is named together."""
    deciding = [condition for condition in conditions if condition.kind == "applicability"]
    if proposed:
        return tuple(dict.fromkeys(turn for condition in deciding for turn in condition.turns))
    against = [c for c in deciding if not _passes(c.kind, c.result, c.unknown)]
    if not against:
        return ()
    together = product(*(condition.turns for condition in against))
    found = [" and ".join(dict.fromkeys(each)) for each, _ in zip(together, range(_MOST_TOGETHER), strict=False)]
    return tuple(dict.fromkeys(found))
