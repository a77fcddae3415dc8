"""The rows that speak of codes and texts, as tables: what is judged, what a text means, which words change it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from careplan_exchange.model.snapshot import FactKind
from careplan_exchange.model.vocabulary import Vocabulary

from . import rows
from .systems import HIERARCHIES
from .tables import Key, Meaning, NotNeeded, Wording, plain, undotted


def spellings(key: Key) -> tuple[Key, ...]:
    """The code as it is written, and for ICD as it is also sent: without its point."""
    bare = (key[0], undotted(key[1]))
    return (key, bare) if key[0] in HIERARCHIES and bare != key else (key,)


def said_by_codes(
    targets: Iterable[tuple[Key, rows.Target]], histories: Iterable[rows.History], vocabulary: Vocabulary
) -> Iterator[tuple[FactKind, Key, Meaning]]:
    """What each code means by a ValueSet, by a ConceptMap, or as the past of a concept."""
    concepts = vocabulary.concepts
    for concept in concepts.values():
        value_set = vocabulary.value_sets.get(concept.value_set or "")
        for key in value_set.codes if value_set is not None else ():
            yield concept.kind, key, Meaning(concept.id, certain=True)
    for key, target in targets:
        meant = concepts.get(target.code or "")
        if meant is not None and target.equivalence != "unmatched":
            yield meant.kind, key, Meaning(meant.id, certain=target.equivalence != "narrower")
    for history in histories:
        if history.concept in concepts:
            for code in history.codes:
                kind = concepts[history.concept].kind
                yield kind, (code.system, code.code), Meaning(history.concept, certain=True, ended=True)


def not_needed(found: Iterable[rows.Judged]) -> dict[str, NotNeeded]:
    """What was judged, by resource type."""
    codes: dict[str, dict[Key, str]] = defaultdict(dict)
    prefixes: dict[str, dict[Key, str]] = defaultdict(dict)
    texts: dict[str, dict[str, str]] = defaultdict(dict)
    for row in found:
        prefixes[row.resource].update({(code.system, undotted(code.code)): row.reason for code in row.below})
        codes[row.resource].update({(code.system, code.code): row.reason for code in row.codes})
        texts[row.resource].update({plain(text): row.reason for text in row.texts})
    return {
        type_: NotNeeded(codes=codes[type_], texts=texts[type_], prefixes=prefixes[type_])
        for type_ in sorted({*codes, *texts, *prefixes})
    }


def texts(found: Iterable[rows.Texts]) -> dict[str, dict[str, tuple[Meaning, ...]]]:
    """What each text means, by resource type."""
    by_type: dict[str, dict[str, set[Meaning]]] = defaultdict(lambda: defaultdict(set))
    for row in found:
        for text in row.texts:
            for resource in (row.resource, *rows.TOLD_ALIKE.get(row.resource, ())):
                by_type[resource][plain(text)].add(Meaning(row.concept, row.equivalence == "equivalent"))
    return {
        type_: {text: tuple(sorted(meanings)) for text, meanings in by_text.items()}
        for type_, by_text in by_type.items()
    }


def wordings(found: Iterable[rows.Situation]) -> tuple[Wording, ...]:
    """The longest first, so that "no history of" is not read as "no" and something else."""
    every = [
        Wording(plain(words), is_before, row.means)
        for row in found
        for is_before, several in ((True, row.before), (False, row.after))
        for words in several
    ]
    return tuple(sorted(every, key=lambda one: (-len(one.words), one)))


def refuted_texts(found: Iterable[rows.Refutation]) -> Mapping[str, frozenset[str]]:
    """The concepts that a text names as a whole."""
    concepts: dict[str, set[str]] = defaultdict(set)
    for row in found:
        for text in row.texts:
            concepts[plain(text)].add(row.concept)
    return {text: frozenset(names) for text, names in concepts.items()}
