"""References between what we author: from the `urn:uuid:` of one rendering to what stands on the server."""

from collections.abc import Collection, Mapping
from typing import Any


def resolve(value: Any, known: Mapping[str, str]) -> Any:
    """A copy in which each string that is a full URL in `known` is the `Type/id` it stands for there."""
    if isinstance(value, dict):
        return {key: resolve(item, known) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, known) for item in value]
    return known.get(value, value)


def mentions(value: Any, urls: Collection[str]) -> bool:
    """Whether one of these URLs stands anywhere in the value."""
    if isinstance(value, dict):
        return any(mentions(item, urls) for item in value.values())
    if isinstance(value, list):
        return any(mentions(item, urls) for item in value)
    return value in urls
