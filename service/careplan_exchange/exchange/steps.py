"""What an exchange runs on, and what it was asked for."""

from datetime import date

import msgspec

from careplan_exchange.mapping import Mappings
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.review import Pending, ReviewPolicy
from careplan_exchange.model.vocabulary import Vocabulary
from careplan_exchange.planner import Policies, Protocol
from careplan_exchange.ports import Clock, Ids, Ledger, PlanStore, PlanWriter, Source

from .standing import Standing


class Knowledge(msgspec.Struct, frozen=True, kw_only=True):
    """Everything clinical, and who lets a change through, loaded and checked once. `digest` covers every file of
    it, and the code that reads."""

    vocabulary: Vocabulary
    mappings: Mappings
    protocols: tuple[Protocol, ...]
    policies: Policies
    review: ReviewPolicy = ReviewPolicy()
    digest: str = ""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a write runs on: where it goes, and what remembers it. `policy` says who lets it through; `version` is
    this software's; `events`: the AuditEvents of a write go with it, where the target takes them."""

    writer: PlanWriter
    plans: PlanStore
    ledger: Ledger
    clock: Clock
    ids: Ids
    policy: ReviewPolicy
    version: str
    events: bool = True


class Steps(Target, frozen=True, kw_only=True):
    """The ports that an exchange runs on, and what it was told."""

    source: Source
    knowledge: Knowledge
    standing: Standing = msgspec.field(default_factory=Standing)

    @property
    def same_server(self) -> bool:
        """Whether the record is read where the plan is written: then the record holds the plan too."""
        return self.source.endpoint == self.writer.target


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One run for one patient. `asked.patient` is an id on the source; `accepting` a reviewed change to write."""

    exchange: str
    asked: ExchangeRequest
    today: date
    accepting: Pending | None = None

    @property
    def subject(self) -> str:
        return f"Patient/{self.asked.patient}"


def whose(steps: Steps, request: Request) -> str:
    """Whose plan it is, for the store (`known_as`)."""
    return known_as(request.subject, steps.source, steps.writer.target)


def known_as(subject: str, source: Source, target: str) -> str:
    """How the store names a patient: by the reference on the source, and where another server than the target
    holds the record with that server's identity before it. Two hospitals may each have a `Patient/1`."""
    return subject if source.endpoint == target else f"{source.identity}/{subject}"
