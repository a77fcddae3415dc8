"""The life of one patient's plan, from the store, the ledger and the server."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Protocol

from careplan_exchange import logs
from careplan_exchange.errors import CareplanError
from careplan_exchange.model.changes import Base, Commit, Json
from careplan_exchange.model.codec import decode
from careplan_exchange.model.history import Happening, Part, PlanHistory
from careplan_exchange.model.ledger import Entry
from careplan_exchange.model.record import Resource
from careplan_exchange.ports import Ledger, PlanStore

from .happenings import differences, evidence_in, of_commit, of_entries, of_letter, of_review, title_of, undone_in

SOMEBODY = "somebody else on the server"


class Server(Protocol):
    """Where the plan stands; fhir.FhirClient is one."""

    async def history(self, resource_type: str, resource_id: str) -> tuple[Resource, ...]: ...

    async def find(self, resource_type: str, resource_id: str, *, no_cache: bool = False) -> Resource | None: ...


class History:
    def __init__(self, plans: PlanStore, ledger: Ledger) -> None:
        self._plans = plans
        self._ledger = ledger

    async def tell(self, target: str, patient: str, server: Server | None) -> PlanHistory:
        """What is known of the plan that is kept under `target` and `patient`, oldest first; with a `server` also
        what others did to it there. A server that cannot be asked is said to be so, and the rest is told."""
        of = (target, patient)
        commits = await self._plans.commits(of=of)
        reviews = await self._plans.pendings(None, of=of)
        letters = await self._plans.letters(None, of=of)
        exchanges = dict.fromkeys(
            [
                *(commit.intent.exchange for commit in commits),
                *(review.id for review in reviews),
                *(letter.id for letter in letters),
            ]
        )
        entries = {exchange: await self._entries(exchange) for exchange in exchanges}
        evidence = _new_evidence(entries)
        happenings: list[Happening] = [of_commit(each, evidence[each.intent.exchange]) for each in commits]
        for review in reviews:
            happenings += of_review(review, evidence[review.id])
        for letter in letters:
            happenings += of_letter(letter)
        told = {(letter.id, logs.EXCHANGE_FAILED) for letter in letters}
        told |= {(review.id, logs.REVIEW_DECIDED) for review in reviews}
        for exchange, noted in entries.items():
            happenings += of_entries(entry for entry in noted if (exchange, entry.event) not in told)
        error = None
        if server is not None:
            try:
                happenings += await _on_server(
                    server,
                    await self._plans.bases(*of),
                    commits,
                    undone_in(chain.from_iterable(entries.values())),
                )
            except CareplanError as failure:
                error = failure.key
        return PlanHistory(
            target=target,
            patient=patient,
            happenings=tuple(sorted(happenings, key=lambda each: _moment(each.at))),
            server_asked=server is not None and error is None,
            server_error=error,
        )

    async def last_known(self, target: str, patient: str) -> datetime | None:
        """When something was last written to `target`, asked or failed there for `patient`; None where nothing
        ever was. Asks the store alone."""
        of = (target, patient)
        moments = [
            *(commit.committed_at for commit in await self._plans.commits(of=of)),
            *(review.created_at for review in await self._plans.pendings(None, of=of)),
            *(letter.created_at for letter in await self._plans.letters(None, of=of)),
        ]
        return max(map(_moment, moments), default=None)

    async def _entries(self, exchange: str) -> tuple[Entry, ...]:
        return tuple(link.entry for link in await self._ledger.links(exchange=exchange))


def _new_evidence(entries: Mapping[str, Sequence[Entry]]) -> dict[str, tuple[str, ...]]:
    """By exchange the evidence that none before it had, in the order in which they were planned."""
    planned = sorted(entries, key=lambda exchange: _moment(entries[exchange][0].at if entries[exchange] else ""))
    seen: set[str] = set()
    found: dict[str, tuple[str, ...]] = {}
    for exchange in planned:
        evidence = evidence_in(entries[exchange])
        found[exchange] = tuple(each for each in evidence if each not in seen)
        seen.update(evidence)
    return found


async def _on_server(
    server: Server, bases: Mapping[str, Base], commits: Sequence[Commit], undone: Iterable[tuple[str, str]]
) -> tuple[Happening, ...]:
    """What others did to what we wrote, as far as the server keeps it."""
    ours: dict[tuple[str, str], set[str]] = {}
    for base in bases.values():
        ours.setdefault((base.type, base.id), set()).add(base.version_id)
    for commit in commits:
        for written in commit.written:
            ours.setdefault((written.type, written.id), set()).add(written.version_id)
    for reference, version_id in undone:
        resource_type, _, resource_id = reference.partition("/")
        if (resource_type, resource_id) in ours:  # otherwise nothing of it stands, or ever did for a plan
            ours[resource_type, resource_id].add(version_id)
    found = await asyncio.gather(*(_of_resource(server, *key, versions) for key, versions in ours.items()))
    return tuple(happening for happenings in found for happening in happenings)


async def _of_resource(
    server: Server, resource_type: str, resource_id: str, ours: set[str]
) -> tuple[Happening, ...]:
    versions = list(reversed(await server.history(resource_type, resource_id)))
    bodies: list[Json] = [decode(version.content) for version in versions]
    found = [
        _edited(version, body, bodies[place - 1] if place else {})
        for place, (version, body) in enumerate(zip(versions, bodies, strict=True))
        if version.version_id not in ours
    ]
    if versions and await server.find(resource_type, resource_id, no_cache=True) is None:
        reference = f"{resource_type}/{resource_id}"
        found.append(
            Happening(
                at=versions[-1].last_updated or "",
                kind="deleted",
                text=f"{reference} was deleted by {SOMEBODY}, after this version: {title_of(bodies[-1])}.",
                who=SOMEBODY,
                parts=(Part(reference=reference, title=title_of(bodies[-1])),),
            )
        )
    return tuple(found)


def _edited(version: Resource, body: Json, before: Json) -> Happening:
    what = differences(before, body)
    title = title_of(body)
    said = ", ".join(what) or "in nothing that we know"
    return Happening(
        at=version.last_updated or "",
        kind="edited",
        text=f"{version.type} “{title}” was changed by {SOMEBODY} (version {version.version_id}): {said}.",
        who=SOMEBODY,
        parts=(Part(reference=f"{version.reference}/_history/{version.version_id}", title=title, what=what),),
    )


def _moment(at: str) -> datetime:
    """For the order alone; what has no moment comes first."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
