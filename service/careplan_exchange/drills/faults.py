"""What a drill does to the traffic: faults that strike one request, and habits of a bad server that last.

Everything is decided beforehand, from a seed: which request, counted by its kind, and which fault.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

On = Literal["read", "write"]

Fault = Literal[
    "drop-before",
    "drop-after",
    "delay",
    "late-forward",
    "duplicate",
    "cut-body",
    "cut-json",
    "busy",
    "error-before",
    "error-after",
    "replica",
    "kill-before",
    "kill-after",
    "edit-before",
    "edit-after",
    "edit-kill",
    "edit-drop",
    "lands-late",
    "kill-lands-late",
    "resend-later",
    "foreign-next",
    "stranger",
    "missing-entry",
    "crossed",
]
"""drop-before, drop-after: the connection is closed; the request was not, or was, carried out. delay: the answer
comes late. late-forward: the request is held, so that one that came after it overtakes it. duplicate: it is
carried out twice, and the second answer is given. cut-body: the connection ends in the middle of the answer.
cut-json: the answer is whole for HTTP, and its JSON ends half-way. busy: 429, not carried out. error-before,
error-after: 5xx, not carried out or carried out. replica: answered from what the server held before the last
write, whatever the request says of caches. kill-before, kill-after: the process that sent it dies. edit-before,
edit-after: a clinician changes the plan just before or just after it is carried out. edit-kill, edit-drop: as
edit-before, and then as kill-after or drop-after. lands-late, kill-lands-late: the connection is closed, or the
process dies, and the request is carried out all the same, some reads later. resend-later: a gateway
keeps the request and sends it once more when the run is over. foreign-next: a page of a search goes on at
another server. stranger: a search also brings another patient's resource. missing-entry: an entry of a batch of
searches failed. crossed: two answers that are under way at one time are given to each other's request."""

Habit = Literal["cache", "no-if-match", "no-if-none-exist", "forgetful", "partial", "silent"]
"""What the server does all the time. cache: it answers a search again for a while, unless it is told `no-cache`.
no-if-match: it ignores `If-Match`. no-if-none-exist: every conditional create creates. forgetful: it does not
keep all that it is sent. partial: it carries out a transaction in part, once. silent: it answers a write without
a body."""

NETWORK: tuple[Fault, ...] = (
    "drop-before",
    "drop-after",
    "delay",
    "cut-body",
    "cut-json",
    "busy",
    "error-before",
    "error-after",
)
"""What any network does now and then."""


@dataclass
class Strike:
    """The fault that meets the request number `nth` (from 0) of this kind, counted since it was armed."""

    fault: Fault
    on: On
    nth: int = 0


class Plan:
    """The strikes that are still to come."""

    def __init__(self) -> None:
        self._armed: list[Strike] = []

    def arm(self, strikes: Iterable[Strike]) -> None:
        self._armed.extend(Strike(one.fault, one.on, one.nth) for one in strikes)

    def calm(self) -> None:
        self._armed.clear()

    def take(self, on: On) -> Fault | None:
        """What meets this request. At most one strikes; every other that waits for this kind counts it."""
        struck: Strike | None = None
        for strike in self._armed:
            if strike.on != on:
                continue
            if strike.nth == 0 and struck is None:
                struck = strike
            else:
                strike.nth = max(0, strike.nth - 1)
        if struck is None:
            return None
        self._armed.remove(struck)
        return struck.fault


def some_network(rng: random.Random, most: int = 2) -> tuple[Strike, ...]:
    """Up to `most` of what any network does, at requests of either kind."""
    kinds: Sequence[On] = ("read", "write")
    return tuple(
        Strike(rng.choice(NETWORK), rng.choice(kinds), rng.randrange(3)) for _ in range(rng.randint(0, most))
    )
