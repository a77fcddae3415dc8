"""What became of a write whose answer never came: asked before anything else is sent."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from careplan_exchange import logs
from careplan_exchange.audit import Notes
from careplan_exchange.errors import UnsettledWriteError, VersionConflictError
from careplan_exchange.model.changes import Base, Intent, ResourceChange, Settlement, Undone, WrittenResource
from careplan_exchange.reconcile import base_after_undo, next_base
from careplan_exchange.writer import not_put_back

from .decided import close_what_was_carried_out
from .steps import Target

LATEST = timedelta(hours=1)
"""So long after it was sent a request that nobody answered may still be carried out: by a server that was busy,
or by a proxy that kept it."""


async def settle_what_is_open(target: Target, patient: str, notes: Notes) -> None:
    """An earlier run may have ended between sending and hearing back: find out what became of it. Where it was
    an approved change that stands, its review is closed."""
    of = (target.writer.target, patient)
    await _settled(target, await target.plans.open_intents(*of), notes)
    await close_what_was_carried_out(target.plans, target.ledger, target.clock, of)


async def require_nothing_came_late(target: Target, patient: str, notes: Notes) -> None:
    """Raises VersionConflictError where a request that was given up has been carried out since, by a server or a
    proxy that took its time: what was read may have it already, as if it were somebody else's."""
    known = await _settled(target, await target.plans.open_intents(target.writer.target, patient), notes)
    if any(one.outcome in {"committed", "partial"} for one in known.values()):
        raise VersionConflictError(
            "A write whose answer never came was carried out after all, and late.",
            mend="Run the same command again: it reads what is there.",
        )


async def settle(target: Target, intent: Intent, notes: Notes) -> tuple[WrittenResource, ...] | None:
    """The resources of a write that did happen, or None where a fresh read and merge is due: nothing of it stands
    on the server, or a part, which is in the store then. What else is open is settled with it. Raises
    UnsettledWriteError, and UnsupportedServerError where it stands in place of somebody else's version."""
    others = await target.plans.open_intents(intent.target, intent.patient)
    known = await _settled(target, [*(one for one in others if one.id != intent.id), intent], notes)
    return known[intent.id].written if known[intent.id].outcome == "committed" else None


async def _settled(target: Target, intents: Sequence[Intent], notes: Notes) -> dict[str, Settlement]:
    """What became of each, by its id. One that differs from what stands is looked at again when the others are
    booked: what stands may be theirs."""
    known: dict[str, Settlement] = {}
    left = list(intents)
    while left:
        differing = []
        for intent in left:
            try:
                known[intent.id] = await _looked_up(target, intent, notes)
            except UnsettledWriteError as error:
                differing.append((intent, error))
        if len(differing) == len(left):
            raise differing[0][1]
        left = [intent for intent, _ in differing]
    return known


async def _looked_up(target: Target, intent: Intent, notes: Notes) -> Settlement:
    """What the server shows became of it, in the ledger and in the store. An intent of which nothing stands is
    kept for a while: its request may be carried out yet."""
    booked = await target.plans.bases(intent.target, intent.patient)
    settlement = await target.writer.settle(intent, booked)
    notes.add(
        logs.EXCHANGE_SETTLED,
        intent=intent.id,
        state=settlement.outcome,
        of=intent.exchange,
        resources=in_the_ledger(settlement.written),
    )
    note_undone(notes, intent, settlement.undone)
    await notes.flush()
    match settlement.outcome:
        case "unclear":
            raise UnsettledWriteError(
                "An earlier write left resources on the server that differ from what was sent.",
                mend=f"Look at them (`careplan audit show {intent.exchange}`), then mend or delete them there.",
                issues=settlement.issues,
            )
        case "superseded":
            await target.plans.abandon_intent(intent)
        case "absent":
            sent = datetime.fromisoformat(intent.created_at)
            if settlement.undone or target.clock.now() - sent > LATEST:
                await target.plans.abandon_intent(intent)
        case "committed" | "partial":
            await committed(target, intent, settlement.written)
    if settlement.issues:
        raise not_put_back("An earlier write has replaced what somebody else wrote", settlement.issues)
    return settlement


def in_the_ledger(written: Sequence[WrittenResource]) -> list[dict[str, str]]:
    """Which versions an entry of the ledger says were written."""
    return [
        {"reference": f"{one.type}/{one.id}", "versionId": one.version_id, "action": one.action}
        for one in written
    ]


def undone_in_the_ledger(undone: Sequence[Undone]) -> list[dict[str, str]]:
    """The versions that a write made, then what was done to each: `of` names the version that it took away, a
    `versionId` the one that came of it, `restores` the one whose content stands again."""
    lines = []
    for one in undone:
        if one.how is None:
            continue
        line = {
            "reference": f"{one.written.type}/{one.written.id}",
            "versionId": one.version_id,
            "action": one.how,
            "of": one.written.version_id,
            "restores": one.restores,
        }
        lines.append({name: value for name, value in line.items() if value is not None})
    return [*in_the_ledger([one.written for one in undone]), *lines]


def note_undone(notes: Notes, intent: Intent, undone: Sequence[Undone]) -> None:
    """Those versions were on the server, and a reader may have seen them."""
    for event, put_back in ((logs.WRITE_TAKEN_BACK, False), (logs.WRITE_PUT_BACK, True)):
        some = [one for one in undone if one.put_back is put_back]
        if some:
            notes.add(event, intent=intent.id, count=len(some), resources=undone_in_the_ledger(some))


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
