"""What the target holds of ours now, asked of the server itself and not of any cache."""

from collections.abc import Collection, Iterable, Mapping

from careplan_exchange.fhir import FhirClient, Query, literal
from careplan_exchange.model.changes import Held
from careplan_exchange.model.identity import IDENTITY_SYSTEM
from careplan_exchange.reconcile import held_in

_PER_SEARCH = 25
"""Identities in one search: about 1.6 kB of URL, which every server and proxy takes."""

_PAGE = "100"
"""Room for every match and its doubles on one page: HAPI gives 20 unasked, and takes half a second
over the next page."""


async def current(client: FhirClient, identities: Mapping[str, Collection[str]]) -> tuple[Held, ...]:
    """The resources that carry these identities (by resource type), each at most once.

    Raises DuplicateError where one identity stands more than once, IncompleteRecordError where the server did not
    give all matches.
    """
    queries = [
        Query(resource_type, (("identifier", ",".join(map(_token, chunk))), ("_count", _PAGE)))
        for resource_type, values in sorted(identities.items())
        for chunk in _chunks(sorted(values))
    ]
    if not queries:
        return ()
    found = await client.search_many(queries, no_cache=True)
    return held_in([resource for matches in found for resource in matches], identities)


def _token(identity: str) -> str:
    return f"{literal(IDENTITY_SYSTEM)}|{literal(identity)}"


def _chunks(values: list[str]) -> Iterable[list[str]]:
    return (values[start : start + _PER_SEARCH] for start in range(0, len(values), _PER_SEARCH))
