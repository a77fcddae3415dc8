"""From a CodeableConcept to the concepts it means: by its codings, or by its text where a mapping says so."""

from collections.abc import Iterable

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Coding, FactKind

from .context import Context
from .notes import a, shown_code
from .readings import Reading, Situation, disputed_by_text, of_text
from .tables import Key, Meaning, plain, undotted
from .wire import CodeableConcept


def meanings(context: Context, kind: FactKind, coding: Coding) -> tuple[Meaning, ...]:
    """What one coding means, of one kind of fact."""
    memo = (kind, coding.system, coding.code)
    known: tuple[Meaning, ...] | None = context.known.get(memo)
    if known is None:
        known = context.known[memo] = _look_up(context, kind, context.key(coding))
    return known


def _look_up(context: Context, kind: FactKind, key: Key) -> tuple[Meaning, ...]:
    mappings = context.mappings
    found = {meaning.concept: meaning for meaning in mappings.codes.get(kind, {}).get(key, ())}
    by_prefix = mappings.prefixes.get(kind, {}).get(key[0])
    if by_prefix:
        code = undotted(key[1])
        for length in range(1, len(code) + 1):
            for meaning in by_prefix.get(code[:length], ()):
                known = found.get(meaning.concept)
                if known is None or (meaning.certain and not known.ended):
                    found[meaning.concept] = meaning
    return tuple(sorted(found.values()))


def read_concept(
    context: Context,
    resource: Resource,
    concept: CodeableConcept | None,
    kinds: Iterable[FactKind],
    expression: str | None = None,
) -> tuple[tuple[Reading, ...], bool]:
    """The concepts of these kinds that it means, and whether its codings agree. `expression` is the FHIRPath of
    it, the resource's code where it is not given. Notes an issue where it means none, where its codings disagree,
    and where its text had to stand for a code."""
    expression = expression or f"{resource.type}.code"
    if concept is None or not (concept.coding or concept.text):
        context.note(
            resource,
            "code.missing",
            f"{a(resource.type)} has no {expression.rpartition('.')[2]}, so nothing of it was used.",
            code="required",
            expression=expression,
            mend="Add the code in the record.",
        )
        return (), True
    found, sets, disputed = _by_codes(context, concept, tuple(kinds))
    _dispute(context, resource, concept, found, disputed)
    agree = overlap(sets)
    if not agree:
        note_conflict(context, resource, concept, expression)
    if found:
        return tuple(found[id_] for id_ in sorted(found)), agree
    readings = by_text(context, resource, concept)
    if readings is None:
        note_no_concept(context, resource, concept)
    return readings or (), True


def _by_codes(
    context: Context, concept: CodeableConcept, kinds: tuple[FactKind, ...]
) -> tuple[dict[str, Reading], list[set[str]], set[str]]:
    """The concepts that the codings mean, those of each coding, and those told both as past and as present."""
    found: dict[str, Reading] = {}
    sets: list[set[str]] = []
    disputed: set[str] = set()
    for coding in concept.coding:
        said = [meaning for kind in kinds for meaning in meanings(context, kind, coding)]
        if said:
            sets.append({meaning.concept for meaning in said})
        for meaning in said:
            known = found.get(meaning.concept)
            situation: Situation = "ended" if meaning.ended else "present"
            if known is not None and known.situation != situation:
                disputed.add(meaning.concept)
            if known is None or (meaning.certain and not known.certain):
                found[meaning.concept] = Reading(
                    concept=meaning.concept, coding=coding, certain=meaning.certain, situation=situation
                )
    return found, sets, disputed


def _dispute(
    context: Context,
    resource: Resource,
    concept: CodeableConcept,
    found: dict[str, Reading],
    disputed: Iterable[str] = (),
) -> None:
    """Marks what is disputed, and what a text of the element says otherwise, in `found`; notes an issue."""
    texts = (text for text, _ in texts_of(concept))
    marked = sorted({*disputed, *disputed_by_text(context, resource.type, texts, found)})
    if not marked:
        return
    for id_ in marked:
        found[id_] = msgspec.structs.replace(found[id_], situation="disputed")
    context.note(
        resource,
        "code.conflict",
        f"The codes and texts of one {resource.type} say different things of {', '.join(map(repr, marked))}: "
        "now, once, perhaps, not, or of a relative.",
        code="conflict",
        expression=f"{resource.type}.code",
        mend="Correct the code or the text in the record. Until then it counts as unknown.",
    )


