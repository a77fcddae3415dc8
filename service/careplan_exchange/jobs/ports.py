"""What the runner and the HTTP service need of the product; `bootstrap.Services` is the adapter."""

from collections.abc import Collection, Mapping
from typing import Protocol

from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.ports import Clock, Ids, Ledger, PlanStore


class Exchanges(Protocol):
    """One installation: its endpoints, its memory, and the data path over them."""

    @property
    def plans(self) -> PlanStore: ...

    @property
    def ledger(self) -> Ledger: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def ids(self) -> Ids: ...

    @property
    def endpoint_names(self) -> Collection[str]:
        """The names of the configured endpoints: the only ones that a client over HTTP may ask for."""
        ...

    @property
    def default_endpoint(self) -> str | None:
        """The only configured endpoint, where there is exactly one."""
        ...

    async def sync(self, request: ExchangeRequest, *, exchange_id: str) -> Receipt:
        """The whole data path. Never raises CareplanError: a failure is a receipt of outcome "failed"."""
        ...

    async def proposal(self, endpoint: str, patient: str, today: str | None) -> Proposal:
        """The dry run. Raises CareplanError."""
        ...

    async def ready(self) -> Mapping[str, bool]:
        """Whether each thing that an exchange needs (database, knowledge) can be used now."""
        ...
