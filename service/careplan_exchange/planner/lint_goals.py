"""What the linter asks of the goals of a PlanDefinition."""

from collections.abc import Iterator

from careplan_exchange.knowledge import Document
from careplan_exchange.model.issue import Finding
from careplan_exchange.model.snapshot import Coding
from careplan_exchange.model.vocabulary import Concept, Vocabulary

from . import elements
from .elements import Element, extension, items
from .lint_conditions import Path

_CATEGORIES = frozenset({"dietary", "safety", "behavioral", "nursing", "physiotherapy"})
_PRIORITIES = frozenset({"high-priority", "medium-priority", "low-priority"})
_CALENDAR = frozenset({"d", "wk", "mo", "a"})


def lint_goals(plan: Element, document: Document, vocabulary: Vocabulary, *, sound: bool) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, goal in enumerate(items(plan, "goal")):
        path: Path = ("goal", index)
        name = goal.get("id")
        if not name or name in seen:
            yield document.finding(
                "A goal has no id of its own.", "Give it an id; variants as key.variant.", *path
            )
        seen.add(name)
        yield from _goal(goal, path, document)
        for number, target in enumerate(items(goal, "target")):
            yield from _target(target, (*path, "target", number), document, vocabulary, sound=sound)
        if not sound:
            continue
        for coding in (coding for concept in items(goal, "addresses") for coding in elements.codings(concept)):
            if not any(found.kind == "condition" for found in _concepts(coding, vocabulary)):
                yield document.finding(
                    f"No condition of profiles/ has the code {coding.code}.",
                    "Address a condition that mapping knows.",
                    *path,
                    "addresses",
                )


def _goal(goal: Element, path: Path, document: Document) -> Iterator[Finding]:
    if not extension(goal, elements.PATIENT_TEXT):
        yield document.finding("The goal has no text for the patient.", f"Add {elements.PATIENT_TEXT}.", *path)
    if not elements.citations(items(goal, "documentation")):
        yield document.finding("The goal has no citation.", "Add documentation of type citation.", *path)
    if elements.code(goal.get("category"), "") not in _CATEGORIES:
        yield document.finding("The goal has no category.", f"Use {', '.join(sorted(_CATEGORIES))}.", *path)
    if elements.code(goal.get("priority"), "") not in _PRIORITIES:
        yield document.finding("The goal has no priority.", f"Use {', '.join(sorted(_PRIORITIES))}.", *path)


def _target(
    target: Element, path: Path, document: Document, vocabulary: Vocabulary, *, sound: bool
) -> Iterator[Finding]:
    measures = elements.codings(target.get("measure"))
    concepts = [concept for coding in measures for concept in _concepts(coding, vocabulary)]
    if not concepts and sound:
        yield document.finding("The target measures nothing that profiles/ knows.", "Use a known code.", *path)
    bounds = target.get("detailRange") or {}
    quantities = [(("detailRange", side), bounds[side]) for side in ("low", "high") if bounds.get(side)]
    if target.get("detailQuantity"):
        quantities.append((("detailQuantity", "code"), target["detailQuantity"]))
    if not quantities:
        yield document.finding("The target has no value.", "Add a detailRange or detailQuantity.", *path)
    for place, quantity in quantities:
        for concept in concepts:
            if quantity.get("code") != concept.unit:
                yield document.finding(
                    f"The target is in '{quantity.get('code')}', {concept.id} in '{concept.unit}'.",
                    f"Give the value in {concept.unit}, with that code.",
                    *path,
                    *place,
                )
    due = target.get("due")
    if due and due.get("code") not in _CALENDAR:
        yield document.finding("The target's due is no calendar interval.", "Use d, wk, mo or a.", *path, "due")


def _concepts(coding: Coding, vocabulary: Vocabulary) -> list[Concept]:
    return [concept for concept in vocabulary.concepts.values() if vocabulary.means(concept, coding)]
