"""A published equation as it came out for one patient, or why it did not."""

from decimal import Decimal
from typing import Literal

import msgspec

from .grounds import Citation, Used
from .snapshot import Evidence

RiskState = Literal["computed", "at-least", "unknown", "excluded", "out-of-range"]


class RiskBand(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where a result stands among published limits."""

    code: str
    title: str
    citation: Citation


class RiskAssessment(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`value` in UCUM `unit` (a probability in %), rounded as it is shown; None unless the state is `computed` or
    `at-least`: then something that could add to a score is not known. `reasons` are short codes:
    `missing:hdl_cholesterol`, `range:age`, `excluded:coronary_disease`, each with words in `detail`.

    No equation here publishes a confidence limit for one person; `limits` says what it must not be used for.
    """

    id: str
    title: str
    outcome: str
    state: RiskState
    unit: str
    citation: Citation
    limits: str
    detail: str
    value: Decimal | None = None
    band: RiskBand | None = None
    reasons: tuple[str, ...] = ()
    used: tuple[Used, ...] = ()
    evidence: tuple[Evidence, ...] = ()
