"""What the ledger tells: exchanges and what each came to, whether the chain holds, all of it as a file."""

from collections.abc import AsyncIterator
from typing import Any

from careplan_exchange import logs
from careplan_exchange.audit import (
    Keyring,
    Removal,
    SigningKey,
    judge,
    removable,
    remove,
    sign_head,
    to_audit_events,
    to_audit_ndjson,
    verify_ledger,
)
from careplan_exchange.errors import SettingsError, UsageError
from careplan_exchange.model.chain import Head
from careplan_exchange.model.ledger import Entry, Verdict
from careplan_exchange.model.seals import Seal, Tombstone
from careplan_exchange.ports import Clock, Ledger, Progress

_PAGE = 500


class Records:
    """`key` signs; `believed` are the public keys of the installation, its own among them."""

    def __init__(
        self, ledger: Ledger, clock: Clock, *, key: SigningKey | None = None, believed: Keyring | None = None
    ) -> None:
        self._ledger, self._clock = ledger, clock
        self._key, self._believed = key, believed

    async def exchanges(self, limit: int) -> list[dict[str, Any]]:
        """The newest `limit` exchanges with what each came to, oldest first."""
        rows: dict[str, dict[str, Any]] = {}
        async for entry in self._entries():
            row = rows.setdefault(
                entry.exchange,
                {"exchange": entry.exchange, "patient": "", "outcome": "open", "resources": 0, "issues": 0},
            )
            row["at"] = entry.at
            row["patient"] = entry.data.get("patient", row["patient"])
            if entry.event in {logs.EXCHANGE_FINISHED, logs.EXCHANGE_FAILED}:
                row["outcome"] = entry.data.get("outcome", "failed")
                row["resources"] = len(entry.data.get("resources", ()))
                row["issues"] = len(entry.data.get("issues", ()))
            if entry.event == logs.EXCHANGE_SETTLED and (cut_off := rows.get(entry.data["of"])) is not None:
                cut_off["outcome"] = f"settled: {entry.data['state']}"
        return list(rows.values())[-limit:]

    async def verify(
        self,
        *,
        kept: Head | None = None,
        since: Head | None = None,
        keys: Keyring | None = None,
        progress: Progress | None = None,
    ) -> Verdict:
        """The whole chain and what is signed of it; where a head was kept elsewhere, that its entry still has
        that hash; with `since` only what comes after that entry. `keys` are believed instead of the
        installation's own. Where there are such, or a key that signs, a head must be signed by one of them."""
        return await verify_ledger(
            self._ledger,
            keys or self._believed,
            kept=kept,
            since=since,
            must_be_signed=keys is not None or self._key is not None,
            progress=progress,
        )

    async def _entries(self) -> AsyncIterator[Entry]:
        last = 0
        while page := await self._ledger.links(after=last, limit=_PAGE):
            for link in page:
                yield link.entry
            last = page[-1].seq

    async def newest_signed(self, keys: Keyring | None = None) -> Head:
        """The newest head with a genuine signature, from which a check can go on. Raises UsageError."""
        judged = judge(self._ledger.tenant, await self._ledger.seals(), keys or self._believed)
        if judged.newest is None:
            raise UsageError(
                "There is no signed head to go on from.",
                mend="Verify the whole ledger, or sign its head: `careplan audit sign`.",
            )
        return judged.newest

    async def sign(self) -> Seal:
        """Sign the head as it is now. Raises SettingsError without a key."""
        return await sign_head(self._ledger, self._signing_key(), self._clock.now())

    async def removable(self, age: str) -> Removal:
        """What a retention of this age would remove. Raises SettingsError without a key, and as removable."""
        keys = self._believed or Keyring([self._signing_key().public])
        return await removable(self._ledger, keys, age, self._clock.now())

    async def remove(self, removal: Removal, by: str) -> Tombstone:
        """Remove it, and leave a signed tombstone."""
        return await remove(self._ledger, self._signing_key(), removal, by=by, at=self._clock.now())

    def export(self) -> AsyncIterator[bytes]:
        """The ledger as NDJSON, line by line (see audit.to_audit_ndjson)."""
        return to_audit_ndjson(self._ledger)

    def export_events(self, version: str) -> AsyncIterator[bytes]:
        """The ledger as AuditEvents, line by line (see audit.to_audit_events)."""
        return to_audit_events(self._ledger, version)

    def _signing_key(self) -> SigningKey:
        if self._key is None:
            raise SettingsError(
                "The ledger has no signing key.",
                mend="`careplan audit key new --out FILE` makes one; name FILE as `ledger.signing_key_file`.",
            )
        return self._key
