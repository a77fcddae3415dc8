"""Modes 2, 11 and 12: what is read is old, cut, or about somebody else."""

import random

from careplan_exchange.drills.faults import Fault, Strike, some_network
from careplan_exchange.drills.script import ClinicianEdits, RecordGrows, Script, Sync

_CUT: tuple[Fault, ...] = ("cut-json", "cut-body", "missing-entry", "error-before", "drop-before")


def cached_absent(rng: random.Random) -> Script:
    """Mode 2."""
    lost: Fault = rng.choice(("drop-after", "kill-after", "error-after"))
    lagging = tuple(Strike("replica", "read", rng.randrange(3)) for _ in range(rng.randint(0, 2)))
    acts = (
        Sync((Strike(lost, "write"),)),
        Sync(lagging),
        ClinicianEdits(rng.randint(0, 2)),
        RecordGrows(),
        Sync(some_network(rng, 1)),
    )
    return Script(acts, habits=frozenset({"cache"}))


def truncated_read(rng: random.Random) -> Script:
    """Mode 11."""
    cuts = tuple(Strike(rng.choice(_CUT), "read", rng.randrange(3)) for _ in range(rng.randint(1, 4)))
    first = cuts if rng.random() < 0.5 else ()
    return Script((Sync(first), ClinicianEdits(rng.randint(0, 1)), RecordGrows(), Sync(cuts), Sync(cuts[:1])))


def wrong_patient(rng: random.Random) -> Script:
    """Mode 12."""
    crossed = tuple(Strike("crossed", "read", nth) for nth in (rng.randrange(2), rng.randrange(2, 4)))
    other: Fault = rng.choice(("stranger", "foreign-next"))
    first = Sync(crossed if rng.random() < 0.6 else (Strike(other, "read", rng.randrange(2)),))
    return Script(
        (first, RecordGrows(), Sync((Strike(other, "read", rng.randrange(2)),)), Sync(crossed)), patients=2
    )
