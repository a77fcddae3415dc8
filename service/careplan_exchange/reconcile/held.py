"""Our own resources among everything that a record holds."""

from collections.abc import Collection, Iterable, Mapping

from careplan_exchange.errors import DuplicateError
from careplan_exchange.model.changes import Held, Json
from careplan_exchange.model.codec import decode
from careplan_exchange.model.identity import IDENTITY_SYSTEM
from careplan_exchange.model.record import Resource

from .rules import STATUSES


def held_in(
    resources: Iterable[Resource], identities: Mapping[str, Collection[str]] | None = None
) -> tuple[Held, ...]:
    """The resources that carry our identifier, in the order given; with `identities` (by resource type) only
    those. A resource counts once, a server that keeps no versions gives an empty `version_id`.

    Raises DuplicateError where one identity stands on two resources.
    """
    held: dict[tuple[str, str], Held] = {}
    for resource in resources:
        if resource.type not in STATUSES:
            continue
        body: Json = decode(resource.content)
        wanted = None if identities is None else identities.get(resource.type, ())
        identity = next((one for one in _identities(body) if wanted is None or one in wanted), None)
        if identity is None:
            continue
        earlier = held.get((resource.type, identity))
        if earlier is not None and earlier.id != resource.id:
            raise DuplicateError(
                f"{earlier.reference} and {resource.reference} carry the same identifier of ours.",
                mend="Compare the two on the server, keep the one that is in use, and delete the other.",
            )
        held[resource.type, identity] = Held(
            identity=identity,
            type=resource.type,
            id=resource.id,
            version_id=resource.version_id or "",
            body=body,
        )
    return tuple(held.values())


def _identities(body: Json) -> tuple[str, ...]:
    return tuple(
        identifier["value"]
        for identifier in body.get("identifier", ())
        if identifier.get("system") == IDENTITY_SYSTEM and "value" in identifier
    )
