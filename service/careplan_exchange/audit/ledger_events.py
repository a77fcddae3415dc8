"""The ledger as AuditEvents (R4), for a repository or a security system that reads no format of ours.

One for each entry, whose id is the entry's hash: told twice, it is the same one. One more for each resource that
an exchange wrote, after the BALP patterns of balp.py. They say what the ledger says; the proof is the ledger.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from careplan_exchange import logs
from careplan_exchange.model import codec
from careplan_exchange.model.changes import Action, Json, ResourceChange
from careplan_exchange.model.identity import EXCHANGE_TAG
from careplan_exchange.model.ledger import Entry, Link
from careplan_exchange.ports import Ledger

from .balp import BALP, DCM, ENTITY_TYPE, OBJECT_ROLE, SOURCE_TYPE, URI_NETWORK, audit_event
from .context import SOFTWARE_SYSTEM, CompanionContext

EVENT_SYSTEM = "urn:careplan-exchange:event"
LEDGER_SYSTEM = "urn:careplan-exchange:ledger"

_ACTIVITY = {"system": DCM, "code": "110100", "display": "Application Activity"}
_APPLICATION = {"system": DCM, "code": "110150", "display": "Application"}
_PAGE = 500
_WRITTEN: tuple[Action, ...] = ("create", "update")


class _Known(msgspec.Struct, frozen=True):
    """What the first entry of an exchange said."""

    patient: str | None = None
    target: str | None = None


async def to_audit_events(ledger: Ledger, version: str) -> AsyncIterator[bytes]:
    """AuditEvents of the whole ledger as it stands, one a line, in order. `version` is this software's. Raises
    what the ledger raises. Of exchanges it keeps in memory those alone that have not ended."""
    known: dict[str, _Known] = {}
    end, last = await ledger.head(), 0
    while page := await ledger.links(after=last, limit=_PAGE):
        for link in page:
            if link.seq > end.seq:
                return
            entry = link.entry
            if entry.event == logs.EXCHANGE_STARTED:
                known[entry.exchange] = _Known(_text(entry, "patient"), _text(entry, "target"))
            about = known.get(entry.exchange, _Known())
            yield codec.canonical(event_of(link, ledger.tenant, version, patient=about.patient)) + b"\n"
            for event in _writes(link, about, version):
                yield codec.canonical(event) + b"\n"
            if entry.event in {logs.EXCHANGE_FINISHED, logs.EXCHANGE_FAILED}:
                known.pop(entry.exchange, None)
        last = page[-1].seq


def event_of(link: Link, tenant: str, version: str, *, patient: str | None = None) -> Json:
    """The AuditEvent of one entry. `patient` is the reference of the exchange's patient, where it is known."""
    entry, software = link.entry, _software(version)
    agents: list[Json] = [
        {
            "type": {"coding": [_APPLICATION]},
            "who": software,
            "requestor": _text(entry, "by") is None,
            "network": {"address": SOFTWARE_SYSTEM, "type": URI_NETWORK},
        }
    ]
    if (person := _text(entry, "by")) is not None:
        agents.append({"who": {"display": person}, "requestor": True})
    entities: list[Json] = [
        {
            "what": {"identifier": {"system": f"{LEDGER_SYSTEM}:{tenant}", "value": str(link.seq)}},
            "type": {"system": ENTITY_TYPE, "code": "2", "display": "System Object"},
            "role": {"system": OBJECT_ROLE, "code": "13", "display": "Security Resource"},
            "detail": [
                {"type": "hash", "valueString": link.hash},
                {"type": "previous", "valueString": link.previous},
                {"type": "entry", "valueString": codec.canonical(entry.data).decode()},
            ],
        },
        {
            "what": {"identifier": {"system": EXCHANGE_TAG, "value": entry.exchange}},
            "type": {"system": f"{BALP}/CodeSystem/BasicAuditEntityType", "code": "XrequestId"},
        },
    ]
    if patient is not None:
        entities.append(
            {
                "what": {"type": "Patient", "identifier": {"value": patient}},
                "type": {"system": ENTITY_TYPE, "code": "1", "display": "Person"},
                "role": {"system": OBJECT_ROLE, "code": "1", "display": "Patient"},
            }
        )
    return {
        "resourceType": "AuditEvent",
        "id": link.hash,
        "type": _ACTIVITY,
        "subtype": [{"system": EVENT_SYSTEM, "code": entry.event}],
        "action": "E",
        "recorded": _moment(entry.at).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "outcome": "8" if entry.event == logs.EXCHANGE_FAILED else "0",
        "agent": agents,
        "source": {
            "observer": software,
            "type": [{"system": SOURCE_TYPE, "code": "4", "display": "Application Server"}],
        },
        "entity": entities,
    }


def _writes(link: Link, about: _Known, version: str) -> Iterator[Json]:
    """One BALP event for each resource that the exchange wrote. The id is the entry's hash, cut and numbered."""
    written = link.entry.data.get("resources") if link.entry.event == logs.EXCHANGE_FINISHED else None
    if about.patient is None or about.target is None or not isinstance(written, list):
        return
    context = CompanionContext(
        exchange=link.entry.exchange,
        request_id=link.entry.exchange,
        recorded=_moment(link.entry.at),
        subject=about.patient,
        target=about.target,
        version=version,
        same_server=True,
        source_endpoint=about.target,
    )
    for number, one in enumerate(written):
        if one.get("action") in _WRITTEN:
            yield {**audit_event(_change(one), context, "R4"), "id": f"{link.hash[:56]}-{number}"}


def _change(one: dict[str, Any]) -> ResourceChange:
    """What was written, as the patterns take it: by type and id, with the version that came of it."""
    kind, _, logical = str(one.get("reference", "")).partition("/")
    version = one.get("versionId")
    if version is not None:
        logical = f"{logical}/_history/{version}"
    return ResourceChange(identity="", type=kind, action=one["action"], full_url="", body={}, ours={}, id=logical)


def _software(version: str) -> Json:
    return {
        "identifier": {"system": SOFTWARE_SYSTEM, "value": f"careplan-exchange/{version}"},
        "display": f"careplan-exchange {version}",
    }


def _moment(at: str) -> datetime:
    return datetime.fromisoformat(at).astimezone(UTC)


def _text(entry: Entry, key: str) -> str | None:
    found = entry.data.get(key)
    return found if isinstance(found, str) and found else None
