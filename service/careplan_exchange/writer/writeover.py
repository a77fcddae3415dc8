"""Our own version is written over with what stood before it: what taking back and putting back have in common."""

from careplan_exchange.errors import OutcomeUnknownError
from careplan_exchange.fhir import FhirClient
from careplan_exchange.model.changes import Json, WrittenResource
from careplan_exchange.model.codec import decode

from .sameness import alike

_TRIES = 2


async def write_over(client: FhirClient, written: WrittenResource, body: Json, *, request_id: str) -> str | None:
    """`body` in place of the version that we wrote, if that still is the newest; the version that it made, None
    where the server does not say.

    An answer that is lost is looked for. Where nothing was done it is sent once more, with the same `If-Match`.
    Raises CareplanError where `body` is not known to stand.
    """
    tries = 0
    while True:
        tries += 1
        try:
            answer = await client.update(
                written.type, written.id, body, version_id=written.version_id, request_id=request_id
            )
        except OutcomeUnknownError as lost:
            made = await _made(client, written, body, lost)
            if made is not None:
                return made
            if tries == _TRIES:
                raise
        else:
            return answer.version_id


async def _made(
    client: FhirClient, written: WrittenResource, body: Json, lost: OutcomeUnknownError
) -> str | None:
    """The version that a request without an answer has made, None where ours still stands. Raises `lost` where
    something else does."""
    now = await client.find(written.type, written.id, no_cache=True)
    if now is not None and now.version_id == written.version_id:
        return None
    if now is not None and alike(body, decode(now.content), client.base_url):
        return now.version_id
    raise lost
