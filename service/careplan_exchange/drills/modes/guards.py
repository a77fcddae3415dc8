"""Modes 3, 4, 6, 7 and 8: several writers, and guards of the server that hold or do not."""

import random

from careplan_exchange.drills.faults import Fault, Strike, some_network
from careplan_exchange.drills.script import ClinicianEdits, GatewayResends, RecordGrows, Script, Sync

_LOST: tuple[Fault, ...] = ("drop-after", "error-after", "kill-after", "drop-before")


def concurrent_creates(rng: random.Random) -> Script:
    """Mode 3."""
    held = tuple(Strike("late-forward", rng.choice(("read", "write")), rng.randrange(3)) for _ in range(2))
    first = Sync((*held, *some_network(rng, 1)), at_once=rng.randint(2, 4))
    return Script((first, RecordGrows(), Sync(at_once=2)))


def literal_condition(rng: random.Random) -> Script:
    """Mode 4."""
    lost = Strike(rng.choice(_LOST), "write")
    first = Sync((lost, Strike("late-forward", "write", 1)), at_once=rng.randint(1, 3))
    return Script(
        (first, Sync(at_once=rng.randint(1, 2)), RecordGrows(), Sync()), habits=frozenset({"no-if-none-exist"})
    )


def put_without_if_match(rng: random.Random) -> Script:
    """Mode 6."""
    edits = [Strike("edit-before", "write"), Strike("edit-after", "read", rng.randrange(2))]
    chosen = tuple(rng.sample(edits, rng.randint(1, 2)))
    after = (Strike("edit-after", "write"),) if rng.random() < 0.3 else ()
    return Script(
        (
            Sync(),
            RecordGrows(),
            Sync((*chosen, *after)),
            RecordGrows(),
            Sync((edits[0],), at_once=rng.randint(1, 2)),
        )
    )


def if_match_ignored(rng: random.Random) -> Script:
    """Mode 7. The last exchange may break off between its update and what it puts back, or in the midst of it."""
    edit = (
        Strike("edit-after", "read", rng.randrange(2)) if rng.random() < 0.7 else Strike("edit-before", "write")
    )
    broken_off = (
        (),
        (Strike(rng.choice(("edit-kill", "edit-drop")), "write"),),
        (Strike("edit-before", "write"), Strike(rng.choice(_LOST), "write", 1)),
    )
    last = rng.choice(broken_off)
    acts = (Sync(), RecordGrows(), Sync((edit,)), ClinicianEdits(), RecordGrows(), Sync(last))
    return Script(acts, habits=frozenset({"no-if-match"}), may_ask=True)


def stale_body_retried(rng: random.Random) -> Script:
    """Mode 8."""
    kept = (Strike("resend-later", "write"), *some_network(rng, 1))
    return Script(
        (
            Sync((Strike("resend-later", "write"),)),
            ClinicianEdits(rng.randint(1, 2)),
            GatewayResends(),
            RecordGrows(),
            Sync(kept),
            ClinicianEdits(),
            GatewayResends(),
            Sync(),
        )
    )
