"""What an exchange came to: the receipt that a person, a script and the ledger all get."""

from typing import Literal

import msgspec

from .changes import Action
from .issue import Issue

Outcome = Literal["written", "unchanged", "review", "failed"]


class ReceiptResource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    reference: str
    version_id: str | None
    action: Action | Literal["pending"]


class Receipt(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`exchange` is the id under which `audit show` finds the whole story, `review` the one under which a
    person finds what waits (`review show`), also where nothing else is asked: a draft waits to be adopted."""

    outcome: Outcome
    resources: tuple[ReceiptResource, ...]
    issues: tuple[Issue, ...]
    exchange: str
    review: str | None = None
