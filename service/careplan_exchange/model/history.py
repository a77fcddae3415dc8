"""The life of a plan, as it is told: one happening after the other."""

from typing import Literal

import msgspec

HappeningKind = Literal[
    "written", "changed", "reverted", "proposed", "conflict", "assigned", "modified", "approved", "rejected",
    "superseded", "edited", "deleted", "raced", "settled", "refused", "failed", "closed",
]  # fmt: skip


class Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What happened to one resource. `reference` names the version that came of it, where one did; `title` is the
    resource in its own words; `what` are lines of what changed; `why` the reason that stands in it, its sources
    and its protocol."""

    reference: str
    title: str
    what: tuple[str, ...] = ()
    why: tuple[str, ...] = ()


class Happening(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`text` is a sentence, `who` a person, this software, or somebody whom only the server knows. `evidence` are
    the references, with versions, that were new when it was planned."""

    at: str
    kind: HappeningKind
    text: str
    who: str
    exchange: str | None = None
    parts: tuple[Part, ...] = ()
    evidence: tuple[str, ...] = ()


class PlanHistory(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Oldest first. `server_asked` false: what others did there is missing, and `server_error` is the key of why
    (None where it was not to be asked)."""

    target: str
    patient: str
    happenings: tuple[Happening, ...]
    server_asked: bool
    server_error: str | None = None
