"""What a change is, in the words of the policy. docs/review.md has this as a table."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from careplan_exchange.model.changes import ElementChange, ResourceChange
from careplan_exchange.model.review import ChangeKind, Origin, Part, Severity

from .lines import Line, Lines, protocol_of, severity_of

PARTS: dict[str, Part] = {
    "CarePlan": "plan",
    "DocumentReference": "plan",
    "Goal": "goal",
    "MedicationRequest": "medication",
    "DetectedIssue": "finding",
}
"""Every other type is a request, and so an activity."""

_FOLLOWS = frozenset({"text", "title", "goal", "supportingInfo"})
"""Elements of a CarePlan that say again what its goals and activities say: these are what is asked about."""

_RECHECKED = frozenset(
    {
        "text", "meta", "created", "period", "startDate", "statusDate", "authoredOn", "identifiedDateTime",
        "achievementStatus", "supportingInfo", "supportingInformation", "evidence", "reasonReference",
    }
)  # fmt: skip
"""Elements that a later look at the record makes anew, where goal, activity and their reasons are the same."""

_ENDED = frozenset({"cancelled", "revoked", "completed", "rejected", "mitigated", "stopped", "entered-in-error"})


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """`protocol` and `severity` as in Line; `has_severity` is false of a plan."""

    change: ChangeKind
    of: Part
    protocol: str | None = ""
    severity: Severity | None = None
    has_severity: bool = True
    origin: Origin = "software"


def new_line(line: Line) -> Fact:
    return Fact(change="new", of=line.of, protocol=line.protocol, severity=line.severity)


NEW_PLAN = Fact(change="new", of="plan", has_severity=False)


def facts(change: ResourceChange, lines: Lines) -> tuple[Fact, ...]:
    """Everything that a change does and a person may have to agree to, each once."""
    return tuple(dict.fromkeys(_facts(change, lines)))


def _facts(change: ResourceChange, lines: Lines) -> Iterator[Fact]:
    about = _about(change, lines)
    if change.action == "create":
        yield msgspec.structs.replace(about, change="new")
        if change.type == "CarePlan":
            for activity in change.body.get("activity", ()):
                if isinstance(activity, dict) and "detail" in activity:
                    yield msgspec.structs.replace(_activity(activity, lines, about), change="new")
        return
    for element in change.elements:
        if element.kind == "conflict":
            gone = element.path == change.type and change.theirs is None
            yield msgspec.structs.replace(about, change="deleted" if gone else "conflict")
        elif element.kind == "ours":
            yield _ours(change, element, lines, about)


def _about(change: ResourceChange, lines: Lines) -> Fact:
    """The resource as a whole. Of what is no longer proposed only the body can tell."""
    of = PARTS.get(change.type, "activity")
    edited = any(element.kind in {"theirs", "conflict"} for element in change.elements)
    origin: Origin = "person" if edited else "software"
    if of == "plan":
        return Fact(change="changed", of=of, has_severity=False, origin=origin)
    line = lines.by_identity.get(change.identity)
    if line is not None:
        return Fact(change="changed", of=of, protocol=line.protocol, severity=line.severity, origin=origin)
    body = change.theirs or change.body or change.ours
    word = body.get("severity" if of == "finding" else "priority")
    if isinstance(word, dict):
        word = next((coding.get("code") for coding in word.get("coding", ())), None)
    return Fact(change="changed", of=of, protocol=None, severity=severity_of(word), origin=origin)


def _ours(change: ResourceChange, element: ElementChange, lines: Lines, about: Fact) -> Fact:
    name = re.split(r"[.\[]", element.path.removeprefix(f"{change.type}."), maxsplit=1)[0]
    if change.type == "CarePlan" and name == "activity":
        return _of_activity(change, element, lines, about)
    if name in {"status", "lifecycleStatus"}:
        return msgspec.structs.replace(about, change="retired" if element.ours in _ENDED else "status")
    follows = change.type == "CarePlan" and name in _FOLLOWS
    kind: ChangeKind = "recheck" if follows or _rechecked(name, element) else "changed"
    return msgspec.structs.replace(about, change=kind)


def _rechecked(name: str, element: ElementChange) -> bool:
    if name == "note":  # ours is the one that gives the reasons
        return isinstance(element.ours, dict) and isinstance(element.theirs, dict)
    if name == "detail":  # of a DetectedIssue: what it is, then on further lines why
        before, ours = str(element.theirs), str(element.ours)
        return before.split("\n", maxsplit=1)[0] == ours.split("\n", maxsplit=1)[0]
    return name in _RECHECKED


def _of_activity(change: ResourceChange, element: ElementChange, lines: Lines, about: Fact) -> Fact:
    """An activity that stands in the plan itself (`CarePlan.activity.detail`), or a part of it."""
    place, _, inner = element.path.removeprefix("CarePlan.activity").partition(".")
    index = int(place.strip("[]") or 0)
    if not inner:
        item = element.ours or element.theirs or {}
        if "detail" not in item:
            return msgspec.structs.replace(about, change="recheck")
        kind: ChangeKind = "new" if element.theirs is None else "retired" if element.ours is None else "changed"
        return msgspec.structs.replace(_activity(item, lines, about), change=kind)
    theirs = (change.theirs or {}).get("activity", ())
    fact = _activity(theirs[index] if index < len(theirs) else {}, lines, about)
    field = inner.removeprefix("detail.").split("[")[0].split(".")[0]
    if field == "status":
        return msgspec.structs.replace(fact, change="retired" if element.ours in _ENDED else "status")
    return msgspec.structs.replace(fact, change="recheck" if field in _RECHECKED else "changed")


def _activity(item: dict[str, Any], lines: Lines, about: Fact) -> Fact:
    key = str(item.get("id", ""))
    line = lines.by_key.get(key)
    detail = item.get("detail", {})
    medication = detail.get("kind") == "MedicationRequest" or "productCodeableConcept" in detail
    of: Part = "medication" if medication else "activity"
    if line is not None:
        return msgspec.structs.replace(
            about, of=line.of, protocol=line.protocol, severity=line.severity, has_severity=True
        )
    return msgspec.structs.replace(
        about, of=of, protocol=protocol_of(key) if "/" in key else None, severity=None, has_severity=True
    )
