"""Medicines and their classes: which concept holds which, by the codes of their ValueSets."""

from collections.abc import Iterable, Mapping

import msgspec

from careplan_exchange.model.snapshot import Coding
from careplan_exchange.model.vocabulary import Vocabulary
from careplan_exchange.planner.variables import DAYS, EVER


class Classes(msgspec.Struct, frozen=True, kw_only=True):
    """`titles` are the medication concepts. `holders` of a concept are those whose ValueSet holds all its codes,
    itself among them; `parts` are those that share some codes with it and are no holders: what is proposed as a
    class may be one of these. `by_code` are the concepts of one (system, code). `concept_of` is the concept that
    a variable speaks of."""

    titles: Mapping[str, str]
    holders: Mapping[str, frozenset[str]]
    parts: Mapping[str, frozenset[str]]
    by_code: Mapping[tuple[str | None, str | None], frozenset[str]]
    concept_of: Mapping[str, str]

    def of_codings(self, codings: Iterable[Coding]) -> frozenset[str]:
        """Every class that a product with one of these codings belongs to."""
        return frozenset().union(*(self.by_code.get((one.system, one.code), ()) for one in codings))

    def named(self, concepts: Iterable[str]) -> str:
        """The concepts in words, in a stable order."""
        return ", ".join(sorted(self.titles.get(concept, concept) for concept in concepts))


def classes_of(vocabulary: Vocabulary) -> Classes:
    """Work the classes out, once a vocabulary."""
    codes: dict[str, frozenset[tuple[str, str]]] = {}
    for concept in vocabulary.concepts.values():
        if concept.kind == "medication":
            value_set = vocabulary.value_sets.get(concept.value_set or "")
            codes[concept.id] = value_set.codes if value_set is not None else frozenset()
    by_code: dict[tuple[str | None, str | None], set[str]] = {}
    for name, members in codes.items():
        for code in members:
            by_code.setdefault(code, set()).add(name)
    holders: dict[str, frozenset[str]] = {}
    parts: dict[str, frozenset[str]] = {}
    for name, members in codes.items():
        sharing = {other for code in members for other in by_code[code]}
        holders[name] = frozenset({name, *(other for other in sharing if members <= codes[other])})
        parts[name] = frozenset(sharing) - holders[name]
    return Classes(
        titles={name: vocabulary.concepts[name].title for name in codes},
        holders=holders,
        parts=parts,
        by_code={code: frozenset(names) for code, names in by_code.items()},
        concept_of={name + suffix: name for name in vocabulary.concepts for suffix in ("", DAYS, EVER)},
    )
