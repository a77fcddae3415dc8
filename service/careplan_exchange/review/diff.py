"""A ChangeSet as lines that a person can read.

| line | means |
|---|---|
| `+ Goal  …` | is made |
| `~ Goal/12  target[0].detailQuantity.value: 7 → 8` | ours is written |
| `    - …` and `    + …` below a narrative | what it says no more, and what it says anew |
| `- CarePlan/3  activity[2]: …` | ours is taken out again |
| `= Goal/12  description.text: … is kept (a person's; proposed: …)` | theirs stays, nothing to decide |
| `! Goal/12  target[0].dueDate: theirs …, ours …` | conflict: theirs stays until a person decides |
"""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

from careplan_exchange.model.changes import ChangeSet, ElementChange, ResourceChange
from careplan_exchange.model.codec import encode

_WIDTH = 100
_NOTHING = "(nothing)"
_END_OF_LINE = re.compile(r"</(?:p|li|h\d|td|th|tr|div)>|<br\s*/>|<(?:ul|ol|table)\b[^>]*>")
_TAG = re.compile(r"<[^>]*>")


def diff_lines(change_set: ChangeSet) -> tuple[str, ...]:
    """One line for each resource made and each element that differs, in the order of the set. It shows what
    stands in the plan, as a reviewer must see it; it does not name the patient."""
    return tuple(line for change in change_set.changes for line in _lines(change))


def _lines(change: ResourceChange) -> Iterator[str]:
    if change.action == "create":
        yield f"+ {change.type}  {_title(change.body)}"
    elif change.theirs is None:
        name = f"{change.type}/{change.base.id}" if change.base else change.type
        yield f"! {name}  {_title(change.ours)}: deleted on the server; ours would make it again"
    else:
        for element in change.elements:
            yield from _element(change, element)


def _element(change: ResourceChange, element: ElementChange) -> Iterator[str]:
    path = element.path.removeprefix(f"{change.type}.")
    if path == "text":
        yield from _narrative(change.reference, element)
        return
    for inner, theirs, ours in _differences(path, element.theirs, element.ours):
        where = f"{change.reference}  {inner}:"
        if element.kind == "conflict":
            yield f"! {where} theirs {_short(theirs)}, ours {_short(ours)}"
        elif element.kind == "theirs":
            yield f"= {where} {_short(theirs)} is kept (a person's; proposed: {_short(ours)})"
        elif element.ours is None:
            yield f"- {where} {_short(theirs)}"
        else:
            yield f"~ {where} {_short(theirs)} → {_short(ours)}"


def _narrative(reference: str, element: ElementChange) -> Iterator[str]:
    """What it says now and did not say before, whole: it may be all that a reviewer is asked about."""
    if element.kind == "theirs":
        yield f"= {reference}  text: the narrative is kept as it is"
        return
    yield f"~ {reference}  text: the narrative is made anew"
    before, after = _sentences(element.theirs), _sentences(element.ours)
    yield from (f"    - {sentence}" for sentence in before if sentence not in after)
    yield from (f"    + {sentence}" for sentence in after if sentence not in before)


def _sentences(text: Any) -> list[str]:
    """The lines of an XHTML narrative as a browser would show them."""
    div = text.get("div", "") if isinstance(text, dict) else ""
    lines = (unescape(_TAG.sub("", line)) for line in _END_OF_LINE.split(str(div)))
    return [clean for line in lines if (clean := " ".join(line.split()))]


def _differences(path: str, theirs: Any, ours: Any) -> Iterator[tuple[str, Any, Any]]:
    """The smallest parts in which two values differ."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in dict.fromkeys((*theirs, *ours)):
            yield from _differences(f"{path}.{key}", theirs.get(key), ours.get(key))
    elif theirs != ours:
        yield path, theirs, ours


def _short(value: Any) -> str:
    if value is None:
        return _NOTHING
    if isinstance(value, dict):
        value = _title(value) or value
    text = value if isinstance(value, str) else encode(value).decode()
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _title(body: dict[str, Any]) -> str:
    """What a resource or an item of a list is about, in its own words."""
    for place in ("title", "description", "code", "medication", "detail", "concept", "text", "reference"):
        value = body.get(place)
        text = _title(value) if isinstance(value, dict) else value
        if isinstance(text, str) and text:
            return text
    return ""
