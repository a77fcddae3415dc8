"""What became of a write whose answer never came: asked before anything else is sent."""

from collections.abc import Sequence

from careplan_exchange import logs
from careplan_exchange.audit import Notes
from careplan_exchange.errors import (
    UnsettledWriteError,
)
from careplan_exchange.model.changes import Base, Intent, ResourceChange, WrittenResource
from careplan_exchange.reconcile import base_after_undo, next_base

from .steps import Target


async def settle_what_is_open(target: Target, patient: str, notes: Notes) -> None:
    """An earlier run may have ended between sending and hearing back: find out what became of it."""
    for intent in await target.plans.open_intents(target.writer.target, patient):
        await settle(target, intent, notes)


async def settle(target: Target, intent: Intent, notes: Notes) -> tuple[WrittenResource, ...] | None:
    """The resources of a write that did happen, or None where a fresh read and merge is due: nothing of it stands
    on the server, or a part, which is in the store then."""
    settlement = await target.writer.settle(intent)
    notes.add(
        logs.EXCHANGE_SETTLED,
        intent=intent.id,
        state=settlement.outcome,
        of=intent.exchange,
        resources=in_the_ledger(settlement.written),
    )
    await notes.flush()
    if settlement.outcome == "unclear":
        raise UnsettledWriteError(
            "An earlier write left resources on the server that differ from what was sent.",
            mend=f"Look at them (`careplan audit show {intent.exchange}`), then mend or delete them there.",
            issues=settlement.issues,
        )
    if settlement.outcome == "absent":
        await target.plans.abandon_intent(intent)
        return None
    await committed(target, intent, settlement.written)
    return settlement.written if settlement.outcome == "committed" else None


def in_the_ledger(written: Sequence[WrittenResource]) -> list[dict[str, str]]:
    """Which versions an entry of the ledger says were written."""
    return [
        {"reference": f"{one.type}/{one.id}", "versionId": one.version_id, "action": one.action}
        for one in written
    ]


async def committed(target: Target, intent: Intent, written: Sequence[WrittenResource]) -> None:
    """The write stands: close its intent with the bases that the next comparison starts from."""
    at = target.clock.now().isoformat()
    if intent.reverts is None:
        bases = bases_of(intent.changes, written)
    else:
        known = await target.plans.bases(intent.target, intent.patient)
        bases = tuple(base_after_undo(known[one.identity], one) for one in written if one.identity in known)
    await target.plans.commit_intent(intent, bases, written, at)


def bases_of(changes: Sequence[ResourceChange], written: Sequence[WrittenResource]) -> tuple[Base, ...]:
    by_identity = {change.identity: change for change in changes}
    return tuple(next_base(by_identity[resource.identity], resource) for resource in written)


def as_held(changes: Sequence[ResourceChange]) -> tuple[WrittenResource, ...]:
    """What stands on the server already and is what we propose: taken as ours without a write."""
    return tuple(
        WrittenResource(
            identity=change.identity,
            type=change.type,
            id=change.id or "",
            version_id=change.version_id or "",
            action="unchanged",
            stored=change.body,
        )
        for change in changes
        if change.theirs is not None
    )
