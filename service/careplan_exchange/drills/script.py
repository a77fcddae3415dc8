"""What happens in one run, decided from its seed before it begins."""

import random
from dataclasses import dataclass, field, replace

from .faults import Habit, Strike


@dataclass(frozen=True)
class Sync:
    """`at_once` exchanges for each patient at one time, and what strikes their traffic. `process`: the first one
    runs as a process of its own, by the command line, and dies by SIGKILL where a strike kills."""

    strikes: tuple[Strike, ...] = ()
    at_once: int = 1
    approve: bool = False
    process: bool = False

    @property
    def kills(self) -> bool:
        return any(strike.fault.startswith("kill") for strike in self.strikes)


@dataclass(frozen=True)
class ClinicianEdits:
    """So many edits, one after the other, while no exchange runs."""

    times: int = 1


@dataclass(frozen=True)
class RecordGrows:
    """A new blood pressure, too high like those before: the plan and a goal are due for an update."""


@dataclass(frozen=True)
class GatewayResends:
    """What a gateway kept (`resend-later`) goes to the server once more."""


Act = Sync | ClinicianEdits | RecordGrows | GatewayResends


@dataclass(frozen=True)
class Script:
    """`patients` 1 or 2; `doubled`: everything in the record stands there twice. `may_ask`: on such a server the
    product may end with a question to a person instead of a plan; that is counted apart."""

    acts: tuple[Act, ...]
    habits: frozenset[Habit] = field(default_factory=frozenset)
    patients: int = 1
    doubled: bool = False
    may_ask: bool = False


def as_process(script: Script) -> Script:
    """The same script, with the first sync that is killed (or else the first) as a process of its own."""
    syncs = {place: act for place, act in enumerate(script.acts) if isinstance(act, Sync)}
    chosen = next((place for place, act in syncs.items() if act.kills), min(syncs))
    acts = tuple(
        replace(act, process=True, at_once=1) if place == chosen and isinstance(act, Sync) else act
        for place, act in enumerate(script.acts)
    )
    return replace(script, acts=acts)


def generator(seed: int, mode: str, run: int) -> random.Random:
    """The one source of chance of a run; the same three give the same run."""
    return random.Random(f"{seed}/{mode}/{run}")  # noqa: S311 - it has to be repeated, not to be secret
