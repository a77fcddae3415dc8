"""Does a server check versions? Asked of it with a resource of our own, on request only.

A CapabilityStatement does not say whether `If-Match` is honoured, directly and within a transaction. The probe
makes a resource about nobody, updates it twice over the same version, and deletes it. It writes what nobody
asked for, so it runs where a person asks for it (`careplan doctor --probe`), never on its own and never on what
somebody else made. Without it every update is compared with the version that it was made over, and what it
replaced is put back (confirm.py, putback.py).
"""

from collections.abc import Awaitable, Callable

import msgspec

from careplan_exchange.errors import CareplanError, VersionConflictError
from careplan_exchange.fhir import Capabilities, FhirClient, Written
from careplan_exchange.model.changes import Json, ResourceChange
from careplan_exchange.ports import Ids

from .bundle import answers_of, transaction_of
from .support import supports

PROBE_SYSTEM = "urn:careplan-exchange:probe"
_BODIES: tuple[Json, ...] = (
    {"resourceType": "Basic", "code": {"text": "careplan-exchange probe"}},
    {
        "resourceType": "Goal",
        "lifecycleStatus": "entered-in-error",
        "description": {"text": "careplan-exchange probe"},
        "subject": {"display": "Nobody: a probe of this server"},
    },
)


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """`direct`, `transaction`: whether a stale version was refused; None where that was not tried. `tried_on` is
    the type of the scratch resource, None where the server takes none; `left` its reference where it could not be
    deleted."""

    tried_on: str | None = None
    direct: bool | None = None
    transaction: bool | None = None
    left: str | None = None

    @property
    def ignores_if_match(self) -> bool:
        return self.direct is False or self.transaction is False


async def probe(client: FhirClient, ids: Ids) -> Probed:
    """Raises CareplanError where the server cannot be asked; the scratch resource is deleted in any case."""
    capabilities = await client.capabilities()
    template = next((body for body in _BODIES if _takes(capabilities, body["resourceType"])), None)
    if template is None:
        return Probed()
    kind, name, request_id = str(template["resourceType"]), ids.new(), ids.new()
    body = {**template, "identifier": [{"system": PROBE_SYSTEM, "value": name}]}
    made = await client.create(
        kind, body, if_none_exist=f"identifier={PROBE_SYSTEM}|{name}", request_id=request_id
    )
    if not made.id or not made.version_id:
        return Probed(tried_on=kind, left=f"{kind}?identifier={PROBE_SYSTEM}|{name}")
    scratch = _Scratch(client, ids, {**body, "id": made.id}, stale=made.version_id, request_id=request_id)
    try:
        await scratch.update(made.version_id)
        direct = await _refused(lambda: scratch.update(made.version_id or ""))
        whole = await _refused(scratch.in_transaction) if capabilities.transaction else None
    finally:
        left = await scratch.deleted()
    return Probed(tried_on=kind, direct=direct, transaction=whole, left=left)


class _Scratch:
    def __init__(self, client: FhirClient, ids: Ids, body: Json, *, stale: str, request_id: str) -> None:
        self._client = client
        self._ids = ids
        self._body = body
        self._stale = stale
        self._request_id = request_id
        self._kind, self._id = str(body["resourceType"]), str(body["id"])

    async def update(self, version: str) -> Written:
        return await self._client.update(
            self._kind, self._id, self._next(), version_id=version, request_id=self._request_id
        )

    async def in_transaction(self) -> Written:
        change = ResourceChange(
            identity="",
            type=self._kind,
            action="update",
            full_url="",
            body=self._next(),
            ours={},
            id=self._id,
            version_id=self._stale,
        )
        bundle = transaction_of([change], (), self._client.base_url, self._ids)
        return answers_of(await self._client.transaction(bundle, request_id=self._request_id), [change])[0]

    async def deleted(self) -> str | None:
        """Its reference where it is still there."""
        try:
            now = await self._client.find(self._kind, self._id, no_cache=True)
            if now is not None:
                await self._client.delete(
                    self._kind, self._id, version_id=now.version_id or "", request_id=self._request_id
                )
        except CareplanError:
            return f"{self._kind}/{self._id}"
        return None

    def _next(self) -> Json:
        """Another content each time: some servers make no version of an update that changes nothing."""
        name = {"system": PROBE_SYSTEM, "value": self._ids.new()}
        return {**self._body, "identifier": [*self._body["identifier"], name]}


async def _refused(attempt: Callable[[], Awaitable[Written]]) -> bool:
    try:
        await attempt()
    except VersionConflictError:
        return True
    return False


def _takes(capabilities: Capabilities, kind: str) -> bool:
    return all(
        supports(capabilities, kind, interaction) for interaction in ("create", "update", "delete", "read")
    )
