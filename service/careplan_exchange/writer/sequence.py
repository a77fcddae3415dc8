"""Writing without transactions: one request after the other, what is referred to first, the plan last.

Every create is conditional and every update carries `If-Match`, so a sequence that broke off can be taken up:
what stands is found by the next read, and only the rest is sent.
"""

from collections.abc import Sequence

from careplan_exchange import logs
from careplan_exchange.errors import CareplanError, OutcomeUnknownError
from careplan_exchange.fhir import FhirClient, Written
from careplan_exchange.model.changes import Json, ResourceChange

from .bundle import condition, resolved


async def write_in_sequence(
    client: FhirClient, changes: Sequence[ResourceChange], companions: Sequence[Json], *, request_id: str
) -> tuple[Written, ...]:
    """The answer to each change, in order; ends early where a create finds its resource there already.

    Raises what the first request raises: nothing was written then. A failure further on becomes
    OutcomeUnknownError: a part stands, and `settle` says which. A companion that is refused is logged: what it
    would say stands in the ledger too, and the plan is written.
    """
    answers: list[Written] = []
    links: dict[str, str] = {}
    for change in changes:
        try:
            answer = await _send(client, change, resolved(change.body, links), request_id)
        except CareplanError as error:
            if not answers:
                raise
            raise OutcomeUnknownError(
                f"{len(answers)} of {len(changes)} resources were written, then: {error.detail}",
                mend=error.mend,
                issues=error.issues,
            ) from error
        answers.append(answer)
        links[change.full_url] = f"{change.type}/{answer.id or change.id}"
        if change.action == "create" and not answer.created:
            return tuple(answers)
    for companion in companions:
        await _send_companion(client, resolved(companion, links), request_id)
    return tuple(answers)


async def _send(client: FhirClient, change: ResourceChange, body: Json, request_id: str) -> Written:
    if change.action == "create":
        return await client.create(
            change.type, body, if_none_exist=condition(change.identity), request_id=request_id
        )
    return await client.update(
        change.type, change.id or "", body, version_id=change.version_id or "", request_id=request_id
    )


async def _send_companion(client: FhirClient, body: Json, request_id: str) -> None:
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
