"""What each goal is about: two codes of one concept are one measure."""

from functools import cached_property

from careplan_exchange.model.proposal import GoalProposal
from careplan_exchange.model.snapshot import Coding
from careplan_exchange.model.vocabulary import ValueSet, Vocabulary
from careplan_exchange.planner.assembly import Lines


class Measures:
    """What each goal is about: the concept of a target's measure, or its code where no concept has it."""

    def __init__(self, whole: Lines, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._known: dict[Coding, str] = {}
        self._templates = [goal for protocol in whole.applied for goal in protocol.goals]

    @cached_property
    def _measurements(self) -> list[tuple[str, ValueSet]]:
        return [
            (name, found)
            for name, concept in sorted(self._vocabulary.concepts.items())
            if concept.kind == "measurement"
            and (found := self._vocabulary.value_sets.get(concept.value_set or "")) is not None
        ]

    def of(self, coding: Coding) -> str:
        if coding not in self._known:
            plain = Coding(system=coding.system, code=coding.code)
            concept = next((name for name, found in self._measurements if found.contains(plain)), None)
            self._known[coding] = concept or f"{coding.system}|{coding.code}"
        return self._known[coding]

    def goal(self, goal: GoalProposal) -> tuple[str, ...]:
        """Its own; of a goal without a target those of the variants that have one."""
        own = tuple(dict.fromkeys(self.of(target.measure) for target in goal.targets))
        if own:
            return own
        variants = (target for found in self._templates if found.key == goal.key for target in found.targets)
        return tuple(dict.fromkeys(self.of(target.measure) for target in variants))

    def title(self, measure: str) -> str:
        concept = self._vocabulary.concepts.get(measure)
        return concept.title if concept is not None else measure.partition("|")[2]
