"""References in a resource: found, read, rewritten (http://hl7.org/fhir/R4/references.html)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .outcomes import Json

_LOCAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/([A-Za-z0-9\-.]{1,64}))?", re.ASCII)


class Local(NamedTuple):
    """A reference to a resource of this server, in one version where it names one."""

    type: str
    id: str
    version: str | None


def local(reference: str, base_url: str) -> Local | None:
    """`Type/id`, `Type/id/_history/n` or the same behind this server's base URL; None for anything else."""
    match = _LOCAL.fullmatch(reference.removeprefix(f"{base_url}/"))
    return Local(match[1], match[2], match[3]) if match else None


def references(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every literal reference with the path of its element."""
    if isinstance(node, dict):
        literal = node.get("reference")
        if isinstance(literal, str):
            yield path, literal
        for name, value in node.items():
            yield from references(value, f"{path}.{name}")
    elif isinstance(node, list):
        for index, each in enumerate(node):
            yield from references(each, f"{path}[{index}]")


def rewritten(node: Any, places: Mapping[str, str], base_url: str) -> Any:
    """A copy in which each reference stands relative to this server; `places` are the `Type/id` behind the
    `urn:uuid:` and other full URLs of a Bundle."""
    if isinstance(node, dict):
        return {
            name: places.get(value, value.removeprefix(f"{base_url}/"))
            if name == "reference" and isinstance(value, str)
            else rewritten(value, places, base_url)
            for name, value in node.items()
        }
    if isinstance(node, list):
        return [rewritten(each, places, base_url) for each in node]
    return node


def contained_ids(body: Json) -> frozenset[str]:
    return frozenset(f"#{one.get('id')}" for one in body.get("contained", ()))
