"""The ledger as AuditEvents (R4), for a repository or a security system that reads no format of ours.

One for each entry, whose id is the entry's hash: told twice, it is the same one. One more for each version that
an exchange wrote, took back or put back, after the BALP patterns of balp.py. They say what the ledger says; the
proof is the ledger.
"""

import hashlib
from collections.abc import AsyncIterator, Iterator
from datetime import datetime

import msgspec

from careplan_exchange import logs
from careplan_exchange.model import codec
from careplan_exchange.model.changes import Json
from careplan_exchange.model.identity import EXCHANGE_TAG
from careplan_exchange.model.ledger import Entry, Link
from careplan_exchange.ports import Ledger

from .balp import BALP, DCM, ENTITY_TYPE, OBJECT_ROLE, SOURCE_TYPE, URI_NETWORK, Event, as_resource
from .context import SOFTWARE_SYSTEM, instant, software, tags

EVENT_SYSTEM = "urn:careplan-exchange:event"
LEDGER_SYSTEM = "urn:careplan-exchange:ledger"

_ACTIVITY = {"system": DCM, "code": "110100", "display": "Application Activity"}
_APPLICATION = {"system": DCM, "code": "110150", "display": "Application"}
_PAGE = 500
_WRITING = frozenset(
    {
        logs.EXCHANGE_WRITTEN,
        logs.EXCHANGE_SETTLED,
        logs.WRITE_PARTLY,
        logs.WRITE_TAKEN_BACK,
        logs.WRITE_PUT_BACK,
    }
)
_INTERACTIONS = frozenset({"create", "update", "delete"})


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
            for event in _writes(link, about, ledger.tenant, version):
                yield codec.canonical(event) + b"\n"
            if entry.event in {logs.EXCHANGE_FINISHED, logs.EXCHANGE_FAILED}:
                known.pop(entry.exchange, None)
        last = page[-1].seq


def event_of(link: Link, tenant: str, version: str, *, patient: str | None = None) -> Json:
    """The AuditEvent of one entry. `patient` is the reference of the exchange's patient, where it is known."""
    entry, who = link.entry, software(version)
    agents: list[Json] = [
        {
            "type": {"coding": [_APPLICATION]},
            "who": who,
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
        "recorded": _instant(entry.at),
        "outcome": "8" if entry.event == logs.EXCHANGE_FAILED else "0",
        "agent": agents,
        "source": {
            "observer": who,
            "type": [{"system": SOURCE_TYPE, "code": "4", "display": "Application Server"}],
        },
        "entity": entities,
    }


def _writes(link: Link, about: _Known, tenant: str, version: str) -> Iterator[Json]:
    """One BALP event for each version that was made or taken away. The id is that of the version and of what was
    done: an entry that was told again, by a run that settled what another had written, gives the same one."""
    done = link.entry.data.get("resources") if link.entry.event in _WRITING else None
    if about.patient is None or about.target is None or not isinstance(done, list):
        return
    for one in done:
        if one.get("action") not in _INTERACTIONS:
            continue
        of, made = one.get("of"), one.get("versionId")
        which = made or of
        reference = f"{one['reference']}/_history/{which}" if which else str(one["reference"])
        event = Event(
            interaction=one["action"],
            at=_instant(link.entry.at),
            server=about.target,
            request_id=link.entry.exchange,
            version=version,
            what={"reference": reference},
            patient={"reference": about.patient},
            replaced=of if made else None,
            meta=tags(link.entry.exchange, ""),
        )
        name = codec.canonical([tenant, about.target, reference, one["action"]])
        yield {**as_resource(event, "R4"), "id": hashlib.sha256(name).hexdigest()}


def _instant(at: str) -> str:
    return instant(datetime.fromisoformat(at))


def _text(entry: Entry, key: str) -> str | None:
    found = entry.data.get(key)
    return found if isinstance(found, str) and found else None
