"""Why each line is, or is not, in a plan, and what would change it: what `careplan explain` shows."""

from datetime import date
from typing import Literal

import msgspec

from .proposal import DISCLAIMER, Citation, Gap, ProtocolRef, Truth, Used
from .snapshot import Evidence

ItemStatus = Literal["proposed", "withheld", "not-applied"]
ItemKind = Literal["protocol", "goal", "action"]


class ConditionTrace(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One condition of a protocol as it came out for this patient.

    `rule` is the FHIRPath, `used` the values it looked at with source and version, `unknown` what the protocol
    does when the record does not decide it, `safety` its severity where it is a contraindication. `turns` are the
    smallest changes of the record that would give it another answer, in words; any one of them is enough.
    """

    kind: Literal["applicability", "start", "stop"]
    rule: str
    result: Truth
    text: str
    used: tuple[Used, ...]
    unknown: str
    safety: str | None = None
    turns: tuple[str, ...] = ()


class Explained(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One goal, action or whole protocol. `why` are the reasons as the proposal tells them; `conditions` its own,
    `above` those of the actions that it stands under. `change` says what would change the status."""

    key: str
    kind: ItemKind
    title: str
    status: ItemStatus
    protocol: ProtocolRef
    why: tuple[str, ...]
    conditions: tuple[ConditionTrace, ...] = ()
    above: tuple[ConditionTrace, ...] = ()
    change: tuple[str, ...] = ()
    missing: tuple[Gap, ...] = ()
    citations: tuple[Citation, ...] = ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything that the protocols looked at for one patient on one day, in the protocols' order."""

    patient: Evidence
    as_of: date
    items: tuple[Explained, ...]
    disclaimer: str = DISCLAIMER
