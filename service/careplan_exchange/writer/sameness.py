"""Is what stands on a server what we sent? Asked after a lost answer, to tell our write from a person's, and
after every write, to find what the server did not keep (roundtrip.py).

The same instant in another time zone, a list in another order, and a number with other digits are the same.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from careplan_exchange.model.changes import Json, ResourceChange

OF_THE_SERVER = frozenset({"id", "meta", "text", "implicitRules"})
"""Elements of a resource that a server sets or rewrites itself (narrative is normalised by many)."""

_VERSION = re.compile(r"/_history/[^/]+$")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?\d*(Z|[+-]\d{2}:\d{2})", re.ASCII)


def same(
    sent: Json, stored: Json, links: Mapping[str, str], base_url: str, *, ignoring: Collection[str] = ()
) -> bool:
    """Whether every element that was sent stands in `stored` with the same content; more may stand there.

    `links` gives what each `urn:uuid:` became; a reference is the same with or without base URL and version.
    `ignoring` are elements of the resource that this server is known to rewrite.
    """
    return all(
        name in stored and same_value(value, stored[name], links, base_url)
        for name, value in sent.items()
        if name not in OF_THE_SERVER and name not in ignoring
    )


def not_contrary(sent: Json, stored: Json, links: Mapping[str, str], base_url: str) -> bool:
    """As `same`, but a whole element of the resource may be missing: the server does not keep it."""
    missing = [name for name in sent if name not in stored]
    return same(sent, stored, links, base_url, ignoring=missing)


def alike(one: Json, other: Json, base_url: str) -> bool:
    """Whether each is `same` as the other: neither has an element that the other lacks."""
    return same(one, other, {}, base_url) and same(other, one, {}, base_url)


def rewritten(change: ResourceChange, base_url: str) -> frozenset[str]:
    """The elements that the server did not keep as they were sent, the last time that it took this resource."""
    if change.base is None:
        return frozenset()
    ours, stored = change.base.ours, change.base.stored
    return frozenset(
        name
        for name, value in ours.items()
        if name not in stored or not same_value(value, stored[name], {}, base_url)
    )


def same_value(sent: Any, stored: Any, links: Mapping[str, str], base_url: str) -> bool:
    """As `same`, of one element's value."""
    if isinstance(sent, Mapping):
        return isinstance(stored, Mapping) and all(
            _same_field(name, value, stored, links, base_url) for name, value in sent.items()
        )
    if isinstance(sent, list | tuple):
        return (
            isinstance(stored, list)
            and len(sent) == len(stored)
            and None not in pairs(sent, stored, links, base_url)
        )
    return bool(sent == stored) or _same_instant(sent, stored)


def pairs(
    sent: Sequence[Any], stored: Sequence[Any], links: Mapping[str, str], base_url: str
) -> tuple[int | None, ...]:
    """For each item of a list the place of the one that is the same, each taken once; its own place first."""
    free = set(range(len(stored)))
    found: list[int | None] = []
    for place, item in enumerate(sent):
        candidates = (place, *sorted(free)) if place in free else sorted(free)
        match = next((at for at in candidates if same_value(item, stored[at], links, base_url)), None)
        free.discard(-1 if match is None else match)
        found.append(match)
    return tuple(found)


def _same_field(
    name: str, value: Any, stored: Mapping[str, Any], links: Mapping[str, str], base_url: str
) -> bool:
    if name not in stored:
        return may_be_missing(name, stored)
    if name == "reference" and isinstance(value, str) and isinstance(stored[name], str):
        return _reference(links.get(value, value), base_url) == _reference(stored[name], base_url)
    return same_value(value, stored[name], links, base_url)


def may_be_missing(name: str, stored: Mapping[str, Any]) -> bool:
    """Some servers drop the ids of elements; some put the data of an attachment elsewhere and give its URL."""
    return name == "id" or (name == "data" and "url" in stored)


def _same_instant(sent: Any, stored: Any) -> bool:
    """Servers keep instants in a time zone of their own."""
    if not (isinstance(sent, str) and isinstance(stored, str)):
        return False
    return _instant(sent) is not None and _instant(sent) == _instant(stored)


def _instant(text: str) -> datetime | None:
    if _INSTANT.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _reference(value: str, base_url: str) -> str:
    return _VERSION.sub("", value.removeprefix(f"{base_url}/"))
