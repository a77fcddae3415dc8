"""Lines of a plan in one call, for what is done with them afterwards."""

from datetime import date
from decimal import Decimal

from careplan_exchange.model.proposal import (
    ActivityProposal,
    Citation,
    GoalProposal,
    ProtocolRef,
    Reason,
    Restriction,
    Target,
)
from careplan_exchange.model.snapshot import Coding
from careplan_exchange.planner.assembly import Lines
from careplan_exchange.planner.bindings import Bindings
from tests.cases.snapshots import snapshot, vocabulary

SBP = Coding(system="http://loinc.org", code="8480-6")


def ref(protocol):
    return ProtocolRef(url=f"urn:plan:{protocol}", version="1", title=protocol.upper())


def grounds(protocol, what):
    return {
        "protocol": ref(protocol),
        "reasons": (Reason(text=f"{what} of {protocol}.", rule="true", result="true"),),
        "citations": (Citation(label=f"Source of {protocol}", url=f"https://example.org/{protocol}"),),
    }


def activity(key, **more):
    protocol, _, name = key.partition("/")
    fields = {
        "key": f"{protocol}/action/{name}",
        "kind": "lifestyle",
        "resource_kind": "ServiceRequest",
        "title": name,
        "description": f"Do {name}.",
        "patient_text": f"You do {name}.",
        "priority": "routine",
    }
    return ActivityProposal(**{**fields, **grounds(protocol, name), **more})


def goal(key, *targets, **more):
    protocol, _, name = key.partition("/")
    fields = {
        "key": f"{protocol}/goal/{name}",
        "description": f"{name} of {protocol}",
        "patient_text": f"Your {name}.",
        "category": "behavioral",
        "priority": "medium-priority",
        "start": date(2026, 11, 24),
        "targets": targets,
    }
    return GoalProposal(**{**fields, **grounds(protocol, name), **more})


def target(low=None, high=None, unit="mm[Hg]", measure=SBP, due=None):
    low, high = (None if bound is None else Decimal(bound) for bound in (low, high))
    return Target(measure=measure, unit=unit, low=low, high=high, due=due)


def avoid(key, what, goal_key):
    protocol, _, name = key.partition("/")
    return Restriction(
        key=f"{protocol}/avoid/{name}",
        avoid=what,
        patient_text=what,
        goal=f"{protocol}/goal/{goal_key}",
        activity=f"{protocol}/action/{name}",
        **grounds(protocol, what),
    )


def whole(*lines, **more):
    found = Lines(**more)
    for line in lines:
        kinds = {ActivityProposal: found.activities, GoalProposal: found.goals, Restriction: found.restrictions}
        kinds[type(line)].append(line)
    return found


def bindings(*facts, **patient):
    return Bindings(snapshot(*facts, **patient), vocabulary())
