"""What a code or a text says of a concept: that it is so, was so, may be so, is not so."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from careplan_exchange.model.snapshot import Coding

from .context import Context
from .situations import told_by
from .tables import plain

Situation = Literal["present", "ended", "suspected", "absent", "disputed"]
"""What a code or text says of its concept. `disputed`: two parts of one element say different things of it."""


class Reading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One concept that a CodeableConcept means. `certain` is false where the code is wider than the concept.
    `text` is the name of the disease where a text of ours was read."""

    concept: str
    coding: Coding
    certain: bool = True
    situation: Situation = "present"
    text: str | None = None


def knows_text(context: Context, resource_type: str, text: str) -> bool:
    """Whether `mappings/` says what this text, already plain, means."""
    return of_text(context, resource_type, text, Coding()) is not None


def of_text(context: Context, resource_type: str, text: str, coding: Coding) -> tuple[Reading, ...] | None:
    """What a text means: nothing where it speaks of a relative's disease that no concept asks for; None where
    no mapping knows it."""
    known = context.mappings.texts.get(resource_type, {}).get(text, ())
    found = {
        meaning.concept: Reading(concept=meaning.concept, coding=coding, certain=meaning.certain, text=text)
        for meaning in known
    }
    told = told_by(context, resource_type, text)
    if told is None:
        return tuple(found.values()) if found else None
    for meaning in told.meanings:
        if meaning.concept not in found:
            found[meaning.concept] = Reading(
                concept=meaning.concept,
                coding=coding,
                certain=meaning.certain,
                situation=_SITUATIONS[told.means],
                text=told.name,
            )
    return tuple(found[id_] for id_ in sorted(found))


_SITUATIONS: dict[str, Situation] = {
    "ended": "ended",
    "suspected": "suspected",
    "absent": "absent",
    "family": "present",
    "no-family": "absent",
}


def disputed_by_text(
    context: Context, resource_type: str, texts: Iterable[str], found: dict[str, Reading]
) -> set[str]:
    """The concepts of which the text or a display says another thing than the codes do."""
    disputed: set[str] = set()
    for text in texts if found else ():
        ours = plain(text)
        told = told_by(context, resource_type, ours)
        if told is None:
            continue
        by_itself = {meaning.concept for meaning in context.mappings.texts[resource_type].get(ours, ())}
        said = {meaning.concept for meaning in told.meanings}
        for id_, reading in found.items():
            if id_ in said:
                differs = reading.situation != _SITUATIONS[told.means]
            else:
                differs = any(meaning.concept == id_ for meaning in told.of_patient)
            if differs and id_ not in by_itself:
                disputed.add(id_)
    return disputed
