"""A change that waits for a person, and the policy by which it does."""

from typing import Any, Literal

import msgspec

from .changes import ChangeSet
from .exchange import ExchangeRequest

ReviewState = Literal["pending", "approved", "rejected", "superseded"]

Needs = Literal["auto", "one", "two", "never"]
"""Who lets a change through, the least strict first: nobody, one person, two different persons, nobody at all."""
ChangeKind = Literal["new", "changed", "retired", "status", "recheck", "conflict", "deleted"]
Part = Literal["plan", "goal", "activity", "medication", "finding"]
Severity = Literal["high", "moderate", "low"]
Origin = Literal["software", "person"]


class ReviewStep(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a person did with a waiting change, in the order in which it was done. `by` is who, as a person signs
    or as a FHIR reference (`Practitioner/12`); `at` an instant, UTC; `to` whom it was assigned to; `edits` what a
    person wants otherwise, by path of the ChangeSet (`Goal/12 target[0].detailQuantity.value`); a path without an
    element (`Goal/12`, value None) is a line that the person leaves out. `content` is what was approved, as a
    digest (review.content_of): an approval of other content does not count."""

    kind: Literal["assign", "approve", "modify", "reject", "revert"]
    by: str
    at: str
    reason: str | None = None
    to: str | None = None
    edits: dict[str, Any] = {}
    content: str | None = None


class Pending(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A ChangeSet that policy did not let through. `why` are sentences; `id` is the exchange's id; `request` is
    what was asked for, so that an approval can run it again and write what still fits. `persons` is how many
    different people have to approve; `steps` is what was done with it so far. `adopts`: it is a new plan, and an
    approval makes it active with its goals; otherwise an approval leaves the plan in the state that it has."""

    id: str
    request: ExchangeRequest
    target: str
    patient: str
    change_set: ChangeSet
    why: tuple[str, ...]
    created_at: str
    state: ReviewState = "pending"
    decided_by: str | None = None
    decided_at: str | None = None
    persons: int = 1
    adopts: bool = False
    steps: tuple[ReviewStep, ...] = ()

    @property
    def assigned_to(self) -> str | None:
        return next((step.to for step in reversed(self.steps) if step.kind == "assign"), None)


class Decision(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What policy made of a ChangeSet: the part that may be written now, and the part that waits for `persons`
    different people. `adopts` as in Pending."""

    write: ChangeSet
    wait: ChangeSet
    why: tuple[str, ...] = ()
    persons: int = 1
    adopts: bool = False

    @property
    def waits(self) -> bool:
        """Whether there is anything for a person to decide."""
        return bool(self.wait.to_write or self.wait.conflicts)


class ReviewRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule of the policy. A list that is empty is no condition; one that is not takes each of its words."""

    needs: Needs
    change: tuple[ChangeKind, ...] = ()
    of: tuple[Part, ...] = ()
    protocol: tuple[str, ...] = ()
    severity: tuple[Severity, ...] = ()
    origin: tuple[Origin, ...] = ()


class ReviewPolicy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What may be written without a person, and what not at all (`protocols/review`).

    `new_plans`: "draft" writes a plan that is not there yet as a draft with proposed goals, and asks; "hold" asks
    before anything is written. Without a rule a re-check needs nobody, and everything else one person.
    """

    new_plans: Literal["draft", "hold"] = "draft"
    rules: tuple[ReviewRule, ...] = ()
