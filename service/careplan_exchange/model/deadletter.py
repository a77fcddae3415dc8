"""An exchange that came to nothing and will not by itself: kept whole, so that a person can take it up."""

from typing import Literal

import msgspec

from .changes import Intent
from .exchange import ExchangeRequest
from .issue import Issue

LetterState = Literal["waiting", "replayed", "resolved", "dropped"]


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`id` is the exchange's id; `error` the key of what went wrong, `detail` and `mend` its sentences. `intent`
    is what was meant to be written, where it came so far: clinical content, never shown in a listing. At most one
    letter waits for a target and patient: `failures` counts how often it failed since. "replayed" and "dropped"
    are a person's doing (`closed_by`, `reason`); "resolved": a later exchange went through."""

    id: str
    request: ExchangeRequest
    target: str
    patient: str
    error: str
    detail: str
    mend: str
    issues: tuple[Issue, ...] = ()
    intent: Intent | None = None
    failures: int = 1
    created_at: str
    state: LetterState = "waiting"
    closed_by: str | None = None
    closed_at: str | None = None
    reason: str | None = None


def may_close(now: LetterState, state: LetterState) -> bool:
    """Only what waits can be closed; and a replay has resolved its letter before its person is noted."""
    return now == "waiting" or (now, state) == ("resolved", "replayed")
