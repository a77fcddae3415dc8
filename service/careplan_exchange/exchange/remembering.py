"""Whether our own memory knows what stands on the server.

A store that was restored from an older backup has forgotten writes of its own; a second installation that writes
to the same server leaves writes that this one never made. In both cases the merge would take software for a
person, or would start from a base that is long gone. So wherever a resource of ours stands in a version that our
base does not know, the Provenance beside it is asked who wrote it. A sync that finds everything as it left it
asks nothing.
"""

from collections.abc import Sequence

from careplan_exchange import logs
from careplan_exchange.errors import OtherInstallationError, StoreBehindError
from careplan_exchange.model.changes import ChangeSet
from careplan_exchange.model.ledger import Entry
from careplan_exchange.model.writing import Writing

from .comparing import compared
from .reading import propose
from .steps import Request, Steps, whose


async def require_memory(steps: Steps, changes: ChangeSet) -> None:
    """Raises StoreBehindError or OtherInstallationError before anything is written; nothing was changed."""
    unknown = await _unknown(steps, changes)
    if not unknown:
        return
    ours = await steps.plans.installation()
    places = ", ".join(sorted({writing.reference for writing in unknown})[:5])
    foreign = sorted({writing.installation for writing in unknown} - {ours})
    if foreign:
        raise OtherInstallationError(
            f"{places} was written by another installation of careplan-exchange ({', '.join(foreign)}); this one "
            f"is {ours}. Nothing was written.",
            mend="Let one installation alone write to this server: set the other one's target elsewhere, or stop "
            "it. Then `careplan store recover` takes what stands as somebody else's work and goes on from there.",
        )
    raise StoreBehindError(
        f"{places} was written by exchange {unknown[0].exchange} of this installation, of which the ledger knows "
        "nothing: the database was restored from an older backup. Nothing was written.",
        mend="Restore a newer backup if there is one. Otherwise `careplan store recover` takes what stands as "
        "somebody else's work: it stays, and what we would write differently waits for review.",
    )


async def recover(steps: Steps, request: Request, *, by: str | None) -> tuple[Writing, ...]:
    """The writings on the server of which this store knows nothing. With `by` they are adopted in that person's
    name: from then on they count as known, and what they left counts as somebody else's work. Nothing is written
    to any server. Raises CareplanError."""
    async with steps.plans.patient_lock(steps.writer.target, whose(steps, request)):
        record, proposal = await propose(steps.source, steps.knowledge, request.asked.patient, request.today)
        changes = (await compared(steps, request, record, proposal)).against(approve=False)
        unknown = await _unknown(steps, changes)
        if by is not None and unknown:
            await steps.ledger.append(_adopted(steps, unknown, by))
        return unknown


async def _unknown(steps: Steps, changes: ChangeSet) -> tuple[Writing, ...]:
    references = {
        change.reference
        for change in changes.changes
        if change.id and (change.base is None or change.base.version_id != change.version_id)
    }
    if not references:
        return ()
    writings = await steps.writer.writings(references)
    known = {exchange: await _knows(steps, exchange) for exchange in {writing.exchange for writing in writings}}
    return tuple(writing for writing in writings if not known[writing.exchange])


async def _knows(steps: Steps, exchange: str) -> bool:
    """An exchange of which the ledger has an entry, or, where old entries were retired, the store a commit."""
    if await steps.ledger.links(exchange=exchange, limit=1):
        return True
    return bool(await steps.plans.commits(exchange=exchange))


def _adopted(steps: Steps, unknown: Sequence[Writing], by: str) -> list[Entry]:
    now = steps.clock.now().isoformat()
    references: dict[tuple[str, str], list[str]] = {}
    for writing in unknown:
        references.setdefault((writing.exchange, writing.installation), []).append(writing.reference)
    return [
        Entry(
            exchange=exchange,
            event=logs.MEMORY_ADOPTED,
            at=now,
            data={"installation": installation, "resources": resources, "by": by},
        )
        for (exchange, installation), resources in references.items()
    ]
