"""What a person has rejected is not asked again, as long as it is the same proposal for the same reason."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from careplan_exchange.model.changes import ChangeSet, ElementChange, ResourceChange
from careplan_exchange.model.codec import canonical
from careplan_exchange.model.issue import Issue

from . import notices
from .after import as_decided, timeless
from .narrative import narrated
from .references import mentions, without
from .rules import pattern_of
from .values import MISSING


def not_again(wait: ChangeSet, rejected: Sequence[ChangeSet]) -> ChangeSet:
    """`wait` without what stands in one of `rejected`: each a set that a person was shown and rejected.

    A resource to be made falls out where it was rejected under the same reason (its digest; without one, the
    same content); where a plan would be made that was not rejected, all of it is shown again. An element falls
    out where it was rejected with the same values under the same reason; theirs stays. A reference to what fell
    out falls with it, and so does a narrative that is all that is left. What nobody decides stays in the set as
    it is. Twice is as once.
    """
    known = {key for one in rejected for change in one.changes for key in _keys(change)}
    if not known:
        return wait
    fallen = [change for change in wait.changes if _is_made(change) and _whole(change) in known]
    if any(change.type == "CarePlan" and _is_made(change) and change not in fallen for change in wait.changes):
        fallen = []
    urls = frozenset(change.full_url for change in fallen)
    kept = [_without(change, known, urls) for change in wait.changes if change not in fallen]
    fell = bool(fallen) or any(change not in wait.changes for change in kept)
    if fell and not any(_decides(change) for change in kept):
        kept = [_settled(change, change.elements) for change in kept]
    return msgspec.structs.replace(wait, changes=tuple(kept), issues=_still_asked(wait.issues, fallen))


def _still_asked(issues: Sequence[Issue], fallen: Sequence[ResourceChange]) -> tuple[Issue, ...]:
    """Without the notices that go with a question that fell out."""
    past = {notices.deleted(change.base) for change in fallen if change.base is not None}
    replaced = any(change.type == "CarePlan" and change.base is None for change in fallen)
    return tuple(
        issue for issue in issues if issue not in past and not (replaced and issue.key == notices.PLAN_REPLACED)
    )


def _is_made(change: ResourceChange) -> bool:
    """Whether it would be a resource that is not there: one that is new, or that somebody deleted."""
    return change.theirs is None


def _whole(change: ResourceChange) -> bytes:
    ground = change.grounds.get(change.identity)
    return canonical([change.identity, ground or timeless(change.type, change.ours)])


def _element(change: ResourceChange, element: ElementChange) -> bytes:
    """The reason of the plan as a whole is that of all its lines, and none of what is not a line. Why it was a
    question counts as well: whoever left a goal open although the patient was recorded as deceased has not said
    that it stays open when no protocol proposes it any more."""
    about_all = change.type == "CarePlan" and element.line == change.identity
    pattern = pattern_of(element.path)
    values = [timeless(pattern, value) for value in (element.theirs, element.ours)]
    return canonical([change.identity, pattern, None if about_all else element.ground, element.why, *values])


def _keys(change: ResourceChange) -> Iterator[bytes]:
    if _is_made(change):
        yield _whole(change)
        return
    for element in change.elements:
        if element.kind != "theirs":
            yield _element(change, element)


def _without(change: ResourceChange, known: set[bytes], urls: frozenset[str]) -> ResourceChange:
    if _is_made(change):
        body, ours = without(change.body, urls), without(change.ours, urls)
        elements = tuple(
            msgspec.structs.replace(element, ours=without(element.ours, urls)) for element in change.elements
        )
        return msgspec.structs.replace(change, body=body, ours=ours, elements=elements)
    fallen = [
        element
        for element in change.elements
        if element.kind != "theirs"
        and element.path != f"{change.type}.text"
        and (_element(change, element) in known or without(element.ours, urls) is MISSING)
    ]
    if not fallen and not mentions(change.ours, urls):
        return change
    return narrated(_settled(_referring_less(change, urls), fallen))


def _referring_less(change: ResourceChange, urls: frozenset[str]) -> ResourceChange:
    """Items that only refer to what fell out stay in ours, so that every other item keeps its place: their
    elements are settled for theirs."""
    ours = {
        name: [_less(item, urls) for item in value] if isinstance(value, list) else _less(value, urls)
        for name, value in change.ours.items()
    }
    elements = tuple(
        msgspec.structs.replace(element, ours=_less(element.ours, urls)) for element in change.elements
    )
    return msgspec.structs.replace(change, ours=ours, elements=elements)


def _less(value: Any, urls: frozenset[str]) -> Any:
    less = without(value, urls)
    return value if less is MISSING else less


def _settled(change: ResourceChange, fallen: Sequence[ElementChange]) -> ResourceChange:
    """Theirs stays where a person has decided so."""
    paths = {element.path for element in fallen}
    elements = tuple(
        msgspec.structs.replace(element, kind="theirs", why=None, because=())
        if element.path in paths
        else element
        for element in change.elements
    )
    return as_decided(msgspec.structs.replace(change, elements=elements))


def _decides(change: ResourceChange) -> bool:
    """Whether there is more to it than the words that follow from the rest."""
    if _is_made(change):
        return True
    return any(element.kind != "theirs" and element.path != f"{change.type}.text" for element in change.elements)
