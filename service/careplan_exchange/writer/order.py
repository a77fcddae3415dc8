"""In which order resources are written one by one, so that no reader ever sees a plan whose parts are missing.

Pure. What a plan refers to is made and changed before the plan; what it refers to no more is ended after it. So a
plan that can be read has its goals and requests, in the state that it speaks of, or a state before.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from careplan_exchange.model.changes import ResourceChange

_PLAN = "CarePlan"
_STATUSES = ("status", "lifecycleStatus")
_ENDED = frozenset(
    {"completed", "cancelled", "rejected", "revoked", "stopped", "ended", "mitigated", "entered-in-error"}
)
"""Statuses of Goal, requests and DetectedIssue after which nothing is asked of anybody any more."""


def in_order(changes: Sequence[ResourceChange]) -> tuple[ResourceChange, ...]:
    """The same changes: parts, plans, then parts that are ended; within each what is referred to first."""
    staged = sorted(changes, key=_stage)
    by_url = {change.full_url: change for change in staged}
    done: dict[str, ResourceChange] = {}
    for change in staged:
        _place(change, by_url, done, ())
    return tuple(done.values())


def _stage(change: ResourceChange) -> int:
    if change.type == _PLAN:
        return 1
    return 2 if _is_ended(change) else 0


def _is_ended(change: ResourceChange) -> bool:
    before = change.theirs or {}
    return change.action == "update" and any(
        change.body.get(name) in _ENDED and before.get(name) not in _ENDED for name in _STATUSES
    )


def _place(
    change: ResourceChange,
    by_url: dict[str, ResourceChange],
    done: dict[str, ResourceChange],
    above: tuple[str, ...],
) -> None:
    """`above` are those that wait for this one: a circle is cut where it closes, and the server decides."""
    if change.full_url in done or change.full_url in above:
        return
    for url in _references(change.body):
        if url in by_url:
            _place(by_url[url], by_url, done, (*above, change.full_url))
    done[change.full_url] = change


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "reference" and isinstance(inner, str):
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
