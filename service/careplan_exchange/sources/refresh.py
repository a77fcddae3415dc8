"""A record that was read before, read again only where something changed. Pure: what to ask, what comes of it.

Of a type that the plan lets refresh, two searches are made: the resources that were changed since the last
reading (`_lastUpdated`, overlapping it), and the ids and versions of all that there are now (`_elements`), since
a deletion or a change of subject shows in no search for changes. What is there now is taken from the changes, or
from before where its version is the same. Where that leaves anything open, the type is read in full. So the
result is that of a full reading, also on a server that pays no heed to one of the two parameters, or forgets to
tell of a change.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from careplan_exchange.errors import UsageError
from careplan_exchange.fhir import Capabilities, Query
from careplan_exchange.model import codec
from careplan_exchange.model.record import PatientRecord, Resource

from .plans import Plan, TypePlan

WORTH_REFRESHING = 20
"""A type of which there are fewer resources is read in full: that is one search, and a refreshing is two."""


class Kept(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A record with what it takes to refresh it: when its reading began by our clock (an instant), and the
    fingerprint of the plan by which it was read."""

    record: PatientRecord
    read_at: str
    plan: str


_decoder = msgspec.json.Decoder(Kept)


def read_kept(data: bytes) -> Kept:
    """Raises UsageError where it is none."""
    try:
        kept = _decoder.decode(data)
        datetime.fromisoformat(kept.read_at)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        raise UsageError(
            "The file with the earlier reading is none that was kept by --since.",
            mend="Name the file that an earlier --since wrote, or one that is not there yet.",
        ) from None
    return kept


def write_kept(kept: Kept) -> bytes:
    """Equal readings give equal bytes. They are clinical data."""
    return codec.steady(kept)


def fingerprint(plan: Plan) -> str:
    """The same for two plans that ask the same."""
    return hashlib.sha256(codec.canonical(plan)).hexdigest()


def usable(kept: Kept, *, endpoint: str, patient_id: str, release: str, plan: Plan) -> bool:
    """Whether this reading can be refreshed; not where the plan has changed. Raises UsageError where it is of
    another server or patient."""
    record = kept.record
    if (record.endpoint, record.patient.id) != (endpoint, patient_id):
        raise UsageError(
            "The file with the earlier reading is of another patient, or of another server.",
            mend="Keep a file for each patient and server.",
        )
    return (record.release, kept.plan) == (release, fingerprint(plan))


def refreshes(kept: Kept, plan: Plan, kind: TypePlan, capabilities: Capabilities) -> bool:
    """Whether this type is refreshed rather than read in full. The Patient is always read anew, and so is what
    comes along with a type (`include`), and a type that is asked for in several searches or in part."""
    listed = capabilities.parameters.get(kind.type, frozenset())
    return (
        plan.finds_every_change
        and kind.type != "Patient"
        and kind.whole
        and kind.each is None
        and not kind.include
        and (not listed or "_lastUpdated" in listed)
        and len(kept.record.of(kind.type)) >= WORTH_REFRESHING
    )


def since(kept: Kept, overlap_minutes: int) -> str:
    """From when on changes are asked for: the last reading, less the overlap. Where the server's clock is further
    behind ours, changes are missed, and their versions tell."""
    moment = datetime.fromisoformat(kept.read_at) - timedelta(minutes=overlap_minutes)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def changes(query: Query, moment: str) -> Query:
    return msgspec.structs.replace(query, params=(*query.params, ("_lastUpdated", f"ge{moment}")))


def listing(query: Query, plan: Plan) -> Query:
    return msgspec.structs.replace(
        query, params=(*query.params, *((one.name, one.value) for one in plan.listing))
    )


def merged(
    before: Iterable[Resource], changed: Iterable[Resource], now: Iterable[Resource]
) -> tuple[Resource, ...] | None:
    """What is there `now`, from what changed, else from before; None where a resource is in neither, or in
    another version: the type must then be read in full."""
    known = {resource.id: resource for resource in before}
    known |= {resource.id: resource for resource in changed}
    result = []
    for listed in now:
        resource = known.get(listed.id)
        if resource is None or listed.version_id is None or resource.version_id != listed.version_id:
            return None
        result.append(resource)
    return tuple(result)
