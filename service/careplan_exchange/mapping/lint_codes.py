"""What can be wrong with rows that judge codes and texts, or say that they speak of the past or of a relative."""

from collections.abc import Iterator
from typing import Any

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.vocabulary import Vocabulary

from . import rows
from .systems import HIERARCHIES
from .tables import Key, Mappings, plain, undotted
from .valuesets import Path, code_findings

Found = dict[str, list[tuple[Document, Path, Any]]]


def findings(found: Found, vocabulary: Vocabulary, mappings: Mappings) -> Iterator[Finding]:
    """Every finding in `judged`, `situations`, `histories` and the texts of `refutations`."""
    yield from _judged(found, vocabulary, mappings)
    yield from _histories(found, vocabulary)
    yield from _situations(found)
    for document, path, row in found["refutations"]:
        yield from _refuted_texts(document, path, row, mappings)


def _judged(found: Found, vocabulary: Vocabulary, mappings: Mappings) -> Iterator[Finding]:
    seen: set[tuple[str, Key | str]] = set()
    for document, path, row in found["judged"]:
        if not row.codes and not row.texts and not row.below:
            yield document.finding("This judges nothing.", "Give codes, below or texts, or remove it.", *path)
        yield from _below(document, path, row, vocabulary, mappings)
        if row.resource == "Observation" and row.texts:
            yield document.finding(
                "What an Observation measured is never read from its text.",
                "Judge it by its code.",
                *path,
                "texts",
            )
        for index, code in enumerate(row.codes):
            place = (*path, "codes", index)
            key = (code.system, code.code)
            yield from code_findings(document, place, *key, dict(vocabulary.value_sets))
            meant = _meant(key, mappings)
            if meant is not None:
                yield document.finding(
                    f"'{code.code}' means '{meant}', so it cannot be judged as not needed.",
                    "Remove it here. A site lays its own file of this name over ours.",
                    *place,
                )
            if (row.resource, key) in seen:
                yield document.finding(f"'{code.code}' is judged twice.", "Remove one.", *place)
            seen.add((row.resource, key))
        for text in row.texts:
            meanings = mappings.texts.get(row.resource, {}).get(plain(text), ())
            if meanings:
                yield document.finding(
                    f"'{text}' means '{meanings[0].concept}', so it cannot be judged as not needed.",
                    "Remove it here. A site lays its own file of this name over ours.",
                    *path,
                    "texts",
                )
            if (row.resource, plain(text)) in seen:
                yield document.finding(f"The text '{text}' is judged twice.", "Remove one.", *path, "texts")
            seen.add((row.resource, plain(text)))


def _below(
    document: Document, path: Path, row: rows.Judged, vocabulary: Vocabulary, mappings: Mappings
) -> Iterator[Finding]:
    for index, code in enumerate(row.below):
        place = (*path, "below", index)
        key = (code.system, code.code)
        yield from code_findings(document, place, *key, dict(vocabulary.value_sets))
        if code.system not in HIERARCHIES:
            yield document.finding(
                f"Nothing is below a code of {code.system}: its hierarchy is not in the codes.",
                "List the codes one by one, in codes.",
                *place,
            )
        meant = _meant(key, mappings) or _meant_below(key, mappings)
        if meant is not None:
            yield document.finding(
                f"'{code.code}', or a code below it, means '{meant}', so it cannot be judged as not needed.",
                "List narrower codes that mean no concept.",
                *place,
            )


def _meant_below(key: Key, mappings: Mappings) -> str | None:
    """A concept that a code below this one means."""
    system, above = key[0], undotted(key[1])
    for by_key in mappings.codes.values():
        for (other, code), meanings in by_key.items():
            if other == system and undotted(code).startswith(above):
                return meanings[0].concept
    for by_system in mappings.prefixes.values():
        for prefix, meanings in by_system.get(system, {}).items():
            if prefix.startswith(above):
                return meanings[0].concept
    return None


def _meant(key: Key, mappings: Mappings) -> str | None:
    """A concept of any kind that the code means by a ValueSet or a ConceptMap, or a question that it asks."""
    if key in mappings.questions:
        return mappings.questions[key].concept
    for by_key in mappings.codes.values():
        if key in by_key:
            return by_key[key][0].concept
    for by_system in mappings.prefixes.values():
        for prefix, meanings in by_system.get(key[0], {}).items():
            if undotted(key[1]).startswith(prefix):
                return meanings[0].concept
    return None


def _histories(found: Found, vocabulary: Vocabulary) -> Iterator[Finding]:
    for document, path, row in found["histories"]:
        concept = vocabulary.concepts.get(row.concept)
        if concept is None or concept.kind not in ("condition", "status"):
            yield document.finding(
                f"'{row.concept}' is no condition and no status.",
                "Use such an id of profiles/concepts.",
                *path,
                "concept",
            )
            continue
        value_set = vocabulary.value_sets.get(concept.value_set or "")
        for index, code in enumerate(row.codes):
            place = (*path, "codes", index)
            key = (code.system, code.code)
            yield from code_findings(document, place, *key, dict(vocabulary.value_sets))
            if value_set is not None and key in value_set.codes:
                yield document.finding(
                    f"'{code.code}' is a code of '{row.concept}' itself, and here one of its past.",
                    "Remove it from one of the two.",
                    *place,
                )


def _situations(found: Found) -> Iterator[Finding]:
    seen: set[tuple[bool, str]] = set()
    for document, path, row in found["situations"]:
        if not row.before and not row.after:
            yield document.finding("No words tell this situation.", "Give before or after.", *path)
        for is_before, several in ((True, row.before), (False, row.after)):
            for words in several:
                if (is_before, plain(words)) in seen:
                    yield document.finding(f"The words '{words}' stand twice.", "Remove one.", *path)
                seen.add((is_before, plain(words)))


def _refuted_texts(document: Document, path: Path, row: rows.Refutation, mappings: Mappings) -> Iterator[Finding]:
    if not row.codes and not row.texts:
        yield document.finding("This refutes nothing.", "Give codes or texts, or remove it.", *path)
    known = {
        text for text, meanings in mappings.texts.get("Condition", {}).items() if _names(meanings, row.concept)
    }
    for rule in mappings.family:
        if rule.concept == row.concept:
            known |= mappings.family_codes[rule.concept].texts
    for text in row.texts:
        if plain(text) not in known:
            yield document.finding(
                f"No mapping says that '{text}' means '{row.concept}', so this is never used.",
                "Add it to mappings/text, or remove it.",
                *path,
                "texts",
            )


def _names(meanings: tuple[Any, ...], concept: str) -> bool:
    return any(meaning.concept == concept and meaning.certain for meaning in meanings)
