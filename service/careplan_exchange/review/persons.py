"""Who has approved: different people, and of what is shown now."""

import hashlib

import msgspec

from careplan_exchange.model.codec import canonical
from careplan_exchange.model.review import Pending, ReviewStep

_LENGTH = 16
"""Hexadecimal digits of a content: it tells what was shown apart, and a person copies it into a command."""

_CONSENTS = frozenset({"approve", "revert"})


def content_of(pending: Pending) -> str:
    """What a person sees who looks at the review now, as a digest: the ChangeSet, and what persons want otherwise
    so far. Whoever is assigned or approves does not change it."""
    edits = [(step.by, step.edits) for step in pending.steps if step.kind == "modify"]
    return hashlib.sha256(canonical((pending.change_set, edits))).hexdigest()[:_LENGTH]


def consents(pending: Pending) -> tuple[ReviewStep, ...]:
    """The steps that let through the content as it is now: each modification, for it is part of that, and each
    approval that was given of just that. A step that does not say of what it approved was kept before steps did:
    it was of what was first shown."""
    now = content_of(pending)
    first = content_of(msgspec.structs.replace(pending, steps=()))
    return tuple(
        step
        for step in pending.steps
        if step.kind == "modify" or (step.kind in _CONSENTS and (step.content or first) == now)
    )


def approvers(pending: Pending) -> tuple[str, ...]:
    """Everybody who approves of the content as it is now, each once, in order. Whoever modified it last approves
    of what came of that."""
    found: dict[str, str] = {}
    for step in consents(pending):
        if step.kind == "modify":
            found = {}
        found.setdefault(signed(step.by), step.by)
    return tuple(found.values())


def has_approved(pending: Pending, by: str) -> bool:
    return signed(by) in {signed(name) for name in approvers(pending)}


def has_seen(pending: Pending, by: str, seen: str | None) -> bool:
    """Whether this person knows the content as it is now: `seen` is the one that they were shown. Who does not
    say has seen what was first shown, and what they modified or approved themselves."""
    if seen is not None:
        return seen == content_of(pending)
    return has_approved(pending, by) or all(step.kind != "modify" for step in pending.steps)


def seen_of(pending: Pending, by: str, seen: str | None) -> Pending:
    """The review as this person knows it: with the modifications up to the one that they saw (`seen`) or made."""
    places = [place for place, step in enumerate(pending.steps, start=1) if step.kind == "modify"]
    for place in reversed(places):
        before = msgspec.structs.replace(pending, steps=pending.steps[:place])
        own = signed(pending.steps[place - 1].by) == signed(by)
        if content_of(before) == seen or (seen is None and own):
            return before
    return msgspec.structs.replace(pending, steps=())


def signed(by: str) -> str:
    """A name as it is compared: `Dr Who` and ` dr  who` are one person."""
    return " ".join(by.split()).casefold()
