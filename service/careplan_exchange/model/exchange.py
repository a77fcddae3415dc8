"""The durable record of one exchange: one run of the data path for one patient."""

from typing import Literal

import msgspec

from .receipt import Receipt

ExchangeState = Literal["accepted", "running", "done"]


class ExchangeRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was asked for. `endpoint` and `target` are URLs or names in `careplan.toml`. With `approve` the person
    `by` has reviewed what will be written, and approves of it as far as one person may. `reverts`: not a plan is
    asked for, but that this exchange is taken back."""

    endpoint: str
    patient: str
    target: str | None = None
    today: str | None = None  # FHIR date
    approve: bool = False
    by: str | None = None
    reverts: str | None = None


class ExchangeRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    id: str
    request: ExchangeRequest
    state: ExchangeState
    created_at: str
    updated_at: str
    idempotency_key: str | None = None
    receipt: Receipt | None = None
