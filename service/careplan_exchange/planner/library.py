"""What a `definitionCanonical` points at: by url, by `url|version`, or by `#id` inside the plan."""

from collections.abc import Iterable
from typing import Any

import msgspec

from careplan_exchange.knowledge import Document

from .elements import items


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A definition and the file that holds it."""

    resource: dict[str, Any]
    document: Document


class Library:
    """All definitions of a set of documents."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._by_url: dict[str, list[Entry]] = {}
        for document in documents:
            content = document.content
            if isinstance(content, dict) and content.get("url") and isinstance(content["url"], str):
                self._by_url.setdefault(content["url"], []).append(Entry(resource=content, document=document))

    def find(self, canonical: str, within: Entry) -> Entry | None:
        """The definition, the newest version of it where none is named (one in force before a draft or a retired
        one), or None where there is none."""
        if canonical.startswith("#"):
            contained = [inner for inner in items(within.resource, "contained") if isinstance(inner, dict)]
            found = next((inner for inner in contained if inner.get("id") == canonical[1:]), None)
            return None if found is None else Entry(resource=found, document=within.document)
        url, _, version = canonical.partition("|")
        entries = self._by_url.get(url, [])
        if version:
            return next((entry for entry in entries if entry.resource.get("version") == version), None)
        return max(entries, key=_rank, default=None)

    def versions(self, canonical: str) -> tuple[str, ...]:
        """The versions that there are of its url, where it names one."""
        url, named, _ = canonical.partition("|")
        entries = self._by_url.get(url, []) if named else []
        return tuple(sorted({f"{url}|{entry.resource.get('version', '')}" for entry in entries}))

    def canonicals(self) -> tuple[str, ...]:
        """Every `url|version` there is."""
        return tuple(
            f"{url}|{entry.resource.get('version')}" for url, entries in self._by_url.items() for entry in entries
        )


def _rank(entry: Entry) -> tuple[bool, tuple[tuple[int, str], ...]]:
    in_force = entry.resource.get("status", "active") == "active"
    return in_force, _order(str(entry.resource.get("version", "")))


def _order(version: str) -> tuple[tuple[int, str], ...]:
    """`1.10.0` after `1.9.0`."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in version.split("."))
