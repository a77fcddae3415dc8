"""After a ChangeSet was shown or written: what is accepted, whether it is still the same, what is remembered."""

from collections.abc import Iterable
from typing import Any

import msgspec

from careplan_exchange.model.changes import Base, ChangeSet, Json, ResourceChange, WrittenResource
from careplan_exchange.model.codec import canonical

from .decisions import as_recorded
from .merge import Merged, Sides, Walk
from .narrative import narrated
from .notices import QUESTIONS
from .rules import FIRST_VALUES, FIRST_VALUES_OF_ITEMS, pattern_of
from .values import MISSING, put


def next_base(change: ResourceChange, written: WrittenResource) -> Base:
    """What is remembered of a resource once the server has answered `change` with `written`.

    Per element (merge.Walk): what we took and what nobody has touched, as it now is; what a person has edited,
    as it was before. Where no base was there and an element was kept, `stored` gets our value and `ours` none,
    so that the next comparison asks the same question and overwrites nothing.
    """
    if change.theirs is None and change.action == "unchanged":
        raise ValueError("a deleted resource that was left deleted has no next base")
    if change.theirs is None:
        ours, stored = change.ours, written.stored
    else:
        merged = _walk(change, stored=written.stored)
        ours, stored = merged.base_ours, merged.base_stored
    return Base(
        identity=change.identity,
        type=written.type,
        id=written.id,
        version_id=written.version_id,
        ours=ours,
        stored=stored,
        grounds=_grounds(change),
    )


def _grounds(change: ResourceChange) -> dict[str, str]:
    """As they are now; of a line that a person took out, as they were when it stood there."""
    before = change.base.grounds if change.base else {}
    kept = {
        element.line
        for element in change.elements
        if element.kind != "ours" and element.theirs is None and element.path.endswith("]")
    }
    return {**change.grounds, **{line: before[line] for line in before if line in kept}}


def accept(change_set: ChangeSet) -> ChangeSet:
    """The same ChangeSet with every conflict decided for ours: a person has seen them and approved."""
    return msgspec.structs.replace(
        change_set,
        changes=tuple(_accepted(change) for change in change_set.changes),
        issues=tuple(issue for issue in change_set.issues if issue.key not in QUESTIONS),
    )


def _accepted(change: ResourceChange) -> ResourceChange:
    if all(element.kind != "conflict" for element in change.elements):
        return change
    if change.theirs is None:
        return msgspec.structs.replace(change, action="create", body=change.ours, base=None, elements=())
    elements = tuple(
        msgspec.structs.replace(element, kind="ours", why=None) if element.kind == "conflict" else element
        for element in change.elements
    )
    return narrated(as_decided(msgspec.structs.replace(change, elements=elements)))


def as_decided(change: ResourceChange) -> ResourceChange:
    """The change of a resource that stands, with the body that its elements make."""
    taken = any(element.kind == "ours" for element in change.elements)
    body = _walk(change, stored={}).value if taken else change.theirs
    return msgspec.structs.replace(change, action="update" if taken else "unchanged", body=body)


def _walk(change: ResourceChange, *, stored: Json) -> Merged:
    """The walk of `compare` once more, by what was decided then."""
    walk = Walk(as_recorded(change.elements), known=change.base is not None)
    before, kept = (change.base.ours, change.base.stored) if change.base else ({}, {})
    return walk.resource(change.type, Sides(change.ours, change.theirs, before, kept, stored))


def same_decision(shown: ChangeSet, now: ChangeSet) -> bool:
    """Whether what a person was shown is still what there is to decide.

    The same resources are made, the same elements change, and conflicts have the same values on all sides.
    What says only when (rules.FIRST_VALUES), the narrative, and a place in a list may differ: they follow from
    the rest. Both sets must be compared with the same `approve`.
    """
    return _decisions(shown) == _decisions(now)


def _decisions(change_set: ChangeSet) -> list[bytes]:
    return sorted(canonical(decision) for change in change_set.changes for decision in _of(change))


def _of(change: ResourceChange) -> Iterable[tuple[Any, ...]]:
    if change.action == "create":
        yield change.identity, "create", timeless(change.type, change.body)
        return
    for element in change.elements:
        if element.kind == "theirs" or element.path == f"{change.type}.text":
            continue
        values = (element.before, element.theirs, element.ours)
        pattern = pattern_of(element.path)
        if pattern not in _TIMES:
            yield change.identity, element.kind, pattern, *(timeless(pattern, value) for value in values)


_TIMES = frozenset(f"{kind}.{name}.{element}" for kind, (name, element) in FIRST_VALUES_OF_ITEMS.items())


def without_days(resource_type: str, body: Json) -> Json:
    """A resource of ours without what says only when it was first proposed (rules.FIRST_VALUES)."""
    text = {"text": body["text"]} if "text" in body else {}
    without: Json = timeless(resource_type, body)
    return {**without, **text}


def timeless(pattern: str, value: Any) -> Any:
    """A resource, or an item of a list, without narrative and what says only when (rules.FIRST_VALUES)."""
    if not isinstance(value, dict):
        return value
    kind, _, name = pattern.partition(".")
    if name:
        times = {time.rpartition(".")[2] for time in _TIMES if time.startswith(f"{pattern}.")}
        return {key: item for key, item in value.items() if key not in times}
    for path in (("text",), *FIRST_VALUES[kind]):
        value = put(value, path, MISSING)
    if kind in FIRST_VALUES_OF_ITEMS:
        items = FIRST_VALUES_OF_ITEMS[kind][0]
        value = put(
            value, (items,), [timeless(f"{kind}.{items}", item) for item in value.get(items, ())] or MISSING
        )
    return value
