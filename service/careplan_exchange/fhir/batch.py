"""Many searches in one request: a batch of GETs (http://hl7.org/fhir/R4/http.html#transaction)."""

from collections.abc import Sequence

from careplan_exchange.errors import RecordError
from careplan_exchange.model import codec
from careplan_exchange.model.requested import Act

from .ask import NO_CACHE, Answer, Ask, Asked, require_json
from .bundle import Bundle, Entry, read_bundle
from .failures import refused
from .session import Session


async def first_pages(session: Session, queries: Sequence[Asked], *, no_cache: bool) -> list[Bundle | None]:
    """The first page of each query where the batch brought it. A server that claims batch and answers 4xx, or not
    with one entry a query, is not asked for one again."""
    entries = [{"request": {"method": "GET", "url": query.url}} for query in queries]
    body = codec.encode({"resourceType": "Bundle", "type": "batch", "entry": entries})
    what = "The batch of searches"
    answer = await session.send(
        Ask(
            method="POST",
            url=session.base_url,
            what=what,
            label="batch",
            body=body,
            headers=NO_CACHE if no_cache else (),
            acts=tuple(Act(interaction="search-type", type=query.type, query=query.url) for query in queries),
        )
    )
    if answer.status == 401:
        raise refused(answer.status, answer.body, what)
    entry_by_query = _entries(answer, len(queries)) if answer.ok else None
    if entry_by_query is None:
        session.batch_refused = True
        return [None] * len(queries)
    return [_first_page(entry, query) for entry, query in zip(entry_by_query, queries, strict=True)]


def _entries(answer: Answer, expected: int) -> list[Entry] | None:
    try:
        require_json(answer, "The batch of searches: the answer")
        bundle = read_bundle(answer.body, "The batch of searches: the answer")
    except RecordError:
        return None
    return bundle.entry if bundle.type == "batch-response" and len(bundle.entry) == expected else None


def _first_page(entry: Entry, query: Asked) -> Bundle | None:
    if entry.response is None or entry.response.code != 200 or not entry.has_resource:
        return None
    try:
        return read_bundle(entry.resource, query.what)
    except RecordError:
        return None
