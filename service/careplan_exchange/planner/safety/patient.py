"""What the gate looks at: the activities as medicines, and the substances that the patient takes."""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from careplan_exchange.model.grounds import Used
from careplan_exchange.model.snapshot import Coding, Evidence, Fact
from careplan_exchange.planner.bindings import Bindings

from .classes import Classes


class Checked(Protocol):
    """What the gate needs to know of an activity, whoever made it."""

    @property
    def key(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def resource_kind(self) -> str: ...
    @property
    def codings(self) -> tuple[Coding, ...]: ...
    @property
    def medicines(self) -> tuple[str, ...]: ...
    @property
    def involves(self) -> tuple[str, ...]: ...
    @property
    def benefit(self) -> int | None: ...


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One activity before the gate. `is_` are the classes of its medicine for certain, `may_be` those that a
    choice within the proposed class may fall into. `place` is its rank in a conflict: the lower stays."""

    key: str
    title: str
    medication: bool
    is_: frozenset[str]
    may_be: frozenset[str]
    involves: frozenset[str]
    rank: tuple[int, str]


class Substance(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the patient takes, with all classes it belongs to."""

    classes: frozenset[str]
    evidence: tuple[Evidence, ...]


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """`unsure` are the classes of which the record leaves open whether they are taken, for another cause than a
    product that nobody recognised."""

    substances: tuple[Substance, ...]
    classes: frozenset[str]
    unsure: frozenset[str]

    def of(self, concepts: Iterable[str]) -> tuple[Substance, ...]:
        wanted = frozenset(concepts)
        return tuple(one for one in self.substances if one.classes & wanted)


def subject_of(activity: Checked, classes: Classes) -> Subject:
    """The codes of a product say what it is, beside what the activity says itself."""
    medication = activity.resource_kind == "MedicationRequest"
    coded = classes.of_codings(activity.codings) if medication else frozenset[str]()
    named = [concept for concept in activity.medicines if concept in classes.holders]
    is_ = coded.union(*(classes.holders[concept] for concept in named))
    may_be = frozenset[str]().union(*(classes.parts[concept] for concept in named))
    return Subject(
        key=activity.key,
        title=activity.title,
        medication=medication,
        is_=is_,
        may_be=may_be,
        involves=frozenset(activity.involves),
        rank=(-(activity.benefit or 0), activity.key),
    )


def taken(bindings: Bindings, classes: Classes, unrecognised: frozenset[str]) -> Taken:
    """What the record shows to be taken. `unrecognised` are references of products that mapping did not know:
    that anything may be in them is asked once, and not for each class."""
    told: dict[str, list[Fact]] = {}
    unsure: set[str] = set()
    for concept in sorted({fact.concept for fact in bindings.snapshot.facts if fact.kind == "medication"}):
        binding = bindings.binding(concept)
        if binding.value is True:
            for fact in bindings.facts(concept):
                if fact.state == "present" and fact.active:
                    told.setdefault(fact.evidence.reference, []).append(fact)
        elif binding.value is None and {one.reference for one in binding.evidence} - unrecognised:
            unsure.add(concept)
    substances = _substances(told, classes)
    return Taken(
        substances=substances,
        classes=frozenset().union(*(one.classes for one in substances)),
        unsure=frozenset(unsure),
    )


def _substances(told: dict[str, list[Fact]], classes: Classes) -> tuple[Substance, ...]:
    """Two resources tell of two substances where their classes differ, or where both name an ingredient and not
    the same one. Two products whose ingredient is not in their code cannot be told apart, and count as one."""
    groups: dict[tuple[str, ...], dict[tuple[str | None, str | None] | None, list[Evidence]]] = {}
    for facts in told.values():
        concepts = tuple(sorted({fact.concept for fact in facts}))
        keys = {(fact.coding.system, fact.coding.code) for fact in facts if fact.coding is not None}
        key = next((one for one in sorted(keys, key=str) if one in classes.by_code), None)
        groups.setdefault(concepts, {}).setdefault(key, []).append(facts[0].evidence)
    found: list[Substance] = []
    for concepts, by_key in sorted(groups.items()):
        unnamed = by_key.pop(None, [])
        named = [by_key[key] for key in sorted(by_key, key=str)] or [[]]
        named[0] = [*named[0], *unnamed]
        for evidence in named:
            ordered = tuple(sorted(evidence, key=lambda one: (one.reference, one.version_id or "")))
            found.append(Substance(classes=frozenset(concepts), evidence=ordered))
    return tuple(found)


def used_of(substances: Iterable[Substance], concepts: frozenset[str], bindings: Bindings) -> tuple[Used, ...]:
    """The substances as values that a rule looked at: under the class by which the rule names them."""
    found: dict[str, list[Evidence]] = {}
    for substance in substances:
        for concept in sorted(substance.classes & concepts)[:1]:
            found.setdefault(concept, []).extend(substance.evidence)
    return tuple(
        Used(
            variable=concept,
            value=bindings.binding(concept).shown,
            evidence=tuple(dict.fromkeys(evidence)),
        )
        for concept, evidence in sorted(found.items())
    )
