"""What somebody supposes of a patient, to see what the plan would then be. Never written anywhere."""

from typing import Literal

import msgspec

from .snapshot import Fact


class Assumed(msgspec.Struct, frozen=True, kw_only=True):
    """`facts` stand in place of everything that the record says of their concepts; `birth_date` (FHIR date) and
    `gender` in place of the Patient's. `texts` are the suppositions as they were given (`egfr=28`)."""

    texts: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    birth_date: str | None = None
    gender: Literal["male", "female", "other", "unknown"] | None = None
