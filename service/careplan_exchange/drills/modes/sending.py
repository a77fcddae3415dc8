"""Modes 1, 5, 9 and 10: what becomes of a write on its way and at the server."""

import random

from careplan_exchange.drills.faults import Fault, Strike, some_network
from careplan_exchange.drills.script import Act, ClinicianEdits, RecordGrows, Script, Sync

_LOST_ANSWERS: tuple[Fault, ...] = (
    "drop-after",
    "error-after",
    "cut-body",
    "cut-json",
    "kill-after",
    "kill-before",
    "lands-late",
    "kill-lands-late",
)


def _between(rng: random.Random) -> tuple[Act, ...]:
    """What the ward does between two exchanges."""
    acts: list[Act] = []
    if rng.random() < 0.5:
        acts.append(ClinicianEdits(rng.randint(1, 2)))
    if rng.random() < 0.7:
        acts.append(RecordGrows())
    return tuple(acts)


def timeout_after_commit(rng: random.Random) -> Script:
    """Mode 1."""
    acts: list[Act] = []
    for _ in range(rng.randint(1, 2)):
        acts.append(Sync((Strike(rng.choice(_LOST_ANSWERS), "write"), *some_network(rng, 1))))
        acts.extend(_between(rng))
    acts.append(Sync((Strike(rng.choice(_LOST_ANSWERS), "write"),), approve=rng.random() < 0.3))
    return Script(tuple(acts))


def twice_in_one_bundle(rng: random.Random) -> Script:
    """Mode 5."""
    twice = (Strike("duplicate", "write"), *some_network(rng, 1))
    return Script((Sync(twice), *_between(rng), Sync((Strike("duplicate", "write"),))), doubled=True)


def round_trip_loss(rng: random.Random) -> Script:
    """Mode 9."""
    silent = rng.random() < 0.5
    acts = (Sync(), *_between(rng), Sync(some_network(rng, 1)), *_between(rng), Sync())
    return Script(acts, habits=frozenset({"forgetful", "silent"} if silent else {"forgetful"}))


def partial_batch(rng: random.Random) -> Script:
    """Mode 10."""
    acts = (Sync(), Sync(), *_between(rng), Sync())
    return Script(acts, habits=frozenset({"partial"}), may_ask=True)
