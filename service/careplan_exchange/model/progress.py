"""How far a goal has come, by the values that the record holds."""

from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

from .snapshot import Evidence

Achievement = Literal[
    "in-progress", "improving", "worsening", "no-change", "achieved", "sustaining", "not-achieved"
]
"""Codes of http://terminology.hl7.org/CodeSystem/goal-achievement. `not-attainable` is set by people only."""


class Reading(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One value of a target's measure, as it is compared: `shown` with its unit, `met` None where it is a range
    that reaches over the target's bound."""

    on: date
    shown: str
    met: bool | None
    evidence: tuple[Evidence, ...]


class Progress(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The trend of one target, oldest first, and when the next measurement is due by the plan's own activities.
    `status` is None where the record holds no value that counts."""

    measure: str
    readings: tuple[Reading, ...]
    status: Achievement | None
    value: Decimal | None = None
    due: date | None = None
