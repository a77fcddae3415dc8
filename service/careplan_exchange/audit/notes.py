"""What one exchange has to say for the ledger, gathered as it runs and appended before and after the write."""

from typing import Any

from careplan_exchange import logs
from careplan_exchange.errors import CareplanError
from careplan_exchange.model.changes import ChangeSet
from careplan_exchange.model.ledger import Entry
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.model.record import PatientRecord
from careplan_exchange.ports import Clock, Ledger

from .trail import trail


class Notes:
    """The ledger entries of one exchange. The log gets the same events with counts only and the ids hashed."""

    def __init__(self, ledger: Ledger, clock: Clock, *, exchange: str, patient: str, target: str) -> None:
        self._ledger = ledger
        self._clock = clock
        self._exchange = exchange
        self._target = target
        self._entries: list[Entry] = []
        self._log = logs.get_logger().bind(
            exchange=exchange, patient=logs.hashed(patient), target=logs.hashed(target)
        )
        self.add(logs.EXCHANGE_STARTED, patient=patient, target=target)

    def add(self, event: str, **data: Any) -> None:
        """Note an event. `data` holds references, versions, counts, keys: what model/ledger.Entry allows."""
        self._entries.append(
            Entry(exchange=self._exchange, event=event, at=self._clock.now().isoformat(), data=data)
        )
        self._log.info(
            event, **{key: data[key] for key in ("counts", "count", "outcome", "state") if key in data}
        )

    def planned(self, record: PatientRecord, proposal: Proposal) -> None:
        self.add(
            logs.EXCHANGE_PLANNED,
            endpoint=record.endpoint,
            protocols=[protocol.canonical for protocol in proposal.protocols],
            evidence=[
                f"{evidence.reference}/_history/{evidence.version_id}"
                if evidence.version_id
                else evidence.reference
                for evidence in proposal.evidence
            ],
            counts={
                "resources": len(record.resources),
                "goals": len(proposal.goals),
                "activities": len(proposal.activities),
                "restrictions": len(proposal.restrictions),
                "withheld": len(proposal.withheld),
                "gaps": len(proposal.gaps),
                "issues": len(proposal.issues),
            },
        )

    def compared(self, changes: ChangeSet) -> None:
        if (followed := trail()) is not None:
            followed.concerns(self._target, changes.patient)
        counts: dict[str, int] = {"conflict": len(changes.conflicts)}
        for change in changes.changes:
            counts[change.action] = counts.get(change.action, 0) + 1
        self.add(logs.EXCHANGE_COMPARED, counts=counts)

    async def flush(self) -> None:
        """Append what was noted so far, with what servers refused, and keep what was asked of them. It is durable
        when this returns; what could not be appended is kept for the next time."""
        followed = trail()
        if followed is not None:
            await followed.keep()
            for refusal in followed.refusals():
                self.add(logs.EXCHANGE_REFUSED, **refusal)
        if self._entries:
            await self._ledger.append(tuple(self._entries))
            self._entries.clear()

    async def finished(self, receipt: Receipt) -> None:
        self.add(
            logs.EXCHANGE_FINISHED,
            outcome=receipt.outcome,
            resources=[
                {"reference": r.reference, "versionId": r.version_id, "action": r.action}
                for r in receipt.resources
            ],
            issues=[{"key": issue.key, "source": issue.source} for issue in receipt.issues],
        )
        await self.flush()

    async def failed(self, error: CareplanError) -> None:
        """Note the failure by its key. A ledger that cannot be written must not hide why the exchange failed."""
        self.add(logs.EXCHANGE_FAILED, error=error.key, issues=[{"key": issue.key} for issue in error.issues])
        try:
            await self.flush()
        except CareplanError:
            self._log.error(logs.EXCHANGE_FAILED, error="unavailable.store")