def overlap(sets: list[set[str]]) -> bool:
    """Whether what each coding means has something in common with what every other one means."""
    return all(one & other for index, one in enumerate(sets) for other in sets[:index])


def note_conflict(
    context: Context,
    resource: Resource,
    concept: CodeableConcept,
    expression: str,
    *,
    until_then: str = "what they name counts as unknown",
) -> None:
    """Codings of one element that disagree. `until_then` is the safer reading, which docs/mapping.md lists."""
    context.note(
        resource,
        "code.conflict",
        f"The codes of one {resource.type} name different things: {_all_codes(context, concept.coding)}.",
        code="conflict",
        expression=expression,
        mend=f"Correct the codes in the record. Until then {until_then}.",
    )


def by_text(context: Context, resource: Resource, concept: CodeableConcept) -> tuple[Reading, ...] | None:
    """The concepts that the whole text or a display means by `mappings/text`, each use with an issue; None where
    no mapping knows it. Words of `mappings/situations.yaml` around the name of a disease count with it."""
    for text, coding in texts_of(concept):
        ours = plain(text)
        readings = of_text(context, resource.type, ours, coding or Coding(display=ours))
        if readings is not None:
            note_text_used(context, resource, ours, coding)
            if not readings:
                _note_of_relative(context, resource)
            found = {reading.concept: reading for reading in readings}
            _dispute(context, resource, concept, found)
            return tuple(found.values())
    return None


def _note_of_relative(context: Context, resource: Resource) -> None:
    context.note(
        resource,
        "situation.family",
        f"{a(resource.type)} speaks of a disease of a relative that no concept of profiles/ asks for: it is "
        "never the patient's own.",
        severity="information",
        code="informational",
        expression=f"{resource.type}.code",
    )


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


def judgement(context: Context, resource_type: str, coding: Coding) -> str | None:
    """Why this code is not needed, or None where nobody has judged it."""
    key = context.key(coding)
    reason = context.mappings.judged.get(key)
    if reason is None:
        judged = context.mappings.not_needed.get(resource_type)
        reason = judged.reason(key) if judged is not None else None
    return reason


def judged_text(context: Context, resource_type: str, concept: CodeableConcept) -> tuple[str, str] | None:
    """The first text that a mapping has judged as not needed, and why. It is never read for more than that."""
    judged = context.mappings.not_needed.get(resource_type)
    if judged is None:
        return None
    for text, _ in texts_of(concept):
        ours = plain(text)
        reason = judged.texts.get(ours)
        if reason is not None:
            return ours, reason
    return None


def note_no_concept(context: Context, resource: Resource, concept: CodeableConcept) -> None:
    """One issue a code that no concept stands for."""
    if not concept.coding:
        by_text = judged_text(context, resource.type, concept)
        if by_text is not None:
            _note_not_used(context, resource, f"{a(resource.type)} told as '{by_text[0]}'", by_text[1])
            return
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
        memo = ("no-concept", resource.type, coding.system, coding.code, coding.display, concept.text)
        told = context.looked_up.get(memo)
        if told is None:
            told = context.looked_up[memo] = _no_concept(context, resource.type, coding, concept)
        context.note(resource, *told, severity="information", code="code-invalid")


def _no_concept(
    context: Context, resource_type: str, coding: Coding, concept: CodeableConcept
) -> tuple[str, str]:
    """Key and detail of the issue about one code."""
    shown = f"{resource_type} {shown_code(*context.key(coding))}"
    reason = judgement(context, resource_type, coding)
    if reason is not None:
        return "code.not-used", f"{shown} is never used. {reason}"
    by_text = judged_text(context, resource_type, concept)
    if by_text is not None:
        return "code.not-used", f"{shown}, told as '{by_text[0]}', is never used. {by_text[1]}"
    return "code.no-concept", f"{shown} stands for no concept of profiles/."


def _note_not_used(context: Context, resource: Resource, what: str, reason: str) -> None:
    context.note(
        resource,
        "code.not-used",
        f"{what} is never used. {reason}",
        severity="information",
        code="code-invalid",
    )


def _all_codes(context: Context, codings: Iterable[Coding]) -> str:
    return ", ".join(sorted({shown_code(*context.key(coding)) for coding in codings}))
