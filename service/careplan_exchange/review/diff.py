"""A ChangeSet as lines that a person can read.

| line | means |
|---|---|
| `+ Goal/~k7x2m4qa  …` | is made; named by the beginning of its identity, as it has no id yet |
| `~ Goal/12  target[0].detailQuantity.value: 7 → 8` | ours is written |
| `    activity[2]  …` below a plan that is made | a line of the plan itself |
| `    - …`, `    + …` below a narrative or a document | what it says no more, and what it says anew |
| `- CarePlan/3  activity[2]: …` | ours is taken out again |
| `= Goal/12  description.text: … is kept (a person's; proposed: …)` | theirs stays, nothing to decide |
| `! Goal/12  target[0].dueDate: theirs …, ours …` | conflict: theirs stays until a person decides |
"""

import base64
import re
from collections.abc import Iterator, Sequence
from html import unescape
from typing import Any

from careplan_exchange.model.changes import ChangeSet, ElementChange, ResourceChange
from careplan_exchange.model.codec import decode, encode

_WIDTH = 100
_BEFORE = 30
"""Characters that two long texts have in common and that are shown, so that one sees what differs."""
_NOTHING = "(nothing)"
_TITLES = (
    "title", "description", "code", "medication", "medicationCodeableConcept", "detail", "concept", "text",
    "reference",
)  # fmt: skip
_END_OF_LINE = re.compile(r"</(?:p|li|h\d|td|th|tr|div)>|<br\s*/>|<(?:ul|ol|table)\b[^>]*>")
_TAG = re.compile(r"<[^>]*>")


def diff_lines(change_set: ChangeSet) -> tuple[str, ...]:
    """One line for each resource made and each element that differs, in the order of the set. It shows what
    stands in the plan, as a reviewer must see it; it does not name the patient."""
    stood = [line for change in change_set.changes for line in _said_now(change)]
    return tuple(
        line
        for change in change_set.changes
        for line in (*_lines(change), *(_made(change, stood) if change.action == "create" else ()))
    )


def contents(change_set: ChangeSet) -> tuple[str, ...]:
    """What a plan consists of, line by line, for whoever adopts the whole: goals, findings, requests, and the
    activities that stand in the plan itself, each under the name by which it can be modified or left out."""
    found: list[str] = []
    for change in change_set.changes:
        if change.action == "create":
            continue  # the diff has a line for it
        found.append(f"{name_of(change)}  {title_of(change.body)}")
        found += _activities(change.body)
        found += [f"    {sentence}" for sentence in _said_now(change)]
    return tuple(found)


def _made(change: ResourceChange, stood: Sequence[str]) -> Iterator[str]:
    """What a plan that is made consists of beside its resources; of a document, where one stands (`stood`: what
    it says), only what is otherwise."""
    yield from _activities(change.body)
    said = _said(change.body)
    if said:
        yield from (f"    - {sentence}" for sentence in stood if sentence not in said)
        yield from (f"    + {sentence}" for sentence in said if sentence not in stood)


def _activities(body: dict[str, Any]) -> Iterator[str]:
    """The lines that stand in a plan itself; there is none in any other resource."""
    for index, activity in enumerate(body.get("activity", ())):
        if isinstance(activity, dict) and "detail" in activity:
            yield f"    activity[{index}]  {_activity(activity['detail'])}"


def _said_now(change: ResourceChange) -> list[str]:
    """What the document says that counts on the target; one that was superseded says nothing any more."""
    theirs = change.theirs or {}
    return _said(theirs) if theirs.get("status") == "current" else []


def _said(body: dict[str, Any]) -> list[str]:
    """What a document says: the narrative of the plan in it, line by line. Empty for anything else."""
    for content in body.get("content", ()) if body.get("resourceType") == "DocumentReference" else ():
        attachment = content.get("attachment", {})
        if attachment.get("contentType") == "application/fhir+json":
            entries = decode(base64.b64decode(attachment.get("data", ""))).get("entry", ())
            plans = (one["resource"] for one in entries if one["resource"].get("resourceType") == "CarePlan")
            return [sentence for plan in plans for sentence in _sentences(plan.get("text"))]
    return []


