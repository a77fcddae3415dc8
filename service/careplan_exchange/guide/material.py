"""What the guide is made of: the concepts with all that the knowledge folders say of them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from careplan_exchange.knowledge import Document
from careplan_exchange.mapping.tables import CONCEPT_SYSTEM
from careplan_exchange.model.vocabulary import Concept, ValueSet, Vocabulary
from careplan_exchange.planner import Protocol

from .uses import uses


class Need(NamedTuple):
    """A resource type that is asked of a server, and by which search parameters."""

    type: str
    parameters: tuple[str, ...]
    required: bool


class Reasons(NamedTuple):
    """Why the concept has the bounds, the limit of age and the meaning of silence that it has."""

    plausible: str | None
    max_age: str | None
    when_absent: str


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """`value_sets` and `concept_maps` are the files as they stand; `mapped` the files that lead to a concept
    besides its ValueSet; `derived` the rules that yield it; `protocols` the titles of those that ask for it.
    `relatives` is the ValueSet of the relatives' diseases of a concept of family history."""

    vocabulary: Vocabulary
    reasons: Mapping[str, Reasons]
    value_sets: Mapping[str, Mapping[str, Any]]
    concept_maps: tuple[Mapping[str, Any], ...]
    mapped: Mapping[str, tuple[str, ...]]
    derived: Mapping[str, tuple[str, ...]]
    protocols: Mapping[str, tuple[str, ...]]
    relatives: Mapping[str, str]
    needs: tuple[Need, ...]
    version: str

    @property
    def concepts(self) -> tuple[Concept, ...]:
        return tuple(self.vocabulary.concepts[id_] for id_ in sorted(self.vocabulary.concepts))

    @property
    def date(self) -> str:
        """The day of the newest ValueSet or ConceptMap: what is made of them has no other."""
        return max(str(resource["date"]) for resource in (*self.value_sets.values(), *self.concept_maps))

    def bound(self, concept: Concept) -> ValueSet | None:
        """The ValueSet whose codes stand in the element that holds the code; None where no code means the
        concept."""
        return self.vocabulary.value_sets.get(self.relatives.get(concept.id) or concept.value_set or "")


def gather(
    profiles: Sequence[Document],
    mappings: Sequence[Document],
    vocabulary: Vocabulary,
    protocols: Sequence[Protocol],
    *,
    needs: Sequence[Need],
    version: str,
) -> Material:
    """The material of folders that hold together."""
    return Material(
        vocabulary=vocabulary,
        reasons={
            row["id"]: Reasons(
                plausible=row.get("plausible", {}).get("reason"),
                max_age=row.get("maxAge", {}).get("reason"),
                when_absent=row["whenAbsent"]["reason"],
            )
            for document in profiles
            for row in document.content.get("concepts", ())
        },
        value_sets={doc.content["url"]: doc.content for doc in _of_type(profiles, "ValueSet")},
        concept_maps=tuple(doc.content for doc in _of_type(mappings, "ConceptMap")),
        mapped=_mapped(mappings, vocabulary),
        derived=_grouped(
            (row["yields"], f"{row['title']} (`{row['id']}`)")
            for document in mappings
            for row in document.content.get("derived", ())
        ),
        protocols=_grouped(
            (concept, protocol.ref.title) for protocol in protocols for concept in uses(protocol, vocabulary)
        ),
        relatives={
            row["concept"]: row["conditions"]
            for document in mappings
            for row in document.content.get("familyHistory", ())
        },
        needs=tuple(needs),
        version=version,
    )


def _of_type(documents: Sequence[Document], resource_type: str) -> Iterator[Document]:
    return (doc for doc in documents if doc.content.get("resourceType") == resource_type)


def _mapped(mappings: Sequence[Document], vocabulary: Vocabulary) -> dict[str, tuple[str, ...]]:
    """Every mapping file that names the concept, derived rules apart."""
    return _grouped(
        (name, document.path)
        for document in mappings
        for name in _names({k: v for k, v in document.content.items() if k != "derived"})
        if name in vocabulary.concepts
    )


def _names(value: Any) -> Iterator[str]:
    """The concepts that an element names: under `concept`, under `concepts`, or as the target of a ConceptMap."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "concept" and isinstance(inner, str):
                yield inner
            elif key == "concepts" and isinstance(inner, list):
                yield from (name for name in inner if isinstance(name, str))
            elif key == "element" and value.get("target") == CONCEPT_SYSTEM:
                yield from (target["code"] for row in inner for target in row["target"] if "code" in target)
            else:
                yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)


def _grouped(pairs: Iterator[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = defaultdict(set)
    for name, value in pairs:
        found[name].add(value)
    return {name: tuple(sorted(values)) for name, values in found.items()}
