"""What is wrong between mappings that are each right: said twice, never met, or leading back to themselves."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.snapshot import Coding
from careplan_exchange.model.vocabulary import Vocabulary

from . import rows
from .systems import RXNORM
from .tables import CONCEPT_SYSTEM, plain
from .valuesets import Path

Found = Mapping[str, list[tuple[Document, Path, Any]]]
Place = tuple[Document, Path]
Key = tuple[str, str]


def across(found: Found, vocabulary: Vocabulary) -> Iterator[Finding]:
    """Every finding between the rows of all mapping files."""
    for what, names in (
        ("unit", _units(found)),
        ("type", _column(found, "notRead", "type")),
        ("alias", _aliases(found)),
        ("question", _questions(found)),
        ("answer", _options(found)),
        ("relative", _column(found, "relatives", "code")),
        ("panel", _column(found, "panels", "code")),
        ("text", _texts(found)),
        ("refutation", _refutations(found)),
        ("rule about", _column(found, "demographics", "concept")),
        ("family history", _column(found, "familyHistory", "concept")),
        ("mapping", ((f"{key[1]} to {target.code}", place) for key, target, place in _targets(found))),
    ):
        yield from _no_two(names, what)
    yield from _chains_of_systems(found)
    yield from _chains_of_products(found)
    yield from _already_said(found, vocabulary)


def _no_two(names: Iterable[tuple[str, Place]], what: str) -> Iterator[Finding]:
    first: dict[str, Place] = {}
    for name, (document, path) in names:
        if name in first:
            there, where = first[name]
            yield document.finding(
                f"The {what} '{name}' stands twice.",
                f"Remove one: the first is in {there.path}, line {there.line(*where)}.",
                *path,
            )
        first.setdefault(name, (document, path))


def _column(found: Found, key: str, name: str) -> Iterator[tuple[str, Place]]:
    return ((getattr(row, name), (document, path)) for document, path, row in found[key])


def _units(found: Found) -> Iterator[tuple[str, Place]]:
    """A concept may have units in several files; each spelling has one conversion."""
    for document, path, row in found["units"]:
        for index, conversion in enumerate(row.conversions):
            for unit in sorted(set(conversion.from_)):
                yield f"{unit} of {row.concept}", (document, (*path, "conversions", index))


def _aliases(found: Found) -> Iterator[tuple[str, Place]]:
    for document, path, row in found["systems"]:
        yield from ((alias, (document, path)) for alias in row.aliases)


def _questions(found: Found) -> Iterator[tuple[str, Place]]:
    return ((row.question.code, (document, path)) for document, path, row in found["answers"])


def _options(found: Found) -> Iterator[tuple[str, Place]]:
    for document, path, row in found["answers"]:
        for index, option in enumerate(row.options):
            name = f"{option.system}|{option.code}" if option.code else plain(option.text or "")
            yield f"{name} to {row.question.code}", (document, (*path, "options", index))


def _texts(found: Found) -> Iterator[tuple[str, Place]]:
    for document, path, row in found["texts"]:
        for text in sorted({plain(text) for text in row.texts}):
            yield f"{text} of {row.resource} for {row.concept}", (document, (*path, "texts"))


def _refutations(found: Found) -> Iterator[tuple[str, Place]]:
    for document, path, row in found["refutations"]:
        for index, code in enumerate(row.codes):
            yield f"{code.code} of {row.concept}", (document, (*path, "codes", index))


def _targets(found: Found) -> Iterator[tuple[Key, rows.Target, Place]]:
    for document, _, row in found["ConceptMap"]:
        for number, group in enumerate(row.group):
            for index, element in enumerate(group.element):
                for position, target in enumerate(element.target):
                    if group.target == CONCEPT_SYSTEM and target.code is not None:
                        place = (document, ("group", number, "element", index, "target", position))
                        yield (group.source, element.code), target, place


def _chains_of_systems(found: Found) -> Iterator[Finding]:
    """A name is looked up once: an alias of an alias is never resolved, and two of each other are a cycle."""
    canonical = {row.canonical: row.aliases for _, _, row in found["systems"]}
    for document, path, row in found["systems"]:
        for index, alias in enumerate(row.aliases):
            where = (*path, "aliases", index)
            if row.canonical in canonical.get(alias, ()):
                yield document.finding(
                    f"'{row.canonical}' and '{alias}' are aliases of each other: a cycle.",
                    "Keep the one that is canonical.",
                    *where,
                )
            elif alias in canonical:
                yield document.finding(
                    f"The alias '{alias}' is a canonical name itself.", "Put both under one canonical.", *where
                )


def _chains_of_products(found: Found) -> Iterator[Finding]:
    """An ingredient is not looked up again: where it is a product too, the chain is cut, or comes back."""
    products = {
        (group.source, element.code): {target.code for target in element.target}
        for _, _, row in found["ConceptMap"]
        for group in row.group
        if group.target == RXNORM
        for element in group.element
    }
    for document, _, row in found["ConceptMap"]:
        for number, group in enumerate(row.group):
            for index, element in enumerate(group.element if group.target == RXNORM else ()):
                for position, target in enumerate(element.target):
                    if (RXNORM, target.code) not in products or target.code == element.code:
                        continue
                    back = element.code in products[RXNORM, target.code]
                    yield document.finding(
                        f"The ingredient '{target.code}' is a product here too"
                        + (", and leads back: a cycle." if back else ", and is not looked up again."),
                        "Name the ingredients themselves.",
                        *("group", number, "element", index, "target", position),
                    )


def _already_said(found: Found, vocabulary: Vocabulary) -> Iterator[Finding]:
    """A mapping of a code that the concept's own ValueSet has: dead, or against it."""
    for (system, code), target, (document, path) in _targets(found):
        concept = vocabulary.concepts.get(target.code or "")
        value_set = vocabulary.value_sets.get(concept.value_set or "") if concept else None
        if value_set is None or not value_set.contains(Coding(system=system, code=code)):
            continue
        if target.equivalence == "narrower":
            said, mend = "this makes it uncertain", "Remove one of the two."
        else:
            said, mend = "the mapping is dead", "Remove it, or take the code out of the ValueSet."
        yield document.finding(f"'{code}' is in the ValueSet of '{target.code}' already: {said}.", mend, *path)
