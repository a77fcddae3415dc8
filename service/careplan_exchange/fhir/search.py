"""Searches that are whole, or an error: paging, one batch or side by side, each sign that matches are missing."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from careplan_exchange.errors import CareplanError, IncompleteRecordError, NotFhirError, RefusedError
from careplan_exchange.model.record import Resource

from .ask import NO_CACHE, Ask, Asked, require_json
from .batch import first_pages as _batch
from .bundle import (
    NOT_FHIR_MEND,
    Bundle,
    Entry,
    identified,
    newest,
    newest_first,
    read_bundle,
    read_header,
    read_resource,
)
from .failures import refused
from .link import next_page
from .outcome import as_issues, parse_outcome, says_partial
from .session import Session

T = TypeVar("T")

RESTARTS = 2
"""A search that moved under our hands (a page expired, the total shrank) is begun again this often."""

MAX_PAGES = 500
"""A server that always has one more page is not followed for ever."""

MAX_RESOURCES = 100_000
"""No patient's record has so many of one type; it is far more than a page can be made to hold by mistake."""

SMALL_PAGE = 100
"""A server that refuses a search may refuse only the size of its pages: it is asked once more for pages of this
size."""


class Query(msgspec.Struct, frozen=True):
    """One search: a resource type and its parameters, unencoded; `literal` escapes special characters.

    `included` are the types that its `_include` asks for: they come with the matches, resources of other types do
    not. `estimates_total`: the server's total is exact on the last page only.
    """

    type: str
    params: tuple[tuple[str, str], ...] = ()
    included: frozenset[str] = frozenset()
    estimates_total: bool = False

    @property
    def url(self) -> str:
        """Relative to the base URL, encoded."""
        return f"{self.type}?{urlencode(self.params, safe='/:,', quote_via=quote)}" if self.params else self.type

    @property
    def what(self) -> str:
        """Names the search without its values."""
        names = ", ".join(name for name, _ in self.params if not name.startswith("_")) or "all"
        return f"The search for {self.type} ({names})"

    @property
    def only_counts(self) -> bool:
        """Whether it asks for the number of matches instead of the matches."""
        return ("_summary", "count") in self.params or ("_count", "0") in self.params

    @property
    def with_smaller_pages(self) -> "Query | None":
        """The same search in pages that any server gives; None where they are no larger now."""
        size = dict(self.params).get("_count", "")
        if not size.isdecimal() or int(size) <= SMALL_PAGE:
            return None
        params = [(name, str(SMALL_PAGE) if name == "_count" else value) for name, value in self.params]
        return msgspec.structs.replace(self, params=tuple(params))


def literal(value: str) -> str:
    """A search value that stands for itself (http://hl7.org/fhir/R4/search.html#escaping)."""
    for character in "\\,|$":
        value = value.replace(character, f"\\{character}")
    return value


class _Moved(Exception):  # noqa: N818 - it never leaves this module
    """The search must be begun again."""


async def search(
    session: Session, query: Query, *, no_cache: bool, first: Bundle | None = None
) -> tuple[Resource, ...]:
    """Every match, each once and in its newest version. `first` is the first page where a batch brought it.

    Included resources (`search.mode` include) are left out, except those of the types that were asked for. Raises
    IncompleteRecordError where anything says that matches are missing, NotFhirError, RefusedError,
    UnavailableError.
    """
    try:
        return await whole(session, query, lambda page: _matches(page, query), no_cache=no_cache, first=first)
    except RefusedError as error:
        smaller = query.with_smaller_pages
        if smaller is None or error.status not in {400, 413}:
            raise
    return await whole(session, smaller, lambda page: _matches(page, smaller), no_cache=no_cache)


async def whole(
    session: Session,
    asked: Asked,
    take: Callable[[Bundle], list[Resource]],
    *,
    no_cache: bool,
    first: Bundle | None = None,
) -> tuple[Resource, ...]:
    """What `take` finds on every page, each resource once and in its newest version. Raises as `search` does."""
    reason = ""
    for _ in range(1 + RESTARTS):
        try:
            return await _pages(session, asked, take, no_cache=no_cache, first=first)
        except _Moved as moved:
            reason, first = str(moved), None
    raise IncompleteRecordError(
        f"{asked.what} was begun {1 + RESTARTS} times and never came to its end: {reason}.",
        mend="Try again when the patient's record is not being changed; a larger page size at the server helps.",
    )


