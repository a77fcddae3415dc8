"""What every line of a plan stands on: its sources, its reasons with the values they used, what was missing."""

from typing import Literal

import msgspec

from .snapshot import Evidence

Truth = Literal["true", "false", "unknown"]


class Citation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where a recommendation comes from: guideline or label, year, DOI or URL, and its grade if it has one.
    `short` is what fits into a table: "ADA 2026, section 9"."""

    label: str
    url: str | None = None
    grade: str | None = None
    short: str | None = None


class Used(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One value a rule looked at: the variable, what it held ("8.1 %", "present", "unknown"), and its source."""

    variable: str
    value: str
    evidence: tuple[Evidence, ...] = ()


class Reason(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why a line is, or is not, in the plan. `rule` is the FHIRPath of the condition as the protocol has it."""

    text: str
    rule: str
    result: Truth
    used: tuple[Used, ...] = ()


class Gap(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something a rule needed and the record does not say. `ask` is the question to put to a person."""

    concept: str
    ask: str
    needed_by: tuple[str, ...]
