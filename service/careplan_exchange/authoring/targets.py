"""A goal's target as its protocol has it, before there is a patient."""

from careplan_exchange.model.proposal import Target
from careplan_exchange.planner.protocol import TargetTemplate


def target_of(template: TargetTemplate) -> Target:
    return Target(measure=template.measure, unit=template.unit, low=template.low, high=template.high)
