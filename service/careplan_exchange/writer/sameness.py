"""Is what stands on a server what we sent? Asked after a lost answer, to tell our write from a person's."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from careplan_exchange.model.changes import Json, ResourceChange

_OF_THE_SERVER = frozenset({"id", "meta", "text", "implicitRules"})
"""Elements of a resource that a server sets or rewrites itself (narrative is normalised by many)."""

_VERSION = re.compile(r"/_history/[^/]+$")


def same(
    sent: Json, stored: Json, links: Mapping[str, str], base_url: str, *, ignoring: Collection[str] = ()
) -> bool:
    """Whether every element that was sent stands in `stored` with the same content; more may stand there.

    `links` gives what each `urn:uuid:` became; a reference is the same with or without base URL and version.
    `ignoring` are elements of the resource that this server is known to rewrite.
    """
    return all(
        name in stored and _same(value, stored[name], links, base_url)
        for name, value in sent.items()
        if name not in _OF_THE_SERVER and name not in ignoring
    )


def not_contrary(sent: Json, stored: Json, links: Mapping[str, str], base_url: str) -> bool:
    """As `same`, but a whole element of the resource may be missing: the server does not keep it."""
    missing = [name for name in sent if name not in stored]
    return same(sent, stored, links, base_url, ignoring=missing)


def rewritten(change: ResourceChange, base_url: str) -> frozenset[str]:
    """The elements that the server did not keep as they were sent, the last time that it took this resource."""
    if change.base is None:
        return frozenset()
    ours, stored = change.base.ours, change.base.stored
    return frozenset(
        name for name, value in ours.items() if name not in stored or not _same(value, stored[name], {}, base_url)
    )


def _same(sent: Any, stored: Any, links: Mapping[str, str], base_url: str) -> bool:
    if isinstance(sent, Mapping):
        return isinstance(stored, Mapping) and all(
            _same_field(name, value, stored, links, base_url) for name, value in sent.items()
        )
    if isinstance(sent, list | tuple):
        return (
            isinstance(stored, list)
            and len(sent) == len(stored)
            and all(_same(a, b, links, base_url) for a, b in zip(sent, stored, strict=True))
        )
    return bool(sent == stored)


def _same_field(
    name: str, value: Any, stored: Mapping[str, Any], links: Mapping[str, str], base_url: str
) -> bool:
    if name not in stored:
        return name == "id"  # some servers drop the ids of elements
    if name == "reference" and isinstance(value, str) and isinstance(stored[name], str):
        return _reference(links.get(value, value), base_url) == _reference(stored[name], base_url)
    return _same(value, stored[name], links, base_url)


def _reference(value: str, base_url: str) -> str:
    return _VERSION.sub("", value.removeprefix(f"{base_url}/"))