async def first_matches(session: Session, query: Query, limit: int) -> tuple[Resource, ...]:
    """The first `limit` matches in the server's order, or all where there are fewer: a part, on purpose."""
    url = f"{session.base_url}/{query.url}"
    found: tuple[Resource, ...] = ()
    seen: set[str] = set()
    while url and len(found) < limit:
        _remember(seen, url, query.what)
        page = await _page(session, url, query.what, query.type, no_cache=False)
        found = newest((*found, *_matches(page, query)))
        url = next_page(session.base_url, url, page.next) if page.next is not None else ""
    return found[:limit]


async def search_many(
    session: Session, queries: Sequence[Query], *, batch: bool, no_cache: bool
) -> tuple[tuple[Resource, ...], ...]:
    """Each query's matches, in order. With `batch` all first pages come in one request; an entry that is no plain
    success is asked for again on its own, so that its error is that of the search itself."""
    found = await search_each(session, queries, batch=batch, may_be_withheld=frozenset(), no_cache=no_cache)
    return tuple(one.resources for one in found)


class Found(msgspec.Struct, frozen=True):
    """What came of one of several searches: its matches, or the error where the server does not offer it."""

    resources: tuple[Resource, ...] = ()
    withheld: CareplanError | None = None


NOT_OFFERED = frozenset({403, 404, 405, 501})
"""The server has no such search, or not for these credentials: it says nothing of the record."""


async def search_each(
    session: Session,
    queries: Sequence[Query],
    *,
    batch: bool,
    may_be_withheld: frozenset[str],
    no_cache: bool,
) -> tuple[Found, ...]:
    """As `search_many`, but a search of a type in `may_be_withheld` that the server does not offer is told of and
    does not end the others."""
    firsts: Sequence[Bundle | None] = [None] * len(queries)
    if batch and len(queries) > 1 and not session.batch_refused:
        firsts = await _batch(session, queries, no_cache=no_cache)

    async def one(query: Query, first: Bundle | None) -> Found:
        try:
            return Found(await search(session, query, no_cache=no_cache, first=first))
        except CareplanError as error:
            if query.type in may_be_withheld and error.status in NOT_OFFERED:
                return Found(withheld=error)
            raise

    return await _side_by_side([one(query, first) for query, first in zip(queries, firsts, strict=True)])


