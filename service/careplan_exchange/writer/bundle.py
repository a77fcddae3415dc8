"""One transaction: built from an intent, and its answer read back entry by entry.

http://hl7.org/fhir/R4/http.html#transaction
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from careplan_exchange.errors import CareplanError, DuplicateError
from careplan_exchange.fhir import Written
from careplan_exchange.model.changes import Json, ResourceChange
from careplan_exchange.model.identity import IDENTITY_SYSTEM
from careplan_exchange.model.issue import Issue
from careplan_exchange.ports import Ids

_ENTRY = re.compile(
    r"Bundle\.entry\[(\d+)\](?:\.resource)?(?:\.ofType\([A-Za-z]+\))?(?:\.[A-Z][A-Za-z]+)?(\..+)?$"
)
_LOCATION = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/([^/?#]+)(?:/_history/([^/?#]+))?/?$")


def condition(identity: str) -> str:
    """The search that makes a create conditional: `If-None-Exist` of one, `ifNoneExist` of an entry."""
    return f"identifier={IDENTITY_SYSTEM}|{identity}"


def once_each(changes: Sequence[ResourceChange]) -> tuple[ResourceChange, ...]:
    """The changes that are sent, each identity once: a server may drop the second of two without a word.

    Raises DuplicateError where one identity has two different bodies: only a defect of ours can make them.
    """
    sent: dict[tuple[str, str], ResourceChange] = {}
    for change in changes:
        if change.action == "unchanged":
            continue
        first = sent.setdefault((change.type, change.identity), change)
        if first != change:
            raise DuplicateError(
                f"Two different {change.type} resources would be written under one identity; nothing was sent.",
                mend="Two protocols use one key for a goal or an action; run `careplan knowledge check`.",
            )
    return tuple(sent.values())


def transaction_of(
    changes: Sequence[ResourceChange], companions: Sequence[Json], base_url: str, ids: Ids
) -> Json:
    entries = [
        *(_create(change) if change.action == "create" else _update(change, base_url) for change in changes),
        *(
            {
                "fullUrl": f"urn:uuid:{ids.new()}",
                "resource": body,
                "request": {"method": "POST", "url": body["resourceType"]},
            }
            for body in companions
        ),
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def _create(change: ResourceChange) -> Json:
    return {
        "fullUrl": change.full_url,
        "resource": change.body,
        "request": {"method": "POST", "url": change.type, "ifNoneExist": condition(change.identity)},
    }


def _update(change: ResourceChange, base_url: str) -> Json:
    return {
        "fullUrl": f"{base_url}/{change.reference}",
        "resource": change.body,
        "request": {"method": "PUT", "url": change.reference, "ifMatch": f'W/"{change.version_id}"'},
    }


def answers_of(response: Json, changes: Sequence[ResourceChange]) -> tuple[Written, ...]:
    """What the transaction-response says of each change; its further entries are the companions'."""
    entries: Sequence[Any] = response.get("entry", ())
    return tuple(_answer(entry, change) for entry, change in zip(entries, changes, strict=False))


def _answer(entry: Json, change: ResourceChange) -> Written:
    response: Json = entry.get("response", {})
    body = entry.get("resource")
    stored = body if isinstance(body, dict) and body.get("resourceType") == change.type else None
    location = _LOCATION.search(response.get("location") or "")
    meta: Json = (stored or {}).get("meta", {})
    etag = str(response.get("etag") or "").removeprefix("W/").strip('"')
    return Written(
        created=str(response.get("status", "")).startswith("201"),
        type=change.type,
        id=(stored or {}).get("id") or (location[2] if location else None) or change.id,
        version_id=meta.get("versionId") or (location[3] if location else None) or etag or None,
        body=stored,
    )


def named(error: CareplanError, changes: Sequence[ResourceChange]) -> CareplanError:
    """The same error, its Issues naming the resource that an entry of the transaction is."""
    error.issues = tuple(_named(issue, changes) for issue in error.issues)
    first = next((issue for issue in error.issues if issue.source is not None), None)
    if first is not None:
        error.detail = f"{error.detail} It is about {first.expression} of {first.source}."
    return error


def _named(issue: Issue, changes: Sequence[ResourceChange]) -> Issue:
    found = _ENTRY.match(issue.expression or "")
    if found is None or int(found[1]) >= len(changes):
        return issue
    change = changes[int(found[1])]
    return msgspec.structs.replace(issue, source=change.reference, expression=f"{change.type}{found[2] or ''}")


def resolved(value: Any, links: Mapping[str, str]) -> Any:
    """`value` with every `urn:uuid:` that is known replaced by what it became."""
    if isinstance(value, dict):
        return {
            name: links.get(inner, inner)
            if name == "reference" and isinstance(inner, str)
            else resolved(inner, links)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [resolved(inner, links) for inner in value]
    return value
