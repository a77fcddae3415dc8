"""What a person wants otherwise in a waiting change: from paths and values to bodies.

An edit is `TYPE/ID PATH` and a value: `Goal/12 target[0].detailQuantity.value` and 7.5; without a value the
element is taken out. A resource that is not on the server yet is named by `TYPE/~` and the beginning of its
identity, as `careplan review show` prints it. `TYPE/ID` alone leaves the whole line out: it is written with the
status that says so, and no later run proposes it again.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from html import escape
from typing import Any, NamedTuple

import msgspec

from careplan_exchange.errors import UsageError
from careplan_exchange.model.changes import ChangeSet, ElementChange, Json, ResourceChange
from careplan_exchange.model.codec import encode
from careplan_exchange.reconcile import modified
from careplan_exchange.spelling import did_you_mean

from .diff import name_of, title_of

LEFT_OUT: Mapping[str, tuple[str, str]] = {
    "Goal": ("lifecycleStatus", "rejected"),
    "ServiceRequest": ("status", "revoked"),
    "MedicationRequest": ("status", "cancelled"),
    "NutritionOrder": ("status", "revoked"),
    "CommunicationRequest": ("status", "revoked"),
}
"""The status of a proposal that a person has refused. A CarePlan is rejected whole, and what the safety gate
found is no proposal."""

_ACTIVITY = re.compile(r"activity\[(\d+)\]")
_STEP = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)((?:\[\d+\])*)")
_FIXED = frozenset(
    {"resourceType", "id", "meta", "identifier", "subject", "patient", "intent", "text", "implicitRules"}
)
"""What makes a resource ours, whose it is, and that it is no order; the narrative follows from the rest."""

_GONE = object()


class Modified(NamedTuple):
    """The ChangeSet with the edits in it, and the identities of what was edited."""

    change_set: ChangeSet
    identities: frozenset[str]


def with_edits(change_set: ChangeSet, edits: Mapping[str, Any], by: str) -> Modified:
    """The ChangeSet as a person wants it. It has no open conflict (see reconcile.accept). Raises UsageError for
    an edit that names nothing of the set, or what is not a person's to change here."""
    bodies: dict[str, Json] = {}
    told: list[str] = []
    for edit, given in edits.items():
        name, _, inner = edit.strip().partition(" ")
        change = _named(change_set, name)
        body = bodies.setdefault(change.identity, deepcopy(change.body))
        path, value = _meant(change, inner.strip(), given)
        _put(body, path, value, edit)
        told.append(f"{_title(change)}: {path} {'taken out' if value is None else _said(value)}")
    bodies = {identity: _without_empty(body) for identity, body in bodies.items()}
    changes = [
        modified(change, bodies[change.identity])
        if change.identity in bodies and bodies[change.identity] != change.body
        else change
        for change in change_set.changes
    ]
    if all(one is other for one, other in zip(changes, change_set.changes, strict=True)):
        raise UsageError("The edits change nothing.", mend="Approve it as it is, or give other values.")
    changes = [_narrated(change, told, by) if change.type == "CarePlan" else change for change in changes]
    return Modified(msgspec.structs.replace(change_set, changes=tuple(changes)), frozenset(bodies))


def _named(change_set: ChangeSet, name: str) -> ResourceChange:
    names = {name_of(change): change for change in change_set.changes}
    if name not in names:
        raise UsageError(
            f"'{name}' is nothing that this review shows.",
            mend=f"Name it as `careplan review show` does.{did_you_mean(name, names)}",
        )
    return names[name]


