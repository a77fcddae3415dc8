"""Several protocols as one plan, in a fixed order: what one holds back, the same said once, medicines, goals,
conflicts. Applied to its own result it changes nothing."""

from collections.abc import Mapping

import msgspec

from careplan_exchange.model.vocabulary import Vocabulary
from careplan_exchange.planner.assembly import Lines
from careplan_exchange.planner.bindings import Bindings
from careplan_exchange.planner.deciding import merged

from . import conflicts, falling, joining
from .measures import Measures
from .medicines import one_of_a_class
from .rules import Combining
from .same import say_once
from .same_goals import one_goal
from .strictest import strictest
from .together import withheld_once


def combine(whole: Lines, policy: Combining, bindings: Bindings, vocabulary: Vocabulary) -> None:
    """Change `whole`, the lines of all protocols in the order of their ids, into those of one plan."""
    _name_medicines(whole, vocabulary)
    measures = Measures(whole, vocabulary)
    falling.hold_back(whole)
    withheld_once(whole)
    names = say_once(whole, policy)
    names |= one_of_a_class(whole, policy)
    names |= one_goal(whole, policy)
    names |= strictest(whole, policy, bindings, measures)
    conflicts.settle(whole, policy, bindings, measures)
    _follow(whole, names)


def _name_medicines(whole: Lines, vocabulary: Vocabulary) -> None:
    """A medication that its protocol does not name as a concept is known by the codes of its product."""
    if all(line.medicines or line.resource_kind != "MedicationRequest" for line in whole.activities):
        return
    known = [
        (concept.id, found)
        for concept in vocabulary.concepts.values()
        if concept.kind == "medication"
        and (found := vocabulary.value_sets.get(concept.value_set or "")) is not None
    ]
    whole.activities = [
        msgspec.structs.replace(
            line,
            medicines=tuple(
                sorted(name for name, found in known if any(found.contains(c) for c in line.codings))
            ),
        )
        if line.resource_kind == "MedicationRequest" and not line.medicines
        else line
        for line in whole.activities
    ]


def _follow(whole: Lines, names: Mapping[str, str]) -> None:
    """Gaps and conflicts name the lines that stand."""
    whole.gaps = list(
        merged(
            msgspec.structs.replace(gap, needed_by=joining.renamed(gap.needed_by, names)) for gap in whole.gaps
        )
    )
    found = {conflict.key: conflict for conflict in reversed(whole.conflicts)}
    whole.conflicts = [found[key] for key in sorted(found)]
