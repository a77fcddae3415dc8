"""References between what we author: from the `urn:uuid:` of one rendering to what stands on the server."""

from collections.abc import Collection, Mapping
from typing import Any

from careplan_exchange.model.changes import Json
from careplan_exchange.model.codec import encode

from .values import MISSING

_URN = b"urn:uuid:"


class Resolver:
    """Resolves in whole bodies, and hands on as it is what holds none of the URLs: most bodies do not."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known
        self._mark = _URN if all(url.startswith(_URN.decode()) for url in known) else b""

    def __call__(self, body: Json) -> Json:
        if not self._known or self._mark not in encode(body):
            return body
        resolved: Json = resolve(body, self._known)
        return resolved


def resolve(value: Any, known: Mapping[str, str]) -> Any:
    """A copy in which each string that is a full URL in `known` is the `Type/id` it stands for there."""
    if isinstance(value, dict):
        return {
            key: known.get(item, item) if isinstance(item, str) else resolve(item, known)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [resolve(item, known) for item in value]
    return known.get(value, value) if isinstance(value, str) else value


def mentions(value: Any, urls: Collection[str]) -> bool:
    """Whether one of these URLs stands anywhere in the value."""
    if not urls:
        return False
    if isinstance(value, dict):
        return any(mentions(item, urls) for item in value.values())
    if isinstance(value, list):
        return any(mentions(item, urls) for item in value)
    return value in urls


def without(value: Any, urls: Collection[str]) -> Any:
    """A copy without the references to these URLs. What held nothing but such a reference falls away with it: an
    item of a list, an activity that only refers, an extension. MISSING where nothing is left."""
    if not mentions(value, urls):
        return value
    if isinstance(value, dict):
        kept = {key: item for key, old in value.items() if (item := without(old, urls)) is not MISSING}
        return kept if kept.keys() - _NAMES else MISSING
    if isinstance(value, list):
        return [item for old in value if (item := without(old, urls)) is not MISSING] or MISSING
    return MISSING


_NAMES = frozenset({"id", "url", "display", "type"})
"""What only names: an object that has nothing else says nothing."""
