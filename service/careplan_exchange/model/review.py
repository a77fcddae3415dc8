"""A change that waits for a person."""

from typing import Literal

import msgspec

from .changes import ChangeSet
from .exchange import ExchangeRequest

ReviewState = Literal["pending", "approved", "rejected", "superseded"]


class Pending(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A ChangeSet that policy did not let through. `why` are sentences; `id` is the exchange's id; `request` is
    what was asked for, so that an approval can run it again and write what still fits."""

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


class Decision(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What policy made of a ChangeSet: the part that may be written now, and the part that waits."""

    write: ChangeSet
    wait: ChangeSet
    why: tuple[str, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether there is anything for a person to decide."""
        return bool(self.wait.to_write or self.wait.conflicts)


class ReviewPolicy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What may be written without a person.

    `new_plans`: "draft" writes a plan that is not there yet as a draft with proposed goals, "active" writes it
    as active, "review" keeps it until it is approved. `changes_to_active_plans`: a change to a plan that a
    person has made active waits ("review") or is written ("write"). Conflicts always wait.
    """

    new_plans: Literal["draft", "active", "review"] = "draft"
    changes_to_active_plans: Literal["review", "write"] = "review"
