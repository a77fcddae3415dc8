"""What a variable holds for a patient of a few facts, in one call."""

import msgspec

from careplan_exchange.planner.bindings import Bindings
from tests.cases.snapshots import ALL, snapshot, vocabulary


def bind(variable, *facts, **more):
    return Bindings(snapshot(*facts, **more), vocabulary()).binding(variable)


def references(binding):
    return [evidence.reference for evidence in binding.evidence]


def bind_where(concept, *facts, categories=ALL, **rule):
    """As `bind`, where a site's profile has another rule for the concept."""
    ours = vocabulary()
    theirs = {**ours.concepts, concept: msgspec.structs.replace(ours.concepts[concept], **rule)}
    found = snapshot(*facts, categories=categories)
    return Bindings(found, msgspec.structs.replace(ours, concepts=theirs)).binding(concept)
