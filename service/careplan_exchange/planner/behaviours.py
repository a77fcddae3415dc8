"""What an action says about how it is to be presented and done, beside what it is.

`requiredBehavior`, `precheckBehavior`, `cardinalityBehavior`, `participant` and `reason` decide nothing here: a
person decides on every line, and nothing is ever ticked before that. So each is told in words, with the element
that says it. `groupingBehavior` is told of the parts that are proposed together.
"""

from collections.abc import Sequence

from careplan_exchange.model.proposal import Reason

from . import elements
from .elements import Element, items
from .protocol import Action, Note, Related

REQUIRED = frozenset({"must", "must-unless-documented"})

_SAID = {
    "requiredBehavior": {
        "must": "The plan wants this done for everybody to whom it applies.",
        "could": "The plan leaves it open whether this is done.",
        "must-unless-documented": "The plan wants this done, or the reason recorded why it is not.",
    },
    "precheckBehavior": {
        "yes": "The plan would have it chosen from the start; here nothing is chosen before a person does.",
        "no": "",
    },
    "cardinalityBehavior": {"single": "", "multiple": "It may be chosen more than once; it is proposed once."},
}
_CODES = {
    **{name: frozenset(words) for name, words in _SAID.items()},
    "groupingBehavior": frozenset({"visual-group", "logical-group", "sentence-group"}),
    "selectionBehavior": frozenset(
        {"any", "all", "all-or-none", "exactly-one", "at-most-one", "one-or-more"},
    ),
    "priority": frozenset({"routine", "urgent", "asap", "stat"}),
}


def unknown_codes(action: Element) -> tuple[tuple[str, str], ...]:
    """Each element that has a code which FHIR does not know, with that code."""
    return tuple(
        (name, str(action[name]))
        for name, known in _CODES.items()
        if name in action and action[name] not in known
    )


def notes_of(action: Element) -> tuple[Note, ...]:
    told = [
        Note(words[action[name]], f"{name}: {action[name]}")
        for name, words in _SAID.items()
        if words.get(action.get(name, ""))
    ]
    told += participants_of(action)
    told += [
        Note(f"The plan's own reason: {said}.", "reason")
        for found in items(action, "reason")
        if (said := elements.text(found))
    ]
    return tuple(told)


def participants_of(element: Element) -> tuple[Note, ...]:
    """Of an action or an ActivityDefinition."""
    who = (_who(found) for found in items(element, "participant"))
    return tuple(Note(f"To be done by: {one}.", "participant") for one in who if one)


def _who(participant: Element) -> str:
    """`nurse (practitioner)`; R5 has canonicals and references beside the type."""
    role = elements.text(participant.get("role")) or elements.code(participant.get("role"), "")
    kind = (
        participant.get("type")
        or participant.get("typeCanonical")
        or (participant.get("typeReference") or {}).get("display")
        or ""
    )
    return f"{role} ({kind})" if role and kind else role or kind


def together(group: Action, standing: Sequence[Action], part: Action) -> tuple[Reason, ...]:
    """What a part that is proposed is told of its group."""
    others = "; ".join(f"'{action.title}'" for action in standing if action is not part)
    rule = f"groupingBehavior: {group.grouping}"
    if group.grouping == "visual-group" and group.title_given:
        return (Reason(text=f"It belongs under '{group.title}'.", rule=rule, result="true"),)
    if group.grouping == "sentence-group" and others:
        return (Reason(text=f"It is to be read in one sentence with {others}.", rule=rule, result="true"),)
    return ()


def related_of(found: Element, prefix: str) -> Related:
    """R5 calls `actionId` `targetId`."""
    relationship = str(found.get("relationship", "related-to"))
    offset = elements.amount(found.get("offsetDuration")) or _span(found.get("offsetRange"))
    other = found.get("actionId") or found.get("targetId")
    return Related(relationship=relationship, offset=offset, key=f"{prefix}/{other}")


def _span(bounds: Element | None) -> str:
    low, high = elements.amount((bounds or {}).get("low")), elements.amount((bounds or {}).get("high"))
    if low and high:
        return f"{low} to {high}"
    return f"at least {low}" if low else f"at most {high}" if high else ""