async def _side_by_side(works: Sequence[Coroutine[Any, Any, T]]) -> tuple[T, ...]:
    """All results in order; at the first error the others are given up and that error is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except BaseExceptionGroup as failures:
        raise _first(failures) from None
    return tuple(task.result() for task in tasks)


async def history(session: Session, resource_type: str, resource_id: str) -> tuple[Resource, ...]:
    """Every version of one resource that the server keeps, newest first. A deletion has no content: left out.

    The order is that of the version numbers; where they are no numbers, of `meta.lastUpdated`: a server may give
    them in any order (Medplum's memory repository turns it round with every call, measured).
    """
    what = f"The history of {resource_type}"
    url = f"{session.base_url}/{resource_type}/{resource_id}/_history"
    entries: list[Entry] = []
    seen: set[str] = set()
    while url:
        _remember(seen, url, what)
        page = await _page(session, url, what, resource_type, no_cache=True)
        entries.extend(page.entry)
        url = next_page(session.base_url, url, page.next) if page.next is not None else ""
    return newest_first(
        read_resource(entry.resource, f"{what}: the answer") for entry in entries if entry.has_resource
    )


async def _pages(
    session: Session,
    query: Asked,
    take: Callable[[Bundle], list[Resource]],
    *,
    no_cache: bool,
    first: Bundle | None,
) -> tuple[Resource, ...]:
    url = f"{session.base_url}/{query.url}"
    page = first or await _page(session, url, query.what, query.type, no_cache=no_cache)
    matches: list[Resource] = []
    total: int | None = None
    seen: set[str] = set()
    while True:
        _remember(seen, url, query.what)
        matches.extend(take(page))
        if len(matches) > MAX_RESOURCES:
            raise IncompleteRecordError(
                f"{query.what} has more than {MAX_RESOURCES} resources.",
                mend="Check what the server counts to one patient; no record is as large as this.",
            )
        if page.total is not None:
            if total is not None and page.total < total:
                raise _Moved("the number of matches shrank while they were read")
            total = None if _is_estimate(query, page) else page.total
        if page.next is None:
            break
        url = next_page(session.base_url, url, page.next)
        del page  # with its bytes, before those of the next one come
        page = await _page(session, url, query.what, query.type, no_cache=no_cache, is_first=False)
    found = newest(matches)
    matched = len(found) - _came_along(found, query)
    if total is not None and matched < total and not query.only_counts:
        raise IncompleteRecordError(
            f"{query.what} has {total} matches by the server's own count, but {matched} came.",
            mend="Check the credentials' scopes and the server's paging; a part of a record is never used.",
        )
    return found


async def _page(
    session: Session, url: str, what: str, label: str, *, no_cache: bool, is_first: bool = True
) -> Bundle:
    ask = Ask(method="GET", url=url, what=what, label=label, headers=NO_CACHE if no_cache else ())
    answer = await session.send(ask)
    if not is_first and answer.status in {404, 410}:
        raise _Moved("a page had expired")
    if not answer.ok:
        error = refused(answer.status, answer.body, what)
        error.status = answer.status
        raise error
    require_json(answer, f"{what}: the answer")
    return read_bundle(answer.body, f"{what}: the answer")


def _came_along(found: Sequence[Resource], query: Asked) -> int:
    """How many were included: the server's total does not count them."""
    included = query.included - {query.type} if isinstance(query, Query) else frozenset()
    return sum(resource.type in included for resource in found)


def _is_estimate(query: Asked, page: Bundle) -> bool:
    return isinstance(query, Query) and query.estimates_total and page.next is not None


def _matches(page: Bundle, query: Query) -> list[Resource]:
    matches = []
    what = f"{query.what}: the answer"
    for entry in page.entry:
        if not entry.has_resource:
            raise IncompleteRecordError(
                f"{query.what} returned an entry without its resource.",
                mend="Report it to those who run the server: a searchset entry must hold a resource.",
            )
        mode = entry.search.mode if entry.search is not None else None
        header = read_header(entry.resource, what)
        if header.resource_type in query.included and mode in {"include", None}:
            matches.append(identified(header, entry.resource, what))
        elif mode == "include":
            continue
        elif mode == "outcome" or header.resource_type == "OperationOutcome":
            refuse_partial(entry.resource, query.what)
        elif header.resource_type != query.type:
            raise NotFhirError(f"{query.what} returned a resource of another type.", mend=NOT_FHIR_MEND)
        else:
            matches.append(identified(header, entry.resource, what))
    return matches


def refuse_partial(outcome: msgspec.Raw, what: str) -> None:
    """Raises IncompleteRecordError where the OperationOutcome among the matches says that some are missing."""
    said = [issue for issue in parse_outcome(outcome) if says_partial(issue)]
    if said:
        raise IncompleteRecordError(
            f"{what} may be incomplete: the server says so in its answer.",
            mend="The issues hold its codes; often the credentials may not read everything of this type.",
            issues=as_issues(said),
        )


def _remember(seen: set[str], url: str, what: str) -> None:
    if url in seen:
        raise IncompleteRecordError(
            f"{what} leads round in a circle: a page links to one that was read already.",
            mend="Report it to those who run the server: its next link never ends.",
        )
    if len(seen) >= MAX_PAGES:
        raise IncompleteRecordError(
            f"{what} has more than {MAX_PAGES} pages.", mend="Raise the page size at the server."
        )
    seen.add(url)


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
