"""What a target takes, and so in which form a plan is written there."""

from typing import Literal

import msgspec

from .issue import Issue
from .record import FhirRelease

Rung = Literal["references", "detail", "document"]
"""The rungs of the write ladder, best first. "references": CarePlan, Goal and the requests that its activities
refer to. "detail": CarePlan and Goal, activities as `CarePlan.activity.detail`. "document": a DocumentReference.
Below them stands another FHIR server (a companion), on which the ladder begins anew."""


class Probe(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a target showed when it was tried, over what it declares. `refused` are the types that it turned away
    although it declares them, or says nothing. `atomic`: whether its transactions are all or nothing; None where
    that was not tried."""

    refused: frozenset[str] = frozenset()
    atomic: bool | None = None


class TargetForm(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`why` says in a sentence what the target declared or showed, `raise_by` what it would have to offer for the
    next rung up ("" on the first). `us_core` is the version of US Core that its CapabilityStatement names
    ("6.1.0"), or None. `atomic`: it takes transactions, all or nothing. `without` are types that a plan of this
    rung would have and the target does not take: DetectedIssue, which the narrative tells alone then, and
    NutritionOrder, in whose place a ServiceRequest stands. `issues` are told with every plan: that the target
    turned away what it declares."""

    release: FhirRelease
    rung: Rung = "references"
    us_core: str | None = None
    atomic: bool = True
    without: frozenset[str] = frozenset()
    why: str = ""
    issues: tuple[Issue, ...] = ()
    raise_by: str = ""
