"""How much of the records of a server mapping makes use of: counts, codes and units, and nobody's data."""

from typing import Literal

import msgspec

Use = Literal["used", "not-needed", "not-understood"]
"""What became of a resource.

`used`: a fact came of it, or it says who the patient is or what is in a medicine that was ordered.
`not-needed`: what it says is known, and no rule asks for it (a type of mappings/not-read.yaml, a code that a
mapping has judged), or the record itself says that it does not count (entered in error, cancelled, not done).
`not-understood`: everything else. A code, unit or answer that no mapping knows, and a resource that says too
little or contradicts itself; the causes name which.
"""

CodeState = Literal["mapped", "judged", "judged-by-text", "beside", "unmapped"]
"""`mapped`: a concept. `judged`: looked at, and no concept. `judged-by-text`: its display or text was looked at,
and no concept. `beside`: unknown, and another code or the text of the same element is known. `unmapped`: no
mapping knows it or anything beside it."""

UnitState = Literal["mapped", "assumed", "unknown", "conflict", "missing"]


class TypeCount(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    type: str
    used: int = 0
    not_needed: int = 0
    not_understood: int = 0


class Cause(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why `count` resources of a type were not understood: the key of the Issue."""

    type: str
    key: str
    count: int


class CodeMet(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A code, how often it was met in `path`, and in which units. `code` is None for all that do not look like
    codes: they are counted and not shown."""

    path: str
    system: str | None
    code: str | None
    display: str | None
    state: CodeState
    count: int
    units: tuple[str, ...] = ()


class UnitMet(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    concept: str
    unit: str | None
    state: UnitState
    count: int


class TextOnly(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How often an element had a text and no code. The texts are not kept: they may hold a name."""

    path: str
    known: int
    unknown: int


class Unreadable(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A patient or file that could not be read: its place among those asked for, from 1, and the error."""

    place: int
    key: str
    detail: str


class Coverage(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The report. Each list begins with what was met most often."""

    patients: int
    as_of: str
    unreadable: tuple[Unreadable, ...]
    total: TypeCount
    resources: tuple[TypeCount, ...]
    causes: tuple[Cause, ...]
    codes: tuple[CodeMet, ...]
    units: tuple[UnitMet, ...]
    texts: tuple[TextOnly, ...]

    @property
    def share_not_understood(self) -> float:
        """Of all resources, from 0 to 1."""
        total = self.total.used + self.total.not_needed + self.total.not_understood
        return self.total.not_understood / total if total else 0.0
