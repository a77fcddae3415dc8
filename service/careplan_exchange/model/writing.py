"""Who wrote a version of ours on a server, as the Provenance beside it says."""

import msgspec


class Writing(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`reference` is the resource (`Goal/12`), `exchange` the exchange that wrote it, `installation` the store
    that remembers it (PlanStore.installation), `at` when it was recorded."""

    reference: str
    exchange: str
    installation: str
    at: str
