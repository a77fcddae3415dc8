"""Who wrote our resources, as the Provenances on the target say: exchange and store stand in their tags."""

from collections.abc import Collection, Iterable

from careplan_exchange.errors import RefusedError
from careplan_exchange.fhir import Capabilities, FhirClient, Query, literal
from careplan_exchange.model.changes import Json
from careplan_exchange.model.codec import decode
from careplan_exchange.model.identity import EXCHANGE_TAG, INSTALLATION_TAG
from careplan_exchange.model.writing import Writing

_PER_SEARCH = 25


async def find_writings(
    client: FhirClient, references: Collection[str], capabilities: Capabilities
) -> tuple[Writing, ...]:
    """As ports.PlanWriter.writings. The target is not asked where it says that it cannot tell."""
    if not (capabilities.says_nothing or capabilities.searchable("Provenance", "target")):
        return ()
    wanted = sorted(references)
    queries = [
        Query("Provenance", (("target", ",".join(map(literal, wanted[start : start + _PER_SEARCH]))),))
        for start in range(0, len(wanted), _PER_SEARCH)
    ]
    try:
        found = await client.search_many(queries, no_cache=True)
    except RefusedError:  # we may not read them there: then nothing tells
        return ()
    return writings_in((decode(one.content) for matches in found for one in matches), references)


def writings_in(provenances: Iterable[Json], references: Collection[str]) -> tuple[Writing, ...]:
    """Those of `references` that software of ours has written, the newest first."""
    writings = {
        Writing(reference=reference, exchange=exchange, installation=installation, at=body.get("recorded", ""))
        for body in provenances
        if (exchange := _tag(body, EXCHANGE_TAG)) and (installation := _tag(body, INSTALLATION_TAG))
        for target in body.get("target", ())
        if (reference := _relative(target.get("reference", ""))) in references
    }
    return tuple(sorted(writings, key=lambda each: (each.at, each.exchange, each.reference), reverse=True))


def _tag(body: Json, system: str) -> str | None:
    return next(
        (tag.get("code") for tag in body.get("meta", {}).get("tag", ()) if tag.get("system") == system), None
    )


def _relative(reference: str) -> str:
    """`Goal/1` of `https://server/fhir/Goal/1/_history/2`."""
    return "/".join(reference.partition("/_history/")[0].split("/")[-2:])
