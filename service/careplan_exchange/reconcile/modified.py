"""A change with what a person wants otherwise in it: written with the rest, and theirs from then on."""

from typing import Any

import msgspec

from careplan_exchange.model.changes import Base, Json, ResourceChange

from .decisions import as_recorded
from .merge import Decide, Decided, Sides, Walk
from .values import overlay, same


def modified(change: ResourceChange, body: Json) -> ResourceChange:
    """The change with `body` in place of its own. Every element in which the two differ becomes a person's: the
    base is such that the next comparison finds it edited, and finds nothing proposed in its place. `change` has
    no open conflict (see `accept`).
    """
    meant = change.body
    theirs = {} if change.theirs is None else change.theirs
    known = change.base is not None or change.theirs is None
    before = change.base.ours if change.base else change.ours
    kept = change.base.stored if change.base else meant
    recorded = as_recorded(change.elements)
    edited: set[str] = set()

    def find(path: str, sides: Sides, line: str | None) -> Decided | None:
        """`stored` holds the body as the person wants it."""
        decided = Decided("ours") if change.theirs is None else recorded(path, sides, line)
        ours = decided is not None and decided.kind == "ours"
        if same(sides.stored, overlay(sides.ours, sides.theirs) if ours else sides.theirs):
            return decided
        edited.add(path)
        return Decided("theirs")

    walk = _walked(find, change.type, Sides(change.ours, theirs, before, kept, body), known=known)

    def keep(path: str, _sides: Sides, _line: str | None) -> Decided:
        """`stored` holds the body as it was meant: for what was edited that is what theirs will differ from."""
        return Decided("ours" if path in edited else "theirs")

    based = Walk(keep, known=True).resource(change.type, Sides(change.ours, theirs, before, kept, meant))
    return msgspec.structs.replace(
        change,
        action="create" if change.action == "create" else "update",
        body=body,
        theirs=theirs,
        base=Base(
            identity=change.identity,
            type=change.type,
            id=change.id or "",
            version_id=change.version_id or "",
            ours=based.base_ours,
            stored=based.base_stored,
        ),
        elements=tuple(
            msgspec.structs.replace(element, theirs=_wanted(element.path, element.theirs, walk[1]))
            if element.path in edited
            else element
            for element in walk[0].elements
        ),
    )


def _walked(decide: Decide, kind: str, sides: Sides, *, known: bool) -> tuple[Walk, dict[str, Any]]:
    """The walk, and what the person wants at each path."""
    wanted: dict[str, Any] = {}

    def noting(path: str, at: Sides, line: str | None) -> Decided | None:
        wanted[path] = at.stored
        return decide(path, at, line)

    walk = Walk(noting, known=known)
    walk.resource(kind, sides)
    return walk, wanted


def _wanted(path: str, otherwise: Any, wanted: dict[str, Any]) -> Any:
    value = wanted.get(path, otherwise)
    return None if value is msgspec.UNSET else value
