"""The policy asked about a revert: how many persons it takes to take back what an exchange wrote.

Two things are judged, and the strictest answer counts: what the revert would write (a goal is ended, a target is
what it was), and what it undoes. What two persons let in, one person does not take out. `never` counts of the
first alone: what the policy never lets in may be taken out again, by two persons.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from careplan_exchange.model.changes import ChangeSet, ResourceChange
from careplan_exchange.model.review import ChangeKind, Needs, ReviewPolicy
from careplan_exchange.reconcile import accept

from .asking import needed, strictest
from .kinds import PARTS, Fact, facts
from .lines import Line, Lines, protocol_in, severity_of

_UNDONE_BY: Mapping[ChangeKind, ChangeKind] = {"new": "retired", "retired": "status"}
"""What taking a change back is; of any other kind it is one of the same kind."""

_ASKED = frozenset({"conflict", "deleted"})


def needed_to_undo(changes: ChangeSet, undone: Sequence[ResourceChange], policy: ReviewPolicy) -> Needs:
    """`changes` is what reconcile.undo has found, with its conflicts; `undone` is what was written then. A line
    that stands in the plan itself is judged by what was written: the revert may end it by the plan's status."""
    lines = _lines(undone)
    written = accept(changes)
    touched = {change.identity for change in written.to_write}
    then = {
        fact
        for change in undone
        if change.identity in touched
        for fact in facts(change, lines)
        if fact.change not in _ASKED
    }
    now = {fact for set_ in (changes, written) for change in set_.changes for fact in facts(change, lines)}
    now |= {msgspec.structs.replace(fact, change=_UNDONE_BY.get(fact.change, fact.change)) for fact in then}
    return strictest((*(needed(fact, policy) for fact in now), *_of_what_was(then, policy)))


def _of_what_was(facts_then: set[Fact], policy: ReviewPolicy) -> Iterator[Needs]:
    for fact in facts_then:
        answer = needed(fact, policy)
        yield "two" if answer == "never" else answer


def _lines(undone: Sequence[ResourceChange]) -> Lines:
    """Of a request its protocol stands in what we wrote. Of a goal and a finding it is not known any more."""
    found = {}
    for change in undone:
        canonicals = change.ours.get("instantiatesCanonical") or ()
        if canonicals and change.type not in {"CarePlan", "DocumentReference"}:
            found[change.identity] = Line(
                key=change.identity,
                of=PARTS.get(change.type, "activity"),
                protocol=protocol_in(str(canonicals[0])),
                severity=severity_of(change.ours.get("priority")),
            )
    return Lines(by_identity=found)
