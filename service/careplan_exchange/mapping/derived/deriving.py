"""All rules over one snapshot, each after those it builds on."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from careplan_exchange.mapping.context import Context
from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Fact, PatientProfile

from .chronic import chronic_stage
from .desk import Desk
from .durations import duration
from .equations import equation
from .rules import ChronicStaging, Duration, Equation, Mean, Previous, Staging, Trend
from .series import mean, previous, trend
from .stages import stage

_KINDS: dict[type[Any], Callable[[Desk, Any], Iterator[Fact]]] = {
    Equation: equation,
    Mean: mean,
    Previous: previous,
    Trend: trend,
    Staging: stage,
    ChronicStaging: chronic_stage,
    Duration: duration,
}


def derive(
    context: Context, facts: Iterable[Fact], patient: PatientProfile, resources: Mapping[str, Resource]
) -> list[Fact]:
    """What the rules of `context.mappings.derived` make of the facts. `resources` are those of the record by
    reference. Neither depends on the order of the facts."""
    desk = Desk(context, facts, patient, resources)
    derived: list[Fact] = []
    for rule in context.mappings.derived:
        found = list(_KINDS[type(rule)](desk, rule))
        desk.add(found)
        derived += found
    return derived
