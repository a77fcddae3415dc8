"""What would be written: our rendering, what the server holds, and the merge of both, per element."""

from typing import Any, Literal

import msgspec

from .issue import Issue

Json = dict[str, Any]
Action = Literal["create", "update", "unchanged"]


class Rendered(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One resource as we would author it, in the target's version of FHIR, before any merge.

    `identity` is the value of its identifier in our system (model/identity.py). References between rendered
    resources are `urn:uuid:…` as `full_url` of the other; reconcile replaces those that exist on the server.
    """

    identity: str
    type: str
    full_url: str
    body: Json


class Held(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One resource as the target holds it now, read without any cache."""

    identity: str
    type: str
    id: str
    version_id: str
    body: Json

    @property
    def reference(self) -> str:
        return f"{self.type}/{self.id}"


class Base(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What stands between us and the server since our last write, element by element.

    `ours` is our rendering as of the last write that took it; `stored` is how the server kept it. Theirs
    differing from `stored` is somebody's edit; a new rendering differing from `ours` is a new proposal. A
    server that drops or rewrites an element on the way in is therefore never mistaken for a person, and an
    element that a person has edited keeps its old `ours` and `stored` here, so that it stays theirs for good.
    """

    identity: str
    type: str
    id: str
    version_id: str
    ours: Json
    stored: Json


class ElementChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One element that differs. `path` is FHIRPath-like (`Goal.target[0].dueDate`).

    `kind`: "ours" is taken into the merged body; "theirs" is a person's edit that stays; "conflict" is changed
    on both sides: theirs stays in the merged body and a person must decide.
    """

    path: str
    kind: Literal["ours", "theirs", "conflict"]
    before: Any = None
    theirs: Any = None
    ours: Any = None


class ResourceChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`body` is what would be sent (for "unchanged": what the server holds). An update is sent with `If-Match`
    of `version_id`. `ours` is our rendering with references resolved, `theirs` and `base` what it was merged
    with: the next base is computed from them once the server has answered (reconcile.next_base)."""

    identity: str
    type: str
    action: Action
    full_url: str
    body: Json
    ours: Json
    theirs: Json | None = None
    base: Base | None = None
    id: str | None = None
    version_id: str | None = None
    elements: tuple[ElementChange, ...] = ()

    @property
    def reference(self) -> str:
        return f"{self.type}/{self.id}" if self.id else self.full_url


class ChangeSet(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """All changes of one exchange, in the order in which they are written. `issues` say what was left alone."""

    patient: str
    changes: tuple[ResourceChange, ...]
    issues: tuple[Issue, ...] = ()

    @property
    def to_write(self) -> tuple[ResourceChange, ...]:
        return tuple(change for change in self.changes if change.action != "unchanged")

    @property
    def conflicts(self) -> tuple[tuple[ResourceChange, ElementChange], ...]:
        return tuple((c, e) for c in self.changes for e in c.elements if e.kind == "conflict")


class Intent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is about to be sent, stored before the request, so that an unknown outcome can be settled."""

    id: str
    exchange: str
    target: str
    patient: str
    changes: tuple[ResourceChange, ...]
    created_at: str


class WrittenResource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One resource after the write, with the body as the server stored it."""

    identity: str
    type: str
    id: str
    version_id: str
    action: Action
    stored: Json


class Settlement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of an intent whose outcome was unknown.

    "committed": every resource of it stands on the server (in `written`); "absent": none does, and it may be
    sent anew after a fresh read; "unclear": some do, or a resource with our identity holds something that we
    did not send: a person must look.
    """

    outcome: Literal["committed", "absent", "unclear"]
    written: tuple[WrittenResource, ...] = ()
    issues: tuple[Issue, ...] = ()
