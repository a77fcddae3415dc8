"""What was asked of FHIR servers, as it is kept until it is told as AuditEvents."""

from typing import Literal

import msgspec

Interaction = Literal["read", "search-type", "history-instance", "create", "update", "delete", "operation"]
"""Codes of http://hl7.org/fhir/restful-interaction."""


class Act(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One interaction. A request has one; a batch and a transaction have one an entry.

    `reference` is `Type/id`, with `/_history/version` where the version is known; None where nothing came to be.
    `query` is what was asked, relative to the base URL. `replaced` is the version of `If-Match`. `status` is that
    of the entry, where it has one of its own, and `error` the key of what went wrong with this entry alone.
    """

    interaction: Interaction
    type: str
    reference: str | None = None
    query: str | None = None
    replaced: str | None = None
    status: int | None = None
    error: str | None = None


class Requested(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One request, after all its attempts. `server` is the base URL, `at` an instant in UTC. `status` is None
    where no answer came. `error` is the key of what went wrong, `said` the issue codes of the server's
    OperationOutcome. `jti` is the id of the access token, where it says one. `told`: its AuditEvents were in the
    transaction."""

    request_id: str
    server: str
    method: str
    at: str
    acts: tuple[Act, ...]
    status: int | None = None
    error: str | None = None
    said: tuple[str, ...] = ()
    jti: str | None = None
    told: bool = False


class Parcel(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The requests of one stretch of an exchange to one server, under one id: what is told of them has ids
    derived from it, so that telling it twice makes nothing twice. `subject` is `Patient/<id>` on that server;
    `by` the person for whom it was done, as a person signs or as a FHIR reference; `version` this software's."""

    id: str
    exchange: str
    subject: str | None
    version: str
    requests: tuple[Requested, ...]
    by: str | None = None
    installation: str = ""


class Outgoing(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A parcel in the outbox: how often sending it failed, when it is due again, and when it was sent."""

    parcel: Parcel
    attempts: int = 0
    due_at: str
    sent_at: str | None = None


class Depth(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How much of the outbox is not sent: parcels, those of them that failed before, and since when the oldest
    waits (None where nothing does)."""

    waiting: int
    failed: int = 0
    oldest: str | None = None
