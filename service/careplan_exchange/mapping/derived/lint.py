"""What can be wrong with the rules, beyond their shape, and the order in which they run."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.snapshot import FactKind
from careplan_exchange.model.vocabulary import Concept

from .rules import Axis, ChronicStaging, Duration, Equation, Factor, Mean, Previous, Rule, Staging, Trend, reads

Path = tuple[str | int, ...]
Found = Sequence[tuple[Document, Path, Rule]]

_CITED = re.compile(r"doi:10\.\d{4,}/\S+|https?://\S+")
_KINDS_OF_STATE: tuple[FactKind, ...] = ("condition", "status")


def run_order(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Each rule after those that yield what it reads; by id where the order is free. A cycle is left out, and
    `findings_of` tells of it."""
    waiting = sorted(rules, key=lambda rule: rule.id)
    done: list[Rule] = []
    while waiting:
        pending = {rule.yields for rule in waiting}
        ready = [rule for rule in waiting if pending.isdisjoint(reads(rule))]
        if not ready:
            break
        done += ready
        waiting = [rule for rule in waiting if rule not in ready]
    return tuple(done)


def findings_of(found: Found, concepts: Mapping[str, Concept]) -> Iterator[Finding]:
    """Everything that is wrong, with file and line."""
    ordered = run_order(rule for _, _, rule in found)
    staging = {rule.yields: rule for _, _, rule in found if isinstance(rule, Staging)}
    ids: set[str] = set()
    results: set[str] = set()
    for document, path, rule in found:
        at = _Place(document, path, concepts)
        if rule.id in ids:
            yield at.finding(f"The rule '{rule.id}' stands twice.", "Rename or remove one.", "id")
        if rule.yields in results:
            yield at.finding(
                f"Two rules yield '{rule.yields}'.", "Remove one, or give it another concept.", "yields"
            )
        ids.add(rule.id)
        results.add(rule.yields)
        if not _CITED.search(rule.source):
            yield at.finding(
                "The source names neither a DOI nor a URL.", "Cite where the rule comes from.", "source"
            )
        if rule not in ordered:
            yield at.finding(
                f"'{rule.id}' waits for what it yields itself, or for a rule that does.",
                "Break the cycle: let one of the rules read something else.",
            )
        yield from _concepts(at, rule, staging)
        yield from _numbers(at, rule)


class _Place:
    def __init__(self, document: Document, path: Path, concepts: Mapping[str, Concept]) -> None:
        self._document, self._path, self.concepts = document, path, concepts

    def finding(self, message: str, mend: str, *inner: str | int) -> Finding:
        return self._document.finding(message, mend, *self._path, *inner)

    def concept(
        self, name: str, kinds: tuple[FactKind, ...], unit: str | None, *inner: str | int
    ) -> Iterator[Finding]:
        """Findings where there is no such concept, or it is of another kind or unit."""
        concept = self.concepts.get(name)
        if concept is None:
            yield self.finding(f"'{name}' is no concept.", "Use an id of profiles/concepts.", *inner)
        elif concept.kind not in kinds:
            yield self.finding(
                f"'{name}' is a {concept.kind}, and {' or '.join(kinds)} is wanted here.",
                "Name a concept of that kind.",
                *inner,
            )
        elif unit is not None and concept.unit != unit:
            yield self.finding(
                f"'{name}' is kept in {concept.unit}, and the rule counts in {unit}.", "Make them agree.", *inner
            )

    def unit(self, name: str) -> str | None:
        concept = self.concepts.get(name)
        return concept.unit if concept is not None else None


def _concepts(at: _Place, rule: Rule, staging: Mapping[str, Staging]) -> Iterator[Finding]:
    match rule:
        case Equation():
            yield from at.concept(rule.yields, ("measurement",), rule.unit, "yields")
            for index, given in enumerate(rule.inputs):
                yield from at.concept(given.concept, ("measurement",), given.unit, "inputs", index)
            for name in rule.not_with:
                yield from at.concept(name, _KINDS_OF_STATE, None, "notWith")
        case Mean() | Previous():
            yield from at.concept(rule.of, ("measurement",), None, "of")
            yield from at.concept(rule.yields, ("measurement",), at.unit(rule.of), "yields")
        case Trend():
            unit = at.unit(rule.of)
            yield from at.concept(rule.of, ("measurement",), None, "of")
            yield from at.concept(rule.yields, ("measurement",), unit and f"{unit}/a", "yields")
        case Staging() | ChronicStaging():
            yield from _staged(at, rule, staging)
        case Duration():
            yield from at.concept(rule.of, ("condition",), None, "of")
            yield from at.concept(rule.yields, ("measurement",), "a", "yields")


