"""What would be written: our rendering, what the server holds, and the merge of both, per element."""

from collections.abc import Iterable
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


class Ground(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why a line of the plan is proposed now. `digest` is another one where the clinical reason is another
    (reconcile/grounds.py says what counts); `because` are its sentences, for a person."""

    digest: str
    because: tuple[str, ...] = ()


class Base(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What stands between us and the server since our last write, element by element.

    `ours` is our rendering as of the last write that took it; `stored` is how the server kept it. Theirs
    differing from `stored` is somebody's edit; a new rendering differing from `ours` is a new proposal. A
    server that drops or rewrites an element on the way in is therefore never mistaken for a person, and an
    element that a person has edited keeps its old `ours` and `stored` here, so that it stays theirs for good.

    `grounds` are digests of the reason (Ground.digest) for the resource, by its identity, and for each line of a
    plan, by the key of the line. A line or resource that a person took out keeps the digest under which it stood
    last: it is its tombstone, and while the reason is the same it is not offered again.
    """

    identity: str
    type: str
    id: str
    version_id: str
    ours: Json
    stored: Json
    grounds: dict[str, str] = {}


class ElementChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One element that differs. `path` is FHIRPath-like (`Goal.target[0].dueDate`).

    `kind`: "ours" is taken into the merged body; "theirs" is a person's edit that stays; "conflict" is changed
    on both sides: theirs stays in the merged body and a person must decide.

    `why` says in a sentence why it is a conflict. `line` is the key of the activity or the identity of the goal
    (or of the resource) that it is about; `ground` is the digest of the reason for which that is proposed, and
    `because` are the sentences of it, on conflicts alone.
    """

    path: str
    kind: Literal["ours", "theirs", "conflict"]
    before: Any = None
    theirs: Any = None
    ours: Any = None
    why: str | None = None
    line: str | None = None
    ground: str | None = None
    because: tuple[str, ...] = ()


class ResourceChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`body` is what would be sent (for "unchanged": what the server holds). An update is sent with `If-Match`
    of `version_id`. `ours` is our rendering with references resolved, `theirs` and `base` what it was merged
    with: the next base is computed from them once the server has answered (reconcile.next_base). `grounds` are
    the digests of the reasons as they are now, as in Base."""

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
    grounds: dict[str, str] = {}

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
    """What is about to be sent, stored before the request, so that an unknown outcome can be settled. `reverts`
    is the exchange that it takes back, `review` the one that it carries out, where it does."""

    id: str
    exchange: str
    target: str
    patient: str
    changes: tuple[ResourceChange, ...]
    created_at: str
    reverts: str | None = None
    review: str | None = None


class WrittenResource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One resource after the write, with the body as the server stored it; `issues` are what it did not keep."""

    identity: str
    type: str
    id: str
    version_id: str
    action: Action
    stored: Json
    issues: tuple[Issue, ...] = ()


class Undone(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One version that a write of ours made and that it took away again itself: `written`. `how` is the request
    that did it, None where it was gone already. An update made `version_id` (None where the server did not say)
    with the content of version `restores`, None where it was marked as entered in error. `put_back`: that content
    is somebody else's, which our version had replaced."""

    written: WrittenResource
    how: Literal["update", "delete"] | None
    version_id: str | None = None
    restores: str | None = None
    put_back: bool = False


class Commit(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A write that stands: what was meant and what the server made of it, kept so that it can be undone."""

    intent: Intent
    written: tuple[WrittenResource, ...]
    committed_at: str


class Settlement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of an intent whose outcome was unknown.

    "committed": every resource of it stands on the server (in `written`); "partial": those in `written` stand,
    because the server has no transactions or the others are `undone`: they are booked, and the rest is due after
    a fresh read; "absent": none does, and it may be sent anew after a fresh read; "superseded": none does, and
    what it would have made or changed another of our writes has; "unclear": some do that should not, or a
    resource with our identity holds something that we did not send: a person must look.

    `undone`: what replaced somebody else's version, on a server that ignores `If-Match`, and was put back. Where
    it could not be, `written` has it and `issues` say so.
    """

    outcome: Literal["committed", "partial", "absent", "superseded", "unclear"]
    written: tuple[WrittenResource, ...] = ()
    undone: tuple[Undone, ...] = ()
    issues: tuple[Issue, ...] = ()


def identities_of(things: Iterable[Base | ResourceChange | WrittenResource]) -> dict[str, set[str]]:
    """The identities of these things, by resource type: what PlanWriter.current takes."""
    identities: dict[str, set[str]] = {}
    for thing in things:
        identities.setdefault(thing.type, set()).add(thing.identity)
    return identities
