"""Writing without transactions: one request after the other, in an order in which no reader sees a plan whose
parts are missing (order.py).

Every create is conditional and every update carries `If-Match`, so a sequence that broke off can be taken up:
what stands is booked, and only the rest is sent.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

import msgspec

from careplan_exchange import logs
from careplan_exchange.errors import CareplanError, OutcomeUnknownError, VersionConflictError
from careplan_exchange.fhir import FhirClient, Written
from careplan_exchange.model.changes import Json, ResourceChange, identities_of

from .bundle import condition, resolved
from .current import current
from .order import in_order


class BrokenOffError(Exception):
    """Some were written, in this order, then `cause` came of the next; it certainly did nothing."""

    def __init__(self, done: Sequence[tuple[ResourceChange, Written]], cause: CareplanError) -> None:
        super().__init__(cause.detail)
        self.done = tuple(done)
        self.cause = cause


async def write_in_sequence(
    client: FhirClient,
    changes: Sequence[ResourceChange],
    companions: Sequence[Json],
    *,
    request_id: str,
    before_update: Callable[[ResourceChange], Awaitable[None]],
    stands: Callable[[ResourceChange], Awaitable[Written | None]],
) -> tuple[Written, ...]:
    """The answer to each change, in the order of `changes`. `before_update` may refuse one that has moved on.
    `stands` says of one that met a conflict whether it stands all the same: a network that sends a request twice
    gives the second answer, a conflict with our own first.

    Raises what the first request raises: nothing was written then. A failure further on is BrokenOffError, or
    OutcomeUnknownError where it is not known whether that request was carried out. A companion that is refused is
    logged: what it would say stands in the ledger too, and the plan is written.
    """
    done: list[tuple[ResourceChange, Written]] = []
    links: dict[str, str] = {}
    for change in in_order(changes):
        sent = msgspec.structs.replace(change, body=resolved(change.body, links))
        try:
            try:
                if change.action == "update":
                    await before_update(change)
                answer = await _send(client, sent, request_id)
            except VersionConflictError:
                known = await stands(sent)
                if known is None:
                    raise
                answer = known
        except OutcomeUnknownError as error:
            raise OutcomeUnknownError(
                f"{len(done)} of {len(changes)} resources were written, then: {error.detail}",
                mend=error.mend,
                issues=error.issues,
            ) from error
        except CareplanError as error:
            if not done:
                raise
            raise BrokenOffError(done, error) from error
        done.append((change, answer))
        links[change.full_url] = f"{change.type}/{answer.id or change.id}"
    await send_companions(client, companions, changes, done, request_id=request_id)
    answers = {change.full_url: answer for change, answer in done}
    return tuple(answers[change.full_url] for change in changes)


async def _send(client: FhirClient, change: ResourceChange, request_id: str) -> Written:
    if change.action == "update":
        return await client.update(
            change.type, change.id or "", change.body, version_id=change.version_id or "", request_id=request_id
        )
    answer = await client.create(
        change.type, change.body, if_none_exist=condition(change.identity), request_id=request_id
    )
    if answer.id is None:
        # Neither body nor Location: what refers to it needs its id.
        held = await current(client, identities_of([change]))
        answer = msgspec.structs.replace(answer, id=held[0].id if held else None)
    if not answer.created:
        raise VersionConflictError(
            f"Somebody else has created {answer.type}/{answer.id} since the record was read.",
            mend="Run the same command again: it reads what is there and merges with it.",
        )
    return answer


async def send_companions(
    client: FhirClient,
    companions: Sequence[Json],
    changes: Sequence[ResourceChange],
    done: Sequence[tuple[ResourceChange, Written]],
    *,
    request_id: str,
) -> None:
    """Of a sequence that broke off only what speaks of something that was written."""
    links = {change.full_url: f"{change.type}/{answer.id or change.id}" for change, answer in done}
    missing = {change.reference for change in changes if change.full_url not in links}
    for companion in filter(None, (_of_what_stands(each, missing) for each in companions)):
        body = resolved(companion, links)
        try:
            await client.create(str(body["resourceType"]), body, if_none_exist=None, request_id=request_id)
        except CareplanError as error:
            logs.get_logger().warning(
                logs.EXCHANGE_WRITTEN,
                type=body["resourceType"],
                error=error.key,
                target=logs.hashed(client.base_url),
                request_id=request_id,
            )


def _of_what_stands(companion: Json, missing: Collection[str]) -> Json | None:
    """A Provenance without the targets that were not written; None where it, or an AuditEvent, speaks of none."""
    if "target" in companion:
        targets = [each for each in companion["target"] if not _names(each, missing)]
        return {**companion, "target": targets} if targets else None
    return None if any(_names(each.get("what"), missing) for each in companion.get("entity", ())) else companion


def _names(reference: Any, missing: Collection[str]) -> bool:
    return isinstance(reference, dict) and reference.get("reference") in missing
