"""From a CodeableConcept to the concepts it means: by its codings, or by its text where a mapping says so."""

from collections.abc import Iterable

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Coding, FactKind

from .context import Context
from .notes import a, shown_code
from .tables import Key, Meaning, plain, undotted
from .wire import CodeableConcept


class Reading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One concept that a CodeableConcept means. `certain` is false where the code is wider than the concept."""

    concept: str
    coding: Coding
    certain: bool = True


def meanings(context: Context, kind: FactKind, coding: Coding) -> tuple[Meaning, ...]:
    """What one coding means, of one kind of fact."""
    memo = (kind, coding.system, coding.code)
    known: tuple[Meaning, ...] | None = context.looked_up.get(memo)
    if known is None:
        known = context.looked_up[memo] = _look_up(context, kind, context.key(coding))
    return known


def _look_up(context: Context, kind: FactKind, key: Key) -> tuple[Meaning, ...]:
    mappings = context.mappings
    found = dict(mappings.codes.get(kind, {}).get(key, ()))
    by_prefix = mappings.prefixes.get(kind, {}).get(key[0])
    if by_prefix:
        code = undotted(key[1])
        for length in range(1, len(code) + 1):
            for concept, certain in by_prefix.get(code[:length], ()):
                found[concept] = certain or found.get(concept, False)
    return tuple(Meaning(concept, certain) for concept, certain in sorted(found.items()))


def read_concept(
    context: Context, resource: Resource, concept: CodeableConcept | None, kinds: Iterable[FactKind]
) -> tuple[tuple[Reading, ...], bool]:
    """The concepts of these kinds that it means, and whether its codings agree. Notes an issue where it means
    none, where its codings disagree, and where its text had to stand for a code."""
    if concept is None or not (concept.coding or concept.text):
        context.note(
            resource,
            "code.missing",
            f"{a(resource.type)} has no code, so nothing of it was used.",
            code="required",
            expression=f"{resource.type}.code",
            mend="Add the code in the record.",
        )
        return (), True
    found: dict[str, Reading] = {}
    sets: list[set[str]] = []
    for coding in concept.coding:
        said = [meaning for kind in kinds for meaning in meanings(context, kind, coding)]
        if said:
            sets.append({meaning.concept for meaning in said})
        for meaning in said:
            if meaning.concept not in found or (meaning.certain and not found[meaning.concept].certain):
                found[meaning.concept] = Reading(concept=meaning.concept, coding=coding, certain=meaning.certain)
    agree = all(one & other for index, one in enumerate(sets) for other in sets[:index])
    if not agree:
        context.note(
            resource,
            "code.conflict",
            f"The codes of one {resource.type} name different things: {_all_codes(concept.coding)}.",
            code="conflict",
            expression=f"{resource.type}.code",
            mend="Correct the codes in the record. Until then what they name counts as unknown.",
        )
    if found:
        return tuple(found[id_] for id_ in sorted(found)), agree
    readings = by_text(context, resource, concept)
    if not readings:
        note_no_concept(context, resource, concept)
    return readings, True


def by_text(context: Context, resource: Resource, concept: CodeableConcept) -> tuple[Reading, ...]:
    """The concepts that the whole text or a display means by `mappings/text`, each use with an issue."""
    texts = context.mappings.texts.get(resource.type, {})
    for text, coding in texts_of(concept):
        concepts = texts.get(plain(text))
        if concepts:
            note_text_used(context, resource, plain(text), coding)
            return tuple(Reading(concept=id_, coding=coding or Coding(display=plain(text))) for id_ in concepts)
    return ()


def texts_of(concept: CodeableConcept) -> Iterable[tuple[str, Coding | None]]:
    """Every text that stands for the concept, with its coding where it is the display of one."""
    for coding in concept.coding:
        if coding.display:
            yield coding.display, coding
    if concept.text:
        yield concept.text, None


def note_text_used(context: Context, resource: Resource, text: str, coding: Coding | None) -> None:
    """`text` is a text of ours, equal to the record's."""
    instead = f" instead of the code {shown_code(coding.system, coding.code)}" if coding and coding.code else ""
    context.note(
        resource,
        "text.used",
        f"{a(resource.type)} was understood by its text '{text}'{instead}.",
        severity="information",
        code="informational",
        expression=f"{resource.type}.code",
        mend="Nothing, if it is right. A code that may be used here would make it certain.",
    )


def note_no_concept(context: Context, resource: Resource, concept: CodeableConcept) -> None:
    """One issue a code that no concept stands for."""
    if not concept.coding:
        context.note(
            resource,
            "code.text-only",
            f"{a(resource.type)} is told as text alone, which no mapping knows.",
            severity="information",
            code="code-invalid",
            expression=f"{resource.type}.code",
            mend="Add a code in the record, or the text to mappings/text.",
        )
    for coding in concept.coding:
        memo = ("no-concept", resource.type, coding.system, coding.code)
        told = context.looked_up.get(memo)
        if told is None:
            shown = shown_code(*context.key(coding))
            reason = context.mappings.judged.get(context.key(coding))
            told = context.looked_up[memo] = (
                ("code.not-used", f"{resource.type} {shown} is never used. {reason}")
                if reason
                else ("code.no-concept", f"{resource.type} {shown} stands for no concept of profiles/.")
            )
        context.note(resource, *told, severity="information", code="code-invalid")


def _all_codes(codings: Iterable[Coding]) -> str:
    return ", ".join(sorted(shown_code(coding.system, coding.code) for coding in codings))
