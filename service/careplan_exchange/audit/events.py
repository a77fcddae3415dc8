"""What was asked of servers as AuditEvents, each under an id that is the same however often it is told.

Pure. In: a parcel of requests. Out: bodies with an id. References are those of the server that was asked; where
the events stand somewhere else than there (`here`), they are logical references that name that server.
"""

import uuid
from collections.abc import AsyncIterator

from careplan_exchange.model.changes import Json
from careplan_exchange.model.record import FhirRelease
from careplan_exchange.model.requested import Act, Parcel, Requested
from careplan_exchange.ports import Outbox

from .balp import Event, as_resource
from .context import tags

EVENT_SYSTEM = "urn:careplan-exchange:event"
_PAGE = 100


def events_of(parcel: Parcel, release: FhirRelease, *, here: str | None = None) -> tuple[Json, ...]:
    """One AuditEvent an act, in order. `here` is the base URL of the server that will hold them. The id is also a
    tag, for a server that gives ids of its own."""
    acts = ((requested, act) for requested in parcel.requests for act in requested.acts)
    return tuple(
        _as_resource(_event(parcel, requested, act, here), parcel, number, release)
        for number, (requested, act) in enumerate(acts)
    )


async def kept_events(
    outbox: Outbox, release: FhirRelease = "R4", *, exchange: str | None = None
) -> AsyncIterator[Json]:
    """Every AuditEvent of the outbox, sent or not, oldest first; of one exchange or of all."""
    after = 0
    while page := await outbox.parcels(exchange=exchange, after=after, limit=_PAGE):
        for place, outgoing in page:
            for event in events_of(outgoing.parcel, release):
                yield event
            after = place


def _event(parcel: Parcel, requested: Requested, act: Act, here: str | None) -> Event:
    return Event(
        interaction=act.interaction,
        at=requested.at,
        server=requested.server,
        request_id=requested.request_id,
        version=parcel.version,
        what=_what(act, requested.server, here),
        query=_query(act, requested),
        patient=None if parcel.subject is None else _reference(parcel.subject, requested.server, here),
        replaced=act.replaced,
        by=parcel.by,
        jti=requested.jti,
        status=act.status if act.status is not None else requested.status,
        error=requested.error or act.error,
        said=requested.said,
        meta=tags(parcel.exchange, parcel.installation),
    )


def _as_resource(event: Event, parcel: Parcel, number: int, release: FhirRelease) -> Json:
    event_id = str(uuid.uuid5(uuid.UUID(parcel.id), str(number)))
    body = as_resource(event, release)
    body["meta"]["tag"].append({"system": EVENT_SYSTEM, "code": event_id})
    return {**body, "id": event_id}


def _what(act: Act, server: str, here: str | None) -> Json | None:
    if act.query is not None:
        return None
    if act.reference is None:  # nothing came to be, or the server did not say what
        return {"type": act.type, "display": act.type}
    return _reference(act.reference, server, here)


def _query(act: Act, requested: Requested) -> str | None:
    """The request as it was sent: of a batch each entry, which is a GET."""
    if act.query is None:
        return None
    method = "GET" if act.interaction == "search-type" else requested.method
    url = act.query if "://" in act.query else f"{requested.server}/{act.query}"
    return f"{method} {url}\nX-Request-Id: {requested.request_id}"


def _reference(reference: str, server: str, here: str | None) -> Json:
    if server == here:
        return {"reference": reference}
    return {"type": reference.partition("/")[0], "identifier": {"system": server, "value": reference}}
