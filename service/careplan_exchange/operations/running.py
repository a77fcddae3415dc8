"""How an operation has an exchange run again, without knowing what it runs on."""

from typing import Protocol

from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.review import Pending


class Run(Protocol):
    """The whole data path for one request; `bootstrap.Services.run` is it."""

    async def __call__(
        self, request: ExchangeRequest, *, exchange_id: str, accepting: Pending | None = None
    ) -> Receipt:
        """Raises CareplanError and its kind."""
        ...