def _meant(change: ResourceChange, path: str, value: Any) -> tuple[str, Any]:
    """The path and the value to put there."""
    if change.type == "DocumentReference":
        raise UsageError(
            "A plan that stands as a document is read as a whole: no part of it can be changed in a review.",
            mend="Approve or reject it. What the record should say otherwise is changed in the record.",
        )
    whole = _ACTIVITY.fullmatch(path)
    if change.type == "CarePlan" and whole and value is None:
        activities = change.body.get("activity", ())
        number = int(whole[1])
        if number >= len(activities) or "detail" not in activities[number]:
            raise UsageError(
                f"There is no `{path}` with a detail of its own to leave out.",
                mend="Name the request that it refers to (ServiceRequest/…), or another index.",
            )
        return f"{path}.detail.status", "cancelled"
    if path:
        first = path.split(".", maxsplit=1)[0].split("[", maxsplit=1)[0].removeprefix("_")
        if first in _FIXED or (change.type == "CarePlan" and path == "status"):
            raise UsageError(
                f"`{path}` is not to be changed in a review.",
                mend="Approve or reject the change; edit the rest of the resource on the server.",
            )
        return path, value
    if value is not None or change.type not in LEFT_OUT:
        raise UsageError(
            f"A {change.type} cannot be left out like that.",
            mend="Reject the review to refuse the whole; leave out goals, requests, or `CarePlan/… activity[N]`.",
        )
    return LEFT_OUT[change.type]


def _put(body: Json, path: str, value: Any, edit: str) -> None:
    """Sets one element in place. A list grows by one item at most."""
    steps = _steps(path, edit)
    at: Any = body
    for index, step in enumerate(steps):
        last = index == len(steps) - 1
        fits = isinstance(at, dict) if isinstance(step, str) else isinstance(at, list) and step <= len(at)
        if not fits:
            raise UsageError(f"There is no such place: '{edit}'.", mend="Look at `careplan review show --json`.")
        if last:
            _set(at, step, value)
            return
        there = at.get(step, _GONE) if isinstance(step, str) else at[step] if step < len(at) else _GONE
        if there is _GONE:
            there = [] if isinstance(steps[index + 1], int) else {}
            _set(at, step, there)
        at = there


def _set(at: Any, step: str | int, value: Any) -> None:
    if value is None:
        if isinstance(step, str):
            at.pop(step, None)
        elif step < len(at):
            del at[step]
    elif isinstance(step, int) and step == len(at):
        at.append(value)
    else:
        at[step] = value


def _without_empty(value: Any) -> Any:
    """FHIR allows no empty list and no empty object: where the last part was taken out, the whole goes."""
    if isinstance(value, dict):
        kept = {name: _without_empty(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner not in ({}, [])}
    if isinstance(value, list):
        return [inner for each in value if (inner := _without_empty(each)) not in ({}, [])]
    return value


def _steps(path: str, edit: str) -> Sequence[str | int]:
    steps: list[str | int] = []
    for part in path.split("."):
        match = _STEP.fullmatch(part)
        if match is None:
            raise UsageError(
                f"This is no path: '{edit}'.", mend="Write it as `Goal/12 target[0].detailQuantity.value`."
            )
        steps.append(match[1])
        steps += [int(number) for number in re.findall(r"\d+", match[2])]
    return steps


def _narrated(change: ResourceChange, told: Iterable[str], by: str) -> ResourceChange:
    """The plan's narrative with what the person changed below it, where the narrative is ours: whoever reads only
    the text must not read otherwise than the elements say."""
    text = change.body.get("text")
    kept = any(one.path == "CarePlan.text" and one.kind == "theirs" for one in change.elements)
    if not isinstance(text, dict) or kept:
        return change
    items = "".join(f"<li>{escape(line)}</li>" for line in told)
    head, _, _ = str(text.get("div", "")).rpartition("</div>")
    div = f"{head}<h3>Changed on review by {escape(by)}</h3><ul>{items}</ul></div>"
    elements = change.elements
    if change.action != "create" and all(one.path != "CarePlan.text" for one in elements):
        ours = change.ours.get("text")
        elements = (
            *elements,
            ElementChange(path="CarePlan.text", kind="ours", before=text, theirs=text, ours=ours),
        )
    return msgspec.structs.replace(
        change,
        action="create" if change.action == "create" else "update",
        body={**change.body, "text": {**text, "div": div}},
        elements=elements,
    )


def _title(change: ResourceChange) -> str:
    title = title_of(change.body)
    return f"{change.type} “{title}”" if title else change.type


def _said(value: Any) -> str:
    return value if isinstance(value, str) else encode(value).decode()