def _activity(detail: dict[str, Any]) -> str:
    """Its name; the instruction is for whoever carries it out."""
    named = detail.get("code") or detail.get("productCodeableConcept") or {}
    return title_of(named) or title_of(detail)


def name_of(change: ResourceChange) -> str:
    """What a person calls a resource of the set: `Goal/12`, or before it has an id `Goal/~` and the beginning of
    its identity."""
    known = change.id or (change.base.id if change.base else "")
    return f"{change.type}/{known or f'~{change.identity[:8]}'}"


def _lines(change: ResourceChange) -> Iterator[str]:
    if change.action == "create":
        yield f"+ {name_of(change)}  {title_of(change.body)}"
        for element in change.elements:
            if element.kind == "theirs":
                yield from _element(change, element)
    elif change.theirs is None:
        yield f"! {name_of(change)}  {title_of(change.ours)}: deleted on the server; ours would make it again"
    else:
        for element in change.elements:
            yield from _element(change, element)


def _element(change: ResourceChange, element: ElementChange) -> Iterator[str]:
    path = element.path.removeprefix(f"{change.type}.")
    if path == "text":
        yield from _narrative(name_of(change), element)
        return
    for inner, theirs, ours in _differences(path, element.theirs, element.ours):
        where = f"{name_of(change)}  {inner}:"
        if element.kind == "conflict":
            yield f"! {where} theirs {_short(theirs, ours)}, ours {_short(ours, theirs)}"
        elif element.kind == "theirs":
            kept, proposed = _short(theirs, ours), _short(ours, theirs)
            yield f"= {where} {kept} is kept (a person's; proposed: {proposed})"
        elif element.ours is None:
            yield f"- {where} {_short(theirs)}"
        else:
            yield f"~ {where} {_short(theirs, ours)} → {_short(ours, theirs)}"


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


def _short(value: Any, beside: Any = None) -> str:
    """A value in one line; a long text from where it begins to differ from the one that it is shown beside."""
    if value is None:
        return _NOTHING
    if isinstance(value, dict):
        value = _measured(value) or title_of(value) or value
    text = value if isinstance(value, str) else encode(value).decode()
    if len(text) > _WIDTH and isinstance(beside, str):
        same = next((at for at, (a, b) in enumerate(zip(text, beside, strict=False)) if a != b), 0)
        start = text.rfind(" ", 0, max(same - _BEFORE, 0)) + 1
        text = f"…{text[start:]}" if start else text
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _measured(value: dict[str, Any]) -> str:
    """What a Quantity, a Range or a target of a Goal says, with its numbers; nothing for anything else."""
    if "value" in value:
        parts = (value.get("comparator"), value["value"], value.get("unit") or value.get("code"))
        return " ".join(str(part) for part in parts if part is not None)
    if "low" in value or "high" in value:
        bounds = ((word, value.get(name)) for word, name in (("from", "low"), ("to", "high")))
        return " ".join(f"{word} {_measured(bound)}" for word, bound in bounds if bound)
    if "measure" in value:
        aims = (_short(each) for name, each in value.items() if name.startswith("detail"))
        due = (f"due {value[name]}" for name in ("dueDate",) if name in value)
        return f"{title_of(value['measure'])}: {', '.join((*aims, *due))}"
    return ""


def title_of(body: dict[str, Any]) -> str:
    """What a resource or an item of a list is about, in its own words."""
    diet = body.get("oralDiet")
    if isinstance(diet, dict) and diet.get("type"):
        return title_of(diet["type"][0])
    for place in _TITLES:
        value = body.get(place)
        text = title_of(value) if isinstance(value, dict) else value
        if isinstance(text, str) and text:
            return text
    for coding in body.get("coding", ()):
        return str(coding.get("display") or coding.get("code") or "")
    return ""
