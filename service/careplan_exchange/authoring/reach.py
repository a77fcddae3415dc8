"""How many patients of a folder each action of a protocol would reach."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from careplan_exchange.model.proposal import Proposal
from careplan_exchange.planner import Protocol
from careplan_exchange.planner.protocol import Action


class Reach(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Of `patients` records planned: how many get the line, how many of these with a question open, and from how
    many it is withheld."""

    key: str
    title: str
    patients: int
    proposed: int
    asked: int
    withheld: int


def reach_of(protocol: Protocol, proposals: Iterable[Proposal]) -> tuple[Reach, ...]:
    """A row for the protocol itself, then one an action that is a line of its own, in the protocol's order."""
    patients = 0
    proposed: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    withheld: Counter[str] = Counter()
    for proposal in proposals:
        patients += 1
        proposed.update([protocol.id] if protocol.ref in proposal.protocols else [])
        proposed.update(activity.key for activity in proposal.activities)
        asked.update(activity.key for activity in proposal.activities if activity.questions)
        withheld.update(line.key for line in proposal.withheld)
    titles = {protocol.id: protocol.ref.title, **_titles(protocol.actions)}
    return tuple(
        Reach(
            key=key,
            title=title,
            patients=patients,
            proposed=proposed[key],
            asked=asked[key],
            withheld=withheld[key],
        )
        for key, title in titles.items()
    )


def _titles(actions: Iterable[Action]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for action in actions:
        if action.definition is not None:
            found[action.key] = action.title
        found |= _titles(action.children)
    return found