def _staged(at: _Place, rule: Staging | ChronicStaging, staging: Mapping[str, Staging]) -> Iterator[Finding]:
    yield from at.concept(rule.yields, ("stage",), None, "yields")
    if isinstance(rule, Staging):
        yield from at.concept(rule.of, ("measurement",), rule.unit, "of")
        for name in rule.only_with:
            yield from at.concept(name, _KINDS_OF_STATE, None, "onlyWith")
        return
    for index, axis in enumerate(rule.axes):
        yield from at.concept(axis.of, ("measurement",), None, "axes", index, "of")
        yield from _axis(at, axis, staging, index)
    for name in rule.damage:
        yield from at.concept(name, _KINDS_OF_STATE, None, "damage")


def _axis(at: _Place, axis: Axis, staging: Mapping[str, Staging], index: int) -> Iterator[Finding]:
    rule = staging.get(axis.category)
    if rule is None or rule.of != axis.of:
        yield at.finding(
            f"No stage rule yields '{axis.category}' from '{axis.of}'.", "Name one that does.", "axes", index
        )
    else:
        for code in sorted(set(axis.normal) - {one.code for one in rule.stages}):
            yield at.finding(f"'{code}' is no stage of {rule.id}.", "Mend the code.", "axes", index, "normal")


def _numbers(at: _Place, rule: Rule) -> Iterator[Finding]:
    match rule:
        case Equation():
            yield from _equations(at, rule)
        case Mean() if not 1 <= rule.on_days <= rule.at_least <= rule.last:
            yield at.finding("This mean asks for more than it takes.", "Keep 1 <= onDays <= atLeast <= last.")
        case Previous() if rule.apart.days < 0:
            yield at.finding("apart is below zero.", "Give whole days, 0 or more.", "apart")
        case Trend() if rule.points < 2 or not 1 <= rule.apart.days <= rule.within.days:
            yield at.finding("No line goes through this.", "Keep points >= 2 and 1 <= apart <= within.")
        case ChronicStaging() if not rule.axes or not 1 <= rule.apart.days <= rule.within.days:
            yield at.finding("This can never be shown.", "Give axes, and keep 1 <= apart <= within.")
        case Staging():
            yield from _stages(at, rule)
        case _:
            return


def _equations(at: _Place, rule: Equation) -> Iterator[Finding]:
    if not rule.inputs or not rule.equations:
        yield at.finding("An equation needs inputs and a product.", "Give both.", "equations")
    if len({variant.sex for variant in rule.equations}) < len(rule.equations):
        yield at.finding("Two equations stand for the same sex.", "Remove one.", "equations")
    known = {given.concept for given in rule.inputs}
    for number, variant in enumerate(rule.equations):
        place = ("equations", number)
        if variant.constant <= 0:
            yield at.finding("The constant is not above zero.", "Write a positive number.", *place, "constant")
        for index, factor in enumerate(variant.factors):
            yield from _factor(at, factor, known, *place, "factors", index)
        for unused in sorted(known - {factor.of for factor in variant.factors}):
            yield at.finding(f"'{unused}' is asked for and not used.", "Use it, or remove it.", *place)
    for index, given in enumerate(rule.inputs):
        if (index > 0) != (given.apart is not None):
            yield at.finding(
                "Every input but the first says how far apart it may be.",
                "Add apart, or remove it from the first.",
                "inputs",
                index,
            )


def _factor(at: _Place, factor: Factor, known: set[str], *place: str | int) -> Iterator[Finding]:
    kinds = (factor.of, factor.per_year_of_age, factor.times)
    if sum(kind is not None for kind in kinds) != 1 or (factor.of is None) != (factor.power is None):
        yield at.finding(
            "A factor is a power of an input, perYearOfAge, or times.",
            "Give one of them; of needs power.",
            *place,
        )
    if factor.of is not None and factor.of not in known:
        yield at.finding(f"'{factor.of}' is none of the inputs.", "Add it to inputs, or mend the name.", *place)
    if any(number is not None and number <= 0 for number in (factor.divided_by, *kinds[1:])):
        yield at.finding("A factor or divisor is not above zero.", "Write a positive number.", *place)


def _stages(at: _Place, rule: Staging) -> Iterator[Finding]:
    bounds = [one.at_least if one.at_least is not None else one.above for one in rule.stages]
    both = any(one.at_least is not None and one.above is not None for one in rule.stages)
    if both or not bounds or bounds[-1] is not None or None in bounds[:-1]:
        yield at.finding(
            "Every stage but the last has one lower bound, and the last has none.",
            "Mend atLeast and above.",
            "stages",
        )
    numbers = [bound for bound in bounds if bound is not None]
    if numbers != sorted(set(numbers), reverse=True):
        yield at.finding("The stages do not go from the highest down.", "Put them in order.", "stages")
    if len({one.code for one in rule.stages}) < len(rule.stages):
        yield at.finding("A stage stands twice.", "Remove one.", "stages")
